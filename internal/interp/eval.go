package interp

import "github.com/kakehi/kakehi/internal/value"

// node is an expression made ready to evaluate. It never waits: calls that may
// are taken out of expressions by the compiler (see lower.go).
type node interface {
	eval(f *frame) (value.Value, error)
}

// constNode is a frozen value.
type constNode struct{ v value.Value }

func (n constNode) eval(*frame) (value.Value, error) { return n.v, nil }

// varRef finds a variable: in the environment up levels above, at slot.
type varRef struct{ up, slot int }

func (r varRef) env(f *frame) *env {
	e := f.env
	for range r.up {
		e = e.parent
	}
	return e
}

type varNode struct{ ref varRef }

func (n varNode) eval(f *frame) (value.Value, error) {
	if v := n.ref.env(f).vars[n.ref.slot]; v != nil {
		return v, nil
	}
	return value.Null{}, nil
}

// tempNode is an intermediate result that a call before it left.
type tempNode int

func (n tempNode) eval(f *frame) (value.Value, error) { return f.temps[n], nil }

type indexNode struct{ x, key node }

func (n indexNode) eval(f *frame) (value.Value, error) {
	x, err := n.x.eval(f)
	if err != nil {
		return nil, err
	}
	key, err := n.key.eval(f)
	if err != nil {
		return nil, err
	}
	return value.Index(x, key)
}

type unaryNode struct {
	x  node
	op func(value.Value) (value.Value, error)
}

func (n unaryNode) eval(f *frame) (value.Value, error) {
	x, err := n.x.eval(f)
	if err != nil {
		return nil, err
	}
	return n.op(x)
}

func not(v value.Value) (value.Value, error) {
	b, err := truth(v, "the operand of not")
	return value.Bool(!b), err
}

type binaryNode struct {
	x, y node
	op   operator
}

func (n binaryNode) eval(f *frame) (value.Value, error) {
	x, err := n.x.eval(f)
	if err != nil {
		return nil, err
	}
	y, err := n.y.eval(f)
	if err != nil {
		return nil, err
	}
	v, err := n.op(x, y)
	if s, ok := v.(value.String); ok {
		return v, f.thread.run.checkString(len(s))
	}
	return v, err
}

// logicNode is and, or: it stops at the first operand that equals stop.
type logicNode struct {
	x, y node
	what string // the operands, in a message
	stop bool
}

func (n logicNode) eval(f *frame) (value.Value, error) {
	for _, operand := range []node{n.x, n.y} {
		v, err := operand.eval(f)
		if err != nil {
			return nil, err
		}
		b, err := truth(v, n.what)
		if err != nil {
			return nil, err
		}
		if b == n.stop {
			return value.Bool(b), nil
		}
	}
	return value.Bool(!n.stop), nil
}

type listNode struct{ items []node }

func (n listNode) eval(f *frame) (value.Value, error) {
	items := make([]value.Value, len(n.items))
	for i, item := range n.items {
		v, err := item.eval(f)
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return value.NewList(items...), nil
}

// mapNode builds a map from keys and values in turn.
type mapNode struct{ parts []node }

func (n mapNode) eval(f *frame) (value.Value, error) {
	m := value.NewMap()
	for i := 0; i < len(n.parts); i += 2 {
		key, err := n.parts[i].eval(f)
		if err != nil {
			return nil, err
		}
		k, ok := value.KeyOf(key)
		if !ok {
			return nil, value.Errorf(value.TypeError, "a map key must be a string or an integer; got: %s", value.Type(key))
		}
		v, err := n.parts[i+1].eval(f)
		if err != nil {
			return nil, err
		}
		m.PutKey(k, v)
	}
	return m, nil
}

// callNode calls a library function that computes at once.
type callNode struct {
	fn   *Func
	args []node
}

func (n callNode) eval(f *frame) (value.Value, error) {
	args, err := evalAll(f, n.args)
	if err != nil {
		return nil, err
	}
	if !n.fn.Free {
		if err := f.thread.run.countStep(); err != nil {
			return nil, err
		}
	}
	v, err := n.fn.Eval(&Context{f.thread}, args)
	if s, ok := v.(value.String); ok && err == nil {
		return v, f.thread.run.checkString(len(s))
	}
	return v, err
}

// failNode raises an error that the compiler foresaw, when it is evaluated.
type failNode struct {
	tag     value.Tag
	message string
}

func (n failNode) eval(*frame) (value.Value, error) {
	return nil, value.NewError(n.message, n.tag)
}

// evalAll evaluates nodes; a nil node, an argument left out, gives nil.
func evalAll(f *frame, nodes []node) ([]value.Value, error) {
	out := make([]value.Value, len(nodes))
	for i, n := range nodes {
		if n == nil {
			continue
		}
		v, err := n.eval(f)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
