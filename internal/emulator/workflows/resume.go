package workflows

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/interp"
)

// Resume goes on with the executions that an earlier process left unfinished:
// it replays their journals, so that no completed call is made again. Call it
// once the hosts that workflows call can be reached.
func (s *Service) Resume() error {
	left, err := s.unfinished()
	if err != nil {
		return fmt.Errorf("resume executions: %w", err)
	}
	for _, r := range left {
		if r.rec.pb.State == executionspb.Execution_QUEUED && !r.rec.cancelled {
			s.mu.Lock()
			s.runs[r.name.key()] = r
			s.queue = append(s.queue, r)
			s.mu.Unlock()
			continue
		}
		if r.rec.pb.StartTime == nil {
			r.activate(time.Now()) // queued, then cancelled
		}
		// The replay tells the steps again.
		if err := s.writer.put(write{table: tableSteps, key: r.name.key() + "/", all: true}); err != nil {
			return fmt.Errorf("resume executions: %w", err)
		}
		s.mu.Lock()
		s.runs[r.name.key()] = r
		s.active++
		s.mu.Unlock()
		s.start(r)
	}
	s.schedule()
	return nil
}

// unfinished reads the executions that have not ended, oldest first.
func (s *Service) unfinished() ([]*run, error) {
	var runs []*run
	err := s.opts.DB.View(func(tx *store.Tx) error {
		var keys []string
		tx.Scan(tableUnfinished, "", func(key string, _ []byte) bool {
			keys = append(keys, key)
			return true
		})
		for _, key := range keys {
			r, err := s.load(tx, key)
			if err != nil {
				return err
			}
			runs = append(runs, r)
		}
		return nil
	})
	slices.SortStableFunc(runs, func(a, b *run) int { return a.rec.created.Compare(b.rec.created) })
	return runs, err
}

// load reads an unfinished execution with its revision and journal.
func (s *Service) load(tx *store.Tx, key string) (*run, error) {
	parts := strings.Split(key, "/")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%s is no execution", key)
	}
	name := executionName{workflowName{location{parts[0]}, parts[1]}, parts[2]}
	data, err := tx.Get(tableExecutions, key)
	if err != nil {
		return nil, err
	}
	rec, err := decodeRecord(name, data)
	if err != nil {
		return nil, err
	}
	revision := &workflowspb.Workflow{}
	if err := tx.GetProto(tableRevisions, name.workflow.prefix()+rec.pb.WorkflowRevisionId, revision); err != nil {
		return nil, err
	}
	r := s.newRun(rec, revision)
	prefix := key + "/"
	tx.Scan(tableJournal, prefix, func(key string, v []byte) bool {
		seq := binary.BigEndian.Uint64([]byte(key[len(prefix):]))
		r.replay = append(r.replay, interp.Entry{Seq: int64(seq), Data: slices.Clone(v)})
		return true
	})
	return r, nil
}
