package run

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

var (
	errQueueFull = errors.New("no instance had room in time")
	errClosed    = errors.New("the revision is being shut down")
)

const (
	// stopGrace is the time between SIGTERM and SIGKILL.
	stopGrace = 10 * time.Second
	// minPatience is how long a request waits for an instance at least; see
	// patience.
	minPatience = 10 * time.Second
	// maxWaiting bounds the memory that waiting requests take. It is a choice:
	// the cloud's bound is not published.
	maxWaiting = 10_000
	// Waits between starts after one failed.
	firstBackoff, lastBackoff = 100 * time.Millisecond, 30 * time.Second
	// lostBackoff bounds the wait after an instance that was ready ended: the
	// request that ended it must not cost those that follow their patience.
	lostBackoff = time.Second
)

// worker is a started container that takes requests.
type worker interface {
	// Done is closed when it takes no more requests: it has ended, or is not
	// alive.
	Done() <-chan struct{}
	Stop(grace time.Duration)
}

type poolConfig struct {
	concurrency int           // requests at once in one instance
	max         int           // instances, until setLimits
	idle        time.Duration // that an instance above the minimum is kept without requests
	startup     time.Duration // that one may take to become ready
}

// pool holds the instances of one revision. It starts them for waiting
// requests, and for the minimum, and stops idle ones.
type pool struct {
	cfg   poolConfig
	start func(ctx context.Context) (worker, error)
	ctx   context.Context
	end   context.CancelFunc
	tasks sync.WaitGroup // starts, watches and stops

	mu       sync.Mutex
	min, max int       // instances
	members  []*member // ready ones, oldest first
	starting int
	waiting  []*waiter // oldest first
	closed   bool

	starts    int // that succeeded
	meanStart time.Duration
	failures  int   // in a row
	lastErr   error // of the newest start, nil if it succeeded
	retryAt   time.Time
}

// member is a ready instance.
type member struct {
	worker
	since    time.Time // it is ready
	inFlight int
	idle     *time.Timer // set while it may be stopped
}

type waiter struct {
	granted chan grant // of size one
}

type grant struct {
	m    *member
	cold bool // the request waited for this instance's start
	err  error
}

func newPool(cfg poolConfig, start func(ctx context.Context) (worker, error)) *pool {
	p := &pool{cfg: cfg, start: start, max: cfg.max}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// acquire reserves room for one request, waiting for an instance if need be.
// cold says that it waited for a start. The caller releases the member.
func (p *pool) acquire(ctx context.Context) (m *member, cold bool, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, false, errClosed
	}
	if m := p.roomy(); m != nil {
		p.take(m)
		p.mu.Unlock()
		return m, false, nil
	}
	if len(p.waiting) >= maxWaiting {
		p.mu.Unlock()
		return nil, false, errQueueFull
	}
	w := &waiter{granted: make(chan grant, 1)}
	p.waiting = append(p.waiting, w)
	p.scale()
	patience := time.NewTimer(p.patience())
	p.mu.Unlock()
	defer patience.Stop()
	select {
	case g := <-w.granted:
		return g.m, g.cold, g.err
	case <-patience.C:
		err = errQueueFull
	case <-ctx.Done():
		err = ctx.Err()
	}
	return p.giveUp(w, err)
}

// giveUp takes a waiter out of the queue, unless it was granted just now.
func (p *pool) giveUp(w *waiter, err error) (*member, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		if errors.Is(err, errQueueFull) && len(p.members) == 0 && p.lastErr != nil {
			err = p.lastErr
		}
		return nil, false, err
	}
	g := <-w.granted
	return g.m, g.cold, g.err
}

// patience is how long a request may wait: 3.5 × the mean start-up, at least
// 10 s (cloud.google.com/run/docs/about-instance-autoscaling). While no start
// was measured it is what a start may take.
func (p *pool) patience() time.Duration {
	if p.starts == 0 {
		return p.cfg.startup + minPatience
	}
	return max(minPatience, p.meanStart*7/2)
}

// release gives back what acquire reserved.
func (p *pool) release(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.inFlight--
	p.grantWaiting(m, false)
	p.rest(m)
}

// probe starts an instance if none is ready, and returns how that went.
func (p *pool) probe(ctx context.Context) error {
	m, _, err := p.acquire(ctx)
	if err == nil {
		p.release(m)
	}
	return err
}

// setLimits sets how many instances are kept, and how many there may be; those
// above a lower maximum are left to become idle.
func (p *pool) setLimits(least, most int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.min, p.max = min(least, most), most
	for _, m := range p.members {
		p.rest(m)
	}
	p.scale()
}

