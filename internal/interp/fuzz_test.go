package interp_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// writer makes a small program of the bytes that a fuzzer gives.
type writer struct {
	data  []byte
	names int
}

func (w *writer) pick(n int) int {
	if len(w.data) == 0 {
		return 0
	}
	b := int(w.data[0])
	w.data = w.data[1:]
	return b % n
}

var expressions = func() []expr.Expr {
	var out []expr.Expr
	for _, src := range []string{
		`1`, `x + 1`, `x`, `y`, `[x, y]`, `x == y`, `x < 3`, `not (x == 2)`, `len(y)`, `y[0]`, `y.k`, `"s" + x`, `x // y`, `true`, `false`, `null`, `"text"`,
		`sub(x)`, `[sub(x), x, sub(y)]`, `x == 1 and sub(x) == 2`, `y == null or sub(1) == y`, `uuid.generate() == ""`, `sys.now() > 0`,
		`http.default_retry`, `default(x, y)`, `keys(y)`, `map.get(y, "k")`, `list.concat(y, x)`, `x % 3`, `x * x`, `sub`, `retry.always`,
	} {
		e, err := expr.Parse(src, posOf(len(out)))
		if err != nil {
			panic(err)
		}
		out = append(out, e)
	}
	return out
}()

func (w *writer) value() workflow.Node {
	switch w.pick(8) {
	case 0:
		return &workflow.Lit{Value: int64(w.pick(5))}
	case 1:
		return &workflow.List{Items: []workflow.Node{w.node(), w.node()}}
	case 2:
		return &workflow.Map{Entries: []*workflow.Entry{{Key: &workflow.Lit{Value: "k"}, Value: w.node()}}}
	}
	return w.node()
}

func (w *writer) node() workflow.Node {
	return &workflow.Expr{X: expressions[w.pick(len(expressions))]}
}

func (w *writer) variable() string { return []string{"x", "y"}[w.pick(2)] }

func (w *writer) steps(depth int) []*workflow.Step {
	steps := make([]*workflow.Step, 1+w.pick(3))
	for i := range steps {
		steps[i] = w.step(depth)
		steps[i].Name = fmt.Sprint("s", w.names)
		w.names++
	}
	return steps
}

func (w *writer) step(depth int) *workflow.Step {
	s := &workflow.Step{}
	if w.pick(6) == 0 {
		s.Next = []string{"s0", "s1", "s2", "end", "break", "continue"}[w.pick(6)]
	}
	kind := w.pick(12)
	if depth == 0 {
		kind = w.pick(4)
	}
	switch kind {
	case 0:
		target := expressions[[]int{2, 3, 9, 10}[w.pick(4)]]
		s.Do = &workflow.Assign{Items: []*workflow.AssignItem{{Target: target, Value: w.value()}}}
	case 1:
		s.Do = w.call()
	case 2:
		s.Do = &workflow.Raise{Value: w.value()}
	case 3:
		s.Do = &workflow.Return{Value: w.value()}
	case 4, 5:
		arms := []*workflow.Arm{{Condition: w.node(), Body: w.step(depth - 1)}, {Condition: w.node(), Body: w.step(depth - 1)}}
		s.Do = &workflow.Switch{Arms: arms[:1+w.pick(2)]}
	case 6, 7:
		s.Do = w.loop(depth)
	case 8:
		p := &workflow.Parallel{Shared: []string{"x", "y"}[:w.pick(3)]}
		if w.pick(2) == 0 {
			p.For = w.loop(depth)
		} else {
			p.Branches = []*workflow.Branch{{Name: "a", Steps: w.steps(depth - 1)}, {Name: "b", Steps: w.steps(depth - 1)}}
		}
		s.Do = p
	case 9, 10:
		s.Do = w.try(depth)
	default:
		s.Do = &workflow.Steps{Steps: w.steps(depth - 1)}
	}
	return s
}

func (w *writer) call() *workflow.Call {
	c := &workflow.Call{Func: "sub", Args: &workflow.List{Items: []workflow.Node{w.node()}}, Result: w.variable()}
	switch w.pick(4) {
	case 0:
		c.Func = "sys.sleep"
	case 1:
		c.Func = "http.get"
		c.Args = &workflow.Map{Entries: []*workflow.Entry{{Key: &workflow.Lit{Value: "url"}, Value: &workflow.Lit{Value: "https://example.com"}}}}
	case 2:
		c.Func = "sys.log"
	}
	return c
}

