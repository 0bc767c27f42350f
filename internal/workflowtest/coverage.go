package workflowtest

import (
	"cmp"
	"slices"
	"sync"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Coverage says which steps and switch arms of a definition were reached.
type Coverage struct {
	Workflow string // path of the definition
	mu       sync.Mutex
	places   []*Place // in the order of the source
	at       map[diag.Pos]*Place
}

// Place is a step, or an arm of a switch.
type Place struct {
	At      diag.Pos
	Arm     bool
	Routine string
	Step    string // that it is, or of whose switch it is an arm
	reached bool
}

// newCoverage lists the places of a definition. A step that only groups others
// is none: it is reached with them.
func newCoverage(f *workflow.File) *Coverage {
	c := &Coverage{Workflow: f.Name, at: map[diag.Pos]*Place{}}
	for _, w := range f.Workflows {
		name := ""
		workflow.Walk(w.Steps, func(s *workflow.Step) bool {
			if s.Name != "" {
				name = s.Name
			}
			if _, groups := s.Do.(*workflow.Steps); s.Name != "" && !groups {
				c.place(&Place{At: s.At, Routine: w.Name, Step: s.Name})
			}
			if sw, ok := s.Do.(*workflow.Switch); ok {
				for _, arm := range sw.Arms {
					c.place(&Place{At: arm.At, Arm: true, Routine: w.Name, Step: name})
				}
			}
			return true
		})
	}
	slices.SortFunc(c.places, func(a, b *Place) int {
		return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Col, b.At.Col))
	})
	return c
}

// place adds a place. One that YAML aliases repeat is one.
func (c *Coverage) place(p *Place) {
	if c.at[p.At] != nil {
		return
	}
	c.places = append(c.places, p)
	c.at[p.At] = p
}

// add notes steps that began.
func (c *Coverage) add(steps []interp.StepEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range steps {
		if p := c.at[e.At]; p != nil {
			p.reached = true
		}
	}
}

// Coverage returns what the tests of f have reached so far.
func (f *File) Coverage() *Coverage { return f.coverage }

// Merge adds what other has reached of the same definition.
func (c *Coverage) Merge(other *Coverage) {
	for i, p := range other.places {
		c.places[i].reached = c.places[i].reached || p.reached
	}
}

// Count returns how many steps, or arms, there are, and how many were reached.
func (c *Coverage) Count(arms bool) (reached, total int) {
	for _, p := range c.places {
		if p.Arm != arms {
			continue
		}
		total++
		if p.reached {
			reached++
		}
	}
	return reached, total
}

// Missed lists what was not reached.
func (c *Coverage) Missed() []*Place {
	var missed []*Place
	for _, p := range c.places {
		if !p.reached {
			missed = append(missed, p)
		}
	}
	return missed
}
