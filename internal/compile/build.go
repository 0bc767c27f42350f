package compile

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// ref is the variable path[0] with the members that follow.
func ref(path ...string) expr.Expr {
	var x expr.Expr = &expr.Ident{Name: path[0]}
	for _, name := range path[1:] {
		x = &expr.Member{X: x, Name: name}
	}
	return x
}

func quote(s string) expr.Expr { return &expr.Literal{Value: s} }

func null() expr.Expr { return &expr.Literal{} }

func fn(name string, args ...expr.Expr) expr.Expr { return &expr.Call{Func: name, Args: args} }

func index(x, key expr.Expr) expr.Expr { return &expr.Index{X: x, Key: key} }

// join chains operands with one operator, from the left.
func join(op string, xs ...expr.Expr) expr.Expr {
	joined := xs[0]
	for _, x := range xs[1:] {
		joined = &expr.Binary{X: joined, Op: op, Y: x}
	}
	return joined
}

// node makes the value ${x}; a string literal needs no expression.
func node(x expr.Expr) workflow.Node {
	if l, ok := x.(*expr.Literal); ok {
		return lit(l.Value)
	}
	return &workflow.Expr{At: x.Pos(), X: x}
}

func lit(v any) workflow.Node { return &workflow.Lit{Value: v} }

// fields builds a map in order. An entry whose value is nil is left out.
type fields []field

type field struct {
	key   string
	value workflow.Node
}

func (fs fields) node() *workflow.Map {
	m := &workflow.Map{}
	for _, f := range fs {
		if f.value != nil {
			m.Entries = append(m.Entries, &workflow.Entry{Key: lit(f.key), Value: f.value})
		}
	}
	return m
}

func list(items ...workflow.Node) *workflow.List { return &workflow.List{Items: items} }

// set is the assignment of a value to a variable or a part of one.
func set(target expr.Expr, value workflow.Node) *workflow.AssignItem {
	return &workflow.AssignItem{Target: target, Value: value}
}

func assign(name string, items ...*workflow.AssignItem) *workflow.Step {
	return &workflow.Step{Name: name, Do: &workflow.Assign{Items: items}}
}

// call is a step that calls f; result may be empty.
func call(name, f string, args fields, result string) *workflow.Step {
	c := &workflow.Call{Func: f, Result: result}
	if len(args) > 0 {
		c.Args = args.node()
	}
	return &workflow.Step{Name: name, Do: c}
}

func choose(name string, arms ...*workflow.Arm) *workflow.Step {
	return &workflow.Step{Name: name, Do: &workflow.Switch{Arms: arms}}
}

func arm(condition expr.Expr, body *workflow.Step) *workflow.Arm {
	return &workflow.Arm{Condition: node(condition), Body: body}
}

func otherwise(body *workflow.Step) *workflow.Arm {
	return &workflow.Arm{Condition: lit(true), Body: body}
}

// eachStep calls f for every step of the list and below it, parents first.
func eachStep(steps []*workflow.Step, f func(*workflow.Step)) {
	for _, s := range steps {
		f(s)
		for _, below := range children(s.Do) {
			eachStep(below, f)
		}
	}
}

// children returns the lists of steps that an action holds.
func children(a workflow.Action) [][]*workflow.Step {
	switch a := a.(type) {
	case *workflow.Switch:
		var lists [][]*workflow.Step
		for _, arm := range a.Arms {
			lists = append(lists, []*workflow.Step{arm.Body})
		}
		return lists
	case *workflow.For:
		return [][]*workflow.Step{a.Steps}
	case *workflow.Parallel:
		if a.For != nil {
			return [][]*workflow.Step{a.For.Steps}
		}
		var lists [][]*workflow.Step
		for _, b := range a.Branches {
			lists = append(lists, b.Steps)
		}
		return lists
	case *workflow.Try:
		lists := [][]*workflow.Step{{a.Body}}
		if a.Except != nil {
			lists = append(lists, a.Except.Steps)
		}
		return lists
	case *workflow.Steps:
		return [][]*workflow.Step{a.Steps}
	}
	return nil
}
