package workflow

import (
	"maps"
	"slices"

	"github.com/kakehi/kakehi/internal/expr"
)

// Walk calls f for each of steps and every step below them, parents first,
// in source order. The bodies of switch arms and of try are steps without a
// name. Where f returns false the steps below are left out.
func Walk(steps []*Step, f func(*Step) bool) {
	for _, s := range steps {
		if !f(s) {
			continue
		}
		for _, list := range bodies(s.Do) {
			Walk(list, f)
		}
	}
}

// bodies returns the lists of steps directly inside an action.
func bodies(a Action) [][]*Step {
	switch a := a.(type) {
	case *Switch:
		lists := make([][]*Step, len(a.Arms))
		for i, arm := range a.Arms {
			lists[i] = []*Step{arm.Body}
		}
		return lists
	case *For:
		return [][]*Step{a.Steps}
	case *Parallel:
		var lists [][]*Step
		for _, b := range a.Branches {
			lists = append(lists, b.Steps)
		}
		if a.For != nil {
			lists = append(lists, a.For.Steps)
		}
		return lists
	case *Try:
		lists := [][]*Step{{a.Body}}
		if a.Except != nil {
			lists = append(lists, a.Except.Steps)
		}
		return lists
	case *Steps:
		return [][]*Step{a.Steps}
	}
	return nil
}

// WalkNodes calls f for n and every node inside it, parents first. A nil n has
// none.
func WalkNodes(n Node, f func(Node)) {
	if n == nil {
		return
	}
	f(n)
	switch n := n.(type) {
	case *List:
		for _, item := range n.Items {
			WalkNodes(item, f)
		}
	case *Map:
		for _, e := range n.Entries {
			WalkNodes(e.Key, f)
			WalkNodes(e.Value, f)
		}
	}
}

// Calls lists the names of all that a definition calls, sorted: functions,
// connectors and subworkflows, in steps and in expressions.
func Calls(f *File) []string {
	names := map[string]bool{}
	for _, w := range f.Workflows {
		Walk(w.Steps, func(s *Step) bool {
			if c, ok := s.Do.(*Call); ok {
				names[c.Func] = true
			}
			for _, v := range Values(s.Do) {
				WalkNodes(v, func(n Node) {
					if e, ok := n.(*Expr); ok {
						addCalls(e.X, names)
					}
				})
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(names))
}

func addCalls(x expr.Expr, names map[string]bool) {
	expr.Walk(x, func(x expr.Expr) bool {
		if c, ok := x.(*expr.Call); ok {
			names[c.Func] = true
		}
		return true
	})
}
