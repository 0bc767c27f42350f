package interp

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/kakehi/kakehi/internal/value"
)

// input is something from the outside, for the scheduler.
type input struct {
	record record
	ack    chan error // of a callback
}

// wait is an effect that a thread waits for.
type wait struct {
	id       int64
	thread   *thread
	then     func(Result) Next
	request  *Request  // or
	callback *callback // or neither: a sleep
	deadline time.Time // zero for none
	started  bool      // the request was sent
	replayed bool      // the request was asked for in an earlier life
}

// schedule is the goroutine of an execution.
func (x *Execution) schedule() {
	defer func() {
		x.outcome.Steps = x.steps
		x.show()
		x.stop()
		x.idle()
		close(x.done)
	}()
	started := x.inline(record{Kind: kindStart}, nil)
	if !x.over {
		x.begin()
	}
	expires := time.Unix(0, started.At).Add(time.Duration(x.limits.ExecutionSeconds) * time.Second)
	for {
		x.runReady()
		if x.over {
			x.flush() // what was logged last
			return
		}
		if x.journal.replaying() {
			x.logs = nil // the earlier life wrote them before it took a completion
			r, err := x.journal.next()
			if err != nil {
				x.corrupt(err)
			} else {
				x.apply(r)
			}
			continue
		}
		if x.flush(); x.over {
			return
		}
		x.show()
		x.take(expires)
	}
}

// begin sets the main thread up.
func (x *Execution) begin() {
	main := x.program.main
	t := x.main
	f := newFrame(t, main, nil)
	t.frames = []*frame{f}
	for i, p := range main.params {
		v := x.argument
		if i > 0 || value.IsNull(v) && p.byDefault != nil {
			var err error
			if v, err = p.value(f); err != nil {
				t.throw(err)
				return
			}
		}
		if err := x.store(f, varRef{0, p.slot}, v); err != nil {
			t.throw(err)
			return
		}
	}
	x.ready = append(x.ready, t)
}

// runReady runs every thread that can run to where it waits, in the order in
// which they became ready.
func (x *Execution) runReady() {
	for len(x.ready) > 0 && !x.over {
		t := x.ready[0]
		x.ready = x.ready[1:]
		t.advance()
	}
}

// issue notes what a thread waits for, unless the result is at hand.
func (x *Execution) issue(t *thread, n Next) (result Result, atHand bool) {
	x.lastWait++
	w := &wait{id: x.lastWait, thread: t, then: n.Then}
	r := record{Kind: kindIssue, ID: w.id}
	var fill func(*record, time.Time)
	after := func(d time.Duration) func(*record, time.Time) {
		return func(r *record, now time.Time) { r.Deadline = now.Add(max(d, 0)).UnixNano() }
	}
	switch e := n.Effect.(type) {
	case *Request:
		r.Effect, r.Text = "http", e.Method+" "+e.URL
		w.request = e
	case Sleep:
		r.Effect = "sleep"
		fill = after(e.For)
		if !e.Until.IsZero() {
			fill = func(r *record, _ time.Time) { r.Deadline = e.Until.UnixNano() }
		}
	case Await:
		r.Effect = "await"
		w.callback = x.callbackWhere(func(c *callback) bool { return c.url == e.URL })
		if w.callback == nil {
			return Result{At: x.now(), Err: value.Errorf(value.ValueError, "no callback endpoint of this execution has the URL %s", e.URL)}, true
		}
		if c := w.callback; c.stored != nil {
			result, c.stored = *c.stored, nil
			return result, true
		}
		w.callback.waiting = append(w.callback.waiting, w)
		fill = after(e.Timeout)
	}
	w.replayed = x.journal.replaying()
	r = x.inline(r, fill)
	if r.Deadline != 0 {
		w.deadline = time.Unix(0, r.Deadline)
	}
	x.waits = append(x.waits, w)
	return Result{}, false
}

// apply hands a completion to whoever waits for it. One that nobody waits for
// is dropped: the wait may have ended some other way.
func (x *Execution) apply(r record) {
	at := x.now()
	switch r.Kind {
	case kindDone, kindFire:
		w := x.unwait(r.ID)
		switch {
		case w == nil:
			return
		case (w.request != nil) != (r.Kind == kindDone):
			x.corrupt(fmt.Errorf("the journal has %s for effect %d, which is something else", r.Kind, r.ID))
			return
		}
		result := r.result(at)
		if w.callback != nil {
			w.callback.drop(w)
			result.Err = value.NewError("callback timed out", value.TimeoutError)
		}
		w.thread.resume(w.then(result))
	case kindCall:
		c := x.callbackWhere(func(c *callback) bool { return c.id == r.Text })
		switch {
		case c == nil || r.Request == nil:
			return
		case len(c.waiting) == 0:
			c.stored = &Result{At: at, Callback: r.Request}
			return
		}
		w := c.waiting[0]
		c.drop(w)
		x.unwait(w.id)
		w.thread.resume(w.then(Result{At: at, Callback: r.Request}))
	case kindCancel:
		x.cancel()
	case kindExpire:
		x.fail(x.main.raise(value.LimitError("the execution lasted too long")))
	}
}

