package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// value makes an expression of text.
func value(t *testing.T, src string) *Expr {
	t.Helper()
	x, err := expr.Parse(src, diag.Pos{File: "test", Line: 1, Col: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &Expr{At: x.Pos(), X: x}
}

// graph makes tasks of lines such as "c: a b".
func graph(t *testing.T, lines ...string) []*Task {
	t.Helper()
	var tasks []*Task
	for _, line := range lines {
		name, after, _ := strings.Cut(line, ":")
		tasks = append(tasks, &Task{Name: name, After: strings.Fields(after), Kind: &Function{Name: "f"}})
	}
	return tasks
}

func TestDeps(t *testing.T) {
	task := &Task{
		Name: "train",
		In: []*Input{
			{Name: "a", Value: value(t, "split.train")},
			{Name: "b", Value: value(t, "params.seed + len(clean.rows)")},
			{Name: "c", Value: &Items{Items: []Value{nil, &Fields{Fields: []*Input{{Name: "x", Value: value(t, "deep.x[one.i]")}}}, &Lit{V: "s"}}}},
			{Name: "d", Value: value(t, "one.size + split.n")},
			{Name: "e", Value: value(t, `bucket + execution + project + location`)},
		},
		Kind:    &Job{Args: []Value{value(t, "arg.x")}, Env: []*Input{{Name: "E", Value: value(t, "env.x")}}, BaseOutput: value(t, "base.x")},
		When:    value(t, "gate.open and status.state == event.x").X,
		ForEach: &ForEach{Item: "one", In: value(t, "list_.items")},
		After:   []string{"split", "last"},
	}
	want := []string{"split", "clean", "deep", "arg", "env", "base", "gate", "list_", "last"}
	if diff := cmp.Diff(want, task.Deps()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDepsOfEveryKind(t *testing.T) {
	x := value(t, "x.y")
	for _, kind := range []Kind{
		&HTTP{URL: x}, &HTTP{Headers: []*Input{{Value: x}}}, &HTTP{Query: []*Input{{Value: x}}}, &HTTP{Body: x}, &HTTP{Audience: x},
		&Job{Command: []Value{x}}, &Job{Spec: &Fields{Fields: []*Input{{Value: x}}}},
		&Serve{Model: x}, &Serve{Golden: x}, &Serve{Rollout: &Rollout{Interval: x}}, &Serve{Rollout: &Rollout{MinSample: x}},
		&Rollout{Interval: x}, &Rollout{MinSample: x}, &Approve{Message: x},
	} {
		if diff := cmp.Diff([]string{"x"}, (&Task{Name: "t", Kind: kind}).Deps()); diff != "" {
			t.Errorf("%T (-want +got):\n%s", kind, diff)
		}
	}
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		tasks       []string
		want, cycle string
	}{
		{nil, "", ""},
		{[]string{"a", "b", "c"}, "a b c", ""},
		{[]string{"c: b", "b: a", "a"}, "a b c", ""},
		{[]string{"d: a", "a", "e"}, "a d e", ""},
		{[]string{"a: elsewhere", "b"}, "a b", ""},
		{[]string{"a: b c", "b: d", "c: d", "d"}, "d b c a", ""},
		{[]string{"x", "a: c", "b: a", "c: b"}, "", "a c b"},
		{[]string{"start: a", "a: b", "b: a"}, "", "a b"},
		{[]string{"a: a"}, "", "a"},
	} {
		sorted, cycle := Order(graph(t, c.tasks...))
		var names []string
		for _, task := range sorted {
			names = append(names, task.Name)
		}
		if got := strings.Join(names, " "); got != c.want || strings.Join(cycle, " ") != c.cycle {
			t.Errorf("%v: sorted %q, cycle %q; want %q, %q", c.tasks, got, cycle, c.want, c.cycle)
		}
	}
}

func TestLookups(t *testing.T) {
	p := &Pipeline{
		Params: []*Param{{Name: "a"}},
		Tasks:  []*Task{{Name: "t", Out: []*Output{{Name: "o"}}}},
		OnExit: []*Task{{Name: "e"}},
	}
	got := fmt.Sprint(p.Task("t") != nil, p.Task("e") != nil, p.Task("x") == nil,
		p.Param("a") != nil, p.Param("b") == nil, p.Task("t").Output("o") != nil, p.Task("t").Output("p") == nil)
	if strings.Contains(got, "false") {
		t.Error(got)
	}
}
