package compile

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// values turns values of the spec into nodes. An expression that is longer
// than the language allows is computed in parts first: see steps.
type values struct {
	b     *body
	items []*workflow.AssignItem
}

func (b *body) values() *values { return &values{b: b} }

// steps returns the assignments that the values need, if any.
func (v *values) steps() []*workflow.Step {
	return v.b.assigns(v.b.now+"_values", v.items)
}

// node makes a node of a value; nil stays nil.
func (v *values) node(value pipeline.Value) workflow.Node {
	switch value := value.(type) {
	case *pipeline.Lit:
		return literal(value)
	case *pipeline.Expr:
		return v.exprNode(value.X)
	case *pipeline.Items:
		l := &workflow.List{At: value.At}
		for _, item := range value.Items {
			l.Items = append(l.Items, v.node(item))
		}
		return l
	case *pipeline.Fields:
		m := &workflow.Map{At: value.At}
		for _, f := range value.Fields {
			key := &workflow.Lit{At: f.At, Value: f.Name}
			m.Entries = append(m.Entries, &workflow.Entry{Key: key, Value: v.node(f.Value)})
		}
		return m
	}
	return nil
}

func (v *values) exprNode(x expr.Expr) workflow.Node { return node(v.expr(x)) }

// fields makes a map of named values; nil when there are none.
func (v *values) fields(list []*pipeline.Input) workflow.Node {
	if len(list) == 0 {
		return nil
	}
	fs := fields{}
	for _, in := range list {
		fs = append(fs, field{in.Name, v.node(in.Value)})
	}
	return fs.node()
}

// text makes a node whose value is a string, as command lines and environments
// want it.
func (v *values) text(value pipeline.Value) workflow.Node {
	switch value := value.(type) {
	case *pipeline.Lit:
		switch l := value.V.(type) {
		case nil:
			return &workflow.Lit{At: value.At, Value: ""}
		case string:
			return literal(value)
		default:
			return &workflow.Lit{At: value.At, Value: strings.Trim(expr.String(&expr.Literal{Value: l}), `"`)}
		}
	case *pipeline.Expr:
		if v.b.shapeOf(value.X) == (shape{of: pipeline.String}) {
			return v.exprNode(value.X)
		}
		return v.exprNode(join("+", quote(""), value.X)) // text plus anything is text
	}
	return v.node(value)
}

// literal keeps text of the form ${…}, which the language would evaluate, as
// it is.
func literal(l *pipeline.Lit) workflow.Node {
	if s, ok := l.V.(string); ok && strings.HasPrefix(s, "${") && strings.HasSuffix(s, "}") {
		return &workflow.Expr{At: l.At, X: join("+", quote("$"), quote(s[1:]))}
	}
	return &workflow.Lit{At: l.At, Value: l.V}
}

// expr makes an expression of the spec one of the workflow.
func (v *values) expr(x expr.Expr) expr.Expr { return v.fit(v.b.resolve(x)) }

// resolve reads the built-in names from the map that says where the run takes
// place.
func (b *body) resolve(x expr.Expr) expr.Expr {
	id, ok := x.(*expr.Ident)
	if !ok {
		return rebuild(x, b.resolve)
	}
	if _, builtin := pipeline.Builtins[id.Name]; builtin {
		return &expr.Member{X: &expr.Ident{At: id.At, Name: b.run}, At: id.At, Name: id.Name}
	}
	return x
}

// maxExpression is the limit on an expression's length, in characters.
const maxExpression = 400

// fit returns x, or an equal expression of which parts have been assigned to
// variables before, as few and as long as the limit lets them be. The language
// promises no short circuit of and and or, so that evaluating a part early
// changes nothing that could be relied on.
func (v *values) fit(x expr.Expr) expr.Expr {
	x = rebuild(x, v.fit)
	for length(x) > maxExpression {
		part := longest(x)
		if part == nil || length(part) < 32 { // a long literal, or nothing that would help
			return v.assign(x)
		}
		short := v.assign(part)
		x = rebuild(x, func(one expr.Expr) expr.Expr {
			if one == part {
				return short
			}
			return one
		})
	}
	return x
}

// longest returns the longest of an expression's parts, nil when it has none.
func longest(x expr.Expr) expr.Expr {
	var found expr.Expr
	rebuild(x, func(part expr.Expr) expr.Expr {
		if found == nil || length(part) > length(found) {
			found = part
		}
		return part
	})
	return found
}

func (v *values) assign(x expr.Expr) expr.Expr {
	name := v.b.names.unique(v.b.now + "_value")
	v.items = append(v.items, set(ref(name), node(x)))
	return ref(name)
}

func length(x expr.Expr) int { return utf8.RuneCountInString(expr.String(x)) }

// rebuild returns x with f applied to its parts.
func rebuild(x expr.Expr, f func(expr.Expr) expr.Expr) expr.Expr {
	all := func(list []expr.Expr) []expr.Expr {
		out := make([]expr.Expr, len(list))
		for i, x := range list {
			out[i] = f(x)
		}
		return out
	}
	switch x := x.(type) {
	case *expr.Member:
		return &expr.Member{X: f(x.X), At: x.At, Name: x.Name}
	case *expr.Index:
		return &expr.Index{X: f(x.X), At: x.At, Key: f(x.Key)}
	case *expr.Call:
		return &expr.Call{At: x.At, Func: x.Func, Args: all(x.Args)}
	case *expr.Unary:
		return &expr.Unary{At: x.At, Op: x.Op, X: f(x.X)}
	case *expr.Binary:
		return &expr.Binary{X: f(x.X), At: x.At, Op: x.Op, Y: f(x.Y)}
	case *expr.List:
		return &expr.List{At: x.At, Items: all(x.Items)}
	}
	return x
}

// seconds is a duration as the language writes it: an integer if it is whole.
func seconds(d time.Duration) any { return number(d.Seconds()) }

func number(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return f
}
