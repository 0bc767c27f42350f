package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// Validate returns everything that is wrong with p and its sub-pipelines, in
// the order of the files.
func (p *Pipeline) Validate() diag.List {
	c := newChecker()
	c.pipeline(p)
	c.diags.Sort()
	return c.diags
}

// ResultType infers the type of one of p's outputs; "" when it is not known.
func (p *Pipeline) ResultType(r *Result) Type {
	return newChecker().valueType(r.Value, newScope(p.Params, p.Tasks))
}

// A checker gathers what is wrong with a pipeline.
type checker struct {
	diags diag.List
	seen  map[*Pipeline]bool
	used  map[*Param]bool
}

func newChecker() *checker {
	return &checker{seen: map[*Pipeline]bool{}, used: map[*Param]bool{}}
}

// A finding is a diagnostic about to be reported.
type finding struct {
	*checker
	diag.Diagnostic
}

func (c *checker) at(p diag.Pos, width int) *finding {
	return &finding{checker: c, Diagnostic: diag.Diagnostic{Pos: p, Width: width}}
}

func (f *finding) hint(h string) *finding {
	f.Hint = h
	return f
}

func (f *finding) errorf(code, format string, args ...any) {
	f.Code, f.Message = code, fmt.Sprintf(format, args...)
	f.diags.Add(f.Diagnostic)
}

func (f *finding) warnf(code, format string, args ...any) {
	f.Severity = diag.Warning
	f.errorf(code, format, args...)
}

// maxHints bounds the search for near words in a hopeless pipeline.
const maxHints = 100

// didYouMean is a hint with the nearest of the words, or the other hint.
func (c *checker) didYouMean(word string, words func() []string, other string) string {
	if len(c.diags) < maxHints && len(word) > 2 { // any two short words are near
		if hint := diag.DidYouMean(word, words()); hint != "" {
			return hint
		}
	}
	return other
}

// pipeline checks p once, however many tasks run it.
func (c *checker) pipeline(p *Pipeline) {
	if c.seen[p] {
		return
	}
	c.seen[p] = true
	for _, param := range p.Params {
		c.param(param)
	}
	c.names(p)
	c.cycles(p.Tasks)
	c.cycles(p.OnExit)
	inside := newScope(p.Params, p.Tasks)
	inside.later = p.OnExit
	for _, t := range p.Tasks {
		c.task(t, inside)
	}
	exit := newScope(p.Params, p.Tasks, p.OnExit).with(Status, Struct)
	for _, t := range p.OnExit {
		c.task(t, exit)
	}
	for _, r := range p.Outputs {
		c.valueType(r.Value, inside)
	}
	for _, t := range p.Triggers {
		c.trigger(t, p)
	}
	for _, param := range p.Params {
		if !c.used[param] {
			c.at(param.At, len(param.Name)).warnf("unused", "the parameter %q is not used", param.Name)
		}
	}
}

// names checks that tasks have names of their own.
func (c *checker) names(p *Pipeline) {
	first := map[string]*Task{}
	for _, t := range slices.Concat(p.Tasks, p.OnExit) {
		if other := first[t.Name]; other != nil {
			c.at(t.At, len(t.Name)).hint("choose another name").
				errorf("duplicate-name", "there are two tasks %q, the first on line %d", t.Name, other.At.Line)
			continue
		}
		first[t.Name] = t
	}
}

// maxShown bounds the tasks that a message lists.
const maxShown = 10

// cycles reports circles of dependencies, each at the task that begins it and no
// two with a task in common.
func (c *checker) cycles(tasks []*Task) {
	for {
		_, cycle := Order(tasks)
		if len(cycle) == 0 {
			return
		}
		if len(cycle) > 1 { // a task that names itself is reported where it does
			c.cycle(tasks, cycle)
		}
		tasks = slices.DeleteFunc(slices.Clone(tasks), func(t *Task) bool { return slices.Contains(cycle, t.Name) })
	}
}

func (c *checker) cycle(tasks []*Task, cycle []string) {
	first := slices.IndexFunc(tasks, func(t *Task) bool { return t.Name == cycle[0] })
	shown := cycle
	if len(cycle) > maxShown {
		shown = append(slices.Clone(cycle[:maxShown]), "…")
	}
	c.at(tasks[first].At, len(cycle[0])).hint("one of them must do without the next").
		errorf("cycle", "the tasks wait for each other: %s → %s", strings.Join(shown, " → "), cycle[0])
}

// param checks a parameter's default, which may name what is known before a run
// begins.
func (c *checker) param(p *Param) {
	if p.Default == nil {
		return
	}
	t := c.valueType(p.Default, beforeRun())
	if !assignable(p.Type, t) {
		c.valueAt(p.Default).errorf("type-mismatch", "the parameter %q is %s, and its default is %s", p.Name, article(p.Type), article(t))
		return
	}
	if lit, ok := p.Default.(*Lit); ok && p.Type.IsArtifact() {
		c.artifactURI(lit)
	}
}

// artifactURI checks the text that stands for an artifact.
func (c *checker) artifactURI(lit *Lit) {
	if s, ok := lit.V.(string); ok && !strings.HasPrefix(s, "gs://") {
		c.valueAt(lit).hint("write gs://$bucket/…").errorf("bad-value", "an artifact is given by its gs:// URI, not by %q", s)
	}
}

// valueAt begins a finding about a value.
func (c *checker) valueAt(v Value) *finding { return c.at(v.Pos(), width(v)) }

// trigger checks that it binds parameters of the pipeline, all that need it.
func (c *checker) trigger(t *Trigger, p *Pipeline) {
	s := beforeRun().with(Event, Struct)
	if t.Object != nil {
		c.object(t.Object)
	}
	c.bind(t.In, s, p, c.at(t.At, 1), "the trigger")
}

// object checks a trigger's prefix, which is known before any run.
func (c *checker) object(v Value) {
	t := c.valueType(v, beforeRun())
	lit, ok := v.(*Lit)
	switch {
	case t != "" && t != String:
		c.valueAt(v).errorf("type-mismatch", "an object's prefix is text, not %s", article(t))
	case ok && !strings.HasPrefix(lit.V.(string), "gs://"):
		c.valueAt(v).hint("write gs://$bucket/…").errorf("bad-value", "%q is no gs:// prefix", lit.V)
	}
}

// bind checks the inputs that become the parameters of a pipeline; missing is
// the finding for parameters that get no value.
func (c *checker) bind(in []*Input, s *scope, p *Pipeline, missing *finding, who string) {
	given := map[string]bool{}
	for _, i := range in {
		t := c.valueType(i.Value, s)
		given[i.Name] = true
		param := p.Param(i.Name)
		if param == nil {
			c.at(i.At, len(i.Name)).hint(c.didYouMean(i.Name, newScope(p.Params).paramNames, "")).
				errorf("unknown-reference", "the pipeline %s has no parameter %q", p.Name, i.Name)
			continue
		}
		if i.Value != nil && !assignable(param.Type, t) {
			c.valueAt(i.Value).errorf("type-mismatch", "the parameter %q is %s, not %s", param.Name, article(param.Type), article(t))
		}
	}
	for _, param := range p.Params {
		if param.Default == nil && !given[param.Name] {
			f := *missing
			f.hint("add it to in, or give it a default").
				errorf("missing-key", "%s gives no value to the parameter %q", who, param.Name)
		}
	}
}
