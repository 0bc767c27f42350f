package workflows

import (
	"encoding/binary"
	"fmt"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/interp"
)

// journal stores the effects of an execution. All executions write to the end
// of one table, so that a flush of the disk covers few pages however many they
// are. Once the life ended the journal takes no more: what a cancelled request
// seems to have brought must not be replayed.
type journal struct{ r *run }

// Append implements interp.Journal.
func (j journal) Append(e interp.Entry) error {
	r := j.r
	if err := r.stopped(); err != nil {
		return err
	}
	r.svc.writer.room()
	key := store.Key(r.svc.lastEntry.Add(1))
	r.journaled = append(r.journaled, key)
	return r.svc.writer.put(write{table: tableJournal, key: key, value: encodeEntry(r.name.id, e)})
}

// Sync implements interp.Journal.
func (j journal) Sync() error { return j.r.svc.writer.sync() }

// encodeEntry writes an entry of the execution with the given id.
func encodeEntry(id string, e interp.Entry) []byte {
	b := make([]byte, 0, len(id)+len(e.Data)+2*binary.MaxVarintLen32)
	b = binary.AppendUvarint(b, uint64(len(id)))
	b = append(b, id...)
	b = binary.AppendUvarint(b, uint64(e.Seq))
	return append(b, e.Data...)
}

// decodeEntry copies nothing.
func decodeEntry(b []byte) (id []byte, e interp.Entry, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, e, fmt.Errorf("a journal entry: %w", store.ErrDamaged)
	}
	id, b = b[n:n+int(size)], b[n+int(size):]
	seq, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, e, fmt.Errorf("a journal entry of execution %s: %w", id, store.ErrDamaged)
	}
	return id, interp.Entry{Seq: int64(seq), Data: b[n:]}, nil
}

// readJournal gives each run what an earlier process journaled of it. It
// returns the keys of entries of no run: a crash came after the end of their
// execution.
func readJournal(tx *store.Tx, runs map[string]*run) (orphans []string, last uint64, err error) {
	tx.Scan(tableJournal, "", func(key string, v []byte) bool {
		var id []byte
		var e interp.Entry
		if id, e, err = decodeEntry(v); err != nil {
			return false
		}
		last = binary.BigEndian.Uint64([]byte(key))
		r := runs[string(id)]
		if r == nil {
			orphans = append(orphans, key)
			return true
		}
		if want := int64(len(r.replay)) + 1; e.Seq != want {
			err = fmt.Errorf("the journal of execution %s: %w (entry %d follows entry %d)", id, store.ErrDamaged, e.Seq, want-1)
			return false
		}
		e.Data = append([]byte(nil), e.Data...)
		r.replay = append(r.replay, e)
		r.journaled = append(r.journaled, key)
		return true
	})
	return orphans, last, err
}

// forgetJournal removes entries that nobody will replay any more.
func (s *Service) forgetJournal(keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), maxBatch/4)
		writes := make([]write, n)
		for i, key := range keys[:n] {
			writes[i] = write{table: tableJournal, key: key}
		}
		if err := s.writer.put(writes...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}