func (r record) result(at time.Time) Result {
	if r.Response != nil || r.Kind == kindFire {
		return Result{At: at, Response: r.Response}
	}
	err := value.NewError(r.Message, r.Tags...)
	err.Fatal = slices.Contains(r.Tags, value.ResourceLimitError)
	return Result{At: at, Err: err}
}

func (x *Execution) unwait(id int64) *wait {
	for i, w := range x.waits {
		if w.id == id {
			x.waits = append(x.waits[:i], x.waits[i+1:]...)
			return w
		}
	}
	return nil
}

// flush makes the outside see what happened: it syncs the journal, writes the
// log and sends the requests.
func (x *Execution) flush() {
	requests := slices.ContainsFunc(x.waits, func(w *wait) bool { return w.request != nil && !w.started })
	if requests || len(x.logs) > 0 || x.over {
		if err := x.journal.sync(); err != nil {
			x.outcome = Outcome{State: Active, Cause: err}
			x.over = true
			return
		}
	}
	for _, entry := range x.logs {
		entry.Time = x.clock.Now()
		x.cfg.Log(entry)
	}
	x.logs = nil
	if x.over {
		return
	}
	for _, w := range x.waits {
		if w.request == nil || w.started {
			continue
		}
		w.started = true
		x.inFlight++
		if w.replayed && !repeatable(w.request.Method) {
			go x.complete(record{Kind: kindDone, ID: w.id, Tags: []value.Tag{value.ConnectionError},
				Message: "the process stopped while the request was in flight; it may have been processed"})
			continue
		}
		go func() {
			r := x.perform(w.request)
			r.ID = w.id
			x.complete(r)
		}()
	}
}

// repeatable reports whether a request may be sent again when nobody knows
// whether the first one arrived.
func repeatable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

func (x *Execution) complete(r record) {
	select {
	case x.inbox <- input{record: r}:
	case <-x.ctx.Done():
	}
}

// take waits for the next thing from the outside, journals and applies it.
func (x *Execution) take(expires time.Time) {
	deadline, timer := expires, record{Kind: kindExpire}
	for _, w := range x.waits {
		if !w.deadline.IsZero() && w.deadline.Before(deadline) {
			deadline, timer = w.deadline, record{Kind: kindFire, ID: w.id}
		}
	}
	left := deadline.Sub(x.clock.Now())
	if left <= 0 {
		x.accept(input{record: timer})
		return
	}
	fired, giveUp := x.clock.After(left)
	resting := x.inFlight == 0 // else a virtual clock stands still, and nothing fires
	if resting {
		x.idle()
	}
	awake := func() {
		if resting {
			x.busy()
		}
		giveUp()
	}
	select {
	case <-fired:
		x.accept(input{record: timer})
	case in := <-x.inbox:
		awake()
		x.accept(in)
	case <-x.ctx.Done():
		awake()
		x.halt(context.Cause(x.ctx))
	}
}

// accept journals an input, and applies it.
func (x *Execution) accept(in input) {
	r := in.record
	if r.Kind == kindDone {
		x.inFlight--
	}
	if r.Kind == kindCall {
		if err := x.refuse(r); err != nil {
			in.ack <- err
			return
		}
	}
	err := x.journal.append(&r)
	if err == nil && (r.Kind == kindDone || r.Kind == kindCall || r.Kind == kindCancel) {
		err = x.journal.sync() // what the outside did or was told must not be forgotten
	}
	if in.ack != nil {
		in.ack <- err
	}
	if err != nil {
		x.halt(err)
		return
	}
	x.apply(r)
}

func (x *Execution) refuse(r record) error {
	c := x.callbackWhere(func(c *callback) bool { return c.id == r.Text })
	switch {
	case c == nil:
		return ErrCallbackNotFound
	case c.method != r.Request.Method:
		return ErrCallbackMethod
	case c.stored != nil:
		return ErrCallbackBusy
	}
	return nil
}
