package workflowtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/stub"
)

// Result is what came of a test.
type Result struct {
	Test     *Test
	Failures []Failure // none: it passed
	Steps    int64     // executed, of all seeds
	Virtual  time.Duration
	Real     time.Duration
}

// Failure is one thing that was not as expected. Details are lines of what was
// seen instead.
type Failure struct {
	At      diag.Pos
	Message string
	Details []string
}

// Run runs a test of f with each of its seeds, up to the first that fails.
func (f *File) Run(ctx context.Context, t *Test) Result {
	begun := time.Now()
	r := Result{Test: t}
	for _, seed := range t.seeds {
		seen := f.run(ctx, t, seed)
		r.Steps += seen.outcome.Steps
		r.Virtual += seen.took
		if r.Failures = t.want.compare(t, seen); len(r.Failures) > 0 {
			if len(t.seeds) > 1 {
				r.Failures[0].Details = append(r.Failures[0].Details, fmt.Sprintf("with seed %d", seed))
			}
			break
		}
	}
	r.Real = time.Since(begun)
	return r
}

// seen is what a run did.
type seen struct {
	outcome interp.Outcome
	took    time.Duration
	calls   []event
	steps   []interp.StepEvent // that began
}

// event is a call or, with a request, a request of a call.
type event struct {
	call    interp.Call
	request *interp.Request
}

// observer notes the calls on their way to the stubs.
type observer struct {
	stubs *stub.Set
	seen  *seen
}

// Call implements [interp.Stubs].
func (o observer) Call(c interp.Call) *interp.Answer {
	o.seen.calls = append(o.seen.calls, event{call: c})
	return o.stubs.Call(c)
}

// Request implements [interp.Stubs].
func (o observer) Request(c interp.Call, r *interp.Request) *interp.Answer {
	o.seen.calls = append(o.seen.calls, event{c, r})
	return o.stubs.Request(c, r)
}

// run runs the test once.
func (f *File) run(ctx context.Context, t *Test, seed int64) seen {
	var s seen
	clock := interp.NewVirtualClock(t.start)
	begun := clock.Now()
	files := append([]*stub.File{&t.stubs, &f.stubs}, f.included...)
	env := maps.Clone(f.env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, t.env)
	cfg := interp.Config{
		Clock: clock, Seed: seed, Env: stdlib.Environment(env),
		OnStep: func(e interp.StepEvent) {
			if e.State == interp.StepRunning {
				s.steps = append(s.steps, e)
			}
		},
	}
	if f.unmatched == refuse {
		files = append(files, &stub.File{Refuse: true})
	} else {
		cfg.HTTP = http.DefaultTransport
	}
	cfg.Stubs = observer{stub.NewSet(files...), &s}
	program, argument := f.program, t.argument
	if t.routine != "" {
		program, _ = program.Routine(t.routine) // checked when the file was loaded
		argument = t.args
	}
	s.outcome = program.Run(ctx, argument, cfg)
	s.took = clock.Now().Sub(begun)
	f.coverage.add(s.steps)
	return s
}
