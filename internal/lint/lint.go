// Package lint warns of definitions that deploy and then do something else than
// was meant. What the service refuses is for workflow.Check, which also warns of
// what needs the scopes of names.
//
// Source of most rules: the known issues and best practices of
// cloud.google.com/workflows/docs.
package lint

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Check returns warnings about f, sorted. f has parsed and passes
// workflow.Check.
func Check(f *workflow.File) diag.List {
	var found diag.List
	handled := handled(f)
	for _, w := range f.Workflows {
		l := &linter{found: &found, targets: workflow.Targets(w.Steps), texts: constants(w)}
		for _, p := range w.Params {
			l.values([]workflow.Node{p.Default})
		}
		l.steps(w.Steps, around{caught: handled[w.Name]})
	}
	found.Sort()
	return found
}

// linter checks one workflow.
type linter struct {
	found   *diag.List
	targets map[*workflow.Step]*workflow.Step
	texts   map[string]string // what is known of variables that are texts
}

func (l *linter) warn(at diag.Pos, code, hint, message string) {
	l.found.Add(diag.Diagnostic{Pos: at, Severity: diag.Warning, Code: code, Message: message, Hint: hint})
}

// around is what surrounds a step.
type around struct {
	repeats policy // of the tries around the step
	caught  bool   // its errors are handled: a try around it has an except, or its callers have
}

func (l *linter) steps(steps []*workflow.Step, a around) {
	l.polls(steps)
	for _, s := range steps {
		l.step(s, a)
	}
}

// step checks a step, or the body of an arm or of try.
func (l *linter) step(s *workflow.Step, a around) {
	l.values(workflow.Values(s.Do))
	switch do := s.Do.(type) {
	case *workflow.Call:
		l.call(do, a)
	case *workflow.Switch:
		for _, arm := range do.Arms {
			l.step(arm.Body, a)
		}
	case *workflow.For:
		l.steps(do.Steps, a)
	case *workflow.Parallel:
		for _, b := range do.Branches {
			l.steps(b.Steps, a)
		}
		if do.For != nil {
			l.steps(do.For.Steps, a)
		}
	case *workflow.Try:
		l.try(do, a)
	case *workflow.Steps:
		l.steps(do.Steps, a)
	}
}

func (l *linter) call(c *workflow.Call, a around) {
	l.repeated(c, a)
	l.auth(c)
	l.longJob(c)
}

// values checks values and the expressions in them.
func (l *linter) values(nodes []workflow.Node) {
	for _, n := range nodes {
		workflow.WalkNodes(n, func(n workflow.Node) {
			switch n := n.(type) {
			case *workflow.Expr:
				l.expression(n.X)
			case *workflow.Lit:
				l.literal(n)
			case *workflow.Map:
				l.secretsIn(n)
			}
		})
	}
}

// argument returns an argument that a call gives by name, or nil.
func argument(c *workflow.Call, name string) workflow.Node {
	args, _ := c.Args.(*workflow.Map)
	return member(args, name)
}

// member returns the value of a key of a map, or nil. m may be nil.
func member(m *workflow.Map, name string) workflow.Node {
	if m == nil {
		return nil
	}
	for _, e := range m.Entries {
		if key, ok := e.Key.(*workflow.Lit); ok && key.Value == name {
			return e.Value
		}
	}
	return nil
}

// text returns the string that a value is, or "".
func text(n workflow.Node) string {
	lit, ok := n.(*workflow.Lit)
	if !ok {
		return ""
	}
	s, _ := lit.Value.(string)
	return s
}

// name returns the dotted name that a value is, or "".
func name(n workflow.Node) string {
	e, ok := n.(*workflow.Expr)
	if !ok {
		return ""
	}
	s, _ := expr.Dotted(e.X)
	return s
}
