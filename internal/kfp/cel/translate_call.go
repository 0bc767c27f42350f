package cel

import "github.com/kakehi/kakehi/internal/diag"

// functions are those that a condition or a selector may call, with one
// argument each.
var functions = map[string]func(t *translator, e *Call, x Operand) Operand{
	"int":       toInt,
	"double":    toDouble,
	"string":    toString,
	"size":      size,
	"parseJson": parseJSON,
}

func functionNames() []string { return []string{"int", "double", "string", "size", "parseJson"} }

func (t *translator) call(e *Call) Operand {
	f := functions[e.Func]
	switch {
	case f == nil:
		hint := diag.DidYouMean(e.Func, functionNames())
		if hint == "" {
			hint = "the functions are int, double, string, size and parseJson"
		}
		return t.fail(e.At, hint, "the function %q is not supported here", e.Func)
	case len(e.Args) != 1:
		return t.fail(e.At, "", "%s takes one argument, not %d", e.Func, len(e.Args))
	case e.Func == "parseJson":
		if v, ok := e.Args[0].(*Variable); ok && v.Name == "string_value" {
			return t.parsedText(e, v)
		}
	}
	x := t.operand(e.Args[0])
	if t.failed != nil {
		return Operand{}
	}
	return f(t, e, x)
}

// parsedText is the value whose JSON text string_value is: what is no string
// needs no text.
func (t *translator) parsedText(e *Call, v *Variable) Operand {
	x := t.variable(v)
	if t.failed == nil && t.env.Value.Type != String && t.env.Value.Type != Dyn {
		return *t.env.Value
	}
	return parseJSON(t, e, x)
}

func (t *translator) badArgument(e *Call, x Operand) Operand {
	return t.fail(e.Args[0].Pos(), "", "%s does not take %s", e.Func, x.Type)
}

// toInt rounds towards zero, as Cloud Workflows does.
func toInt(t *translator, e *Call, x Operand) Operand {
	switch x.Type {
	case Int:
		return x
	case Double, String, Dyn:
		return Operand{X: call(e.At, "int", x.X), Type: Int}
	}
	return t.badArgument(e, x)
}

func toDouble(t *translator, e *Call, x Operand) Operand {
	switch x.Type {
	case Double:
		return x
	case Int, String, Dyn:
		return Operand{X: call(e.At, "double", x.X), Type: Double}
	}
	return t.badArgument(e, x)
}

func toString(t *translator, e *Call, x Operand) Operand {
	switch x.Type {
	case String:
		return x
	case Int, Double, Bool, Dyn:
		return Operand{X: call(e.At, "string", x.X), Type: String}
	}
	return t.badArgument(e, x)
}

func size(t *translator, e *Call, x Operand) Operand {
	switch x.Type {
	case String, List, Struct, Dyn:
		return Operand{X: call(e.At, "len", x.X), Type: Int}
	}
	return t.badArgument(e, x)
}

func parseJSON(t *translator, e *Call, x Operand) Operand {
	switch x.Type {
	case String, Dyn:
		return Operand{X: call(e.At, "json.decode", x.X), Type: Dyn}
	}
	return t.badArgument(e, x)
}
