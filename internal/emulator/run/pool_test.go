package run

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeWorker is an instance in virtual time.
type fakeWorker struct {
	done chan struct{}
	once sync.Once
}

func (w *fakeWorker) Done() <-chan struct{} { return w.done }
func (w *fakeWorker) Stop(time.Duration)    { w.end() }
func (w *fakeWorker) end()                  { w.once.Do(func() { close(w.done) }) }

// fakeStarts starts workers that take a second to become ready.
type fakeStarts struct {
	mu      sync.Mutex
	workers []*fakeWorker
	tried   []time.Duration // when, since the first
	fail    func(n int) error
	begun   time.Time
}

func (f *fakeStarts) start(ctx context.Context) (worker, error) {
	f.mu.Lock()
	if f.begun.IsZero() {
		f.begun = time.Now()
	}
	f.tried = append(f.tried, time.Since(f.begun))
	n := len(f.tried)
	f.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.fail != nil {
		if err := f.fail(n); err != nil {
			return nil, err
		}
	}
	w := &fakeWorker{done: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.workers = append(f.workers, w)
	return w, nil
}

func testPool(t *testing.T, cfg poolConfig, f func(t *testing.T, p *pool, s *fakeStarts)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStarts{}
		p := newPool(cfg, s.start)
		f(t, p, s)
		p.close(0)
	})
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.members)
}

var usual = poolConfig{concurrency: 2, max: 3, idle: time.Minute, startup: 240 * time.Second}

func TestPoolScales(t *testing.T) {
	testPool(t, usual, func(t *testing.T, p *pool, s *fakeStarts) {
		var mu sync.Mutex
		served, cold := 0, 0
		var wg sync.WaitGroup
		for range 10 { // 3 instances × 2, and 4 that wait for room
			wg.Go(func() {
				m, wasCold, err := p.acquire(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(3 * time.Second)
				p.release(m)
				mu.Lock()
				defer mu.Unlock()
				served++
				if wasCold {
					cold++
				}
			})
		}
		wg.Wait()
		if served != 10 || cold != 6 || p.size() != 3 {
			t.Errorf("served %d, cold %d, instances %d", served, cold, p.size())
		}
		time.Sleep(usual.idle - 4*time.Second) // one may rest since the first round
		synctest.Wait()
		if p.size() != 3 {
			t.Errorf("%d instances before the idle time ends", p.size())
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if p.size() != 0 {
			t.Errorf("%d instances after the idle time", p.size())
		}
	})
}

func TestPoolKeepsMinimum(t *testing.T) {
	testPool(t, usual, func(t *testing.T, p *pool, s *fakeStarts) {
		p.setLimits(2, 3)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if p.size() != 2 {
			t.Fatalf("%d instances", p.size())
		}
		s.workers[0].end() // a crash
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if p.size() != 2 || len(s.tried) != 3 {
			t.Errorf("after a crash %d instances, %d starts", p.size(), len(s.tried))
		}
		time.Sleep(time.Hour)
		if p.size() != 2 {
			t.Errorf("after an hour %d instances", p.size())
		}
		p.setLimits(0, 3)
		time.Sleep(usual.idle + time.Second)
		synctest.Wait()
		if p.size() != 0 {
			t.Errorf("without a minimum %d instances", p.size())
		}
	})
}

func TestPoolPatience(t *testing.T) {
	one := poolConfig{concurrency: 1, max: 1, idle: time.Minute, startup: 240 * time.Second}
	testPool(t, one, func(t *testing.T, p *pool, s *fakeStarts) {
		m, _, err := p.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, _, err := p.acquire(t.Context()); !errors.Is(err, errQueueFull) || time.Since(begun) != minPatience {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := p.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		p.meanStart = 4 * time.Second
		if got := p.patience(); got != 14*time.Second {
			t.Errorf("patience %v, want 3.5 × 4 s", got)
		}
		p.release(m)
	})
}

func TestPoolStartFails(t *testing.T) {
	testPool(t, usual, func(t *testing.T, p *pool, s *fakeStarts) {
		boom := errors.New("boom")
		s.fail = func(n int) error {
			if n < 4 {
				return boom
			}
			return nil
		}
		for range 3 {
			if _, _, err := p.acquire(t.Context()); !errors.Is(err, boom) {
				t.Error(err)
			}
		}
		m, cold, err := p.acquire(t.Context())
		if err != nil || !cold {
			t.Fatal(cold, err)
		}
		p.release(m)
		// Each start takes a second; the waits between grow.
		want := []time.Duration{0, 1100 * time.Millisecond, 2300 * time.Millisecond, 3700 * time.Millisecond}
		for i := range want {
			if s.tried[i] != want[i] {
				t.Errorf("starts at %v, want %v", s.tried, want)
				break
			}
		}
	})
}

// A revision that was ready once and cannot be started any more says why, also
// to those who waited in vain for the next try.
func TestPoolCannotStartAgain(t *testing.T) {
	testPool(t, usual, func(t *testing.T, p *pool, s *fakeStarts) {
		boom := errors.New("boom")
		s.fail = func(n int) error {
			if n > 1 {
				return boom
			}
			return nil
		}
		m, _, err := p.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.release(m)
		s.workers[0].end()
		synctest.Wait()
		for n := range 10 { // the wait between starts outgrows a request's patience
			if _, _, err := p.acquire(t.Context()); !errors.Is(err, boom) {
				t.Errorf("request %d: %v", n, err)
			}
		}
	})
}

// The wait for a new instance stays below a request's patience, however many
// requests end theirs.
func TestPoolLosesInstances(t *testing.T) {
	testPool(t, usual, func(t *testing.T, p *pool, s *fakeStarts) {
		for n := range 12 {
			begun := time.Now()
			m, _, err := p.acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(begun); waited > lostBackoff+time.Second {
				t.Errorf("request %d waited %v", n, waited)
			}
			s.workers[n].end()
			synctest.Wait()
			p.release(m)
		}
	})
}

func TestPoolCloses(t *testing.T) {
	testPool(t, usual, func(t *testing.T, p *pool, s *fakeStarts) {
		m, _, err := p.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go p.close(stopGrace)
		synctest.Wait()
		if _, _, err := p.acquire(t.Context()); !errors.Is(err, errClosed) {
			t.Error(err)
		}
		p.release(m)
		<-s.workers[0].done
	})
}
