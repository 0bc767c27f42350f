package kfp

import (
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// A v1Component is a component.yaml of version 1.
//
// KFP 2 takes an input for a parameter or an artifact by its type alone, and
// refuses a component that uses it otherwise: every third one. Here the
// placeholders decide, and the type only where there is none: inputValue is of a
// parameter, inputPath and inputUri are of an artifact.
type v1Component struct {
	at             diag.Pos
	name           string
	nameAt         diag.Pos
	description    string
	inputs         v1Ports
	outputs        v1Ports
	container      *source.Node // or
	graph          *source.Node
	implementation *source.Node
}

// A v1Port is an input or an output.
type v1Port struct {
	key         *source.Node // its name
	name        string       // as KFP 2 writes it
	typ         *source.Node
	value       *source.Node // the default
	optional    bool
	description string
	parameter   bool         // else an artifact
	decided     *source.Node // what decided it, if it was a placeholder
}

var v1Message = message[v1Component]{"a component", []field[v1Component]{
	{name: "name", read: func(r *reader, n *source.Node, c *v1Component) { c.name, c.nameAt = r.str(n), n.TextPos() }},
	{name: "description", read: func(r *reader, n *source.Node, c *v1Component) { c.description = r.str(n) }},
	{name: "metadata", read: func(*reader, *source.Node, *v1Component) {}}, // annotations of authors
	{name: "version", read: func(*reader, *source.Node, *v1Component) {}},
	{name: "inputs", read: func(r *reader, n *source.Node, c *v1Component) { c.inputs = r.v1Ports(n) }},
	{name: "outputs", read: func(r *reader, n *source.Node, c *v1Component) { c.outputs = r.v1Ports(n) }},
	{name: "implementation", read: func(r *reader, n *source.Node, c *v1Component) {
		c.implementation = n
		implementationMessage.read(r, n, c)
	}},
}}

var implementationMessage = message[v1Component]{"implementation", []field[v1Component]{
	{name: "container", oneof: "implementation", read: func(_ *reader, n *source.Node, c *v1Component) { c.container = n }},
	{name: "graph", oneof: "implementation", read: func(_ *reader, n *source.Node, c *v1Component) { c.graph = n }},
}}

var v1PortMessage = message[v1Port]{"an input or output", []field[v1Port]{
	{name: "name", read: func(r *reader, n *source.Node, p *v1Port) { p.key, p.name = n, inputName(r.str(n)) }},
	{name: "type", read: func(_ *reader, n *source.Node, p *v1Port) { p.typ = n }},
	{name: "description", read: func(r *reader, n *source.Node, p *v1Port) { p.description = r.str(n) }},
	{name: "default", read: func(_ *reader, n *source.Node, p *v1Port) { p.value = n }},
	{name: "optional", read: func(r *reader, n *source.Node, p *v1Port) { p.optional = r.boolean(n) }},
	{name: "annotations", read: func(*reader, *source.Node, *v1Port) {}},
}}

// v1Ports are the inputs or the outputs of a component.
type v1Ports struct {
	list   []*v1Port
	byName map[string]*v1Port // as KFP 2 writes them
}

// find returns what has a name that KFP 2 writes alike, or nil.
func (p *v1Ports) find(name string) *v1Port { return p.byName[inputName(name)] }

func (p *v1Ports) names() []string {
	names := make([]string, len(p.list))
	for i, x := range p.list {
		names[i] = x.key.Value
	}
	return names
}

// v1Ports reads inputs or outputs. Two whose names KFP 2 writes alike are one too
// many.
func (r *reader) v1Ports(n *source.Node) v1Ports {
	ports := v1Ports{byName: map[string]*v1Port{}}
	r.list(n, func(item *source.Node) {
		p := &v1Port{}
		switch ok := v1PortMessage.read(r, item, p); {
		case !ok:
			return
		case p.name == "":
			r.errorf(item, "missing-key", "add name", "an input or output has no name")
			return
		}
		if other := ports.byName[p.name]; other != nil {
			r.errorf(p.key, "duplicate-name", "rename one of them", "%s is the same name as %s on line %d to KFP", quote(p.key.Value), quote(other.key.Value), other.key.Pos().Line)
			return
		}
		p.parameter = isParameterType(p.typ)
		ports.list = append(ports.list, p)
		ports.byName[p.name] = p
	})
	return ports
}

// inputName writes a name as KFP 2 writes those of inputs and outputs.
func inputName(s string) string {
	return strings.Trim(replaceOthers(strings.ToLower(s), '_', func(c rune) bool { return c == '_' }), "_")
}

// taskName writes a name as KFP 2 writes those of tasks and components.
func taskName(s string) string {
	return strings.Trim(replaceOthers(strings.ToLower(s), '-', func(rune) bool { return false }), "-")
}

// replaceOthers replaces each run of characters that are no letters or digits by
// one mark, but for those that are kept.
func replaceOthers(s string, mark rune, kept func(rune) bool) string {
	var b strings.Builder
	run := false
	for _, c := range s {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || kept(c) {
			run = false
			b.WriteRune(c)
			continue
		}
		if !run {
			b.WriteRune(mark)
		}
		run = true
	}
	return b.String()
}

// component reads a component.yaml as a pipeline: of one task that runs its
// container, or of the tasks of its graph.
func (r *reader) component(n *source.Node) *Spec {
	c := r.v1(n)
	if c == nil {
		return nil
	}
	s := &Spec{At: c.at, Name: Name{c.nameAt, taskName(c.name)}, DisplayName: c.name, Description: c.description, SchemaVersion: Name{c.at, "2.1.0"}}
	b := &v1Builder{reader: r, spec: s, built: map[*v1Component]*Component{}, names: uniqueNames{}}
	x := b.build(c)
	if x.DAG != nil {
		x.Name, s.Root = "", x
		s.Components = slices.DeleteFunc(s.Components, func(other *Component) bool { return other == x })
		return s
	}
	s.Root = &Component{At: c.at, In: x.In, Out: x.Out, DAG: wrap(x)}
	return s
}

// v1 reads the keys of a component.yaml; nil if it is none.
func (r *reader) v1(n *source.Node) *v1Component {
	c := &v1Component{at: n.Pos(), name: "name", nameAt: n.Pos()} // as KFP 2 calls what has none
	if !v1Message.read(r, n, c) {
		return nil
	}
	if c.container == nil && c.graph == nil {
		at := n
		if c.implementation != nil {
			at = c.implementation
		}
		r.errorf(at, "missing-key", "add container or graph", "the component does not say how it runs")
		return nil
	}
	if taskName(c.name) == "" {
		c.name = "name"
	}
	if c.container != nil {
		(&v1Container{r, c}).decide(c.container)
	}
	return c
}

// wrap makes the DAG whose one task is the component, with the same inputs and
// outputs.
func wrap(x *Component) *DAG {
	t := &Task{
		At: x.At, Name: strings.TrimPrefix(x.Name, "comp-"), DisplayName: strings.TrimPrefix(x.Name, "comp-"),
		Ref: Name{x.At, x.Name}, Component: x, Cache: true,
	}
	d := &DAG{At: x.At, Tasks: []*Task{t}}
	for _, p := range x.In.Parameters {
		t.Parameters = append(t.Parameters, passed(p.At, p.Name))
	}
	for _, a := range x.In.Artifacts {
		t.Artifacts = append(t.Artifacts, passed(a.At, a.Name))
	}
	for _, p := range x.Out.Parameters {
		d.Outputs = append(d.Outputs, given(p.At, p.Name, t))
	}
	for _, a := range x.Out.Artifacts {
		d.Artifacts = append(d.Artifacts, given(a.At, a.Name, t))
	}
	return d
}

func passed(at diag.Pos, name string) *Input {
	return &Input{At: at, Name: name, From: &ComponentInput{At: at, Name: Name{at, name}}}
}

func given(at diag.Pos, name string, t *Task) *Output {
	return &Output{At: at, Name: name, From: []*TaskOutput{{At: at, Task: Name{at, t.Name}, Output: Name{at, name}}}}
}
