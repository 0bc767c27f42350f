package interp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kakehi/kakehi/internal/value"
)

// thread is a branch of an execution, or its main line: a position, the frames
// of the routines it is in and their variables. It is data, not a goroutine.
type thread struct {
	run     *Execution
	name    string // "" for the main one
	base    int    // call depth of the threads around it
	nesting int    // parallel steps around it
	frames  []*frame
	waiting bool     // for an effect or a parallel step
	ended   bool     // returned, or failed
	ret     returner // takes what the effect brings
	par     *parallel
	index   int64 // in par
	call    *Call // that may send requests, where there are stubs
	entries []openEntry
}

// frame is a routine, or the body of a branch, that is being run.
type frame struct {
	thread *thread
	proc   *proc
	pc     int // of the next operation; the one before it is the current one
	env    *env
	temps  []value.Value
	loops  []loop
	tries  []attempt
	ret    returner // takes the result in the frame below
	opened int      // step entries below this frame
}

// env holds variables; parent is that of the code around a branch.
type env struct {
	vars   []value.Value
	parent *env
}

func newFrame(t *thread, p *proc, parent *env) *frame {
	f := &frame{thread: t, proc: p, env: &env{vars: make([]value.Value, p.slots), parent: parent}, opened: len(t.entries)}
	if p.temps > 0 {
		f.temps = make([]value.Value, p.temps)
	}
	if p.loops > 0 {
		f.loops = make([]loop, p.loops)
	}
	if len(p.regions) > 0 {
		f.tries = make([]attempt, len(p.regions))
	}
	return f
}

func (f *frame) site() *site { return &f.proc.sites[max(f.pc-1, 0)] }

func (t *thread) top() *frame { return t.frames[len(t.frames)-1] }

// advance runs t until it waits or ends.
func (t *thread) advance() {
	for !t.waiting && !t.ended && !t.run.over {
		if t.run.interrupts(t) {
			t.run.ready = append(t.run.ready, t)
			return
		}
		f := t.top()
		pc := f.pc
		f.pc++
		if t.run.cfg.OnStep != nil {
			t.traceSite(f)
		}
		if err := f.proc.code[pc].run(t, f); err != nil {
			t.throw(err)
		}
	}
}

// enter calls a subworkflow.
func (t *thread) enter(p *proc, args []value.Value, ret returner) error {
	if limit := t.run.limits.CallDepth; t.base+len(t.frames) >= limit {
		return value.Errorf(value.RecursionError, "the call stack is deeper than %d", limit)
	}
	f := newFrame(t, p, nil)
	f.ret = ret
	if err := t.bind(f, args); err != nil {
		return err
	}
	t.frames = append(t.frames, f)
	return nil
}

// bind sets the parameters of a routine; nil arguments were not given.
func (t *thread) bind(f *frame, args []value.Value) error {
	for i, param := range f.proc.params {
		v := args[i]
		if v == nil && param.required {
			return value.Errorf(value.TypeError, "%s needs an argument for parameter %q", f.proc.name, param.name)
		}
		if v == nil {
			var err error
			if v, err = param.byDefault.eval(f); err != nil {
				return err
			}
		}
		if err := t.run.store(f, varRef{0, param.slot}, v); err != nil {
			return err
		}
	}
	return nil
}

// pop drops the top frame and its variables.
func (t *thread) pop() *frame {
	f := t.top()
	t.run.clear(f.env, 0)
	t.frames = t.frames[:len(t.frames)-1]
	return f
}

// leave returns v from the top frame.
func (t *thread) leave(v value.Value) error {
	if t.run.cfg.OnStep != nil {
		t.closeEntries(t.top().opened, StepSucceeded, nil)
	}
	if len(t.frames) == 1 {
		t.end(v, nil)
		return nil
	}
	f := t.pop()
	return f.ret.returned(t, t.top(), v)
}

// await goes on with what a waiting function wants next.
func (t *thread) await(n Next, ret returner) error {
	for n.Effect != nil {
		result, atHand := t.run.issue(t, n)
		if !atHand {
			t.waiting, t.ret = true, ret
			return nil
		}
		n = n.Then(result)
	}
	if n.Err != nil {
		return n.Err
	}
	return ret.returned(t, t.top(), n.Value)
}

// resume hands t the next step of the function it waits for.
func (t *thread) resume(n Next) {
	t.waiting = false
	if err := t.await(n, t.ret); err != nil {
		t.throw(err)
	}
	if !t.waiting && !t.ended {
		t.run.ready = append(t.run.ready, t)
	}
}

type fault = value.Error // for the name of the embedded field

// raised is an error on its way, with the trace of where it was raised.
type raised struct {
	*fault
	stack []Frame // innermost first
}

func (t *thread) raise(err error) *raised {
	var r *raised
	if errors.As(err, &r) {
		return r
	}
	var e *value.Error
	if !errors.As(err, &e) {
		e = value.Errorf(value.SystemError, "%v", err)
	}
	return &raised{e, t.stack()}
}

func (t *thread) stack() []Frame {
	out := make([]Frame, 0, len(t.frames))
	for i := len(t.frames) - 1; i >= 0; i-- {
		f := t.frames[i]
		s := f.site()
		out = append(out, Frame{Step: s.stepName(), Routine: f.proc.name, At: s.at})
	}
	return out
}

// throw takes an error to the innermost try that handles it, or ends t.
func (t *thread) throw(err error) {
	r := t.raise(err)
	if r.Fatal {
		if t.run.cfg.OnStep != nil { // t runs, so that it is on no list of those to close
			t.closeEntries(0, StepFailed, r.Payload)
		}
		t.run.fail(r)
		return
	}
	for {
		f := t.top()
		if i := f.site().region; i >= 0 {
			reg := f.proc.regions[i]
			if t.run.cfg.OnStep != nil {
				t.closeTo(reg.node, r.Payload)
			}
			value.Retain(r.Payload)
			t.run.clear(f.env, reg.clear)
			f.tries[i].err = r
			f.pc = reg.handler
			return
		}
		if t.run.cfg.OnStep != nil {
			t.closeEntries(f.opened, StepFailed, r.Payload)
		}
		if len(t.frames) == 1 {
			t.end(nil, r)
			return
		}
		t.pop()
		if _, ok := f.ret.(*retryOp); ok {
			return // a failed predicate ends the retries; the original error goes on
		}
	}
}

// end is the end of t, with a value or an error.
func (t *thread) end(v value.Value, err *raised) {
	t.ended = true
	switch {
	case t.par != nil:
		t.pop()
		t.par.branchEnded(t, err)
	case err != nil:
		t.run.fail(err)
	default:
		t.run.succeed(v)
	}
}

// context words an error as Execution.error.context does: the message, then a
// line for each frame. A value that the workflow raised comes as JSON behind
// "RuntimeError: ".
func (r *raised) context() string {
	var b strings.Builder
	if r.Raised {
		b.WriteString("RuntimeError: ")
	}
	b.WriteString(r.Message())
	for _, f := range r.stack {
		fmt.Fprintf(&b, "\nin step %q, routine %q, line: %d", f.Step, f.Routine, f.At.Line)
	}
	return b.String()
}
