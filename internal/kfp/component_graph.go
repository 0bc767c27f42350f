package kfp

import (
	"cmp"
	"strings"

	"github.com/kakehi/kakehi/internal/kfp/source"
)

// A v1Task is a task of a graph while it is read.
type v1Task struct {
	key       *source.Node
	ref       v1Ref
	arguments *source.Node
	of        *v1Component
	task      *Task
}

// A v1Ref is a reference to a component.
type v1Ref struct {
	at, url, spec *source.Node
	digest        string
}

// A v1Graph is a graph while it is read.
type v1Graph struct {
	*v1Builder
	of      *v1Component
	tasks   []*v1Task
	byID    map[string]*v1Task
	outputs *source.Node
}

var v1GraphMessage = message[v1Graph]{"a graph", []field[v1Graph]{
	{name: "tasks", read: func(r *reader, n *source.Node, g *v1Graph) {
		r.each(n, func(key, value *source.Node) {
			t := &v1Task{key: key, task: &Task{At: key.TextPos(), DisplayName: key.Value, Cache: true}}
			if v1TaskMessage.read(r, value, t) && t.ref.at == nil {
				r.errorf(key, "missing-key", "add componentRef", "the task %q names no component", key.Value)
			}
			g.tasks = append(g.tasks, t)
			g.byID[key.Value] = t
		})
	}},
	{name: "outputValues", read: func(_ *reader, n *source.Node, g *v1Graph) { g.outputs = n }},
}}

var v1TaskMessage = message[v1Task]{"a task", []field[v1Task]{
	{name: "componentRef", read: func(r *reader, n *source.Node, t *v1Task) {
		t.ref.at = n
		v1RefMessage.read(r, n, &t.ref)
	}},
	{name: "arguments", read: func(_ *reader, n *source.Node, t *v1Task) { t.arguments = n }},
	{name: "annotations", read: func(*reader, *source.Node, *v1Task) {}}, // of editors
	{name: "isEnabled", read: func(r *reader, n *source.Node, _ *v1Task) {
		r.errorf(n, "unsupported", "compile the pipeline with the KFP SDK 2", "conditions in graphs of version 1 are not supported")
	}},
	{name: "executionOptions", read: func(r *reader, n *source.Node, t *v1Task) { v1OptionsMessage.read(r, n, t) }},
}}

var v1RefMessage = message[v1Ref]{"componentRef", []field[v1Ref]{
	{name: "url", read: func(_ *reader, n *source.Node, f *v1Ref) { f.url = n }},
	{name: "spec", read: func(_ *reader, n *source.Node, f *v1Ref) { f.spec = n }},
	{name: "digest", read: func(r *reader, n *source.Node, f *v1Ref) { f.digest = r.str(n) }},
	{name: "name", read: func(*reader, *source.Node, *v1Ref) {}},
	{name: "tag", read: func(*reader, *source.Node, *v1Ref) {}},
}}

var v1OptionsMessage = message[v1Task]{"executionOptions", []field[v1Task]{
	{name: "retryStrategy", read: func(r *reader, n *source.Node, t *v1Task) { v1RetryMessage.read(r, n, t) }},
	{name: "cachingStrategy", read: func(r *reader, n *source.Node, t *v1Task) { v1CachingMessage.read(r, n, t) }},
}}

var v1RetryMessage = message[v1Task]{"retryStrategy", []field[v1Task]{
	{name: "maxRetries", read: func(r *reader, n *source.Node, t *v1Task) {
		t.task.Retry = &Retry{At: n.Pos(), Max: r.count(n), MaxBackoff: defaultMaxBackoff, Factor: defaultFactor}
	}},
}}

var v1CachingMessage = message[v1Task]{"cachingStrategy", []field[v1Task]{
	{name: "maxCacheStaleness", read: func(r *reader, n *source.Node, t *v1Task) {
		t.task.Cache = strings.ContainsAny(r.str(n), "123456789") // P0D: never
	}},
}}

