package kfp

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/kfp/cel"
)

// A dumper writes nodes as text, a field a line. What is not set, and what is
// found from names, is left out.
type dumper struct {
	places bool     // write where each node is, as line:col
	sorted bool     // write what has a name in order of the names
	skip   []string // fields, as Type.Field
}

func (d dumper) spec(s *Spec) string {
	var b strings.Builder
	d.fields(&b, "", reflect.ValueOf(s).Elem())
	return b.String()
}

func (d dumper) place(at diag.Pos) string {
	if !d.places {
		return ""
	}
	return fmt.Sprintf(" @%d:%d", at.Line, at.Col)
}

// found are the fields that link nodes.
var found = []string{"Task.Component", "Component.Executor"}

func (d dumper) fields(b *strings.Builder, indent string, v reflect.Value) {
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		full := v.Type().Name() + "." + name
		if !v.Type().Field(i).IsExported() || f.IsZero() || strings.HasSuffix(name, "At") || slices.Contains(found, full) || slices.Contains(d.skip, full) {
			continue
		}
		fmt.Fprintf(b, "%s%s:", indent, name)
		d.value(b, indent+"  ", f)
	}
}

func (d dumper) value(b *strings.Builder, indent string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case Name:
		fmt.Fprintf(b, " %q%s\n", x.Value, d.place(x.At))
		return
	case *Text:
		fmt.Fprintf(b, " %q%s\n", x.Value, d.place(x.At))
		for _, p := range x.Parts {
			if p := p.Placeholder; p != nil {
				fmt.Fprintf(b, "%s{%s %q %q}%s\n", indent, p.Of, p.Name, p.Key, d.place(p.At))
			}
		}
		return
	case Value:
		b.WriteByte(' ')
		writeJSON(b, x)
		fmt.Fprintln(b, d.place(x.Pos()))
		return
	case cel.Expr:
		fmt.Fprintf(b, "%s%s\n", d.place(x.Pos()), celText(x))
		return
	case time.Duration:
		fmt.Fprintf(b, " %s\n", x)
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Interface {
			fmt.Fprintf(b, " %T", v.Interface())
			v = v.Elem()
		}
		d.structure(b, indent, v.Elem())
	case reflect.Struct:
		d.structure(b, indent, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.String {
			fmt.Fprintf(b, " %q\n", v.Interface())
			return
		}
		fmt.Fprintln(b)
		for _, item := range d.items(v) {
			fmt.Fprintf(b, "%s-", indent)
			d.value(b, indent+"  ", item)
		}
	case reflect.String:
		fmt.Fprintf(b, " %q\n", v.String())
	default:
		fmt.Fprintf(b, " %v\n", v.Interface())
	}
}

func (d dumper) structure(b *strings.Builder, indent string, v reflect.Value) {
	if at := v.FieldByName("At"); at.IsValid() {
		fmt.Fprint(b, d.place(at.Interface().(diag.Pos)))
	}
	fmt.Fprintln(b)
	d.fields(b, indent, v)
}

// items lists a slice, in order of names if that is wanted and there are some.
func (d dumper) items(v reflect.Value) []reflect.Value {
	list := make([]reflect.Value, v.Len())
	for i := range list {
		list[i] = v.Index(i)
	}
	if d.sorted {
		sort.SliceStable(list, func(i, j int) bool { return nameOf(list[i]) < nameOf(list[j]) })
	}
	return list
}

func nameOf(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if f := v.Elem().FieldByName("Name"); f.IsValid() && f.Kind() == reflect.String {
			return f.String()
		}
	}
	return ""
}

// celText is an expression as its translation, which has all that is in it.
func celText(e cel.Expr) string {
	v := cel.Operand{X: &expr.Ident{Name: "value"}}
	env := cel.Env{
		Parameter: func(name string) (cel.Operand, bool) {
			return cel.Operand{X: &expr.Index{X: &expr.Ident{Name: "inputs"}, Key: &expr.Literal{Value: name}}}, true
		},
		Artifact: func(name string, item int64) (expr.Expr, bool) {
			return &expr.Index{X: &expr.Ident{Name: name}, Key: &expr.Literal{Value: item}}, true
		},
	}
	if x, _ := cel.Condition(e, env); x != nil {
		return " " + expr.String(x)
	}
	if o, _ := cel.Select(e, cel.Env{Value: &v}); o.X != nil {
		return " " + expr.String(o.X)
	}
	return " ?"
}
