package kfp

import (
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// text reads text with its placeholders.
func (r *reader) text(n *source.Node) *Text {
	t := &Text{At: n.TextPos(), Value: r.str(n)}
	if strings.Contains(t.Value, "{{$") {
		var diags diag.List
		t.Parts, diags = parsePlaceholders(t.Value, n.Locator())
		r.diags.Add(diags...)
	}
	return t
}

func (r *reader) args(n *source.Node) []Arg {
	var args []Arg
	r.list(n, func(item *source.Node) { args = append(args, r.arg(item)) })
	return args
}

// arg reads an argument: text, or the JSON text of {"IfPresent": …} or
// {"Concat": …}.
func (r *reader) arg(n *source.Node) Arg {
	if strings.HasPrefix(n.Value, "{") && (strings.Contains(n.Value, `"IfPresent"`) || strings.Contains(n.Value, `"Concat"`)) {
		if inner, diags := source.ReadJSON(n); inner != nil && inner.Kind == source.Map && len(inner.Fields) == 1 {
			if f := inner.Fields[0]; f.Key.Value == "IfPresent" || f.Key.Value == "Concat" {
				r.diags.Add(diags...)
				return r.structure(inner)
			}
		}
	}
	return r.text(n)
}

// structure reads an element of a structure: one too, or text.
func (r *reader) structure(n *source.Node) Arg {
	if n.Kind == source.Map && len(n.Fields) == 1 {
		switch f := n.Fields[0]; f.Key.Value {
		case "IfPresent":
			return r.ifPresent(n, f.Value)
		case "Concat":
			a := &Concat{At: n.Pos()}
			r.list(f.Value, func(item *source.Node) { a.Items = append(a.Items, r.part(item)) })
			return a
		}
	}
	if n.Kind != source.Scalar {
		r.errorf(n, "wrong-type", "", "expected text, IfPresent or Concat, found %s", n.Describe())
		return &Text{At: n.Pos()}
	}
	return r.text(n)
}

// part reads an item of Concat, which is one text.
func (r *reader) part(n *source.Node) Arg {
	a := r.structure(n)
	r.single(n, a)
	return a
}

// single reports a list of arguments where there can be one.
func (r *reader) single(n *source.Node, a Arg) {
	if i, ok := a.(*IfPresent); ok && (i.Many || len(i.Then) > 1 || len(i.Else) > 1) {
		r.errorf(n, "wrong-type", "give one text for each of Then and Else", "a list of arguments is no part of a text")
	}
}

// ifPresent reads what is in the structure of that name. Its table is no
// variable, as it leads back here.
func (r *reader) ifPresent(at, n *source.Node) *IfPresent {
	a := &IfPresent{At: at.Pos()}
	m := message[IfPresent]{"IfPresent", []field[IfPresent]{
		{name: "InputName", read: func(r *reader, n *source.Node, a *IfPresent) { a.Input = r.name(n) }},
		{name: "Then", read: func(r *reader, n *source.Node, a *IfPresent) { a.Then = r.branch(n, a) }},
		{name: "Else", read: func(r *reader, n *source.Node, a *IfPresent) { a.Else = r.branch(n, a) }},
	}}
	if m.read(r, n, a) && a.Input.Value == "" {
		r.errorf(n, "missing-key", "add InputName", "IfPresent names no input")
	}
	return a
}

// branch reads one argument, or a list of them.
func (r *reader) branch(n *source.Node, a *IfPresent) []Arg {
	if n.Kind != source.List {
		return []Arg{r.structure(n)}
	}
	a.Many = true
	var args []Arg
	r.list(n, func(item *source.Node) { args = append(args, r.structure(item)) })
	return args
}
