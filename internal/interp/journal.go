package interp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kakehi/kakehi/internal/value"
)

// The kinds of journal records. The first five are written while branches run,
// the others are what the scheduler took from the outside.
const (
	kindStart    = "start"    // the execution began
	kindNow      = "now"      // the time was read
	kindUUID     = "uuid"     // Text was generated
	kindEndpoint = "endpoint" // the callback endpoint with URL Text was made
	kindIssue    = "issue"    // effect ID was asked for
	kindDone     = "done"     // request ID was answered, or failed
	kindFire     = "fire"     // the timer of effect ID ran out
	kindCall     = "call"     // callback Text was called
	kindCancel   = "cancel"   // the execution was cancelled
	kindExpire   = "expire"   // the execution lasted too long
)

// record is the content of a journal entry.
type record struct {
	Kind     string           `json:"kind"`
	At       int64            `json:"at"`              // nanoseconds since 1970
	Seed     int64            `json:"seed,omitempty"`  // of the start
	Early    bool             `json:"early,omitempty"` // taken together with the one before
	ID       int64            `json:"id,omitempty"`
	Effect   string           `json:"effect,omitempty"` // of an issue: http, sleep, await or stub
	Deadline int64            `json:"deadline,omitempty"`
	Text     string           `json:"text,omitempty"`
	Digest   string           `json:"digest,omitempty"` // of the parts of a request that Text leaves out
	Call     int64            `json:"call,omitempty"`   // number of the call that a stub answers
	Response *Response        `json:"response,omitempty"`
	Request  *CallbackRequest `json:"request,omitempty"`
	Tags     []value.Tag      `json:"tags,omitempty"` // of a request that failed
	Message  string           `json:"message,omitempty"`
	Value    json.RawMessage  `json:"value,omitempty"` // what a stub gave
	Raise    json.RawMessage  `json:"raise,omitempty"` // what a stub raised
	Fatal    bool             `json:"fatal,omitempty"` // it cannot be caught
}

// journal writes records, and reads those of an earlier life first.
type journal struct {
	sink   Journal
	replay []Entry
	only   bool // nothing may follow replay
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
	j.seq++
	if !j.replaying() {
		j.replay = nil // an execution may wait for a year
	}
	if err := json.Unmarshal(e.Data, &r); err != nil {
		return r, &JournalError{Seq: j.seq, Msg: fmt.Sprintf("is malformed: %v", err)}
	}
	j.now = time.Unix(0, r.At).UTC()
	return r, nil
}

// early says whether the next record was taken together with the last one.
func (j *journal) early() bool {
	if !j.replaying() {
		return false
	}
	var r struct{ Early bool }
	data := j.replay[j.seq].Data
	return bytes.Contains(data[:min(len(data), 100)], []byte(`"early"`)) && json.Unmarshal(data, &r) == nil && r.Early
}

// present is the time of what happens now.
func (j *journal) present() time.Time {
	now := time.Unix(0, j.clock.Now().UnixNano()).UTC() // as a record keeps it
	if now.Before(j.now) {
		return j.now // a clock that was set back must not turn the order around
	}
	return now
}

// append writes r, which happens at now.
func (j *journal) append(r *record, now time.Time) error {
	r.At = now.UnixNano()
	j.now = now
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

// JournalError tells that a journal cannot be replayed: an entry is malformed,
// or belongs to another definition, argument or environment.
type JournalError struct {
	Seq  int64 // of the entry
	Msg  string
	Step Frame // where the definition is; its Routine is "" if it is nowhere yet
}

// Error implements error.
func (e *JournalError) Error() string { return fmt.Sprintf("journal entry %d %s", e.Seq, e.Msg) }

// ErrJournalEnd is why a replay without a sequel ended before the execution.
var ErrJournalEnd = errors.New("the journal ends before the execution does")

// inline returns r as the earlier life recorded it, or records it now; t is
// who does it, or nil. fill completes a new record, given the time.
func (x *Execution) inline(t *thread, r record, fill func(*record, time.Time)) record {
	j := &x.journal
	switch {
	case j.replaying():
		old, err := j.next()
		if err == nil {
			err = j.compare(old, r, fill)
		}
		if err != nil {
			x.corrupt(t, err)
		}
		return old
	case j.only:
		x.halt(ErrJournalEnd)
		return r
	}
	now := j.present()
	if fill != nil {
		fill(&r, now)
	}
	if err := j.append(&r, now); err != nil {
		x.halt(err)
	}
	return r
}

// compare reports how the last record read differs from what is done now. What
// was decided then, such as a UUID, may differ; what follows from the
// definition may not.
func (j *journal) compare(old, r record, fill func(*record, time.Time)) error {
	if old.Kind == kindIssue && r.Kind == kindIssue && fill != nil {
		fill(&r, j.now)
	}
	switch {
	case old.Kind != r.Kind || old.Effect != r.Effect || old.ID != r.ID || old.Call != r.Call,
		r.Kind == kindIssue && old.Text != r.Text,
		old.Digest != "" && old.Digest != r.Digest,
		r.Kind == kindIssue && old.Deadline != r.Deadline:
		return &JournalError{Seq: j.seq, Msg: fmt.Sprintf("is %s, where this definition does %s", old, r)}
	}
	return nil
}

// String describes a record for a message.
func (r record) String() string {
	switch {
	case r.Kind == kindStart:
		return "the start"
	case r.Kind == kindNow:
		return "a look at the clock"
	case r.Kind == kindUUID:
		return "a UUID"
	case r.Kind == kindEndpoint:
		return "a callback endpoint"
	case r.Kind != kindIssue:
		return "an event from outside (" + r.Kind + ")"
	case r.Effect == "http":
		return fmt.Sprintf("request %d, %s (headers and body %s)", r.ID, r.Text, r.Digest)
	case r.Effect == "stub":
		return fmt.Sprintf("a stub for call %d, %s", r.Call, r.Text)
	}
	return fmt.Sprintf("%s %d until %s", r.Effect, r.ID, time.Unix(0, r.Deadline).UTC().Format(time.RFC3339Nano))
}

// corrupt ends an execution whose journal cannot be replayed.
func (x *Execution) corrupt(t *thread, err error) {
	if je, ok := err.(*JournalError); ok && t != nil {
		je.Step = t.stack()[0]
	}
	if x.over {
		return
	}
	x.fail(&raised{value.Errorf(value.SystemError, "%v: the journal belongs to another definition, argument or environment", err), nil})
	x.outcome.Cause = err
}
