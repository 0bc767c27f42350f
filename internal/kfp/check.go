package kfp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// check returns what is wrong with a pipeline. What could not be read is nil or
// empty, and taken for right.
func check(s *Spec) diag.List {
	c := &checker{spec: s, extra: map[*Component]map[string]bool{}, inner: map[*Component]bool{}}
	c.pipeline()
	return c.diags
}

// A checker gathers what is wrong with a pipeline.
type checker struct {
	spec  *Spec
	diags diag.List
	extra map[*Component]map[string]bool // parameters that tasks give without their being declared
	inner map[*Component]bool            // those whose DAGs the search for the deepest is done with
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
	hint := ""
	if n.Value == "" {
		return
	}
	if len(c.diags) < maxHints {
		hint = didYouMean(n.Value, names())
	}
	c.errorf(n.At, n.Value, "unknown-reference", hint, format, args...)
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
	c.depth(s.Root, nil)
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

// maxNesting bounds how deep DAGs are nested: Cloud Workflows has calls of at
// most 20 workflows inside of each other, some of which a step takes.
const maxNesting = 16

// depth reports components that contain themselves, and DAGs nested too deep.
func (c *checker) depth(x *Component, above []*Task) {
	if c.inner[x] {
		return
	}
	for _, t := range x.DAG.Tasks {
		below := t.Component
		if below == nil || below.DAG == nil {
			continue
		}
		path := append(above, t)
		switch {
		case contains(above, below), below == x:
			c.errorf(t.Ref.At, t.Ref.Value, "recursion", "", "the component contains itself: %s", names(path))
		case len(path) > maxNesting:
			c.errorf(t.At, t.Name, "too-deep", "", "DAGs are nested more than %d deep: %s", maxNesting, names(path))
		default:
			c.depth(below, path)
		}
	}
	c.inner[x] = true
}

func contains(tasks []*Task, x *Component) bool {
	for _, t := range tasks {
		if t.Component == x {
			return true
		}
	}
	return false
}

func names(tasks []*Task) string {
	var list []string
	for _, t := range tasks {
		list = append(list, t.Name)
	}
	return strings.Join(list, " → ")
}

// arguments checks the values that a PipelineJob gives the parameters.
func (c *checker) arguments() {
	in := &c.spec.Root.In
	for _, a := range c.spec.Arguments {
		p := in.Parameter(a.Name)
		if p == nil {
			c.warnf(a.At, a.Name, "unknown-reference", didYouMean(a.Name, parameterNames(in)), "the pipeline has no parameter %q", a.Name)
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
