package workflows

import (
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/interp"
)

// run returns the run of an execution that has not ended.
func (s *Service) run(name executionName) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[name.key()]
}

// admit stores a new execution, then starts it or puts it in the queue.
func (s *Service) admit(r *run) (record, error) {
	place, err := s.reserve(r)
	if err != nil {
		return record{}, err
	}
	if place {
		r.activate(r.rec.created)
	} else {
		r.rec.pb.State = executionspb.Execution_QUEUED
	}
	put, err := r.rec.write()
	if err == nil {
		err = s.writer.request(put,
			write{table: tableIDs, key: r.name.key(), value: []byte(store.Key(uint64(r.rec.created.UnixNano())))},
			write{table: tableUnfinished, key: r.rec.key(), value: []byte{}})()
	}
	if err != nil {
		s.forget(r, place)
		return record{}, unwritten("store execution", err)
	}
	answer := r.snapshot()
	if place {
		s.start(r)
	} else {
		s.enqueue(r)
	}
	return answer, nil
}

// reserve takes a place among the running executions, if one is free, or
// checks that the execution may wait for one.
func (s *Service) reserve(r *run) (place bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, status.Error(codes.Unavailable, errClosing.Error())
	}
	place = s.active < s.quotas.ConcurrentExecutions && s.waiting == 0
	switch {
	case place:
		s.active++
	case r.rec.noBacklog:
		return false, exceeded("concurrent executions", s.quotas.ConcurrentExecutions)
	case s.waiting >= s.quotas.BackloggedExecutions:
		return false, exceeded("backlogged executions", s.quotas.BackloggedExecutions)
	default:
		s.waiting++
	}
	s.runs[r.name.key()] = r
	return place, nil
}

// forget removes a run that has ended, with its place among the running
// executions or in the queue.
func (s *Service) forget(r *run, place bool) {
	s.mu.Lock()
	delete(s.runs, r.name.key())
	if place {
		s.active--
	} else {
		s.waiting--
	}
	s.mu.Unlock()
	s.schedule()
}

// start runs an execution that has a place.
func (s *Service) start(r *run) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.ended.Add(1)
	}
	s.mu.Unlock()
	if closed {
		close(r.done) // it is stored; the next process starts it
		return
	}
	go func() {
		defer s.ended.Done()
		r.execute()
		s.forget(r, true)
		close(r.done)
	}()
}

func (s *Service) enqueue(r *run) {
	s.mu.Lock()
	r.queued = true
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	s.schedule()
}

// dequeue takes r out of the queue and reports whether it was there. Its
// element stays until it would be its turn.
func (s *Service) dequeue(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := r.queued
	r.queued = false
	return was
}

// schedule starts queued executions while there is room, first come first
// served. The service documents no order; this is a choice.
func (s *Service) schedule() {
	for {
		r := s.next()
		if r == nil {
			return
		}
		r.activate(time.Now())
		if err := r.store(); err != nil {
			s.opts.report(err)
		}
		r.feed.add(Event{Execution: r.snapshot().pb})
		s.start(r)
	}
}

// next gives a place, if one is free, to the first in the queue.
func (s *Service) next() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && len(s.queue) > 0 && s.active < s.quotas.ConcurrentExecutions {
		r := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		if r.queued {
			r.queued = false
			s.waiting--
			s.active++
			return r
		}
	}
	return nil
}

// activate marks the execution as running.
func (r *run) activate(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.pb.State = executionspb.Execution_ACTIVE
	r.rec.pb.StartTime = timestamppb.New(at)
}

// store queues the record for writing.
func (r *run) store() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	put, err := r.rec.write()
	if err != nil {
		return err
	}
	return r.svc.writer.put(put)
}

// cancel makes the wish to cancel durable and passes it on. It reports false if
// the execution is ending by itself.
func (r *run) cancel() (bool, error) {
	written, err := r.requestCancel()
	if written == nil || err != nil {
		return false, err
	}
	err = written()
	r.mu.Lock()
	if err != nil {
		r.rec.cancelled = false
	}
	live := r.live
	r.mu.Unlock()
	if err == nil && live != nil {
		live.Cancel()
	}
	return true, err
}

// requestCancel returns nil if the execution is ending by itself.
func (r *run) requestCancel() (written func() error, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		return nil, nil
	}
	r.rec.cancelled = true
	put, err := r.rec.write()
	if err != nil {
		return nil, err
	}
	return r.svc.writer.request(put), nil
}

// endQueued ends an execution that was cancelled before it had a place.
func (r *run) endQueued() error {
	defer close(r.done)
	defer r.feed.close()
	err := r.finish(interp.Outcome{State: interp.Cancelled})
	r.svc.forget(r, false)
	return err
}
