package workflows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// The tables of the database. What grows without end is keyed by time or
// number, so that many executions write to the same few pages.
const (
	tableExecutions = "executions"         // region/workflow/TIME id: a record
	tableIDs        = "executions.ids"     // region/workflow/id: TIME
	tableUnfinished = "executions.active"  // as in executions, of those that have not ended: ""
	tableJournal    = "executions.journal" // NUMBER: an entry of an unfinished execution
	tableSteps      = "executions.steps"   // region/workflow/id/NUMBER: a block of step entries
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

// key is where a record is stored: a workflow's executions by age.
func (r record) key() string {
	return r.name.workflow.prefix() + store.Key(uint64(r.created.UnixNano())) + r.name.id
}

// timeSize is the length of the time in a key.
const timeSize = 8

// parseKey takes the key of a record apart.
func parseKey(key string) (executionName, time.Time, error) {
	parts := strings.SplitN(key, "/", 3)
	if len(parts) != 3 || len(parts[2]) <= timeSize {
		return executionName{}, time.Time{}, fmt.Errorf("%q is no execution", key)
	}
	name := executionName{workflowName{location{parts[0]}, parts[1]}, parts[2][timeSize:]}
	return name, time.Unix(0, int64(binary.BigEndian.Uint64([]byte(parts[2])))), nil
}

// The numbers of a record's own fields, which follow those of the message.
const (
	fieldHistory   = 1001
	fieldNoBacklog = 1002
	fieldCancelled = 1003
)

// write returns the write that stores r.
func (r record) write() (write, error) {
	data, err := proto.Marshal(r.pb)
	if err != nil {
		return write{}, fmt.Errorf("encode execution %s: %w", r.name.id, err)
	}
	if r.history != "" {
		data = protowire.AppendTag(data, fieldHistory, protowire.BytesType)
		data = protowire.AppendString(data, r.history)
	}
	for number, set := range map[protowire.Number]bool{fieldNoBacklog: r.noBacklog, fieldCancelled: r.cancelled} {
		if set {
			data = protowire.AppendTag(data, number, protowire.VarintType)
			data = protowire.AppendVarint(data, 1)
		}
	}
	return write{table: tableExecutions, key: r.key(), value: data}, nil
}

func decodeRecord(name executionName, created time.Time, data []byte) (record, error) {
	r := record{name: name, created: created, pb: &executionspb.Execution{}}
	if err := proto.Unmarshal(data, r.pb); err != nil {
		return record{}, fmt.Errorf("execution %s: %w (%w)", name.id, store.ErrDamaged, err)
	}
	own := r.pb.ProtoReflect().GetUnknown()
	r.pb.ProtoReflect().SetUnknown(nil)
	for len(own) > 0 {
		number, kind, n := protowire.ConsumeTag(own) // proto.Unmarshal found them well-formed
		own = own[n:]
		switch number {
		case fieldHistory:
			r.history, _ = protowire.ConsumeString(own)
		case fieldNoBacklog:
			r.noBacklog = true
		case fieldCancelled:
			r.cancelled = true
		}
		own = own[protowire.ConsumeFieldValue(number, kind, own):]
	}
	return r, nil
}

// record returns an execution as it is now.
func (s *Service) record(name executionName) (record, error) {
	if r := s.run(name); r != nil {
		return r.snapshot(), nil
	}
	var rec record
	err := s.opts.DB.View(func(tx *store.Tx) error {
		at, err := tx.Get(tableIDs, name.key())
		if err != nil {
			return err
		}
		key := name.workflow.prefix() + string(at) + name.id
		data, err := tx.Get(tableExecutions, key)
		if err != nil {
			return fmt.Errorf("execution %s: %w (%v)", name.id, store.ErrDamaged, err)
		}
		_, created, err := parseKey(key)
		if err == nil {
			rec, err = decodeRecord(name, created, data)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return record{}, notFound(s.executionName(name))
	}
	if err != nil {
		return record{}, internal("read execution", err)
	}
	return rec, nil
}

// scan calls f for the executions of a workflow as they are now, the newest
// first, until it returns false. It begins before the given key; "" begins with
// the newest.
func (s *Service) scan(w workflowName, before string, f func(record) bool) error {
	if before == "" {
		before = w.prefix() + strings.Repeat("\xff", timeSize+1)
	}
	var failed error
	err := s.opts.DB.View(func(tx *store.Tx) error {
		tx.ScanBack(tableExecutions, before, func(key string, v []byte) bool {
			if !strings.HasPrefix(key, w.prefix()) {
				return false
			}
			var rec record
			name, created, err := parseKey(key)
			if err == nil {
				rec, err = decodeRecord(name, created, v)
			}
			if err != nil {
				failed = err
				return false
			}
			if r := s.run(name); r != nil {
				rec = r.snapshot()
			}
			return f(rec)
		})
		return failed
	})
	if err != nil {
		return internal("list executions", err)
	}
	return nil
}

func isFinal(state executionspb.Execution_State) bool {
	switch state {
	case executionspb.Execution_SUCCEEDED, executionspb.Execution_FAILED, executionspb.Execution_CANCELLED:
		return true
	}
	return false
}
