package compile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/interp"
)

// A dag is a random pipeline of tasks t0, t1, …, each depending on earlier
// ones. Some fail, some have a condition that does not hold.
type dag struct {
	deps [][]int
	bad  []bool
	off  []bool
}

func randomDAG(r *rand.Rand) dag {
	n := 2 + r.IntN(9)
	g := dag{deps: make([][]int, n), bad: make([]bool, n), off: make([]bool, n)}
	density := r.Float64()
	for i := range n {
		for j := range i {
			if r.Float64() < density {
				g.deps[i] = append(g.deps[i], j)
			}
		}
		g.bad[i], g.off[i] = r.IntN(5) == 0, r.IntN(8) == 0
	}
	return g
}

// tasks writes the tasks of a spec, indented by indent.
func (g dag) tasks(indent string) string {
	var b strings.Builder
	for i, deps := range g.deps {
		fmt.Fprintf(&b, "%st%d:\n%s  function: f\n%s  in: {id: %d}\n%s  cache: false\n", indent, i, indent, indent, i, indent)
		if len(deps) > 0 {
			names := make([]string, len(deps))
			for k, j := range deps {
				names[k] = fmt.Sprintf("t%d", j)
			}
			fmt.Fprintf(&b, "%s  after: [%s]\n", indent, strings.Join(names, ", "))
		}
		if g.off[i] {
			fmt.Fprintf(&b, "%s  when: 1 > 2\n", indent)
		}
	}
	return b.String()
}

// expect says what becomes of each task: it succeeds or fails if all that it
// needs succeeded, and else does not run.
func (g dag) expect(prefix string) (states []string, failed bool) {
	ok := make([]bool, len(g.deps))
	for i, deps := range g.deps {
		run := !g.off[i]
		for _, j := range deps {
			run = run && ok[j]
		}
		switch {
		case run && g.bad[i]:
			states, failed = append(states, fmt.Sprintf("%st%d FAILED", prefix, i)), true
		case run:
			ok[i] = true
			states = append(states, fmt.Sprintf("%st%d SUCCEEDED", prefix, i))
		}
	}
	slices.Sort(states)
	return states, failed
}

// TestScheduleOfRandomGraphs runs random graphs as a pipeline, where two
// levels of parallel steps may be used, and inside others that use them up.
func TestScheduleOfRandomGraphs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 80 {
		g := randomDAG(r)
		top := "pipeline: p\ntasks:\n" + g.tasks("  ")
		inner := "pipeline: p\ntasks:\n  sub:\n    foreach: [0]\n    pipeline:\n      tasks:\n" + g.tasks("        ") +
			"  beside: {function: beside}\n"
		for prefix, text := range map[string]string{"": top, "sub[0]/": inner} {
			g.check(t, fmt.Sprintf("graph %d %s", n, prefix), prefix, text)
		}
		if t.Failed() {
			t.Fatalf("graph:\n%s", top)
		}
	}
}

func (g dag) check(t *testing.T, name, prefix, text string) {
	t.Helper()
	w := newWorld(t)
	w.functions["beside"] = w.gives(nil)
	done := make([]bool, len(g.deps))
	w.functions["f"] = func(in object) (int, any) {
		id := int(given(in, "id").(float64))
		for _, j := range g.deps[id] {
			if !done[j] {
				t.Errorf("%s: t%d was called before t%d was done", name, id, j)
			}
		}
		if g.bad[id] {
			return 422, failed(422, "bad")
		}
		done[id] = true
		return 200, object{}
	}
	o := w.run(text, "")
	want, failed := g.expect(prefix)
	if failed != (o.State == interp.Failed) {
		t.Errorf("%s: %s", name, result(o))
	}
	var got []string
	for _, s := range w.states() {
		if strings.HasPrefix(s, prefix+"t") && (strings.HasSuffix(s, " SUCCEEDED") || strings.HasSuffix(s, " FAILED")) {
			got = append(got, s)
		}
	}
	same(t, name, got, want)
}
