package workflows

import (
	"fmt"
	"strings"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// tableDeleting names the workflows whose deletion was begun: region/id.
const tableDeleting = "workflows.deleting"

// delete removes a workflow with its revisions and executions. What it decided
// is written first, so that a crash cannot leave half of them.
func (s *Service) delete(w workflowName) error {
	if err := s.writer.request(write{table: tableDeleting, key: w.key(), value: []byte{}})(); err != nil {
		return unwritten("delete workflow", err)
	}
	s.stopExecutions(w)
	s.revisions.forget(w)
	err := s.writer.put(removal(w)...)
	if err == nil {
		err = s.writer.sync()
	}
	if err != nil {
		return unwritten("delete workflow", err)
	}
	return nil
}

// stopExecutions stops those of a workflow, for good.
func (s *Service) stopExecutions(w workflowName) {
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
	}
	for _, r := range stopping {
		<-r.done
		if err := s.forgetJournal(r.journaled); err != nil {
			s.opts.report(fmt.Errorf("delete execution %s: %w", r.name.id, err))
		}
	}
}

// removal returns the writes that remove all of a workflow.
func removal(w workflowName) []write {
	writes := []write{{table: tableWorkflows, key: w.key()}}
	for _, table := range []string{tableRevisions, tableExecutions, tableIDs, tableUnfinished, tableSteps} {
		writes = append(writes, write{table: table, key: w.prefix(), all: true})
	}
	return append(writes, write{table: tableDeleting, key: w.key()})
}

// finishDeletions does what an earlier process did not come to.
func (s *Service) finishDeletions() error {
	var left []write
	err := s.opts.DB.View(func(tx *store.Tx) error {
		tx.Scan(tableDeleting, "", func(key string, _ []byte) bool {
			region, id, _ := strings.Cut(key, "/")
			left = append(left, removal(workflowName{location{region}, id})...)
			return true
		})
		return nil
	})
	if err != nil || len(left) == 0 {
		return err
	}
	return s.opts.DB.Update(func(tx *store.Tx) error {
		for _, x := range left {
			if err := x.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
}
