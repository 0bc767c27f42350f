package workflowtest

import (
	"math"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/form"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// want is what a test expects. Parts that are nil are not looked at.
type want struct {
	result  value.Value
	err     value.Value // a map or a text
	calls   []*wantCall
	anyway  bool // calls may come in any order
	steps   []wantStep
	skipped []wantStep
	took    *time.Duration

	resultAt, errAt, tookAt diag.Pos
}

// wantCall is a call or request that is expected: once in its turn, or a number
// of times in all.
type wantCall struct {
	stub.Match
	at    diag.Pos
	times int64 // -1: it is expected in its turn
}

type wantStep struct {
	at   diag.Pos
	name string // STEP or ROUTINE.STEP
}

const (
	asListed = "listed"
	anyOrder = "any"
)

func wantObject() form.Object[want] {
	steps := form.ListOf(form.Text())
	return form.Object[want]{
		Name: "want", Doc: "What is expected of a run: without error, that it succeeds.",
		Fields: []form.Field[want]{
			{Key: "result", Doc: "the result, exactly", Schema: form.Any(),
				Read: func(r *form.Reader, n workflow.Node, w *want) { w.result, w.resultAt = r.Value(n), n.Pos() }},
			{Key: "error", Doc: "the error that ends the run: a part of its text, or a map of which message is a part, tags some, and other keys exact", Schema: form.Schema{"type": []string{"string", "object"}},
				Read: func(r *form.Reader, n workflow.Node, w *want) { w.err, w.errAt = r.Value(n), n.Pos() }},
			{Key: "calls", Doc: "calls and requests that are made, in this order; others may come between", Schema: form.ListOf(wantCallObject().Schema()),
				Read: func(r *form.Reader, n workflow.Node, w *want) {
					r.List(n, func(item workflow.Node) {
						c := &wantCall{at: item.Pos(), times: -1}
						if wantCallObject().Read(r, item, c) {
							w.calls = append(w.calls, c)
						}
					})
				}},
			{Key: "order", Doc: "order of the calls: listed (the default) or any", Schema: form.Word(asListed, anyOrder),
				Read: func(r *form.Reader, n workflow.Node, w *want) { w.anyway = r.Word(n, asListed, anyOrder) == anyOrder }},
			{Key: "steps", Doc: "steps that run, in this order, as STEP or ROUTINE.STEP; others may come between", Schema: steps,
				Read: func(r *form.Reader, n workflow.Node, w *want) { w.steps = readSteps(r, n) }},
			{Key: "skipped", Doc: "steps that do not run", Schema: steps,
				Read: func(r *form.Reader, n workflow.Node, w *want) { w.skipped = readSteps(r, n) }},
			{Key: "took", Doc: "how much virtual time the run takes: seconds, or a text such as 1h30m", Schema: form.Seconds(),
				Read: func(r *form.Reader, n workflow.Node, w *want) {
					d := r.Duration(n)
					w.took, w.tookAt = &d, n.Pos()
				}},
		},
	}
}

func readSteps(r *form.Reader, n workflow.Node) []wantStep {
	var steps []wantStep
	r.List(n, func(item workflow.Node) { steps = append(steps, wantStep{item.Pos(), r.Text(item)}) })
	return steps
}

func wantCallObject() form.Object[wantCall] {
	fields := stub.MatchFields(func(c *wantCall) *stub.Match { return &c.Match })
	return form.Object[wantCall]{
		Name: "an expected call", Doc: "A call, or with url or method a request.",
		Fields: append(fields, form.Field[wantCall]{
			Key: "times", Doc: "how many such calls there are in all, whatever their place; 0 for none", Schema: form.Int(0),
			Read: func(r *form.Reader, n workflow.Node, c *wantCall) { c.times = r.Int(n, 0, math.MaxInt64) },
		}),
	}
}

// check reports what the definition does not have.
func (w *want) check(r *form.Reader, names stub.Names) {
	if w.result != nil && w.err != nil {
		r.Errorf(w.errAt, "wrong-keys", "", "a run has a result or an error, not both")
	}
	for _, c := range w.calls {
		if c.IsZero() {
			r.Errorf(c.at, "missing-key", "name a function with call, or requests with url", "the expected call says not which")
		}
		c.Check(r, names)
	}
	for _, steps := range [][]wantStep{w.steps, w.skipped} {
		for _, s := range steps {
			if !names.HasStep(s.name) {
				r.Errorf(s.at, "unknown-step", form.DidYouMean(s.name, names.Steps), "the definition has no step %q", s.name)
			}
		}
	}
}

// matches reports whether s is that step.
func (s wantStep) matches(routine, step string) bool {
	return s.name == step || s.name == routine+"."+step
}
