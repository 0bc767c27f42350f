package kfp

import (
	"fmt"
	"strconv"

	"github.com/kakehi/kakehi/internal/diag"
)

// check returns what is wrong with a pipeline. What could not be read is nil or
// empty, and taken for right.
func check(s *Spec) diag.List {
	c := &checker{spec: s, extra: map[*Component]map[string]bool{}}
	c.pipeline()
	return c.diags
}

// A checker gathers what is wrong with a pipeline.
type checker struct {
	spec  *Spec
	diags diag.List
	extra map[*Component]map[string]bool // parameters that tasks give without their being declared
	used  map[string]bool                // parameters that the placeholders of the task at hand name; nil: not known yet
	given map[string]bool                // parameters that the task at hand is given
}

// errorf reports a mistake at a name.
func (c *checker) errorf(at diag.Pos, name, code, hint, format string, args ...any) {
	c.diags.Add(diag.Diagnostic{Pos: at, Width: width(name), Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) warnf(at diag.Pos, name, code, hint, format string, args ...any) {
	c.errorf(at, name, code, hint, format, args...)
	c.diags[len(c.diags)-1].Severity = diag.Warning
}

// unknown reports a name that is none of those at hand. An empty one could not be
// read.
func (c *checker) unknown(n Name, names func() []string, format string, args ...any) {
	if n.Value != "" {
		c.errorf(n.At, n.Value, "unknown-reference", c.hint(n.Value, names), format, args...)
	}
}

// hint names the nearest of the words, if there are not too many hints already.
func (c *checker) hint(word string, words func() []string) string {
	if len(c.diags) < maxHints {
		return didYouMean(word, words())
	}
	return ""
}

// quote quotes a string for a message.
func quote(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		s = string(runes[:60]) + "…"
	}
	return strconv.Quote(s)
}

func (c *checker) pipeline() {
	s := c.spec
	if s.Name.Value == "" {
		at := s.Name.At
		if !at.IsValid() {
			at = s.At
		}
		c.errorf(at, "", "missing-key", "add pipelineInfo: {name: …}", "the pipeline has no name")
	}
	switch {
	case s.Root == nil:
		c.errorf(s.At, "", "missing-key", "add root: {dag: {tasks: …}}", "the pipeline has no root")
		return
	case s.Root.DAG == nil:
		c.errorf(s.Root.At, "", "missing-key", "add dag: {tasks: …}", "the root of a pipeline has tasks")
		return
	}
	c.uses()
	for _, component := range s.all() {
		c.component(component)
	}
	c.nesting(s.Root)
	c.arguments()
}

// uses notes how the tasks use the components.
func (c *checker) uses() {
	for _, x := range c.spec.all() {
		if x.DAG == nil {
			continue
		}
		for _, t := range x.DAG.Tasks {
			for _, i := range t.Parameters {
				if t.Component != nil && t.Component.In.Parameter(i.Name) == nil {
					if c.extra[t.Component] == nil {
						c.extra[t.Component] = map[string]bool{}
					}
					c.extra[t.Component][i.Name] = true
				}
			}
		}
	}
}

func (c *checker) component(x *Component) {
	c.ports(&x.In)
	c.ports(&x.Out)
	switch {
	case x.DAG != nil:
		c.dag(x)
	case x.Executor != nil:
		c.executor(x)
	case x.Label.Value == "":
		c.errorf(x.At, x.Name, "missing-key", "add executorLabel or dag", "the component does not say how it runs")
	}
}

// arguments checks the values that a PipelineJob gives the parameters.
func (c *checker) arguments() {
	in := &c.spec.Root.In
	for _, a := range c.spec.Arguments {
		p := in.Parameter(a.Name)
		if p == nil {
			c.warnf(a.At, a.Name, "unknown-reference", c.hint(a.Name, func() []string { return parameterNames(in) }), "the pipeline has no parameter %q", a.Name)
			continue
		}
		c.fits(a.Value, p, "the parameter")
	}
}

func parameterNames(p *Ports) []string {
	list := make([]string, len(p.Parameters))
	for i, x := range p.Parameters {
		list[i] = x.Name
	}
	return list
}

func artifactNames(p *Ports) []string {
	list := make([]string, len(p.Artifacts))
	for i, x := range p.Artifacts {
		list[i] = x.Name
	}
	return list
}
