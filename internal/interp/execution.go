package interp

import (
	"context"
	"errors"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Execution is a run of a [Program]. Its methods may be called from any
// goroutine.
type Execution struct {
	program *Program
	cfg     Config
	limits  workflow.Limits
	clock   Clock
	ctx     context.Context
	stop    context.CancelFunc
	inbox   chan input
	done    chan struct{}
	outcome Outcome // once done is closed

	mu     sync.Mutex // guards what the methods show
	shown  []Frame
	points []CallbackPoint

	// What follows belongs to the scheduler.
	journal   journal
	virtual   bool // the clock is
	seed      int64
	order     chooser
	argument  value.Value
	main      *thread
	ready     []*thread
	parallels []*parallel
	running   int // branches
	uncaught  int // errors that ended branches
	over      bool
	steps     int64
	memory    int
	waits     []*wait // by id
	lastWait  int64
	inFlight  int
	arrived   []record // answers that virtual time holds back, by wait
	calls     int64    // that a stub may answer
	callbacks []*callback
	logs      []LogEntry // to be written before the next wait
	lastLog   int
	lastEntry int64 // of the step history
}

// Errors of [Execution.Callback].
var (
	// ErrCallbackNotFound: no such endpoint, or the execution has ended (404).
	ErrCallbackNotFound = errors.New("callback not found")
	// ErrCallbackBusy: a call is stored that was not consumed yet (429).
	ErrCallbackBusy = errors.New("a call of this callback is waiting already")
	// ErrCallbackMethod: the endpoint was created for another method (405).
	ErrCallbackMethod = errors.New("the callback takes another HTTP method")
)

// CallbackPoint describes a callback endpoint.
type CallbackPoint struct {
	ID, URL, Method string
	Waiters         int               // await_callback steps that wait
	Stored          []CallbackRequest // calls that no step has consumed, at most one
}

// Run starts an execution and waits for its outcome.
func (p *Program) Run(ctx context.Context, arg value.Value, cfg Config) Outcome {
	return p.Start(ctx, arg, cfg).Wait()
}

// Start begins an execution with the argument arg; nil is null. When ctx ends,
// the execution stops without an end, so that a later Start can go on from
// the journal.
func (p *Program) Start(ctx context.Context, arg value.Value, cfg Config) *Execution {
	if arg == nil {
		arg = value.Null{}
	}
	if cfg.Clock == nil {
		cfg.Clock = realClock{}
	}
	if cfg.CallbackURL == nil {
		cfg.CallbackURL = func(n int) string { return "https://callback.invalid/" + strconv.Itoa(n) }
	}
	if cfg.Limits == (workflow.Limits{}) {
		cfg.Limits = workflow.DefaultLimits()
	}
	x := &Execution{
		program: p, cfg: cfg, limits: cfg.Limits, clock: cfg.Clock,
		inbox: make(chan input), done: make(chan struct{}),
		argument: value.Clone(arg),
		journal:  journal{sink: cfg.Journal, replay: cfg.Replay, only: cfg.ReplayOnly, clock: cfg.Clock},
	}
	if _, x.virtual = cfg.Clock.(*VirtualClock); x.virtual {
		x.seed = cfg.Seed
	}
	x.main = &thread{run: x}
	x.ctx, x.stop = context.WithCancel(ctx)
	x.busy()
	go x.schedule()
	return x
}

// Wait returns when the execution has ended.
func (x *Execution) Wait() Outcome {
	<-x.done
	return x.outcome
}

// Done is closed when the execution has ended.
func (x *Execution) Done() <-chan struct{} { return x.done }

// Cancel ends the execution as CANCELLED, unless it ends before. It does not
// wait for that.
func (x *Execution) Cancel() {
	go x.send(input{record: record{Kind: kindCancel}})
}

// Callback delivers a call of a callback endpoint and returns once it would
// survive a crash. The errors are ErrCallbackNotFound, ErrCallbackBusy and
// ErrCallbackMethod, or the journal's.
func (x *Execution) Callback(id string, req CallbackRequest) error {
	ack := make(chan error, 1)
	if !x.send(input{record: record{Kind: kindCall, Text: id, Request: &req}, ack: ack}) {
		return ErrCallbackNotFound
	}
	return <-ack
}

func (x *Execution) send(in input) bool {
	select {
	case x.inbox <- in:
		return true
	case <-x.done:
		return false
	}
}

// Callbacks lists the callback endpoints that were created.
func (x *Execution) Callbacks() []CallbackPoint {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]CallbackPoint(nil), x.points...)
}

