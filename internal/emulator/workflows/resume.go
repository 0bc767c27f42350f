package workflows

import (
	"fmt"
	"slices"
	"time"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Resume goes on with the executions that an earlier process left unfinished:
// it replays their journals, so that no completed call is made again. Call it
// once the hosts that workflows call can be reached.
func (s *Service) Resume() error {
	left := s.left
	s.left = nil
	for _, r := range left {
		if r.rec.pb.StartTime == nil {
			r.activate(time.Now()) // queued, then cancelled
		}
		// The replay tells the steps again.
		if err := s.writer.put(write{table: tableSteps, key: r.name.key() + "/", all: true}); err != nil {
			return fmt.Errorf("resume executions: %w", err)
		}
		s.start(r)
	}
	s.schedule()
	return nil
}

// takeUp reads what an earlier process left unfinished, before anything new
// can come.
func (s *Service) takeUp() error {
	if err := s.finishDeletions(); err != nil {
		return err
	}
	left, orphans, err := s.unfinished()
	if err != nil {
		return err
	}
	for _, r := range left {
		if r.rec.pb.State == executionspb.Execution_QUEUED && !r.rec.cancelled {
			s.requeue(r)
			continue
		}
		s.runs[r.name.key()] = r
		s.active++
		s.left = append(s.left, r)
	}
	return s.forgetJournal(orphans)
}

// requeue puts an execution back that was waiting for a place.
func (s *Service) requeue(r *run) {
	r.queued = true
	s.runs[r.name.key()] = r
	s.queue = append(s.queue, r)
	s.waiting++
}

// unfinished reads the executions that have not ended, oldest first, and the
// keys of journal entries that belong to none of them.
func (s *Service) unfinished() (runs []*run, orphans []string, err error) {
	err = s.opts.DB.View(func(tx *store.Tx) error {
		byID := map[string]*run{}
		var failed error
		tx.Scan(tableUnfinished, "", func(key string, _ []byte) bool {
			var r *run
			if r, failed = s.load(tx, key); failed != nil {
				return false
			}
			runs, byID[r.name.id] = append(runs, r), r
			return true
		})
		if failed != nil {
			return failed
		}
		var last uint64
		orphans, last, failed = readJournal(tx, byID)
		s.lastEntry.Store(last)
		return failed
	})
	slices.SortStableFunc(runs, func(a, b *run) int { return a.rec.created.Compare(b.rec.created) })
	return runs, orphans, err
}

// load reads an unfinished execution with its revision.
func (s *Service) load(tx *store.Tx, key string) (*run, error) {
	name, created, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	data, err := tx.Get(tableExecutions, key)
	if err != nil {
		return nil, err
	}
	rec, err := decodeRecord(name, created, data)
	if err != nil {
		return nil, err
	}
	id := rec.pb.WorkflowRevisionId
	revision, err := s.revisions.share(name.workflow, id, func() (*workflowspb.Workflow, error) {
		pb := &workflowspb.Workflow{}
		return pb, tx.GetProto(tableRevisions, name.workflow.prefix()+id, pb)
	})
	if err != nil {
		return nil, fmt.Errorf("revision %s of execution %s: %w (%v)", id, name.id, store.ErrDamaged, err)
	}
	return s.newRun(rec, revision), nil
}
