package workflow

import "go.yaml.in/yaml/v4"

// element is a node of the source, whichever reader it comes from: the parts of
// the library's nodes that the parser looks at, and a third of their size.
type element struct {
	Kind         yaml.Kind
	Style        yaml.Style
	Line, Column int32
	Tag          string
	Value        string
	Content      []*element
	Alias        *element
}

// elements turns the library's nodes into ours.
type elements struct {
	anchored map[*yaml.Node]*element
}

func (c *elements) of(n *yaml.Node) *element {
	e := &element{Kind: n.Kind, Style: n.Style, Line: int32(n.Line), Column: int32(n.Column), Tag: n.Tag, Value: n.Value}
	if n.Anchor != "" { // noted before its parts, which may refer to it
		c.anchored[n] = e
	}
	if n.Alias != nil {
		e.Alias = c.anchored[n.Alias]
	}
	if len(n.Content) > 0 {
		e.Content = make([]*element, len(n.Content))
		for i, part := range n.Content {
			e.Content[i] = c.of(part)
		}
	}
	return e
}
