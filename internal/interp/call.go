package interp

import (
	"fmt"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// callOp calls a subworkflow, or a function that may wait. Its value goes to
// the variable result, or to the temporary temp if that is not negative.
type callOp struct {
	name   string
	sub    *proc // or
	fn     *Func
	args   []node // by parameter; nil where none was given
	result *varRef
	temp   int
}

func (o *callOp) run(t *thread, f *frame) error {
	args, err := evalAll(f, o.args)
	if err != nil {
		return err
	}
	if err := t.run.countStep(); err != nil {
		return err
	}
	if n, ok := t.stub(o, args); ok {
		return t.await(n, o)
	}
	if o.sub != nil {
		return t.enter(o.sub, args, o)
	}
	for _, arg := range args {
		if arg != nil {
			value.Retain(arg)
		}
	}
	return t.await(o.fn.Start(&Context{t}, args), o)
}

func (o *callOp) returned(t *thread, f *frame, v value.Value) error {
	if err := t.run.checkStrings(v); err != nil {
		return err
	}
	if o.temp >= 0 {
		value.Retain(v)
		f.temps[o.temp] = v
		return nil
	}
	if o.result == nil {
		return nil
	}
	return t.run.store(f, *o.result, v)
}

// arguments are those of a call, by position or by name.
type arguments struct {
	list  []*tree
	named []namedTree
	// keys and values in turn, for functions that take any name
	all []*tree
}

type namedTree struct {
	name string
	tree *tree
}

func positional(list []*tree) arguments { return arguments{list: list} }

// callStep compiles a call step.
func (b *builder) callStep(c *workflow.Call) {
	var result *varRef
	if c.Result != "" {
		if ref, ok := b.target(c.Result, c.ResultAt); ok {
			result = &ref
		}
	}
	t := b.callTree(c.Func, c.At, b.arguments(c.Args))
	if t.call == nil {
		b.emit(&evalOp{value: b.lower(t), counts: b.isFree(c.Func), result: result}, c.At)
		return
	}
	t.call.args = b.lowerAll(t.kids)
	t.call.result = result
	b.emit(t.call, c.At)
}

func (b *builder) isFree(name string) bool {
	fn, ok := b.c.library(name)
	return ok && fn.Free
}

func (b *builder) arguments(n workflow.Node) arguments {
	var args arguments
	switch n := n.(type) {
	case nil:
	case *workflow.List:
		for _, item := range n.Items {
			args.list = append(args.list, b.yaml(item))
		}
	case *workflow.Map:
		for _, e := range n.Entries {
			key, ok := e.Key.(*workflow.Lit)
			name, isString := "", false
			if ok {
				name, isString = key.Value.(string)
			}
			if !isString {
				b.problemf(e.Key.Pos(), "bad-argument", "the name of an argument must be a string")
				continue
			}
			t := b.yaml(e.Value)
			args.named = append(args.named, namedTree{name, t})
			args.all = append(args.all, b.yaml(e.Key), t)
		}
	default:
		b.problemf(n.Pos(), "bad-argument", "args must be a map of names and values, or a list of values")
	}
	return args
}

// callTree compiles a call of a subworkflow or function.
func (b *builder) callTree(name string, at diag.Pos, args arguments) *tree {
	if sub, ok := b.c.subs[name]; ok {
		names := make([]string, len(sub.params))
		required := make([]bool, len(sub.params))
		for i, p := range sub.params {
			names[i], required[i] = p.name, p.required
		}
		kids, problem := bind(name, names, func(i int) bool { return required[i] }, args)
		return waiting(&callOp{name: name, sub: sub, temp: -1}, at, kids, problem)
	}
	fn, ok := b.c.library(name)
	switch {
	case !ok:
		b.problemf(at, "unknown-function", "symbol '%s' is neither a variable nor a sub-workflow name", name)
		return leaf(constNode{value.Null{}})
	case fn.Value != nil:
		b.problemf(at, "not-a-function", "%s is a value and cannot be called", name)
		return leaf(constNode{value.Null{}})
	}
	kids, problem := bindFunc(name, fn, args)
	if fn.Start != nil {
		return waiting(&callOp{name: name, fn: fn, temp: -1}, at, kids, problem)
	}
	if problem != "" {
		return leaf(failNode{value.TypeError, problem})
	}
	return branchOf(func(kids []node) node { return callNode{fn, kids} }, kids...)
}

func waiting(call *callOp, at diag.Pos, kids []*tree, problem string) *tree {
	if problem != "" {
		return leaf(failNode{value.TypeError, problem})
	}
	return &tree{kids: kids, call: call, at: at, waits: true}
}

func bindFunc(name string, fn *Func, args arguments) (kids []*tree, problem string) {
	if !fn.Named {
		return bind(name, fn.Params, func(i int) bool { return i < fn.Required }, args)
	}
	if len(args.list) > 0 {
		return nil, name + " takes its arguments by name"
	}
	return []*tree{branchOf(makeMap, args.all...)}, ""
}

// bind orders arguments by parameter. A mismatch is reported when the call
// runs: whether the service refuses it at deployment is for workflow.Check.
func bind(name string, params []string, required func(int) bool, args arguments) (kids []*tree, problem string) {
	kids = make([]*tree, len(params))
	if len(args.list) > len(params) {
		return nil, fmt.Sprintf("%s takes at most %d arguments; got: %d", name, len(params), len(args.list))
	}
	copy(kids, args.list)
	for _, arg := range args.named {
		i := indexOf(params, arg.name)
		if i < 0 {
			return nil, fmt.Sprintf("%s has no parameter named %q", name, arg.name)
		}
		kids[i] = arg.tree
	}
	for i, kid := range kids {
		if kid == nil && required(i) {
			return nil, fmt.Sprintf("%s needs an argument for parameter %q", name, params[i])
		}
	}
	return kids, ""
}

func indexOf(list []string, s string) int {
	for i, x := range list {
		if x == s {
			return i
		}
	}
	return -1
}
