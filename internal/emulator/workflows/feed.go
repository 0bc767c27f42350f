package workflows

import (
	"sync"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"

	"github.com/kakehi/kakehi/internal/interp"
)

// Event is one thing that happened to an execution; exactly one field is set.
type Event struct {
	Step      *interp.StepEvent       // a step began or ended; only with Options.StepEvents
	Log       *interp.LogEntry        // sys.log wrote
	Execution *executionspb.Execution // the state changed
}

// Watch sends what happened and happens to an execution, named
// projects/P/locations/L/workflows/W/executions/E, and closes the channel at
// its end. Of an execution that has ended it sends the ends of the steps, if
// there are step events at all, and of the execution. Call stop when done.
func (s *Service) Watch(fullName string) (events <-chan Event, stop func(), err error) {
	name, err := s.parseExecution(fullName)
	if err != nil {
		return nil, nil, err
	}
	if r := s.run(name); r != nil {
		events, stop = r.feed.watch()
		return events, stop, nil
	}
	rec, err := s.record(name)
	if err != nil {
		return nil, nil, err
	}
	past := newFeed()
	if s.opts.StepEvents {
		entries, err := s.readSteps(name)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range entries {
			past.add(Event{Step: e.event()})
		}
	}
	past.add(Event{Execution: rec.pb})
	past.close()
	events, stop = past.watch()
	return events, stop, nil
}

// feed keeps the newest events of an execution and hands them to watchers.
type feed struct {
	mu      sync.Mutex
	changed sync.Cond
	events  []Event
	first   int // the number of events[0] in the whole sequence
	closed  bool
}

// feedLength bounds the memory of a long execution; a late watcher misses
// what is older.
const feedLength = 1 << 12

func newFeed() *feed {
	f := &feed{}
	f.changed.L = &f.mu
	return f
}

func (f *feed) add(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
	if len(f.events) >= 2*feedLength {
		drop := len(f.events) - feedLength
		f.events = append(f.events[:0:0], f.events[drop:]...)
		f.first += drop
	}
	f.changed.Broadcast()
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.changed.Broadcast()
}

// watch sends the kept events and then each new one, and closes the channel
// after the last. stop gives up; it may be called more than once.
func (f *feed) watch() (events <-chan Event, stop func()) {
	c := make(chan Event, 64)
	quit := make(chan struct{})
	stop = sync.OnceFunc(func() {
		close(quit)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changed.Broadcast()
	})
	go func() {
		defer close(c)
		for next := 0; ; {
			batch, from := f.after(next, quit)
			if len(batch) == 0 {
				return
			}
			for _, e := range batch {
				select {
				case c <- e:
				case <-quit:
					return
				}
			}
			next = from + len(batch)
		}
	}()
	return c, stop
}

// after waits for events from number next on. It returns none once there will
// be none, or the watcher quit.
func (f *feed) after(next int, quit <-chan struct{}) (batch []Event, from int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		select {
		case <-quit:
			return nil, next
		default:
		}
		from = max(next, f.first)
		if from < f.first+len(f.events) {
			return f.events[from-f.first:], from
		}
		if f.closed {
			return nil, next
		}
		f.changed.Wait()
	}
}