// graph reads the graph of a component into x.
func (b *v1Builder) graph(c *v1Component, x *Component) {
	g := &v1Graph{v1Builder: b, of: c, byID: map[string]*v1Task{}}
	x.DAG = &DAG{At: c.graph.Pos()}
	v1GraphMessage.read(b.reader, c.graph, g)
	names := uniqueNames{}
	for _, t := range g.tasks {
		t.task.Name = names.take(cmp.Or(taskName(t.key.Value), "task"))
		if t.ref.at != nil {
			t.of = g.load(t.ref)
		}
	}
	g.settle()
	for _, t := range g.tasks {
		if t.of == nil {
			continue
		}
		t.task.Component = g.build(t.of)
		t.task.Ref = Name{t.ref.at.Pos(), t.task.Component.Name}
		x.DAG.Tasks = append(x.DAG.Tasks, t.task)
	}
	for _, t := range g.tasks {
		if t.of != nil && t.arguments != nil {
			b.each(t.arguments, func(key, value *source.Node) { g.argument(t, key, value) })
		}
	}
	g.results(x)
	x.In, x.Out = b.ports(c.inputs, true), b.ports(c.outputs, false)
}

// settle makes parameters of outputs that are used as such. An output of a type
// that KFP does not know may be either, and version 1 hands both on as files.
func (g *v1Graph) settle() {
	for _, t := range g.tasks {
		if t.of == nil || t.arguments == nil {
			continue
		}
		for _, f := range t.arguments.Fields {
			to, from := t.of.inputs.find(f.Key.Value), f.Value.Field("taskOutput")
			if to == nil || from == nil || to.decided == nil || !to.parameter {
				continue
			}
			task, name := from.Field("taskId"), from.Field("outputName")
			if task == nil || name == nil || g.byID[task.Value] == nil || g.byID[task.Value].of == nil {
				continue
			}
			if out := g.byID[task.Value].of.outputs.find(name.Value); out != nil && out.decided == nil && out.isOpen() {
				out.decided, out.parameter = to.decided, true
			}
		}
	}
}

func (g *v1Graph) taskIDs() []string {
	ids := make([]string, len(g.tasks))
	for i, t := range g.tasks {
		ids[i] = t.key.Value
	}
	return ids
}

// argument reads the argument of a task: a text, or where the value comes from.
func (g *v1Graph) argument(t *v1Task, key, n *source.Node) {
	p := t.of.inputs.find(key.Value)
	if p == nil {
		g.errorf(key, "unknown-reference", g.near(key.Value, t.of.inputs.names), "the component %q has no input %q", t.of.name, key.Value)
		return
	}
	if n.Is(source.Null) {
		return
	}
	i := &Input{At: key.TextPos(), Name: p.name}
	if n.Kind == source.Scalar {
		if !p.parameter {
			g.errorf(n, "type-mismatch", "import the value as an artifact first", "the input %q of %q is an artifact, not a text", key.Value, t.of.name)
			return
		}
		i.From = &Constant{At: n.Pos(), Value: g.v1Default(n, g.typeOf(p))}
	} else if i.From = g.source(n, p); i.From == nil {
		return
	}
	if p.parameter {
		t.task.Parameters = append(t.task.Parameters, i)
	} else {
		t.task.Artifacts = append(t.task.Artifacts, i)
	}
}

func (g *v1Graph) typeOf(p *v1Port) Type {
	if t := parameterTypeOf(p.typ); t != "" {
		return t
	}
	return String
}

// A v1Source is where an argument comes from, while it is read.
type v1Source struct {
	graphInput   *source.Node
	task, output *source.Node
}

var v1SourceMessage = message[v1Source]{"an argument", []field[v1Source]{
	{name: "graphInput", oneof: "kind", read: func(r *reader, n *source.Node, s *v1Source) {
		if s.graphInput = n; n.Kind == source.Map {
			s.graphInput = nil
			v1InputMessage.read(r, n, s)
		}
	}},
	{name: "taskOutput", oneof: "kind", read: func(r *reader, n *source.Node, s *v1Source) { v1OutputMessage.read(r, n, s) }},
}}

var v1InputMessage = message[v1Source]{"graphInput", []field[v1Source]{
	{name: "inputName", read: func(_ *reader, n *source.Node, s *v1Source) { s.graphInput = n }},
	{name: "type", read: func(*reader, *source.Node, *v1Source) {}}, // said by the input itself
}}