// roomy returns the oldest instance with room, so that young ones become idle.
func (p *pool) roomy() *member {
	for _, m := range p.members {
		if m.inFlight < p.cfg.concurrency {
			return m
		}
	}
	return nil
}

func (p *pool) take(m *member) {
	m.inFlight++
	if m.idle != nil {
		m.idle.Stop()
		m.idle = nil
	}
}

func (p *pool) grantWaiting(m *member, cold bool) {
	if !slices.Contains(p.members, m) {
		return
	}
	for len(p.waiting) > 0 && m.inFlight < p.cfg.concurrency {
		p.take(m)
		p.waiting[0].granted <- grant{m: m, cold: cold}
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
}

// rest plans the stop of an instance that has nothing to do.
func (p *pool) rest(m *member) {
	if m.inFlight == 0 && m.idle == nil && len(p.members) > p.min && slices.Contains(p.members, m) {
		m.idle = time.AfterFunc(p.cfg.idle, func() { p.retire(m) })
	}
}

// retire stops an instance that was idle long enough.
func (p *pool) retire(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || m.idle == nil || m.inFlight > 0 || !slices.Contains(p.members, m) {
		return
	}
	m.idle = nil
	if len(p.members) <= p.min {
		return
	}
	p.drop(m)
	p.tasks.Go(func() { m.Stop(stopGrace) })
}

func (p *pool) drop(m *member) {
	if i := slices.Index(p.members, m); i >= 0 {
		p.members = slices.Delete(p.members, i, i+1)
	}
}

// scale starts what the queue and the minimum need.
func (p *pool) scale() {
	if p.closed {
		return
	}
	queued := (len(p.waiting) + p.cfg.concurrency - 1) / p.cfg.concurrency
	missing := p.min - len(p.members)
	for p.starting < max(queued, missing) && p.starting+len(p.members) < p.max {
		p.starting++
		delay := time.Until(p.retryAt)
		p.tasks.Go(func() { p.launch(delay) })
	}
}

// launch starts one instance and watches it to its end.
func (p *pool) launch(delay time.Duration) {
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-p.ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.startup)
	begun := time.Now()
	w, err := p.start(ctx)
	took := time.Since(begun)
	cancel()
	if err != nil {
		p.startFailed(err)
		return
	}
	m := p.started(w, took)
	if m == nil {
		return
	}
	<-w.Done()
	p.lose(m)
}

// lose replaces an instance that takes no more requests, if it is needed. One
// that the pool itself stopped is gone already.
func (p *pool) lose(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.members, m) {
		return
	}
	p.drop(m)
	p.tasks.Go(func() { m.Stop(stopGrace) })
	if time.Since(m.since) > lastBackoff {
		p.failures = 0
	}
	p.backOff(lostBackoff)
	p.scale()
}

func (p *pool) backOff(most time.Duration) {
	p.retryAt = time.Now().Add(min(most, firstBackoff<<min(p.failures, 10)))
	p.failures++
}

// started adds an instance; nil if the pool was closed in the meantime.
func (p *pool) started(w worker, took time.Duration) *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	if p.closed {
		p.tasks.Go(func() { w.Stop(0) })
		return nil
	}
	p.meanStart = (p.meanStart*time.Duration(p.starts) + took) / time.Duration(p.starts+1)
	p.starts++
	p.lastErr = nil
	m := &member{worker: w, since: time.Now()}
	p.members = append(p.members, m)
	p.grantWaiting(m, true)
	p.rest(m)
	return m
}

// startFailed answers all that wait, unless another instance may still serve
// them: a container that cannot start should be seen at once.
func (p *pool) startFailed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	if p.closed {
		return
	}
	p.lastErr = err
	p.backOff(lastBackoff)
	if p.starting == 0 && len(p.members) == 0 {
		p.refuseWaiting(err)
	}
	p.scale()
}

func (p *pool) refuseWaiting(err error) {
	for _, w := range p.waiting {
		w.granted <- grant{err: err}
	}
	p.waiting = nil
}

// close stops all instances and waits for their end.
func (p *pool) close(grace time.Duration) {
	p.mu.Lock()
	p.closed = true
	p.refuseWaiting(errClosed)
	members := p.members
	p.members = nil
	p.mu.Unlock()
	p.end()
	var stopping sync.WaitGroup
	for _, m := range members {
		stopping.Go(func() { m.Stop(grace) })
	}
	stopping.Wait()
	p.tasks.Wait()
}
