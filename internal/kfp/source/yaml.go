package source

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// library reads YAML of any kind, and reports what is wrong with it.
func (r *reader) library(src []byte) []*Node {
	loader, err := yaml.NewLoader(bytes.NewReader(src), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		r.failf(0, "yaml", "", "%v", err)
		return nil
	}
	b := builder{reader: r, budget: maxExpanded}
	var docs []*Node
	for {
		var doc yaml.Node
		switch err := loader.Load(&doc); {
		case errors.Is(err, io.EOF):
			return docs
		case err != nil:
			r.syntaxError(err)
			return nil
		}
		docs = append(docs, unlessNull(b.build(doc.Content[0], -1, false)))
	}
}

// syntaxError reports what the library refused.
func (r *reader) syntaxError(err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.failf(0, "yaml", "", "not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	mark, message := e.Mark, e.Message
	if mark.Line == 0 {
		mark = e.ContextMark
	}
	if e.ContextMsg != "" {
		message = e.ContextMsg + ": " + message
	}
	at, hint := r.offset(mark.Line, mark.Column), ""
	if r.byteAt(at) == '\t' {
		hint = "YAML indents with spaces: replace the tab"
	}
	r.failf(at, "yaml", hint, "not valid YAML: %s", message)
}

// A builder turns the library's nodes into ours.
type builder struct {
	*reader
	budget int // nodes that aliases may still add
}

// build makes a node of what belongs to something at the column parent.
func (b *builder) build(y *yaml.Node, parent int, inAlias bool) *Node {
	n := b.node(Scalar, b.offset(y.Line, y.Column))
	n.Type, n.indent = Null, parent
	if inAlias {
		if b.budget--; b.budget <= 0 {
			if b.budget == 0 {
				b.failf(n.from, "too-large", "write out less through aliases", "aliases add more than %d values", maxExpanded)
			}
			return n
		}
	}
	if b.depth++; b.depth > maxDepth {
		b.failf(n.from, "too-deep", "", "values are nested more than %d deep", maxDepth)
		b.depth--
		return n
	}
	defer func() { b.depth-- }()
	column := parent
	if y.Style&yaml.FlowStyle == 0 {
		column = y.Column - 1
	}
	switch y.Kind {
	case yaml.AliasNode:
		return b.build(y.Alias, parent, true)
	case yaml.SequenceNode:
		n.Kind = List
		b.noTag(n, y, "!!seq")
		for _, item := range y.Content {
			n.Items = append(n.Items, b.build(item, column, inAlias))
		}
	case yaml.MappingNode:
		n.Kind = Map
		b.noTag(n, y, "!!map")
		b.fields(n, y, column, inAlias)
	default:
		b.scalarOf(n, y)
	}
	return n
}

func (b *builder) fields(n *Node, y *yaml.Node, column int, inAlias bool) {
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := b.build(y.Content[i], column, inAlias)
		value := b.build(y.Content[i+1], column, inAlias)
		switch {
		case key.Kind != Scalar:
			b.failf(key.from, "wrong-type", "", "a key is a name, not %s", key.Kind)
		case key.Value == "<<" && key.style == plain:
			b.failf(key.from, "unknown-key", "write the keys out", "the merge key << is not supported")
		default:
			n.Fields = append(n.Fields, Field{key, value})
		}
	}
}

func (b *builder) scalarOf(n *Node, y *yaml.Node) {
	n.Value, n.style = y.Value, styleOf(y.Style)
	n.end = n.from + len(n.Value)
	if n.style == single || n.style == double {
		n.end += 2
	}
	if n.end > len(b.text) || !n.verbatim() {
		n.end = n.from
	}
	switch {
	case y.Style&yaml.TaggedStyle != 0:
		n.Type = b.tagged(n, y)
	case n.style == plain:
		n.Type = resolve(n.Value)
	default:
		n.Type = String
	}
}

func styleOf(s yaml.Style) style {
	switch {
	case s&yaml.SingleQuotedStyle != 0:
		return single
	case s&yaml.DoubleQuotedStyle != 0:
		return double
	case s&yaml.LiteralStyle != 0:
		return literal
	case s&yaml.FoldedStyle != 0:
		return folded
	}
	return plain
}

// tagged returns the type that a tag gives a scalar.
func (b *builder) tagged(n *Node, y *yaml.Node) Type {
	switch y.ShortTag() {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int":
		return Int
	case "!!float":
		return Float
	}
	b.noTag(n, y, "!!str")
	return String
}

// noTag reports a tag that makes something else of a value.
func (b *builder) noTag(n *Node, y *yaml.Node, plain string) {
	if tag := y.ShortTag(); tag != plain && y.Style&yaml.TaggedStyle != 0 {
		b.failf(n.from, "wrong-type", "leave the tag out", "the tag %s is not supported", tag)
	}
}
