package interp

import (
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
	callback *callback // or
	stub     bool      // a call that a stub answers; or none of them: a sleep
	answer   *Answer   // of a stub, to the request or the call
	deadline time.Time // zero for none
	started  bool      // the request was sent
	replayed bool      // the request was asked for in an earlier life
}

// answered says that w ends with an answer, and not when a timer runs out.
func (w *wait) answered() bool { return w.request != nil || w.stub }

// schedule is the goroutine of an execution.
func (x *Execution) schedule() {
	defer func() {
		x.outcome.Steps, x.outcome.Entries = x.steps, x.journal.seq
		x.show()
		x.stop()
		x.idle()
		close(x.done)
	}()
	started := x.inline(nil, record{Kind: kindStart, Seed: x.seed}, nil)
	x.order = newChooser(started.Seed, 0)
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
			x.replayNext()
			for !x.over && x.journal.early() {
				x.replayNext()
			}
			continue
		}
		if x.journal.only {
			x.halt(ErrJournalEnd)
			return
		}
		if x.flush(); x.over {
			return
		}
		x.show()
		x.take(expires)
	}
}

// replayNext takes what the earlier life took next from the outside.
func (x *Execution) replayNext() {
	r, err := x.journal.next()
	if err != nil {
		x.corrupt(nil, err)
		return
	}
	x.apply(r)
}

// begin sets the main thread up.
func (x *Execution) begin() {
	main := x.program.main
	t := x.main
	f := newFrame(t, main, nil)
	t.frames = []*frame{f}
	args, err := main.arguments(x.argument, x.program.named)
	if err == nil {
		err = t.bind(f, args)
	}
	if err != nil {
		t.throw(err)
		return
	}
	x.ready = append(x.ready, t)
}

// runReady runs every thread that can run to where it waits, in the order in
// which they became ready.
func (x *Execution) runReady() {
	for len(x.ready) > 0 && !x.over {
		i := x.order.pick(len(x.ready))
		t := x.ready[i]
		if i == 0 {
			x.ready = x.ready[1:]
		} else {
			x.ready = slices.Delete(x.ready, i, i+1)
		}
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
		r.Effect, r.Text, r.Digest = "http", e.Method+" "+e.URL, e.digest()
		w.request = e
		if x.cfg.Stubs != nil {
			w.answer = x.cfg.Stubs.Request(*t.call, e).within(e.Timeout)
		}
	case *stubbed:
		r.Effect, r.Text, r.Call = "stub", e.name, e.call
		w.stub, w.answer = true, e.answer
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
	r = x.inline(t, r, fill)
	switch {
	case r.Deadline != 0:
		w.deadline = time.Unix(0, r.Deadline)
	case w.answer != nil && w.answer.Perform == nil:
		w.deadline = x.now().Add(max(w.answer.After, 0))
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
		case w.answered() != (r.Kind == kindDone):
			x.corrupt(w.thread, &JournalError{Seq: x.journal.seq, Msg: fmt.Sprintf("is %s for effect %d, which is something else", r.Kind, r.ID)})
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
	switch {
	case r.Response != nil || r.Kind == kindFire:
		return Result{At: at, Response: r.Response}
	case r.Value != nil || r.Raise != nil:
		return r.stubResult(at)
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
	requests := slices.ContainsFunc(x.waits, func(w *wait) bool { return w.goesOut() && !w.started })
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
		if !w.goesOut() || w.started {
			continue
		}
		w.started = true
		x.inFlight++
		go func() {
			r := x.carryOut(w)
			r.ID = w.id
			x.complete(r)
		}()
	}
}

// goesOut says that w needs something from the outside, which no stub gives.
func (w *wait) goesOut() bool {
	return w.answered() && (w.answer == nil || w.answer.Perform != nil)
}

// repeatable reports whether what w waits for may be asked for again when
// nobody knows whether the first request arrived.
func (w *wait) repeatable() bool {
	if w.request == nil {
		return false
	}
	switch w.request.Method {
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
