package interp

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// scope is a static scope: the body of a routine, a for loop, an except or a
// branch. Its variables have the slots from base to top of an environment; the
// scopes inside begin at top, so whatever lies above is dead outside them.
type scope struct {
	parent    *scope
	slots     map[string]int
	names     []string // in the order of their slots
	base, top int
	// A boundary begins a new environment: a branch, or a routine.
	boundary bool
	shared   map[string]bool // what a branch may write outside itself
}

func newScope(parent *scope, boundary bool) *scope {
	s := &scope{parent: parent, slots: map[string]int{}, boundary: boundary}
	if parent != nil && !boundary {
		s.base = parent.top
	}
	s.top = s.base
	return s
}

// declare gives name a slot of its own in s.
func (s *scope) declare(name string) int {
	if slot, ok := s.slots[name]; ok {
		return slot
	}
	slot := s.top
	s.slots[name] = slot
	s.names = append(s.names, name)
	s.top++
	return slot
}

// find returns the variable as seen from s, and whether all branches on the
// way may write it.
func (s *scope) find(name string) (ref varRef, writable, ok bool) {
	up := 0
	writable = true
	for ; s != nil; s = s.parent {
		if slot, ok := s.slots[name]; ok {
			return varRef{up, slot}, writable, true
		}
		if s.boundary {
			writable = writable && s.shared[name]
			up++
		}
	}
	return varRef{}, false, false
}

// declareAssigned declares in s what steps assign and no scope around knows.
func (s *scope) declareAssigned(steps []*workflow.Step) {
	for _, name := range assigned(nil, steps) {
		if _, _, ok := s.find(name); !ok {
			s.declare(name)
		}
	}
}

// assigned appends the names that steps assign in their own scope, wherever
// they do: a name that a scope assigns at its end is its own from the start.
func assigned(names []string, steps []*workflow.Step) []string {
	for _, step := range steps {
		if step == nil {
			continue
		}
		switch do := step.Do.(type) {
		case *workflow.Assign:
			for _, item := range do.Items {
				if id := rootOf(item.Target); id != nil {
					names = append(names, id.Name)
				}
			}
		case *workflow.Call:
			if do.Result != "" {
				names = append(names, do.Result)
			}
		case *workflow.Switch:
			for _, arm := range do.Arms {
				names = assigned(names, []*workflow.Step{arm.Body})
			}
		case *workflow.Try:
			names = assigned(names, []*workflow.Step{do.Body})
		case *workflow.Steps:
			names = assigned(names, do.Steps)
		}
	}
	return names
}

// rootOf returns the variable that a target of an assignment changes.
func rootOf(target expr.Expr) *expr.Ident {
	for {
		switch t := target.(type) {
		case *expr.Ident:
			return t
		case *expr.Member:
			target = t.X
		case *expr.Index:
			target = t.X
		default:
			return nil
		}
	}
}