// Current returns the steps that are being executed, or were last: for each
// branch its frames, the outermost first.
func (x *Execution) Current() []Frame {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]Frame(nil), x.shown...)
}

// show publishes what Current and Callbacks tell.
func (x *Execution) show() {
	var frames []Frame
	addStack := func(t *thread) {
		stack := t.stack()
		for i := len(stack) - 1; i >= 0; i-- {
			frames = append(frames, stack[i])
		}
	}
	addStack(x.main)
	for _, w := range x.waits {
		if w.thread != x.main {
			addStack(w.thread)
		}
	}
	points := make([]CallbackPoint, len(x.callbacks))
	for i, c := range x.callbacks {
		points[i] = CallbackPoint{ID: c.id, URL: c.url, Method: c.method, Waiters: len(c.waiting)}
		if c.stored != nil {
			points[i].Stored = []CallbackRequest{*c.stored.Callback}
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.shown, x.points = frames, points
}

// busy and idle tell a virtual clock whether this execution works.
func (x *Execution) busy() {
	if c, ok := x.clock.(*VirtualClock); ok {
		c.Busy()
	}
}

func (x *Execution) idle() {
	if c, ok := x.clock.(*VirtualClock); ok {
		c.Idle()
	}
}

func (x *Execution) succeed(v value.Value) {
	text, err := value.ToJSON(v)
	switch {
	case err != nil:
		x.fail(x.main.raise(err))
	case len(text) > x.limits.MemoryBytes:
		x.fail(x.main.raise(value.NewError("the result is larger than "+strconv.Itoa(x.limits.MemoryBytes)+" bytes",
			value.ResultSizeLimitExceededError, value.ResourceLimitError)))
	default:
		x.finish(Outcome{State: Succeeded, Result: v}, nil)
	}
}

func (x *Execution) fail(r *raised) {
	x.finish(Outcome{State: Failed, Err: r.outcome()}, r.Payload)
}

func (r *raised) outcome() *Error {
	return &Error{Payload: value.Printable(r.Payload), Context: r.context(), Stack: r.stack}
}

func (x *Execution) cancel() {
	r := &raised{&value.Error{Payload: value.String(cancelMessage), Raised: true}, x.main.stack()}
	x.finish(Outcome{State: Cancelled, Err: r.outcome()}, nil)
}

// halt ends this life of the execution, not the execution.
func (x *Execution) halt(cause error) {
	if !x.over {
		x.over = true
		x.outcome = Outcome{State: Active, Cause: cause}
	}
}

func (x *Execution) finish(o Outcome, exception value.Value) {
	if x.over {
		return
	}
	x.over = true
	x.outcome = o
	if x.cfg.OnStep != nil {
		x.closeAll(o.State, exception)
	}
}

// callback is an endpoint that the workflow created.
type callback struct {
	id, url, method string
	stored          *Result // a call that nobody has consumed
	waiting         []*wait // in the order in which they began
}

func (x *Execution) newCallback(t *thread, method string) *callback {
	url := x.inline(t, record{Kind: kindEndpoint}, func(r *record, _ time.Time) { r.Text = x.cfg.CallbackURL(len(x.callbacks) + 1) }).Text
	c := &callback{id: path.Base(url), url: url, method: method}
	x.callbacks = append(x.callbacks, c)
	return c
}

func (x *Execution) callbackWhere(is func(*callback) bool) *callback {
	for _, c := range x.callbacks {
		if is(c) {
			return c
		}
	}
	return nil
}

func (c *callback) drop(w *wait) {
	for i, other := range c.waiting {
		if other == w {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return
		}
	}
}

// now is the time of the execution: that of its last journal entry.
func (x *Execution) now() time.Time { return x.journal.now }
