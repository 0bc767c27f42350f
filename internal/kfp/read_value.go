package kfp

import (
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// value reads JSON. Texts may have placeholders.
func (r *reader) value(n *source.Node) Value {
	switch n.Kind {
	case source.List:
		return r.listValue(n)
	case source.Map:
		return r.structValue(n)
	}
	switch n.Type {
	case source.Null:
		return &Lit{At: n.Pos()}
	case source.Bool:
		b, _ := parseBool(n.Value)
		return &Lit{At: n.Pos(), V: b}
	case source.Int, source.Float:
		v := number(n)
		if v == nil {
			r.errorf(n, "bad-value", "", "%s is not a number that JSON can hold", n.Value)
			v = int64(0)
		}
		return &Lit{At: n.Pos(), V: v}
	}
	return r.text(n)
}

func (r *reader) listValue(n *source.Node) *List {
	l := &List{At: n.Pos()}
	r.list(n, func(item *source.Node) { l.Items = append(l.Items, r.value(item)) })
	return l
}

func (r *reader) structValue(n *source.Node) *Struct {
	s := &Struct{At: n.Pos()}
	r.each(n, func(key, value *source.Node) {
		s.Fields = append(s.Fields, &Field{At: key.TextPos(), Name: key.Value, Value: r.value(value)})
	})
	return s
}

// A constant is the Value of schema 2.0.0 while it is read.
type constant struct{ value Value }

var constantMessage = message[constant]{"a value", []field[constant]{
	{name: "stringValue", oneof: "value", read: func(r *reader, n *source.Node, c *constant) { c.value = r.text(n) }},
	{name: "intValue", oneof: "value", read: func(r *reader, n *source.Node, c *constant) {
		if f, ok := r.number(n); ok {
			c.value = &Lit{At: n.Pos(), V: int64(f)}
		}
	}},
	{name: "doubleValue", oneof: "value", read: func(r *reader, n *source.Node, c *constant) {
		if f, ok := r.number(n); ok {
			c.value = &Lit{At: n.Pos(), V: f}
		}
	}},
}}

// oldConstant reads a value of schema 2.0.0, such as {stringValue: x}. An empty
// one is the empty text, as the compilers leave it out.
func (r *reader) oldConstant(n *source.Node) Value {
	c := constant{value: &Text{At: n.Pos()}}
	constantMessage.read(r, n, &c)
	return c.value
}

// A runtimeValue is a ValueOrRuntimeParameter while it is read.
type runtimeValue struct{ from Source }

var runtimeValueMessage = message[runtimeValue]{"a value", []field[runtimeValue]{
	{name: "constant", oneof: "value", null: true, read: func(r *reader, n *source.Node, v *runtimeValue) {
		v.from = &Constant{At: n.Pos(), Value: r.value(n)}
	}},
	{name: "constantValue", oneof: "value", read: func(r *reader, n *source.Node, v *runtimeValue) {
		v.from = &Constant{At: n.Pos(), Value: r.oldConstant(n)}
	}},
	{name: "runtimeParameter", oneof: "value", read: func(r *reader, n *source.Node, v *runtimeValue) {
		v.from = &ComponentInput{At: n.Pos(), Name: r.name(n)}
	}},
}}

// runtimeValue reads a constant or the name of a parameter.
func (r *reader) runtimeValue(n *source.Node) Source {
	var v runtimeValue
	if runtimeValueMessage.read(r, n, &v) && v.from == nil {
		r.errorf(n, "missing-key", "give a constant", "the value is empty")
	}
	return v.from
}
