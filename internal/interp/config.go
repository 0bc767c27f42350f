// Package interp runs Cloud Workflows definitions on an explicit-stack
// machine: a run is a pure function of the source, the argument and the
// journal of outside effects.
//
// [New] compiles a definition into a [Program]; [Program.Start] begins an
// [Execution] of it. One goroutine, the scheduler, owns all branches of an
// execution. It runs each branch up to the point where it waits for the
// outside, then takes the next completion, journals it and goes on.
package interp

import (
	"context"
	"net/http"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Config is the outside world of one execution. Its zero value has no network,
// no identity, the real clock and no journal.
type Config struct {
	HTTP   http.RoundTripper // nil: every request fails to connect
	Tokens Tokens            // nil: minting fails with AuthError
	Clock  Clock             // nil: the real clock
	Env    map[string]string // what sys.get_env reads
	// Journal records effects before they are seen; nil keeps none. Replay
	// holds what an earlier life of the same execution recorded.
	Journal Journal
	Replay  []Entry
	// ReplayOnly ends this life where Replay ends, with [ErrJournalEnd] as the
	// cause: nothing goes out.
	ReplayOnly bool
	// Stubs answers calls and requests in the place of the outside; nil lets
	// them all through.
	Stubs Stubs
	// Seed makes the choices that the language leaves open in virtual time:
	// which branch goes on first, where one is interrupted for another, which
	// of several answers of the same instant is seen first. With 0, the older
	// always goes first and goes on until it waits. In virtual time UUIDs come
	// from the seed too, and a run is a pure function of source, argument,
	// seed and answers. In real time it means nothing. A replay has the seed
	// of the journal.
	Seed int64
	// CallbackURL gives the address of callback number n (1, 2, …). The last
	// element of its path is the id that [Execution.Callback] takes. Nil: an
	// address of no host, with n as id. A replay has the one of the journal.
	CallbackURL func(n int) string
	// Log takes what sys.log writes. After a crash an entry may come twice,
	// with the same InsertID. Nil drops it.
	Log    func(LogEntry)
	OnStep func(StepEvent) // called in order, from one goroutine
	// Variables asks for StepEvent.Variables, as detailed history does.
	Variables bool
	Limits    workflow.Limits // the zero value means workflow.DefaultLimits
}

// Tokens mints the credentials of the workflow's service account.
type Tokens interface {
	AccessToken(ctx context.Context, scopes []string) (string, error)
	IDToken(ctx context.Context, audience string) (string, error)
}

// Clock tells the time and waits. A virtual clock jumps when every branch waits.
type Clock interface {
	Now() time.Time
	// After returns a channel that receives once d has passed, and a function
	// that gives the timer up.
	After(d time.Duration) (<-chan time.Time, func())
}

// Entry is one journal record; only package interp reads Data.
type Entry struct {
	Seq  int64 // 1, 2, …
	Data []byte
}

// Journal keeps entries in order.
type Journal interface {
	Append(e Entry) error
	// Sync returns when all appended entries would survive a crash.
	Sync() error
}

// LogEntry is what sys.log writes.
type LogEntry struct {
	InsertID string // the same for the same entry of an execution
	Time     time.Time
	Severity string
	Text     string      // textPayload, or
	JSON     value.Value // jsonPayload, which has a JSON form
	Step     string
	Routine  string
}

// StepState is the state of one executed step.
type StepState string

// The step states, as in StepEntry.state.
const (
	StepRunning   StepState = "STATE_IN_PROGRESS"
	StepSucceeded StepState = "STATE_SUCCEEDED"
	StepFailed    StepState = "STATE_FAILED"
	StepCancelled StepState = "STATE_CANCELLED"
)

// StepEvent tells that a step began (StepRunning) or ended.
type StepEvent struct {
	ID        int64 // of the step entry; the same at begin and end
	Parent    int64 // 0 for none
	Time      time.Time
	Routine   string
	Step      string
	Type      string // such as STEP_ASSIGN, STEP_STD_LIB_CALL
	State     StepState
	At        diag.Pos
	Thread    string      // names the branch or iteration; "" for the main one
	Iteration int64       // 1-based in loops, branches and retries; else 0
	Expected  int64       // how many iterations of a loop or branches there will be; else 0
	Exception value.Value // of a failed step; it has a JSON form
	// Variables holds the variables in scope after the step, if
	// Config.Variables is set, in a form that JSON can write. Call it before
	// OnStep returns.
	Variables func() *value.Map
}

// State is how an execution ended.
type State string

// The states of an outcome.
const (
	Succeeded State = "SUCCEEDED"
	Failed    State = "FAILED"
	Cancelled State = "CANCELLED"
	// Active is no end: the context of Start ended first, or the journal
	// could not be written. A later Start with the journal as Replay goes on.
	Active State = "ACTIVE"
)

// Outcome is the end of an execution, or of one life of it.
type Outcome struct {
	State  State
	Result value.Value // when Succeeded; it has a JSON form
	Err    *Error      // when Failed or Cancelled
	Steps  int64       // executed, as counted for the limit and the bill
	// Cause says why this life ended, when Active. When Failed it is nil, or
	// the [JournalError] that made a replay impossible.
	Cause   error
	Entries int64 // of the journal, read and written
}

// Frame is one element of a stack trace.
type Frame struct {
	Step, Routine string
	At            diag.Pos
}

// Error is an error that ended an execution.
type Error struct {
	Payload value.Value // what was raised; it has a JSON form
	Context string      // message and trace, as the service words it
	Stack   []Frame     // innermost first
}

// Error implements error.
func (e *Error) Error() string { return e.Context }
