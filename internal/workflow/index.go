package workflow

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

// place is where a step stands.
type place struct {
	step   *Step
	list   *list
	region *region
}

// list is a list of steps, inside another one.
type list struct{ parent *list }

// index knows the steps of a workflow by their names, and its jumps.
type index struct {
	named   map[string]place   // the first of each name
	again   map[string][]place // the others
	jumps   map[*Step]*list    // the steps whose next names a step, and where they are
	regions map[any]*region    // by the *For or *Branch that they are
	root    *region
}

// reserved are the words of next that are no step names.
var reserved = map[string]bool{"end": true, "break": true, "continue": true}

func newIndex(steps []*Step) *index {
	x := &index{
		named: make(map[string]place, len(steps)), again: make(map[string][]place), jumps: make(map[*Step]*list),
		regions: make(map[any]*region), root: &region{},
	}
	x.add(steps, &list{}, x.root)
	return x
}

// add notes steps and all below them.
func (x *index) add(steps []*Step, l *list, g *region) {
	for _, s := range steps {
		if s.Name != "" {
			if p := (place{s, l, g}); x.named[s.Name].step == nil {
				x.named[s.Name] = p
			} else {
				x.again[s.Name] = append(x.again[s.Name], p)
			}
		}
		if s.Next != "" && !reserved[s.Next] {
			x.jumps[s] = l
		}
		switch a := s.Do.(type) {
		case *For:
			x.addRegion(a, loopRegion, a.Steps, l, g)
		case *Parallel:
			for _, b := range a.Branches {
				x.addRegion(b, branchRegion, b.Steps, l, g)
			}
			if a.For != nil {
				x.addRegion(a.For, iterationRegion, a.For.Steps, l, g)
			}
		default:
			for _, below := range bodies(a) {
				x.add(below, &list{l}, g)
			}
		}
	}
}

func (x *index) addRegion(body any, kind regionKind, steps []*Step, l *list, g *region) {
	inner := &region{g, kind}
	x.regions[body] = inner
	x.add(steps, &list{l}, inner)
}

// find returns the step that a name means to a jump in list l: the nearest
// one, first in the same list, then in those around it, else the first.
func (x *index) find(name string, l *list) (place, bool) {
	first, ok := x.named[name]
	if again := x.again[name]; again != nil {
		for ; l != nil && first.list != l; l = l.parent {
			for _, p := range again {
				if p.list == l {
					return p, true
				}
			}
		}
	}
	return first, ok
}

// Targets returns the step to which each step with a next jumps, for those that
// name a step that exists. Of several steps with the name it is the nearest:
// first in the same list, then in those around it. Whether the jump is allowed
// is for [Check].
func Targets(steps []*Step) map[*Step]*Step {
	x := newIndex(steps)
	targets := make(map[*Step]*Step, len(x.jumps))
	for s, l := range x.jumps {
		if to, ok := x.find(s.Next, l); ok {
			targets[s] = to.step
		}
	}
	return targets
}
