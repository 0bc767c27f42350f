package workflows

import (
	"slices"
	"strings"
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
		err = s.opts.DB.Update(func(tx *store.Tx) error {
			if err := put.apply(tx); err != nil {
				return err
			}
			return tx.Put(tableUnfinished, r.name.key(), []byte{})
		})
	}
	if err != nil {
		s.forget(r, place)
		return record{}, internal("store execution", err)
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
	place = s.active < s.quotas.ConcurrentExecutions && len(s.queue) == 0
	switch {
	case place:
		s.active++
	case r.rec.noBacklog:
		return false, status.Errorf(codes.ResourceExhausted, "Quota exceeded for concurrent executions: the limit is %d.", s.quotas.ConcurrentExecutions)
	case len(s.queue) >= s.quotas.BackloggedExecutions:
		return false, status.Errorf(codes.ResourceExhausted, "Quota exceeded for backlogged executions: the limit is %d.", s.quotas.BackloggedExecutions)
	}
	s.runs[r.name.key()] = r
	return place, nil
}

// forget removes a run that has ended and gives its place to the next.
func (s *Service) forget(r *run, place bool) {
	s.mu.Lock()
	delete(s.runs, r.name.key())
	if place {
		s.active--
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
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	s.schedule()
}

// dequeue takes r out of the queue and reports whether it was there.
func (s *Service) dequeue(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, r)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	return true
}

// schedule starts queued executions while there is room, first come first
// served. The service documents no order; this is a choice.
func (s *Service) schedule() {
	for {
		s.mu.Lock()
		if s.closed || len(s.queue) == 0 || s.active >= s.quotas.ConcurrentExecutions {
			s.mu.Unlock()
			return
		}
		r := s.queue[0]
		s.queue = s.queue[1:]
		s.active++
		s.mu.Unlock()
		r.activate(time.Now())
		if err := r.store(); err != nil {
			s.opts.report(err)
		}
		r.feed.add(Event{Execution: r.snapshot().pb})
		s.start(r)
	}
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
	r.mu.Lock()
	if r.ending {
		r.mu.Unlock()
		return false, nil
	}
	r.rec.cancelled = true
	live := r.live
	put, err := r.rec.write()
	if err == nil {
		err = r.svc.writer.put(put)
	}
	r.mu.Unlock()
	if err == nil {
		err = r.svc.writer.sync()
	}
	if live != nil {
		live.Cancel()
	}
	return true, err
}

// endQueued ends an execution that was cancelled before it had a place.
func (r *run) endQueued() error {
	defer close(r.done)
	defer r.feed.close()
	err := r.finish(interp.Outcome{State: interp.Cancelled})
	r.svc.forget(r, false)
	return err
}

// deleteExecutions stops and removes the executions of a workflow.
func (s *Service) deleteExecutions(w workflowName) error {
	var stopping []*run
	s.mu.Lock()
	for key, r := range s.runs {
		if strings.HasPrefix(key, w.prefix()) {
			stopping = append(stopping, r)
		}
	}
	s.mu.Unlock()
	for _, r := range stopping {
		r.stop(errDeleted)
		if s.dequeue(r) {
			s.forget(r, false)
			r.feed.close()
			close(r.done)
		}
		<-r.done
	}
	var writes []write
	for _, table := range []string{tableExecutions, tableUnfinished, tableJournal, tableSteps} {
		writes = append(writes, write{table: table, key: w.prefix(), all: true})
	}
	if err := s.writer.put(writes...); err != nil {
		return err
	}
	return s.writer.sync()
}
