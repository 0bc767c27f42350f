package workflow

import (
	"sort"

	"github.com/kakehi/kakehi/internal/diag"
)

// names checks the names of the steps: those of a list must differ. Two lists
// may have the same, as in a sample of Google's.
func (r *routine) names() {
	for name := range reserved {
		if p, ok := r.index.named[name]; ok {
			r.found.Add(diag.Diagnostic{Pos: p.step.At, Code: "name",
				Message: sprintf("a step cannot be called %q: next: %s means something else", name, name)})
		}
	}
	for name, again := range r.index.again {
		first := r.index.named[name]
		lists := map[*list]bool{first.list: true}
		for _, p := range again {
			d := diag.Diagnostic{Pos: p.step.At, Code: "duplicate-name", Severity: diag.Warning,
				Message: sprintf("step name %q appears twice in one workflow; the first is at %d:%d", name, first.step.At.Line, first.step.At.Col),
				Hint:    "a jump to it goes to the nearest"}
			if lists[p.list] {
				d.Severity, d.Hint = diag.Error, ""
			}
			lists[p.list] = true
			r.found.Add(d)
		}
	}
}

// jump checks where the next of s leads.
func (r *routine) jump(s *Step) {
	switch s.Next {
	case "end":
		if r.region.inParallel() {
			r.errorf(s.NextAt, "jump", "to end an iteration early, write next: continue", "next: end is not possible in a parallel branch or iteration")
		}
	case "break", "continue":
		r.loopJump(s)
	default:
		r.stepJump(s)
	}
}

func (r *routine) loopJump(s *Step) {
	switch kind := r.region.kind; {
	case kind == loopRegion, kind == iterationRegion && s.Next == "continue":
	case kind == iterationRegion:
		r.errorf(s.NextAt, "jump", "the other iterations run at the same time; use a for that is not parallel", "next: break is not possible in a parallel iteration")
	default:
		r.errorf(s.NextAt, "jump", "", "next: %s is only possible inside a loop", s.Next)
	}
}

func (r *routine) stepJump(s *Step) {
	target, ok := r.index.find(s.Next, r.index.jumps[s])
	switch {
	case !ok:
		r.errorf(s.NextAt, "unknown-step", r.suggest(s.Next, r.stepNames), "there is no step %q to jump to in this workflow", s.Next)
	case target.region == r.region:
	case !target.region.contains(r.region):
		r.errorf(s.NextAt, "jump", "", "cannot jump to step %q: it is inside a %s", s.Next, target.region.kind)
	case r.region.kind == loopRegion:
		r.errorf(s.NextAt, "jump", "leave the loop with next: break", "cannot jump to step %q: it is outside of this loop", s.Next)
	default:
		r.errorf(s.NextAt, "jump", "", "cannot jump to step %q: it is outside of this %s", s.Next, r.region.kind)
	}
}

// stepNames returns what may be jumped to from the current region, sorted.
func (r *routine) stepNames() []string {
	names := []string{"break", "continue", "end"}
	for name, p := range r.index.named {
		if p.region == r.region {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
