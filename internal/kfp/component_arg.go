package kfp

import (
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// The placeholders of version 1 that name an input or an output.
const (
	inputValue    = "inputValue"
	inputPath     = "inputPath"
	inputURI      = "inputUri"
	inputMetadata = "inputMetadata"
	outputPath    = "outputPath"
	outputURI     = "outputUri"
)

// A v1Container reads the container of a component.
type v1Container struct {
	*reader
	of *v1Component
}

// decide finds out from the placeholders what is a parameter, and what an
// artifact.
func (c *v1Container) decide(n *source.Node) {
	for _, item := range n.Items {
		c.decide(item)
	}
	for _, f := range n.Fields {
		switch f.Key.Value {
		case inputValue:
			c.is(&c.of.inputs, f, true)
		case inputPath, inputURI, inputMetadata:
			c.is(&c.of.inputs, f, false)
		case outputURI:
			c.is(&c.of.outputs, f, false)
		default:
			c.decide(f.Value)
		}
	}
}

func (c *v1Container) is(ports *v1Ports, f source.Field, parameter bool) {
	p := ports.find(f.Value.Value)
	switch {
	case p == nil: // reported when the argument is read
	case p.decided == nil:
		p.decided, p.parameter = f.Key, parameter
	case p.parameter != parameter:
		c.errorf(f.Key, "conflict", "use two inputs", "%s is used both by value and by path, on line %d", quote(p.key.Value), p.decided.Pos().Line)
	}
}

var v1ContainerMessage = message[v1ContainerDraft]{"a container", []field[v1ContainerDraft]{
	{name: "image", read: func(r *reader, n *source.Node, d *v1ContainerDraft) { d.Image = r.unlessEmpty(n) }},
	{name: "command", read: func(_ *reader, n *source.Node, d *v1ContainerDraft) { d.Command = d.args(n) }},
	{name: "args", read: func(_ *reader, n *source.Node, d *v1ContainerDraft) { d.Args = d.args(n) }},
	{name: "env", read: func(r *reader, n *source.Node, d *v1ContainerDraft) {
		r.each(n, func(key, value *source.Node) {
			d.Env = append(d.Env, &EnvVar{At: key.TextPos(), Name: key.Value, Value: d.plain(value)})
		})
	}},
	{name: "fileOutputs", read: func(r *reader, n *source.Node, d *v1ContainerDraft) {
		r.each(n, func(key, value *source.Node) {
			if p := d.find(&d.of.outputs, key, "output"); p != nil {
				d.FileOutputs = append(d.FileOutputs, &FileOutput{At: key.TextPos(), Name: p.name, Path: r.text(value)})
			}
		})
	}},
}}

// A v1ContainerDraft is a container while it is read.
type v1ContainerDraft struct {
	*Container
	*v1Container
}

// container reads the container of a component.
func (r *reader) container(of *v1Component) *Container {
	n := of.container
	d := v1ContainerDraft{&Container{At: n.Pos()}, &v1Container{r, of}}
	if v1ContainerMessage.read(r, n, &d) && d.Image == nil {
		r.errorf(n, "missing-key", "add image", "the container has no image")
	}
	return d.Container
}

// args reads arguments. A condition that is known gives any number of them.
func (c *v1Container) args(n *source.Node) []Arg {
	var args []Arg
	c.list(n, func(item *source.Node) { args = append(args, c.arg(item)...) })
	return args
}

func (c *v1Container) arg(n *source.Node) []Arg {
	if n.Kind == source.Scalar && !n.Is(source.Null) {
		return []Arg{c.text(n)}
	}
	if n.Kind != source.Map || len(n.Fields) != 1 {
		c.errorf(n, "wrong-type", "", "expected text or a placeholder, found %s", n.Describe())
		return nil
	}
	f := n.Fields[0]
	switch f.Key.Value {
	case "if":
		return c.condition(n, f.Value)
	case "concat":
		return []Arg{c.concat(n, f.Value)}
	}
	if t := c.v1Placeholder(n, f); t != nil {
		return []Arg{t}
	}
	return nil
}

// plain reads a text or a placeholder.
func (c *v1Container) plain(n *source.Node) *Text {
	if n.Kind == source.Map && len(n.Fields) == 1 {
		if t := c.v1Placeholder(n, n.Fields[0]); t != nil {
			return t
		}
		return &Text{At: n.Pos()}
	}
	return c.text(n)
}

// v1Placeholder makes the text of a placeholder, such as {inputValue: name}.
func (c *v1Container) v1Placeholder(n *source.Node, f source.Field) *Text {
	ports, what := &c.of.inputs, "input"
	var of Of
	switch f.Key.Value {
	case "executorInput":
		return c.placeholder(n, &Placeholder{Of: ExecutorInput})
	case "outputMetadata":
		return c.placeholder(n, &Placeholder{Of: OutputFileURI})
	case "inputOutputPortName":
		if p := c.find(ports, f.Value, what); p != nil {
			return &Text{At: n.Pos(), Value: p.name}
		}
		return nil
	case inputValue:
		of = InputParameter
	case inputPath:
		of = InputPath
	case inputURI:
		of = InputURI
	case inputMetadata:
		of = InputMetadata
	case outputPath:
		of, ports, what = OutputPath, &c.of.outputs, "output"
	case outputURI:
		of, ports, what = OutputURI, &c.of.outputs, "output"
	default:
		known := []string{inputValue, inputPath, inputURI, inputMetadata, outputPath, outputURI, "executorInput", "outputMetadata", "if", "concat"}
		c.errorf(f.Key, "unknown-key", didYouMean(f.Key.Value, known), "there is no placeholder %q", f.Key.Value)
		return nil
	}
	p := c.find(ports, f.Value, what)
	if p == nil {
		return nil
	}
	if of == OutputPath && p.parameter {
		of = OutputParameter
	}
	return c.placeholder(n, &Placeholder{Of: of, Name: p.name})
}

// placeholder makes the text that a placeholder of version 1 stands for.
func (c *v1Container) placeholder(n *source.Node, p *Placeholder) *Text {
	p.At, p.Text = n.Pos(), p.write()
	return &Text{At: n.Pos(), Value: p.Text, Parts: []Part{{Placeholder: p}}}
}

// find returns the input or output that a placeholder names.
func (c *v1Container) find(ports *v1Ports, n *source.Node, what string) *v1Port {
	name := c.str(n)
	p := ports.find(name)
	if p == nil && name != "" {
		c.errorf(n, "unknown-reference", c.near(name, ports.names), "the component has no %s %q", what, name)
	}
	return p
}

func (c *v1Container) concat(n, items *source.Node) *Concat {
	a := &Concat{At: n.Pos()}
	c.list(items, func(item *source.Node) {
		for _, x := range c.arg(item) {
			c.single(item, x)
			a.Items = append(a.Items, x)
		}
	})
	return a
}

// A v1If is a condition while it is read.
type v1If struct {
	condition          *source.Node
	present            *source.Node // the input that must be given, or
	constant           *bool
	thenNode, elseNode *source.Node
}

var v1IfMessage = message[v1If]{"a condition", []field[v1If]{
	{name: "cond", read: func(r *reader, n *source.Node, x *v1If) {
		x.condition = n
		if n.Kind == source.Map {
			v1PresentMessage.read(r, n, x)
		} else {
			b := r.boolean(n)
			x.constant = &b
		}
	}},
	{name: "then", read: func(_ *reader, n *source.Node, x *v1If) { x.thenNode = n }},
	{name: "else", read: func(_ *reader, n *source.Node, x *v1If) { x.elseNode = n }},
}}

var v1PresentMessage = message[v1If]{"cond", []field[v1If]{
	{name: "isPresent", read: func(_ *reader, n *source.Node, x *v1If) { x.present = n }},
	{name: inputValue, read: func(r *reader, n *source.Node, x *v1If) {
		r.errorf(n, "unsupported", "use isPresent, or decide in the program", "a condition on the value of an input is not known before the task runs")
		x.constant = new(bool)
	}},
}}

// condition reads {if: {cond: {isPresent: name}, then: …, else: …}}.
func (c *v1Container) condition(at, n *source.Node) []Arg {
	var x v1If
	if !v1IfMessage.read(c.reader, n, &x) {
		return nil
	}
	if x.constant != nil {
		if *x.constant {
			return c.branch(x.thenNode)
		}
		return c.branch(x.elseNode)
	}
	if x.present == nil {
		c.errorf(n, "missing-key", "write cond: {isPresent: NAME}", "the condition names no input")
		return nil
	}
	p := c.find(&c.of.inputs, x.present, "input")
	if p == nil {
		return nil
	}
	a := &IfPresent{At: at.Pos(), Input: Name{x.present.TextPos(), p.name}, Then: c.branch(x.thenNode)}
	if x.elseNode != nil && (x.elseNode.Kind != source.Scalar || x.elseNode.Value != "") { // an empty text is nothing to KFP
		a.Else = c.branch(x.elseNode)
	}
	for _, branch := range []*source.Node{x.thenNode, x.elseNode} {
		a.Many = a.Many || branch != nil && branch.Kind == source.List
	}
	return []Arg{a}
}

func (c *v1Container) branch(n *source.Node) []Arg {
	switch {
	case n == nil:
		return nil
	case n.Kind == source.List:
		return c.args(n)
	}
	return c.arg(n)
}