var v1OutputMessage = message[v1Source]{"taskOutput", []field[v1Source]{
	{name: "taskId", read: func(_ *reader, n *source.Node, s *v1Source) { s.task = n }},
	{name: "outputName", read: func(_ *reader, n *source.Node, s *v1Source) { s.output = n }},
	{name: "type", read: func(*reader, *source.Node, *v1Source) {}},
}}

// source reads where the value of an input comes from; nil if it cannot.
func (g *v1Graph) source(n *source.Node, p *v1Port) Source {
	var s v1Source
	if !v1SourceMessage.read(g.reader, n, &s) {
		return nil
	}
	switch {
	case s.graphInput != nil:
		return g.graphInput(s.graphInput, p)
	case s.task == nil || s.output == nil:
		g.errorf(n, "missing-key", "write graphInput: {inputName: …} or taskOutput: {taskId: …, outputName: …}", "the argument has no source")
		return nil
	}
	from, out := g.taskOutput(s)
	if out == nil {
		return nil
	}
	if out.parameter != p.parameter {
		g.mixed(s.output, out, p)
		return nil
	}
	return &TaskOutput{At: n.Pos(), Task: Name{s.task.TextPos(), from.task.Name}, Output: Name{s.output.TextPos(), out.name}}
}

// graphInput is an input of the graph, which is what it is used for.
func (g *v1Graph) graphInput(n *source.Node, p *v1Port) Source {
	outer := g.of.inputs.find(n.Value)
	switch {
	case outer == nil:
		g.errorf(n, "unknown-reference", g.near(n.Value, g.of.inputs.names), "the graph has no input %q", n.Value)
		return nil
	case outer.decided == nil:
		outer.decided, outer.parameter = n, p.parameter
	case outer.parameter != p.parameter:
		g.mixed(n, outer, p)
		return nil
	}
	return &ComponentInput{At: n.Pos(), Name: Name{n.TextPos(), outer.name}}
}

// taskOutput finds a task and its output; the latter is nil if there is none.
func (g *v1Graph) taskOutput(s v1Source) (*v1Task, *v1Port) {
	from := g.byID[s.task.Value]
	if from == nil {
		g.errorf(s.task, "unknown-reference", g.near(s.task.Value, g.taskIDs), "the graph has no task %q", s.task.Value)
		return nil, nil
	}
	if from.of == nil { // its component could not be read
		return from, nil
	}
	out := from.of.outputs.find(s.output.Value)
	if out == nil {
		g.errorf(s.output, "unknown-reference", g.near(s.output.Value, from.of.outputs.names), "the component %q has no output %q", from.of.name, s.output.Value)
	}
	return from, out
}

// mixed reports an edge between a parameter and an artifact. To version 1 both
// were files.
func (g *v1Graph) mixed(n *source.Node, from, to *v1Port) {
	what := func(p *v1Port) string {
		if p.parameter {
			return "a parameter"
		}
		return "an artifact"
	}
	g.errorf(n, "type-mismatch", "use a component that takes "+what(from), "the input %q is %s, and %q is %s", to.key.Value, what(to), from.key.Value, what(from))
}

// results reads what the outputs of a graph are.
func (g *v1Graph) results(x *Component) {
	if g.outputs == nil {
		return
	}
	g.each(g.outputs, func(key, n *source.Node) {
		p := g.of.outputs.find(key.Value)
		if p == nil {
			g.errorf(key, "unknown-reference", g.near(key.Value, g.of.outputs.names), "the graph has no output %q", key.Value)
			return
		}
		var s v1Source
		if !v1SourceMessage.read(g.reader, n, &s) {
			return
		}
		if s.task == nil || s.output == nil {
			g.errorf(n, "unsupported", "write taskOutput: {taskId: …, outputName: …}", "an output of a graph is an output of a task")
			return
		}
		from, out := g.taskOutput(s)
		if out == nil {
			return
		}
		p.parameter = out.parameter
		o := &Output{At: key.TextPos(), Name: p.name, From: []*TaskOutput{{At: n.Pos(), Task: Name{s.task.TextPos(), from.task.Name}, Output: Name{s.output.TextPos(), out.name}}}}
		if out.parameter {
			x.DAG.Outputs = append(x.DAG.Outputs, o)
		} else {
			x.DAG.Artifacts = append(x.DAG.Artifacts, o)
		}
	})
}
