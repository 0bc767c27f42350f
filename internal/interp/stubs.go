package interp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/value"
)

// Stubs stands in for the outside world. The scheduler asks it, in an order
// that is the same in every life of an execution; the answers go to the
// journal. Nil is no answer: the call is made, the request is sent.
type Stubs interface {
	// Call is asked before each call of a subworkflow, or of a function that
	// may wait.
	Call(Call) *Answer
	// Request is asked before each request that a call sends.
	Request(Call, *Request) *Answer
}

// Call is a call of a subworkflow, or of a function that may wait.
type Call struct {
	Func string
	// Args holds the arguments by parameter, without those that were not given.
	Args          *value.Map
	Step, Routine string // that call it
	At            diag.Pos
}

// Answer is what a stub gives in the place of the outside: to a request
// Response or Err, to a call Value or Err.
type Answer struct {
	After    time.Duration // how long it takes
	Response *Response
	Value    value.Value // has a JSON form
	Err      *value.Error
	// Perform is asked, off the scheduler, for Value or Err of a call when all
	// of them are nil. An error that is no *value.Error becomes a SystemError.
	Perform func(context.Context) (value.Value, error)
}

// within lets an answer that takes longer than a request may be a timeout.
func (a *Answer) within(timeout time.Duration) *Answer {
	if a == nil || a.After < timeout {
		return a
	}
	return &Answer{After: timeout, Err: timedOut()}
}

func timedOut() *value.Error {
	return value.NewError("request timed out", value.TimeoutError, value.OSError)
}

// record is the answer as the journal has it.
func (a *Answer) record(id int64) record {
	r := record{Kind: kindDone, ID: id, Response: a.Response}
	switch {
	case a.Err != nil:
		r.Raise, r.Fatal = value.MustJSON(value.Printable(a.Err.Payload)), a.Err.Fatal
	case a.Response == nil:
		r.Value = value.MustJSON(value.Printable(a.Value))
	}
	return r
}

// stubResult is what a stub gave, as the journal has it.
func (r record) stubResult(at time.Time) Result {
	text := r.Value
	if r.Raise != nil {
		text = r.Raise
	}
	v, err := value.FromJSON(text)
	switch {
	case err != nil:
		return Result{At: at, Err: value.Errorf(value.SystemError, "the journal holds an answer that is no value: %v", err)}
	case r.Raise == nil:
		return Result{At: at, Value: v}
	}
	_, isMap := v.(*value.Map)
	return Result{At: at, Err: &value.Error{Payload: v, Raised: !isMap, Fatal: r.Fatal}}
}

// carryOut gets what w needs from the outside. It runs on a goroutine of its
// own.
func (x *Execution) carryOut(w *wait) record {
	switch {
	case w.stub && w.answer == nil:
		gone := value.NewError("the stub that answered this call is not there any more", value.SystemError)
		gone.Fatal = true
		return (&Answer{Err: gone}).record(0)
	case w.replayed && !w.repeatable():
		return record{Kind: kindDone, Tags: []value.Tag{value.ConnectionError},
			Message: "the process stopped while the request was in flight; it may have been processed"}
	case w.request != nil:
		return x.perform(w.request)
	}
	v, err := w.answer.Perform(x.ctx)
	if err == nil {
		return (&Answer{Value: v}).record(0)
	}
	var known *value.Error
	if !errors.As(err, &known) {
		known = value.Errorf(value.SystemError, "%v", err)
	}
	return (&Answer{Err: known}).record(0)
}

// stubbed is the effect of a call that a stub answers.
type stubbed struct {
	name   string
	call   int64
	answer *Answer
}

func (*stubbed) effect() {}

// stub returns what a call does if a stub answers it. In a replay the journal
// says so.
func (t *thread) stub(o *callOp, args []value.Value) (Next, bool) {
	x := t.run
	x.calls++
	var answer *Answer
	if x.cfg.Stubs != nil {
		t.call = t.describe(o, args)
		answer = x.cfg.Stubs.Call(*t.call)
	}
	if x.journal.replaying() {
		if !x.journal.stubbed(x.calls) {
			return Next{}, false
		}
	} else if answer == nil {
		return Next{}, false
	}
	return Do(&stubbed{o.name, x.calls, answer}, func(r Result) Next {
		if r.Err != nil {
			return Fail(r.Err)
		}
		return Done(r.Value)
	}), true
}

// describe makes the Call of a call.
func (t *thread) describe(o *callOp, args []value.Value) *Call {
	f := t.top()
	c := &Call{Func: o.name, Args: value.NewMap(), Step: f.site().stepName(), Routine: f.proc.name, At: f.site().at}
	if o.fn != nil && o.fn.Named {
		if m, ok := args[0].(*value.Map); ok {
			value.Retain(m)
			c.Args = m
		}
		return c
	}
	for i, v := range args {
		switch {
		case v == nil:
		case o.sub != nil:
			c.Args.Put(o.sub.params[i].name, v)
		default:
			c.Args.Put(o.fn.Params[i], v)
		}
	}
	return c
}

// stubbed looks ahead whether a stub answered call number n in the earlier life.
func (j *journal) stubbed(n int64) bool {
	data := j.replay[j.seq].Data
	if !bytes.HasPrefix(data, []byte(`{"kind":"issue"`)) {
		return false // spares the decoding
	}
	var r record
	return json.Unmarshal(data, &r) == nil && r.Kind == kindIssue && r.Effect == "stub" && r.Call == n
}
