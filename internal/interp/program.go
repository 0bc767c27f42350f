package interp

import (
	"slices"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Program is a definition made ready to run. It does not change, so any number
// of executions may run it at once.
type Program struct {
	main    *proc
	subs    map[string]*proc
	library Library
	named   bool // the argument holds those of main by name
}

// proc is the code of a routine, or of a branch in one.
type proc struct {
	name                string // of the routine
	params              []param
	code                []op
	sites               []site // one for each operation
	slots, temps, loops int
	regions             []region
}

// param is a parameter of a routine; byDefault is nil if it is required.
type param struct {
	name      string
	slot      int
	required  bool
	byDefault node
}

// arguments are those of a routine that an execution begins with: the argument
// itself, or by name what it holds.
func (p *proc) arguments(argument value.Value, named bool) ([]value.Value, error) {
	args := make([]value.Value, len(p.params))
	if !named {
		for i, param := range p.params {
			switch {
			case i == 0 && !(value.IsNull(argument) && param.byDefault != nil):
				args[i] = argument
			case param.required:
				args[i] = value.Null{}
			}
		}
		return args, nil
	}
	m, ok := argument.(*value.Map)
	if !ok {
		return nil, value.Errorf(value.TypeError, "the arguments of %s must be a map by parameter; got: %s", p.name, value.Type(argument))
	}
	for name, v := range m.All() {
		i := slices.IndexFunc(p.params, func(param param) bool { return param.name == name.String() })
		if i < 0 {
			return nil, value.Errorf(value.TypeError, "%s has no parameter named %q", p.name, name)
		}
		args[i] = v
	}
	return args, nil
}

// site says where an operation comes from.
type site struct {
	at     diag.Pos
	node   *stepNode
	begins bool // the operation begins node anew
	region int  // the try around it; -1 for none
}

func (s *site) stepName() string {
	if s.node == nil {
		return ""
	}
	return s.node.name
}

// New compiles f against the functions of library. The error is a [diag.List]
// of names and jump targets that do not exist; the further rules of deployment
// are for [workflow.Check].
func New(f *workflow.File, library Library) (*Program, error) {
	c := &compiler{library: library, subs: map[string]*proc{}}
	for _, w := range f.Workflows {
		p := &proc{name: w.Name}
		for i, param := range w.Params {
			p.params = append(p.params, newParam(param, i))
		}
		c.subs[w.Name] = p
	}
	main := c.subs["main"]
	if main == nil {
		c.problems.Errorf(diag.Pos{File: f.Name}, "no-main", "the definition has no main workflow")
		return nil, c.problems.Err()
	}
	for _, w := range f.Workflows {
		c.routine(w, c.subs[w.Name])
	}
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	return &Program{main: main, subs: c.subs, library: library}, nil
}

// Routine returns the program that begins with a subworkflow in the place of
// main. The argument of its executions is a map of arguments by parameter.
func (p *Program) Routine(name string) (*Program, bool) {
	sub, ok := p.subs[name]
	if !ok {
		return nil, false
	}
	return &Program{main: sub, subs: p.subs, library: p.library, named: true}, true
}

func newParam(p *workflow.Param, slot int) param {
	return param{name: p.Name, slot: slot, required: p.Default == nil}
}

type compiler struct {
	library  Library
	subs     map[string]*proc
	targets  map[*workflow.Step]*workflow.Step // of the jumps of the routine at hand
	problems diag.List
}

// routine compiles main or a subworkflow.
func (c *compiler) routine(w *workflow.Workflow, p *proc) {
	c.targets = workflow.Targets(w.Steps)
	b := newBuilder(c, p, newScope(nil, true))
	for i, param := range w.Params {
		if param.Default != nil {
			t := b.yaml(param.Default) // before any variable is known: it cannot use one
			if t.waits {
				b.problemf(param.At, "bad-default", "the default of a parameter cannot call a subworkflow or a function that waits")
				continue
			}
			p.params[i].byDefault = t.assemble()
		}
	}
	for i, param := range w.Params {
		p.params[i].slot = b.scope.declare(param.Name)
	}
	b.body(w.Steps, w.At)
}

// body compiles the steps of a routine or branch and finishes its code.
func (b *builder) body(steps []*workflow.Step, at diag.Pos) {
	b.scope.declareAssigned(steps)
	b.steps(steps)
	b.finish(at)
}
