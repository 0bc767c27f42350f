package kfp

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/kfp/cel"
)

func (c *checker) task(t *Task, s *scope) {
	for _, n := range t.After {
		if n.Value == t.Name {
			c.errorf(n.At, n.Value, "cycle", "", "the task waits for itself")
		} else {
			c.producer(n, s)
		}
	}
	if t.Component == nil {
		return
	}
	c.given, c.used = inputNames(t.Parameters), nil
	for _, i := range t.Parameters {
		if i.From != nil {
			c.parameter(i, t, s)
		}
	}
	for _, i := range t.Artifacts {
		if i.From != nil {
			c.artifact(i, t, s)
		}
	}
	c.iterator(t)
	c.missing(t)
	c.condition(t)
	if e := t.Component.Executor; e != nil && e.Pod != nil {
		c.pod(e.Pod, s)
	}
}

// parameter checks what gives an input parameter its value.
func (c *checker) parameter(i *Input, t *Task, s *scope) {
	constant, isConstant := i.From.(*Constant)
	if isConstant {
		c.constantPlaceholders(constant.Value)
	}
	from, ok := c.sourceType(i.From, t, s)
	if ok && i.Selector != nil {
		if i.Selector.X == nil {
			return
		}
		from, ok = c.selected(i, from)
	}
	p := t.Component.In.Parameter(i.Name)
	switch {
	case !ok:
		return
	case p == nil:
		c.undeclared(i, t)
		return
	case isConstant && i.Selector == nil:
		c.fits(constant.Value, p, "the input")
		return
	}
	if from != "" && !assignable(p.Type, from) {
		at, name := sourceAt(i.From)
		c.errorf(at.At, at.Value, "type-mismatch", "", "the input %q is %s, and %s is %s", p.Name, p.Type.describe(), name, from.describe())
	}
}

// undeclared warns of a parameter that the component does not have. Compilers
// give some, for placeholders in other inputs and in the executor.
func (c *checker) undeclared(i *Input, t *Task) {
	if constant, ok := i.From.(*Constant); ok && templated(constant.Value) {
		return // what the executor names is in its text
	}
	if c.used == nil {
		c.used = usedParameters(t)
	}
	if !c.used[i.Name] {
		hint := c.hint(i.Name, func() []string { return parameterNames(&t.Component.In) })
		c.warnf(i.At, i.Name, "unknown-reference", hint, "the component %q has no input parameter %q", t.Ref.Value, i.Name)
	}
}

// usedParameters are those that placeholders in the constants of a task and in
// its executor name.
func usedParameters(t *Task) map[string]bool {
	used := map[string]bool{}
	use := func(text *Text) {
		for _, part := range text.Parts {
			if p := part.Placeholder; p != nil && p.Of == InputParameter {
				used[p.Name] = true
			}
		}
	}
	for _, i := range t.Parameters {
		if constant, ok := i.From.(*Constant); ok {
			walkTexts(constant.Value, use)
		}
	}
	if e := t.Component.Executor; e != nil {
		walkExecutor(e, use, func(a *IfPresent) { used[a.Input.Value] = true })
	}
	return used
}

// sourceAt returns the name that a message about a source points at, and what
// it is called there.
func sourceAt(from Source) (Name, string) {
	switch from := from.(type) {
	case *TaskOutput:
		return from.Output, from.Task.Value + "." + from.Output.Value
	case *ComponentInput:
		return from.Name, "the component's " + quote(from.Name.Value)
	}
	return Name{At: from.Pos()}, "it"
}

// sourceType returns the type that a source is declared with, "" if that is
// not known, and whether there is such a source.
func (c *checker) sourceType(from Source, t *Task, s *scope) (Type, bool) {
	switch from := from.(type) {
	case *TaskOutput:
		if p := c.parameterOf(from, s); p != nil {
			return p.Type, true
		}
		return "", false
	case *ComponentInput:
		in := &s.of.In
		p := in.Parameter(from.Name.Value)
		if p == nil {
			c.unknown(from.Name, func() []string { return parameterNames(in) }, "%s has no input parameter %q", called(s.of), from.Name.Value)
			return "", false
		}
		return p.Type, true
	case *FinalStatus:
		if p := c.producer(from.Task, s); p == nil {
			return "", false
		}
		if t != nil && t.Strategy != AllCompleted {
			c.errorf(from.Task.At, from.Task.Value, "bad-value", "add triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}", "the task asks how %q ended, but does not run when it failed", from.Task.Value)
		}
		return TaskFinalStatus, true
	}
	return "", true
}

