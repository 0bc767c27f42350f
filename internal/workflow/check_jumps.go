package workflow

import (
	"fmt"
	"sort"

	"github.com/kakehi/kakehi/internal/diag"
)

// region is a body that no jump may enter or leave: that of a loop, of a
// parallel branch or of a parallel iteration. The outermost is the workflow.
// (Refused since 2024-03-04: cloud.google.com/workflows/docs/release-notes.)
type region struct {
	parent *region
	kind   regionKind
}

type regionKind string

const (
	loopRegion      regionKind = "loop"
	iterationRegion regionKind = "parallel iteration"
	branchRegion    regionKind = "parallel branch"
)

func (g *region) inParallel() bool {
	for ; g != nil; g = g.parent {
		if g.kind == iterationRegion || g.kind == branchRegion {
			return true
		}
	}
	return false
}

// contains reports whether inner is g or inside it.
func (g *region) contains(inner *region) bool {
	for ; inner != nil; inner = inner.parent {
		if inner == g {
			return true
		}
	}
	return false
}

// label is a step that can be jumped to.
type label struct {
	at     diag.Pos
	region *region
}

// reserved are the words of next that are no step names.
var reserved = map[string]bool{"end": true, "break": true, "continue": true}

// index notes the names, regions and jumps of steps and all below them.
func (r *routine) index(steps []*Step) {
	for _, s := range steps {
		if s.Name != "" {
			r.name(s)
		}
		if s.Next != "" {
			r.targets[s.Next] = true
		}
		switch a := s.Do.(type) {
		case *Switch:
			for _, arm := range a.Arms {
				r.index([]*Step{arm.Body})
			}
		case *For:
			r.indexRegion(a, loopRegion, a.Steps)
		case *Parallel:
			for _, b := range a.Branches {
				r.indexRegion(b, branchRegion, b.Steps)
			}
			if a.For != nil {
				r.indexRegion(a.For, iterationRegion, a.For.Steps)
			}
		case *Try:
			r.index([]*Step{a.Body})
			if a.Except != nil {
				r.index(a.Except.Steps)
			}
		case *Steps:
			r.index(a.Steps)
		}
	}
}

func (r *routine) indexRegion(body any, kind regionKind, steps []*Step) {
	outer := r.region
	r.region = &region{outer, kind}
	r.regions[body] = r.region
	r.index(steps)
	r.region = outer
}

// name notes the name of a step.
func (r *routine) name(s *Step) {
	if reserved[s.Name] {
		r.found.Add(diag.Diagnostic{Pos: s.At, Code: "name",
			Message: fmt.Sprintf("a step cannot be called %q: next: %s means something else", s.Name, s.Name)})
	}
	if first, ok := r.labels[s.Name]; ok {
		r.found.Add(diag.Diagnostic{Pos: s.At, Code: "duplicate-name",
			Message: fmt.Sprintf("step name %q appears twice in one workflow; the first is at %d:%d", s.Name, first.at.Line, first.at.Col)})
		return
	}
	r.labels[s.Name] = label{s.At, r.region}
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
	target, ok := r.labels[s.Next]
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
	for name, l := range r.labels {
		if l.region == r.region {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// reachable reports whether a jump leads to s or into it.
func (r *routine) reachable(s *Step) bool {
	found := false
	Walk([]*Step{s}, func(s *Step) bool {
		found = found || r.targets[s.Name]
		return !found
	})
	return found
}

// falls reports whether the step behind s can be next. When in doubt it can.
func falls(s *Step) bool {
	if s.Next != "" {
		return false
	}
	switch a := s.Do.(type) {
	case *Return, *Raise:
		return false
	case *Steps:
		return fallsOut(a.Steps)
	case *Switch:
		for _, arm := range a.Arms {
			if falls(arm.Body) {
				return true
			}
			if l, ok := arm.Condition.(*Lit); ok && l.Value == true {
				return false
			}
		}
	case *Try:
		return falls(a.Body) || a.Except != nil && fallsOut(a.Except.Steps)
	}
	return true
}

func fallsOut(steps []*Step) bool { return len(steps) == 0 || falls(steps[len(steps)-1]) }
