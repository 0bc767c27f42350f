package workflow

import "github.com/kakehi/kakehi/internal/expr"

// Values returns the values that are written in an action itself, not in the
// steps below it, in source order. None is nil.
func Values(a Action) []Node {
	var all []Node
	add := func(nodes ...Node) {
		for _, n := range nodes {
			if n != nil {
				all = append(all, n)
			}
		}
	}
	switch a := a.(type) {
	case *Assign:
		for _, it := range a.Items {
			addKeys(it.Target, func(key expr.Expr) { add(&Expr{At: key.Pos(), X: key}) })
			add(it.Value)
		}
	case *Call:
		add(a.Args)
	case *Switch:
		for _, arm := range a.Arms {
			add(arm.Condition)
		}
	case *For:
		add(a.In, a.Range)
	case *Parallel:
		add(a.ConcurrencyLimit)
		if a.For != nil {
			add(a.For.In, a.For.Range)
		}
	case *Try:
		if r := a.Retry; r != nil {
			add(r.Policy, r.Predicate, r.MaxRetries)
			if b := r.Backoff; b != nil {
				add(b.Policy, b.InitialDelay, b.MaxDelay, b.Multiplier)
			}
		}
	case *Raise:
		add(a.Value)
	case *Return:
		add(a.Value)
	}
	return all
}

// addKeys calls add for the keys in the target of an assignment, outermost
// first.
func addKeys(target expr.Expr, add func(expr.Expr)) {
	switch t := target.(type) {
	case *expr.Member:
		addKeys(t.X, add)
	case *expr.Index:
		addKeys(t.X, add)
		add(t.Key)
	}
}