func (w *writer) loop(depth int) *workflow.For {
	f := &workflow.For{Value: "v", Steps: w.steps(depth - 1)}
	if w.pick(2) == 0 {
		f.In = w.value()
	} else {
		f.Range = &workflow.List{Items: []workflow.Node{w.node(), &workflow.Lit{Value: int64(3)}}}
	}
	return f
}

func (w *writer) try(depth int) *workflow.Try {
	t := &workflow.Try{Body: w.step(depth - 1)}
	if w.pick(2) == 0 {
		t.Retry = &workflow.Retry{Policy: w.node()}
		if w.pick(2) == 0 {
			one := &workflow.Lit{Value: int64(1)}
			t.Retry = &workflow.Retry{Predicate: w.node(), MaxRetries: one, Backoff: &workflow.Backoff{InitialDelay: one, MaxDelay: one, Multiplier: one}}
		}
	}
	if w.pick(2) == 0 {
		t.Except = &workflow.Except{As: "e", Steps: w.steps(depth - 1)}
	}
	return t
}

// generated is a small program.
func generated(data []byte) *workflow.File {
	w := &writer{data: data}
	init := &workflow.Step{Name: "init", Do: &workflow.Assign{Items: []*workflow.AssignItem{
		{Target: expressions[2], Value: &workflow.Lit{Value: int64(1)}}, {Target: expressions[3], Value: &workflow.Map{}}}}}
	return &workflow.File{Workflows: []*workflow.Workflow{
		{Name: "main", Params: []*workflow.Param{{Name: "args"}}, Steps: append([]*workflow.Step{init}, w.steps(4)...)},
		{Name: "sub", Params: []*workflow.Param{{Name: "x"}, {Name: "y", Default: &workflow.Lit{}}}, Steps: w.steps(2)},
	}}
}

// FuzzMachine runs small programs. Each must end, balance its step entries,
// and take the same way when its journal is replayed.
func FuzzMachine(f *testing.F) {
	for seed := range 40 {
		data := make([]byte, 120)
		for i := range data {
			data[i] = byte((i*i*31 + seed*97 + i*seed) % 251)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := interp.New(generated(data), stdlib.Funcs())
		if err != nil {
			return
		}
		first, entries := fuzzRun(t, p, nil)
		again, _ := fuzzRun(t, p, entries)
		if first != again {
			t.Errorf("ran\n%s\nreplayed\n%s", first, again)
		}
	})
}

// fuzzRun runs p and tells all that can be seen of it.
func fuzzRun(t *testing.T, p *interp.Program, replay []interp.Entry) (string, []interp.Entry) {
	var b strings.Builder
	journal := &memory{entries: replay}
	cfg := virtual()
	cfg.Journal, cfg.Replay, cfg.Variables = journal, replay, true
	cfg.Limits = workflow.DefaultLimits()
	cfg.Limits.Steps = 400
	cfg.HTTP = transport(func(*http.Request) (int, string) { return 503, `{"k": 1}` })
	open := map[int64]bool{}
	cfg.OnStep = func(e interp.StepEvent) {
		if running := e.State == interp.StepRunning; open[e.ID] == running {
			t.Errorf("entry %d became %s twice", e.ID, e.State)
		} else {
			open[e.ID] = running
		}
		fmt.Fprint(&b, e.ID, e.Parent, e.Thread, e.Type, e.Step, e.State, e.Iteration, "\n")
		if e.Variables != nil {
			e.Variables()
		}
	}
	o := p.Run(context.Background(), value.NewMap().Put("k", value.Int(2)), cfg)
	for id, running := range open {
		if running {
			t.Errorf("entry %d was left open", id)
		}
	}
	if o.State == interp.Active {
		t.Errorf("not ended: %v", o.Cause)
	}
	return b.String() + show(o) + fmt.Sprint(o.Steps), journal.entries
}

func posOf(n int) diag.Pos { return diag.Pos{File: "main.yaml", Line: 1, Col: 1 + n} }
