package cel

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

func (t *translator) binary(e *Binary) Operand {
	x, y := t.operand(e.X), t.operand(e.Y)
	if t.failed != nil {
		return Operand{}
	}
	switch e.Op {
	case "&&":
		return t.logic(e, "and", x, y)
	case "||":
		return t.logic(e, "or", x, y)
	case "==", "!=":
		return t.equality(e, x, y)
	case "<", "<=", ">", ">=":
		return t.order(e, x, y)
	}
	return t.arithmetic(e, x, y)
}

func join(e *Binary, op string, x, y expr.Expr) expr.Expr {
	return &expr.Binary{X: x, At: e.At, Op: op, Y: y}
}

func (t *translator) logic(e *Binary, op string, x, y Operand) Operand {
	for _, o := range []Operand{x, y} {
		if o.Type != Bool && o.Type != Dyn {
			return t.fail(e.At, "", "%s joins booleans, not %s", e.Op, o.Type)
		}
	}
	return Operand{X: join(e, op, x.X, y.X), Type: Bool}
}

// equality compares. Values of different types are unequal in CEL; Cloud
// Workflows does not say what they are to it, so none is asked to find out:
// what the declared types decide is decided here, and a value of any type is
// compared only if it has the type of the other one.
func (t *translator) equality(e *Binary, x, y Operand) Operand {
	switch {
	case x.Type == Null || y.Type == Null, x.Type == y.Type, x.Type.isNumber() && y.Type.isNumber():
	case x.Type == Dyn:
		x.X = onlyIf(x.X, e.At, y.Type)
	case y.Type == Dyn:
		y.X = onlyIf(y.X, e.At, x.Type)
	default:
		t.warned.Add(diag.Diagnostic{
			Pos: e.At, Width: len(e.Op), Severity: diag.Warning, Code: "cel",
			Message: "this is always " + map[string]string{"==": "false", "!=": "true"}[e.Op] + ": it compares " + x.Type.String() + " with " + y.Type.String(),
		})
		return Operand{X: &expr.Literal{At: e.X.Pos(), Value: e.Op == "!="}, Type: Bool}
	}
	return Operand{X: join(e, e.Op, x.X, y.X), Type: Bool}
}

// typeNames are those that get_type gives.
var typeNames = map[Type][]string{
	Bool: {"boolean"}, String: {"string"}, List: {"list"}, Struct: {"map"},
	Int: {"integer", "double"}, Double: {"integer", "double"},
}

// hasType tells whether a value has a type; numbers are of one type here.
func hasType(x expr.Expr, at diag.Pos, of Type) expr.Expr {
	var any expr.Expr
	for _, name := range typeNames[of] {
		is := &expr.Binary{X: call(at, "get_type", x), At: at, Op: "==", Y: &expr.Literal{At: at, Value: name}}
		if any == nil {
			any = is
		} else {
			any = &expr.Binary{X: any, At: at, Op: "or", Y: is}
		}
	}
	return any
}

// onlyIf is x if it has the type, else null, which compares with anything.
func onlyIf(x expr.Expr, at diag.Pos, of Type) expr.Expr {
	return call(at, "if", hasType(x, at, of), x, &expr.Literal{At: at})
}

// order compares numbers or strings. What has the wrong type at run time is an
// error in CEL as in Cloud Workflows.
func (t *translator) order(e *Binary, x, y Operand) Operand {
	numbers := (x.Type.isNumber() || x.Type == Dyn) && (y.Type.isNumber() || y.Type == Dyn)
	strings := (x.Type == String || x.Type == Dyn) && (y.Type == String || y.Type == Dyn)
	if !numbers && !strings {
		hint := ""
		if x.Type == String || y.Type == String {
			hint = "make a number of the string with int(…) or double(…)"
		}
		return t.fail(e.At, hint, "%s does not compare %s with %s", e.Op, x.Type, y.Type)
	}
	return Operand{X: join(e, e.Op, x.X, y.X), Type: Bool}
}

func (t *translator) arithmetic(e *Binary, x, y Operand) Operand {
	numeric := func(o Operand) bool { return o.Type.isNumber() || o.Type == Dyn }
	switch {
	case e.Op == "+" && x.Type == String && y.Type == String:
		return Operand{X: join(e, "+", x.X, y.X), Type: String}
	case !numeric(x) || !numeric(y):
		return t.fail(e.At, "", "%s does not apply to %s and %s", e.Op, x.Type, y.Type)
	case e.Op == "/" && x.Type == Int && y.Type == Int: // CEL divides integers without a rest
		return Operand{X: call(e.At, "int", join(e, "/", x.X, y.X)), Type: Int}
	}
	return Operand{X: join(e, e.Op, x.X, y.X), Type: resultType(x.Type, y.Type)}
}

func resultType(x, y Type) Type {
	switch {
	case x == Dyn || y == Dyn:
		return Dyn
	case x == Int && y == Int:
		return Int
	}
	return Double
}
