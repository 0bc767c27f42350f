package interp

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// take waits for the next thing from the outside, journals and applies it.
func (x *Execution) take(expires time.Time) {
	for x.gather() {
		due, next := x.timers(expires)
		if len(due)+len(x.arrived) > 0 {
			x.takeDue(due, expires)
			return
		}
		fired, taken := x.rest(next)
		if taken {
			return
		}
		if fired && x.order.random == nil {
			x.accept(input{record: next.record()})
			return
		}
	}
}

// gather waits, in virtual time, for the answers of all requests in flight.
// The answer is false when something else came first.
func (x *Execution) gather() bool {
	for x.virtual && x.inFlight > 0 {
		select {
		case in := <-x.inbox:
			if in.record.Kind != kindDone {
				x.accept(in)
				return false
			}
			x.inFlight--
			x.arrived = append(x.arrived, in.record)
		case <-x.ctx.Done():
			x.halt(context.Cause(x.ctx))
			return false
		}
	}
	slices.SortFunc(x.arrived, func(a, b record) int { return cmp.Compare(a.ID, b.ID) })
	return true
}

// timer is when a wait ends by itself, or the whole execution if wait is nil.
type timer struct {
	at   time.Time
	wait *wait
}

func (t timer) record() record {
	switch {
	case t.wait == nil:
		return record{Kind: kindExpire}
	case t.wait.answer != nil:
		return t.wait.answer.record(t.wait.id)
	}
	return record{Kind: kindFire, ID: t.wait.id}
}

// timers returns those that have run out, and the next one of all; of timers
// that run out together the oldest wait is first. Without a seed due holds one
// at most.
func (x *Execution) timers(expires time.Time) (due []timer, next timer) {
	now := x.clock.Now()
	next = timer{at: expires}
	for _, w := range x.waits {
		if w.deadline.IsZero() || w.goesOut() {
			continue
		}
		if w.deadline.Before(next.at) {
			next = timer{w.deadline, w}
		}
		if x.order.random != nil && !w.deadline.After(now) {
			due = append(due, timer{w.deadline, w})
		}
	}
	if len(due) == 0 && !next.at.After(now) {
		due = append(due, next)
	}
	return due, next
}

// takeDue takes one of the things that happen at this instant: a timer before
// an answer, unless there is a seed. With one it may take more before the
// branches go on, so that they go on together.
func (x *Execution) takeDue(due []timer, expires time.Time) {
	for early := false; len(due)+len(x.arrived) > 0 && !x.over; early = true {
		choose := newChooser(x.seed, uint64(x.journal.seq))
		i := choose.pick(len(due) + len(x.arrived))
		var r record
		if i < len(due) {
			r = due[i].record()
		} else {
			i -= len(due)
			r = x.arrived[i]
			x.arrived = slices.Delete(x.arrived, i, i+1)
		}
		r.Early = early
		x.accept(input{record: r})
		if choose.pick(2) == 0 {
			return
		}
		due, _ = x.timers(expires)
	}
}

// rest waits until a timer has fired or something was taken from the outside.
func (x *Execution) rest(next timer) (fired, taken bool) {
	fire, giveUp := x.clock.After(next.at.Sub(x.clock.Now()))
	x.idle()
	select {
	case <-fire:
		return true, false
	case in := <-x.inbox:
		x.busy()
		giveUp()
		if in.record.Kind == kindDone {
			x.inFlight--
		}
		x.accept(in)
	case <-x.ctx.Done():
		x.busy()
		giveUp()
		x.halt(context.Cause(x.ctx))
	}
	return false, true
}

// accept journals an input, and applies it.
func (x *Execution) accept(in input) {
	r := in.record
	if r.Kind == kindCall {
		if err := x.refuse(r); err != nil {
			in.ack <- err
			return
		}
	}
	err := x.journal.append(&r, x.journal.present())
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
