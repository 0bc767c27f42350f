package workflow

import "github.com/kakehi/kakehi/internal/diag"

// maxPasses bounds the search for steps that are never reached. Definitions
// that need more than a few passes are made to; they get no warnings.
const maxPasses = 50

// reach finds the steps of a workflow that are never reached.
type reach struct {
	index   *index
	live    map[*Step]bool // reached by a jump
	changed bool
	broken  bool                    // a jump leads nowhere, so that nothing is certain
	report  func(d diag.Diagnostic) // nil while jumps are still being found
}

// unreached warns of steps that control never gets to.
func (r *routine) unreached(steps []*Step) {
	f := reach{index: r.index, live: make(map[*Step]bool)}
	for range maxPasses {
		f.changed = false
		f.list(steps, true)
		switch {
		case f.broken:
			return
		case !f.changed:
			f.report = func(d diag.Diagnostic) { r.found.Add(d) }
			f.list(steps, true)
			return
		}
	}
}

// list follows control through a list of steps, and reports whether it goes on
// behind it, and whether it gets into it at all.
func (f *reach) list(steps []*Step, alive bool) (out, reached bool) {
	reached, entered := alive, alive
	for _, s := range steps {
		next, in := f.step(s, alive)
		if !in && entered && f.report != nil {
			f.report(diag.Diagnostic{Pos: s.At, Severity: diag.Warning, Code: "unreachable",
				Message: sprintf("step %q is never reached: the step before it does not go on to it, and no jump leads here", s.Name)})
		}
		entered = in // of several in a row the first is enough
		alive, reached = next, reached || in
	}
	return alive, reached
}

// step is list for one step.
func (f *reach) step(s *Step, alive bool) (out, reached bool) {
	alive = alive || f.live[s]
	out, reached = f.action(s.Do, alive)
	switch {
	case s.Next == "":
		return out, reached
	case out:
		f.jump(s)
	case reached && f.report != nil:
		f.report(diag.Diagnostic{Pos: s.NextAt, Severity: diag.Warning, Code: "unreachable",
			Message: "next is never taken: the step ends without going on"})
	}
	return false, reached
}

func (f *reach) jump(s *Step) {
	l, ok := f.index.jumps[s]
	if !ok {
		return // end, break or continue
	}
	to, ok := f.index.find(s.Next, l)
	if !ok {
		f.broken = true
	} else if !f.live[to.step] {
		f.live[to.step] = true
		f.changed = true
	}
}

func (f *reach) action(a Action, alive bool) (out, reached bool) {
	switch a := a.(type) {
	case *Return, *Raise:
		return false, alive
	case *Steps:
		return f.list(a.Steps, alive)
	case *Switch:
		return f.arms(a, alive)
	case *For:
		_, in := f.list(a.Steps, alive)
		return alive, alive || in
	case *Parallel:
		reached = alive
		for _, b := range a.Branches {
			_, in := f.list(b.Steps, alive)
			reached = reached || in
		}
		if a.For != nil {
			_, in := f.list(a.For.Steps, alive)
			reached = reached || in
		}
		return alive, reached
	case *Try:
		out, reached = f.step(a.Body, alive)
		if a.Except != nil {
			handled, in := f.list(a.Except.Steps, reached)
			out, reached = out || handled, reached || in
		}
		return out, reached
	}
	return alive, alive
}

// arms follows the arms of a switch. One whose condition is literally true is
// the last; when there is none, control may go on without an arm.
func (f *reach) arms(a *Switch, alive bool) (out, reached bool) {
	reached = alive
	for _, arm := range a.Arms {
		armOut, in := f.step(arm.Body, alive)
		out, reached = out || armOut, reached || in
		if l, ok := arm.Condition.(*Lit); ok && l.Value == true {
			alive = false
		}
	}
	return out || alive, reached
}
