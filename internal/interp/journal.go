package interp

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/kakehi/kakehi/internal/value"
)

// The kinds of journal records. The first four are written while branches run,
// the others are what the scheduler took from the outside.
const (
	kindStart  = "start"  // the execution began
	kindNow    = "now"    // the time was read
	kindUUID   = "uuid"   // Text was generated
	kindIssue  = "issue"  // effect ID was asked for
	kindDone   = "done"   // request ID was answered, or failed
	kindFire   = "fire"   // the timer of effect ID ran out
	kindCall   = "call"   // callback Text was called
	kindCancel = "cancel" // the execution was cancelled
	kindExpire = "expire" // the execution lasted too long
)

// record is the content of a journal entry.
type record struct {
	Kind     string           `json:"kind"`
	At       int64            `json:"at"` // nanoseconds since 1970
	ID       int64            `json:"id,omitempty"`
	Effect   string           `json:"effect,omitempty"` // of an issue: http, sleep or await
	Deadline int64            `json:"deadline,omitempty"`
	Text     string           `json:"text,omitempty"`
	Response *Response        `json:"response,omitempty"`
	Request  *CallbackRequest `json:"request,omitempty"`
	Tags     []value.Tag      `json:"tags,omitempty"` // of a request that failed
	Message  string           `json:"message,omitempty"`
}

// journal writes records, and reads those of an earlier life first.
type journal struct {
	sink   Journal
	replay []Entry
	clock  Clock
	seq    int64
	now    time.Time // of the last record
	dirty  bool      // something was appended since the last sync
}

func (j *journal) replaying() bool { return int(j.seq) < len(j.replay) }

// next reads the next record of the earlier life.
func (j *journal) next() (record, error) {
	e := j.replay[j.seq]
	var r record
	if err := json.Unmarshal(e.Data, &r); err != nil {
		return r, fmt.Errorf("journal entry %d is malformed: %w", e.Seq, err)
	}
	j.seq++
	j.now = time.Unix(0, r.At).UTC()
	return r, nil
}

// append writes r, at the present time.
func (j *journal) append(r *record) error {
	now := j.clock.Now().UTC()
	if now.Before(j.now) {
		now = j.now // a clock that was set back must not turn the order around
	}
	r.At = now.UnixNano()
	j.now = time.Unix(0, r.At).UTC()
	j.seq++
	if j.sink == nil {
		return nil
	}
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("journal entry %d: %w", j.seq, err)
	}
	j.dirty = true
	if err := j.sink.Append(Entry{Seq: j.seq, Data: data}); err != nil {
		return fmt.Errorf("cannot write journal entry %d: %w", j.seq, err)
	}
	// What is seen now is what a replay will see, to the last odd byte.
	*r = record{}
	return json.Unmarshal(data, r)
}

func (j *journal) sync() error {
	if !j.dirty || j.sink == nil {
		return nil
	}
	j.dirty = false
	if err := j.sink.Sync(); err != nil {
		return fmt.Errorf("cannot sync the journal: %w", err)
	}
	return nil
}

// inline returns r as the earlier life recorded it, or records it now. fill
// completes a new record, given the time.
func (x *Execution) inline(r record, fill func(*record, time.Time)) record {
	j := &x.journal
	if j.replaying() {
		old, err := j.next()
		if err == nil && (old.Kind != r.Kind || old.ID != r.ID || old.Effect != r.Effect || r.Kind == kindIssue && old.Text != r.Text) {
			err = fmt.Errorf("journal entry %d is %s %s %s, where this definition does %s %s %s: the journal belongs to another definition or argument",
				j.seq, old.Kind, old.Effect, old.Text, r.Kind, r.Effect, r.Text)
		}
		if err != nil {
			x.corrupt(err)
		}
		return old
	}
	if fill != nil {
		fill(&r, j.clock.Now())
	}
	if err := j.append(&r); err != nil {
		x.halt(err)
	}
	return r
}

// corrupt ends an execution whose journal cannot be replayed.
func (x *Execution) corrupt(err error) {
	x.fail(&raised{value.Errorf(value.SystemError, "%v", err), nil})
}
