package interp

import (
	"sync"
	"time"
)

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// VirtualClock is a [Clock] that stands still while anybody is at work and
// jumps to the earliest timer when all wait. Executions tell it by themselves
// when they wait and when a request of theirs is in flight; whoever else works
// in virtual time calls Busy before and Idle after. Requests take no virtual
// time, and their timeouts are real: no branch goes on before all requests in
// flight are answered, so that the order of the answers cannot depend on the
// network. A wait for a callback is a timer like any other, so a call from
// outside mostly comes too late.
type VirtualClock struct {
	mu     sync.Mutex
	now    time.Time
	busy   int
	timers []*virtualTimer
}

type virtualTimer struct {
	at time.Time
	c  chan time.Time
}

// NewVirtualClock returns a clock that stands at start or, for the zero time,
// at the beginning of 2026, a choice that makes runs without a word about time
// repeatable.
func NewVirtualClock(start time.Time) *VirtualClock {
	if start.IsZero() {
		start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return &VirtualClock{now: start}
}

// Now implements Clock.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After implements Clock. When the timer fires, its receiver counts as busy
// until it calls Idle.
func (c *VirtualClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &virtualTimer{at: c.now.Add(max(d, 0)), c: make(chan time.Time, 1)}
	c.timers = append(c.timers, t)
	return t.c, func() { c.stop(t) }
}

// Busy says that somebody works, so that time must stand still.
func (c *VirtualClock) Busy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy++
}

// Idle takes a Busy back.
func (c *VirtualClock) Idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	c.jump()
}

// jump fires the earliest timer, the oldest of equals, if nobody works.
func (c *VirtualClock) jump() {
	if c.busy > 0 || len(c.timers) == 0 {
		return
	}
	first := 0
	for i, t := range c.timers {
		if t.at.Before(c.timers[first].at) {
			first = i
		}
	}
	t := c.timers[first]
	c.timers = append(c.timers[:first], c.timers[first+1:]...)
	if t.at.After(c.now) {
		c.now = t.at
	}
	c.busy++
	t.c <- c.now
}

func (c *VirtualClock) stop(t *virtualTimer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.timers {
		if other == t {
			c.timers = append(c.timers[:i], c.timers[i+1:]...)
			return
		}
	}
	select {
	case <-t.c: // it fired, but nobody received: nobody became busy
		c.busy--
		c.jump()
	default:
	}
}
