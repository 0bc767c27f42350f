package interp

import "github.com/kakehi/kakehi/internal/value"

// op is an operation of the machine. run may move f.pc, push a frame or block
// the thread; the error it returns is raised at the operation's site.
type op interface {
	run(t *thread, f *frame) error
}

// returner takes the value that a call or an effect of its own brought.
type returner interface {
	returned(t *thread, f *frame, v value.Value) error
}

// countOp counts a step.
type countOp struct{}

func (countOp) run(t *thread, _ *frame) error { return t.run.countStep() }

// assignOp is one item of an assign step. Items are operations of their own,
// so each has its position; nothing of another branch runs between them.
type assignOp struct {
	ref    varRef
	path   []node
	value  node
	counts bool // the first item counts the step
}

func (o *assignOp) run(t *thread, f *frame) error {
	if o.counts {
		if err := t.run.countStep(); err != nil {
			return err
		}
	}
	v, err := o.value.eval(f)
	if err != nil {
		return err
	}
	if len(o.path) == 0 {
		return t.run.store(f, o.ref, v)
	}
	path, err := evalAll(f, o.path)
	if err != nil {
		return err
	}
	return t.run.storePart(f, o.ref, path, v)
}

// evalOp evaluates a call that does not wait, as a step.
type evalOp struct {
	value  node
	counts bool
	result *varRef
}

func (o *evalOp) run(t *thread, f *frame) error {
	if o.counts {
		if err := t.run.countStep(); err != nil {
			return err
		}
	}
	v, err := o.value.eval(f)
	if err != nil || o.result == nil {
		return err
	}
	return t.run.store(f, *o.result, v)
}

// tempOp keeps an intermediate result.
type tempOp struct {
	value node
	temp  int
}

func (o *tempOp) run(_ *thread, f *frame) error {
	v, err := o.value.eval(f)
	if err != nil {
		return err
	}
	value.Retain(v)
	f.temps[o.temp] = v
	return nil
}

// logicOp jumps if the operand of and, or decides the matter.
type logicOp struct {
	temp   int
	what   string
	stop   bool
	target int
}

func (o *logicOp) run(_ *thread, f *frame) error {
	b, err := truth(f.temps[o.temp], o.what)
	if err != nil {
		return err
	}
	if b == o.stop {
		f.pc = o.target
	}
	return nil
}

// testOp jumps to the next arm of a switch unless its condition holds.
type testOp struct {
	condition node
	otherwise int
}

func (o *testOp) run(_ *thread, f *frame) error {
	v, err := o.condition.eval(f)
	if err != nil {
		return err
	}
	holds, err := truth(v, "the condition of a switch")
	if err != nil {
		return err
	}
	if !holds {
		f.pc = o.otherwise
	}
	return nil
}

// jumpOp jumps, and drops the variables of the scopes that the jump leaves.
type jumpOp struct {
	target int
	counts bool
	clear  int // slots from here on; -1 for none
}

func (o *jumpOp) run(t *thread, f *frame) error {
	if o.counts {
		if err := t.run.countStep(); err != nil {
			return err
		}
	}
	if o.clear >= 0 {
		t.run.clear(f.env, o.clear)
	}
	f.pc = o.target
	return nil
}

// returnOp ends the routine; value is nil for the end of its steps.
type returnOp struct {
	value  node
	counts bool
}

func (o *returnOp) run(t *thread, f *frame) error {
	if o.counts {
		if err := t.run.countStep(); err != nil {
			return err
		}
	}
	var v value.Value = value.Null{}
	if o.value != nil {
		var err error
		if v, err = o.value.eval(f); err != nil {
			return err
		}
	}
	return t.leave(v)
}

// raiseOp raises a string or a map.
type raiseOp struct{ value node }

func (o *raiseOp) run(t *thread, f *frame) error {
	if err := t.run.countStep(); err != nil {
		return err
	}
	v, err := o.value.eval(f)
	if err != nil {
		return err
	}
	switch v.(type) {
	case value.String, *value.Map:
		value.Retain(v)
		return &value.Error{Payload: v, Raised: true}
	}
	return value.Errorf(value.TypeError, "raise takes a string or a map; got: %s", value.Type(v))
}
