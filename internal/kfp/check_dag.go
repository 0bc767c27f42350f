package kfp

import (
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// A scope is what the tasks of a DAG can refer to.
type scope struct {
	of    *Component // whose DAG it is
	tasks map[string]*Task
}

func (s *scope) taskNames() []string {
	list := make([]string, len(s.of.DAG.Tasks))
	for i, t := range s.of.DAG.Tasks {
		list[i] = t.Name
	}
	return list
}

func (c *checker) dag(x *Component) {
	s := &scope{of: x, tasks: make(map[string]*Task, len(x.DAG.Tasks))}
	for _, t := range x.DAG.Tasks {
		s.tasks[t.Name] = t
	}
	if len(x.DAG.Tasks) == 0 {
		c.errorf(x.DAG.At, "", "missing-key", "", "the DAG has no tasks")
	}
	for _, t := range x.DAG.Tasks {
		c.task(t, s)
	}
	c.outputs(s)
	c.cycles(s)
}

// producer returns the task that a reference names, or reports that there is
// none.
func (c *checker) producer(n Name, s *scope) *Task {
	t := s.tasks[n.Value]
	if t == nil && n.Value != "" {
		c.unknown(n, s.taskNames, "there is no task %q beside it", n.Value)
	}
	return t
}

// parameterOf returns the output parameter that a reference names, or nil with
// the reason reported.
func (c *checker) parameterOf(o *TaskOutput, s *scope) *Parameter {
	t := c.producer(o.Task, s)
	if t == nil || t.Component == nil {
		return nil
	}
	out := &t.Component.Out
	p := out.Parameter(o.Output.Value)
	if p == nil {
		c.unknown(o.Output, func() []string { return parameterNames(out) }, "the task %q has no output parameter %q", t.Name, o.Output.Value)
	}
	return p
}

func (c *checker) artifactOf(o *TaskOutput, s *scope) *Artifact {
	t := c.producer(o.Task, s)
	if t == nil || t.Component == nil {
		return nil
	}
	out := &t.Component.Out
	a := out.Artifact(o.Output.Value)
	if a == nil {
		c.unknown(o.Output, func() []string { return artifactNames(out) }, "the task %q has no output artifact %q", t.Name, o.Output.Value)
	}
	return a
}

// outputs checks what a DAG gives against what its component says it does. The
// compilers say that an output is a list if it passes a loop anywhere, also where
// it is still, or again, one value.
func (c *checker) outputs(s *scope) {
	out, given := &s.of.Out, map[string]bool{}
	for _, o := range s.of.DAG.Outputs {
		given[o.Name] = true
		p := out.Parameter(o.Name)
		if p == nil {
			c.unknown(Name{o.At, o.Name}, func() []string { return parameterNames(out) }, "the component has no output parameter %q", o.Name)
		}
		for _, from := range o.From {
			inner := c.parameterOf(from, s)
			if p == nil || inner == nil || assignable(p.Type, inner.Type) || p.Type == ListType && s.of.Name != "" {
				continue
			}
			c.errorf(from.Output.At, from.Output.Value, "type-mismatch", "", "the output %q is %s, and %s.%s is %s", o.Name, p.Type.describe(), from.Task.Value, inner.Name, inner.Type.describe())
		}
	}
	for _, p := range out.Parameters {
		if !given[p.Name] {
			c.errorf(p.At, p.Name, "missing-key", "add it to the outputs of the DAG", "no task gives the output %q", p.Name)
		}
	}
	clear(given)
	for _, o := range s.of.DAG.Artifacts {
		given[o.Name] = true
		a := out.Artifact(o.Name)
		if a == nil {
			c.unknown(Name{o.At, o.Name}, func() []string { return artifactNames(out) }, "the component has no output artifact %q", o.Name)
		}
		for _, from := range o.From {
			c.artifactOf(from, s)
		}
	}
	for _, a := range out.Artifacts {
		if !given[a.Name] {
			c.errorf(a.At, a.Name, "missing-key", "add it to the outputs of the DAG", "no task gives the output %q", a.Name)
		}
	}
}

// Deps returns the names of the tasks that t waits for: those it names, and
// those whose outputs or status it takes.
func (t *Task) Deps() []Name {
	deps := append([]Name(nil), t.After...)
	for _, list := range [][]*Input{t.Parameters, t.Artifacts} {
		for _, i := range list {
			switch from := i.From.(type) {
			case *TaskOutput:
				deps = append(deps, from.Task)
			case *FinalStatus:
				deps = append(deps, from.Task)
			}
		}
	}
	return deps
}

// cycles reports one circle of dependencies. It takes away the tasks that wait
// for nothing until none is left, or only circles and what waits for them.
func (c *checker) cycles(s *scope) {
	waiting := make(map[*Task]int, len(s.tasks))
	next := map[*Task][]*Task{}
	for _, t := range s.of.DAG.Tasks {
		for _, d := range t.Deps() {
			if p := s.tasks[d.Value]; p != nil && p != t { // a task that names itself is reported where it does
				waiting[t]++
				next[p] = append(next[p], t)
			}
		}
	}
	var ready []*Task
	for _, t := range s.of.DAG.Tasks {
		if waiting[t] == 0 {
			ready = append(ready, t)
		}
	}
	left := len(s.of.DAG.Tasks)
	for len(ready) > 0 {
		t := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		left--
		for _, n := range next[t] {
			if waiting[n]--; waiting[n] == 0 {
				ready = append(ready, n)
			}
		}
	}
	if left > 0 {
		c.circle(s, waiting)
	}
}

// maxShown bounds the tasks that a message lists.
const maxShown = 10

// circle follows what waits for each other until a task comes again.
func (c *checker) circle(s *scope, waiting map[*Task]int) {
	var path []*Task
	seen := map[*Task]int{}
	var t *Task
	for _, x := range s.of.DAG.Tasks {
		if waiting[x] > 0 {
			t = x
			break
		}
	}
	for {
		if first, ok := seen[t]; ok {
			path = path[first:]
			break
		}
		seen[t] = len(path)
		path = append(path, t)
		for _, d := range t.Deps() {
			if p := s.tasks[d.Value]; p != nil && p != t && waiting[p] > 0 {
				t = p
				break
			}
		}
	}
	var shown []string
	for i := len(path) - 1; i >= 0 && len(shown) < maxShown; i-- {
		shown = append(shown, path[i].Name)
	}
	if len(path) > maxShown {
		shown = append(shown, "…")
	}
	first := path[len(path)-1]
	c.diags.Add(diag.Diagnostic{
		Pos: first.At, Width: width(first.Name), Code: "cycle",
		Message: "the tasks wait for each other: " + strings.Join(shown, " → ") + " → " + first.Name,
	})
}