func called(x *Component) string {
	if x.Name == "" {
		return "the pipeline"
	}
	return "the component " + quote(x.Name)
}

// artifact checks what gives an input artifact its value.
func (c *checker) artifact(i *Input, t *Task, s *scope) {
	in := &t.Component.In
	a := in.Artifact(i.Name)
	if a == nil {
		c.unknown(Name{i.At, i.Name}, func() []string { return artifactNames(in) }, "the component %q has no input artifact %q", t.Ref.Value, i.Name)
		return
	}
	var from *Artifact
	switch x := i.From.(type) {
	case *TaskOutput:
		from = c.artifactOf(x, s)
	case *ComponentInput:
		outer := &s.of.In
		if from = outer.Artifact(x.Name.Value); from == nil {
			c.unknown(x.Name, func() []string { return artifactNames(outer) }, "%s has no input artifact %q", called(s.of), x.Name.Value)
		}
	}
	if from == nil {
		return
	}
	at, name := sourceAt(i.From)
	iterated := t.Iterator != nil && t.Iterator.Artifact.Value == i.Name
	switch {
	case from.List && !a.List && !iterated:
		c.errorf(at.At, at.Value, "type-mismatch", "", "the input %q is one artifact, and %s is a list of them", a.Name, name)
	case !compatible(a.Schema.Title, from.Schema.Title):
		c.warnf(at.At, at.Value, "type-mismatch", "", "the input %q is a %s, and %s is a %s", a.Name, a.Schema.Title, name, from.Schema.Title)
	}
}

// generic is the artifact type that stands for any.
const generic = "system.Artifact"

func compatible(to, from string) bool {
	return to == from || to == "" || from == "" || to == generic || from == generic
}

// missing reports inputs that need a value and get none.
func (c *checker) missing(t *Task) {
	item := ""
	if t.Iterator != nil {
		item = t.Iterator.Item.Value
	}
	for _, p := range t.Component.In.Parameters {
		if !c.given[p.Name] && p.Name != item && !p.Optional && p.Default == nil && p.Type != TaskConfigType {
			c.errorf(t.At, t.Name, "missing-input", "add it to the inputs of the task", "the task gives no value to the parameter %q of its component", p.Name)
		}
	}
	given := inputNames(t.Artifacts)
	for _, a := range t.Component.In.Artifacts {
		if !given[a.Name] && a.Name != item && !a.Optional {
			c.errorf(t.At, t.Name, "missing-input", "add it to the inputs of the task", "the task gives nothing to the artifact %q of its component", a.Name)
		}
	}
}

// celType is a type as conditions and selectors know it.
func celType(t Type) cel.Type {
	switch t {
	case Integer:
		return cel.Int
	case Double:
		return cel.Double
	case Boolean:
		return cel.Bool
	case ListType:
		return cel.List
	case StructType, TaskFinalStatus, TaskConfigType:
		return cel.Struct
	case String:
		return cel.String
	}
	return cel.Dyn
}

// condition checks the types in the condition of a task.
func (c *checker) condition(t *Task) {
	if t.When == nil || t.When.X == nil {
		return
	}
	in := &t.Component.In
	_, diags := cel.Condition(t.When.X, cel.Env{
		Parameter: func(name string) (cel.Operand, bool) {
			if p := in.Parameter(name); p != nil {
				return cel.Operand{X: &expr.Ident{Name: "x"}, Type: celType(p.Type)}, true
			}
			return cel.Operand{X: &expr.Ident{Name: "x"}}, c.given[name]
		},
		Artifact: func(name string, _ int64) (expr.Expr, bool) {
			return &expr.Ident{Name: "x"}, in.Artifact(name) != nil
		},
		Names: func() []string { return append(parameterNames(in), artifactNames(in)...) },
	})
	c.diags.Add(diags...)
}

// selected returns the type of what the selector of an input gives: "" if it is
// not known.
func (c *checker) selected(i *Input, from Type) (Type, bool) {
	v := cel.Operand{X: &expr.Ident{Name: "x"}, Type: celType(from)}
	o, diags := cel.Select(i.Selector.X, cel.Env{Value: &v})
	c.diags.Add(diags...)
	for _, t := range parameterTypes[:6] {
		if o.X != nil && celType(t) == o.Type {
			return t, true
		}
	}
	return "", o.X != nil
}
