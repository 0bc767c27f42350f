package lint

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// site is a call of a subworkflow.
type site struct {
	caller string
	caught bool // inside a try with an except
}

// handled returns the subworkflows whose errors are always handled: in each
// place where they are called, or where their caller is.
func handled(f *workflow.File) map[string]bool {
	calls := callers{}
	for _, w := range f.Workflows {
		calls.steps(w.Name, w.Steps, false)
	}
	handled := make(map[string]bool, len(f.Workflows))
	for _, w := range f.Workflows {
		handled[w.Name] = len(calls[w.Name]) > 0 && w.Name != "main"
	}
	for changed := true; changed; {
		changed = false
		for name, is := range handled {
			if is && !calls.handle(name, handled) {
				handled[name] = false
				changed = true
			}
		}
	}
	return handled
}

// callers holds where each subworkflow is called.
type callers map[string][]site

func (c callers) handle(name string, handled map[string]bool) bool {
	for _, s := range c[name] {
		if !s.caught && !handled[s.caller] {
			return false
		}
	}
	return true
}

func (c callers) steps(caller string, steps []*workflow.Step, caught bool) {
	for _, s := range steps {
		for _, v := range workflow.Values(s.Do) {
			eachExpr(v, func(x expr.Expr) {
				if call, ok := x.(*expr.Call); ok {
					c[call.Func] = append(c[call.Func], site{caller, caught})
				}
			})
		}
		switch do := s.Do.(type) {
		case *workflow.Call:
			c[do.Func] = append(c[do.Func], site{caller, caught})
		case *workflow.Switch:
			for _, arm := range do.Arms {
				c.steps(caller, []*workflow.Step{arm.Body}, caught)
			}
		case *workflow.For:
			c.steps(caller, do.Steps, caught)
		case *workflow.Parallel:
			for _, b := range do.Branches {
				c.steps(caller, b.Steps, caught)
			}
			if do.For != nil {
				c.steps(caller, do.For.Steps, caught)
			}
		case *workflow.Try:
			c.steps(caller, []*workflow.Step{do.Body}, caught || do.Except != nil)
			if do.Except != nil {
				c.steps(caller, do.Except.Steps, caught)
			}
		case *workflow.Steps:
			c.steps(caller, do.Steps, caught)
		}
	}
}
