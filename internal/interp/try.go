package interp

import (
	"time"

	"github.com/kakehi/kakehi/internal/value"
)

// region is the body of a try with retry or except: an error inside goes to
// handler, code that is not part of the region.
type region struct {
	handler int
	body    int // where a retry begins again
	clear   int // slots to drop on the way out
	node    *stepNode
}

// attempt is the state of a try in a frame.
type attempt struct {
	retries int64
	delay   float64 // seconds, of the next wait
	terms   terms   // of the policy, as of the last error
	err     *raised
}

// tryOp enters a try block for the first time.
type tryOp struct{ region int }

func (o *tryOp) run(t *thread, f *frame) error {
	f.tries[o.region] = attempt{}
	return t.run.countStep()
}

// retryOp decides, after an error, whether the body runs again. When it must
// not, control goes on behind it, where the except or the end of the try is.
type retryOp struct {
	region int
	policy node // a map
	again  *againOp
}

// againOp runs the body again after the wait.
type againOp struct{ body int }

func (o *againOp) returned(_ *thread, f *frame, _ value.Value) error {
	f.pc = o.body
	return nil
}

// terms are the evaluated parts of a policy; the numbers are seconds.
type terms struct {
	predicate                          value.Value
	max                                int64
	initialDelay, maxDelay, multiplier float64
}

func (o *retryOp) run(t *thread, f *frame) error {
	if err := t.run.countStep(); err != nil {
		return err
	}
	state := &f.tries[o.region]
	policy, err := o.policy.eval(f)
	if err == nil {
		state.terms, err = termsOf(policy)
	}
	if err != nil {
		return fatalOnly(t.raise(err))
	}
	if state.retries >= state.terms.max {
		return nil
	}
	again, err := t.predicate(state.terms.predicate, state.err.Payload, o)
	switch {
	case err != nil:
		return fatalOnly(t.raise(err))
	case again:
		return o.wait(t, f)
	}
	return nil // or the predicate was entered, and returned is next
}

// returned takes the answer of a subworkflow that is the predicate. Should the
// subworkflow fail, control goes on behind o all the same (see thread.throw).
func (o *retryOp) returned(t *thread, f *frame, v value.Value) error {
	if again, ok := v.(value.Bool); ok && bool(again) {
		return o.wait(t, f)
	}
	return nil
}

func fatalOnly(r *raised) error {
	if r.Fatal {
		return r
	}
	return nil
}

func (o *retryOp) wait(t *thread, f *frame) error {
	state := &f.tries[o.region]
	p := state.terms
	if state.retries == 0 {
		state.delay = p.initialDelay
	}
	state.retries++
	delay := min(state.delay, p.maxDelay)
	state.delay = min(state.delay*p.multiplier, p.maxDelay)
	return t.await(Do(Sleep{For: Seconds(delay)}, func(Result) Next { return Done(value.Null{}) }), o.again)
}

// predicate asks whether to retry. If p is a subworkflow, it is entered and
// tells by later.
func (t *thread) predicate(p, payload value.Value, by returner) (again bool, err error) {
	name, ok := p.(value.Func)
	if !ok {
		return false, value.Errorf(value.TypeError, "the predicate of a retry must be a function or a subworkflow; got: %s", value.Type(p))
	}
	if sub, ok := t.run.program.subs[string(name)]; ok {
		if len(sub.params) == 0 {
			return false, value.Errorf(value.TypeError, "the predicate %s takes no parameter", name)
		}
		args := make([]value.Value, len(sub.params))
		args[0] = payload
		return false, t.enter(sub, args, by)
	}
	fn, ok := t.run.program.library(string(name))
	if !ok || fn.Eval == nil {
		return false, value.Errorf(value.TypeError, "%s cannot be the predicate of a retry", name)
	}
	v, err := fn.Eval(&Context{t}, []value.Value{payload})
	if err != nil {
		return false, err
	}
	again, err = truth(v, "the result of a retry predicate")
	return again, err
}

// termsOf reads a policy: a map like http.default_retry.
func termsOf(policy value.Value) (terms, error) {
	var out terms
	var err error
	if out.predicate, err = value.Index(policy, value.String("predicate")); err != nil {
		return out, err
	}
	max, err := value.Index(policy, value.String("max_retries"))
	if err != nil {
		return out, err
	}
	n, ok := max.(value.Int)
	if !ok {
		return out, value.Errorf(value.TypeError, "max_retries must be an integer; got: %s", value.Type(max))
	}
	out.max = int64(n)
	backoff, err := value.Index(policy, value.String("backoff"))
	if err != nil {
		return out, err
	}
	for _, d := range []struct {
		name string
		to   *float64
	}{{"initial_delay", &out.initialDelay}, {"max_delay", &out.maxDelay}, {"multiplier", &out.multiplier}} {
		v, err := value.Index(backoff, value.String(d.name))
		if err != nil {
			return out, err
		}
		if *d.to, ok = number(v); !ok || !(*d.to >= 0) {
			return out, value.Errorf(value.ValueError, "%s of a backoff must be a number from 0 on", d.name)
		}
	}
	return out, nil
}

// Seconds returns s seconds as a duration, at most some 292 years.
func Seconds(s float64) time.Duration {
	const most = 1<<63 - 1
	if d := s * float64(time.Second); d < most {
		return time.Duration(d)
	}
	return most
}

// exceptOp begins the handling of an error.
type exceptOp struct {
	region int
	as     int // slot; -1 for none
}

func (o *exceptOp) run(t *thread, f *frame) error {
	if err := t.run.countStep(); err != nil {
		return err
	}
	payload := f.tries[o.region].err.Payload
	f.tries[o.region] = attempt{}
	if o.as < 0 {
		return nil
	}
	return t.run.store(f, varRef{0, o.as}, payload)
}

// rethrowOp lets an error that nothing cured go on outside the try.
type rethrowOp struct{ region int }

func (o *rethrowOp) run(_ *thread, f *frame) error {
	err := f.tries[o.region].err
	f.tries[o.region] = attempt{}
	return err
}
