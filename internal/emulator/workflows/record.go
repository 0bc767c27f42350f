package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// The tables of the database.
const (
	tableExecutions = "executions"         // region/workflow/id: a record
	tableUnfinished = "executions.active"  // the same key, of those that have not ended: ""
	tableJournal    = "executions.journal" // key/number: an entry, until it has ended
	tableSteps      = "executions.steps"   // key/number: a stepEntry
)

// record is what is stored of an execution. The fields beside the message are
// of the REST API only.
type record struct {
	name executionName
	pb   *executionspb.Execution

	created   time.Time
	history   string // ExecutionHistoryLevel as the caller gave it; may be empty
	noBacklog bool
	// cancelled says that a cancellation was acknowledged.
	cancelled bool

	isBasic bool // reduced to the BASIC view; never stored
}

// stored is the form of a record in the database.
type stored struct {
	Execution []byte    `json:"execution"`
	Created   time.Time `json:"created"`
	History   string    `json:"history,omitempty"`
	NoBacklog bool      `json:"noBacklog,omitempty"`
	Cancelled bool      `json:"cancelled,omitempty"`
}

// write returns the write that stores r.
func (r record) write() (write, error) {
	message, err := proto.Marshal(r.pb)
	if err != nil {
		return write{}, fmt.Errorf("encode execution %s: %w", r.name.id, err)
	}
	data, err := json.Marshal(stored{message, r.created, r.history, r.noBacklog, r.cancelled})
	if err != nil {
		return write{}, fmt.Errorf("encode execution %s: %w", r.name.id, err)
	}
	return write{table: tableExecutions, key: r.name.key(), value: data}, nil
}

func decodeRecord(name executionName, data []byte) (record, error) {
	var st stored
	pb := &executionspb.Execution{}
	err := json.Unmarshal(data, &st)
	if err == nil {
		err = proto.Unmarshal(st.Execution, pb)
	}
	if err != nil {
		return record{}, fmt.Errorf("execution %s is damaged: %w", name.id, err)
	}
	return record{
		name: name, pb: pb, created: st.Created, history: st.History,
		noBacklog: st.NoBacklog, cancelled: st.Cancelled,
	}, nil
}

// record returns an execution as it is now.
func (s *Service) record(name executionName) (record, error) {
	if r := s.run(name); r != nil {
		return r.snapshot(), nil
	}
	var data []byte
	err := s.opts.DB.View(func(tx *store.Tx) (err error) {
		data, err = tx.Get(tableExecutions, name.key())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return record{}, notFound(s.executionName(name))
	}
	if err != nil {
		return record{}, internal("read execution", err)
	}
	rec, err := decodeRecord(name, data)
	if err != nil {
		return record{}, internal("read execution", err)
	}
	return rec, nil
}

// records returns all executions of a workflow as they are now.
func (s *Service) records(w workflowName) ([]record, error) {
	var all []record
	var damaged error
	err := s.opts.DB.View(func(tx *store.Tx) error {
		tx.Scan(tableExecutions, w.prefix(), func(key string, v []byte) bool {
			name := executionName{w, key[len(w.prefix()):]}
			var rec record
			if rec, damaged = decodeRecord(name, v); damaged != nil {
				return false
			}
			all = append(all, rec)
			return true
		})
		return damaged
	})
	if err != nil {
		return nil, internal("list executions", err)
	}
	for i := range all {
		if r := s.run(all[i].name); r != nil {
			all[i] = r.snapshot()
		}
	}
	return all, nil
}

func isFinal(state executionspb.Execution_State) bool {
	switch state {
	case executionspb.Execution_SUCCEEDED, executionspb.Execution_FAILED, executionspb.Execution_CANCELLED:
		return true
	}
	return false
}
