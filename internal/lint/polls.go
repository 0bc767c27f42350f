package lint

import (
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// polls warns of loops made of jumps that look again and again, with a sleep or
// even without one, and have no bound.
func (l *linter) polls(steps []*workflow.Step) {
	place := make(map[*workflow.Step]int, len(steps))
	for i, s := range steps {
		place[s] = i
		workflow.Walk([]*workflow.Step{s}, func(jump *workflow.Step) bool {
			to := l.targets[jump]
			if from, ok := place[to]; ok && to != nil {
				l.poll(steps[from:i+1], jump)
			}
			return true
		})
	}
}

// poll checks the loop that jump closes.
func (l *linter) poll(steps []*workflow.Step, jump *workflow.Step) {
	body := loopOf(steps)
	switch {
	case body.bounded():
	case body.sleeps:
		l.warn(jump.NextAt, "unbounded-poll", "count the rounds, or compare sys.now() with a deadline",
			"this loop polls without a bound: if what it waits for never comes, it goes on until a limit of the execution")
	case body.repeats():
		l.warn(jump.NextAt, "unbounded-poll", "sleep between the rounds, and count them or compare sys.now() with a deadline",
			"this loop sends the same request again and again, without a pause or a bound")
	}
}

// loop is what matters of the steps of a loop.
type loop struct {
	sleeps  bool
	clock   bool            // it looks at the time
	asks    bool            // it sends requests
	assigns bool            // it has assign steps
	counts  map[string]bool // variables that change by arithmetic on themselves
	tests   map[string]bool // variables in conditions
	args    map[string]bool // variables in the arguments of calls
	results map[string]bool // variables that calls assign
}

func loopOf(steps []*workflow.Step) loop {
	b := loop{counts: map[string]bool{}, tests: map[string]bool{}, args: map[string]bool{}, results: map[string]bool{}}
	workflow.Walk(steps, func(s *workflow.Step) bool {
		switch do := s.Do.(type) {
		case *workflow.Call:
			b.called(do)
		case *workflow.Assign:
			b.assigns = true
			for _, it := range do.Items {
				b.assigned(it)
			}
		case *workflow.Switch:
			for _, arm := range do.Arms {
				eachExpr(arm.Condition, func(x expr.Expr) { b.note(x, b.tests) })
			}
		}
		for _, v := range workflow.Values(s.Do) {
			eachExpr(v, func(x expr.Expr) {
				if c, ok := x.(*expr.Call); ok && c.Func == "sys.now" {
					b.clock = true
				}
			})
		}
		return true
	})
	return b
}

func (b *loop) called(c *workflow.Call) {
	switch c.Func {
	case "sys.sleep", "sys.sleep_until":
		b.sleeps = true
	case "sys.now":
		b.clock = true
	}
	b.asks = b.asks || strings.HasPrefix(c.Func, "http.") || strings.HasPrefix(c.Func, "googleapis.")
	b.results[c.Result] = true
	eachExpr(c.Args, func(x expr.Expr) { b.note(x, b.args) })
}

// assigned notes a variable, or a part of one, that counts.
func (b *loop) assigned(it *workflow.AssignItem) {
	target := expr.String(it.Target)
	eachExpr(it.Value, func(x expr.Expr) {
		sum, ok := x.(*expr.Binary)
		if ok && (sum.Op == "+" || sum.Op == "-") && (expr.String(sum.X) == target || expr.String(sum.Y) == target) {
			b.counts[target] = true
		}
	})
}

// note adds the variables and parts that x names.
func (b *loop) note(x expr.Expr, to map[string]bool) {
	switch x.(type) {
	case *expr.Ident, *expr.Member, *expr.Index:
		to[expr.String(x)] = true
	}
}

func (b *loop) bounded() bool {
	if b.clock {
		return true
	}
	for name := range b.counts {
		if b.tests[name] {
			return true
		}
	}
	return false
}

// repeats reports whether each round sends the same requests as the one before.
func (b *loop) repeats() bool {
	for name := range b.results {
		if b.args[name] {
			return false
		}
	}
	return b.asks && !b.assigns
}

// eachExpr calls f for every expression in a value and all parts of it.
func eachExpr(n workflow.Node, f func(expr.Expr)) {
	workflow.WalkNodes(n, func(n workflow.Node) {
		if e, ok := n.(*workflow.Expr); ok {
			expr.Walk(e.X, func(x expr.Expr) bool {
				f(x)
				return true
			})
		}
	})
}
