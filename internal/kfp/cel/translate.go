package cel

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// Type is what is known about a value before a run.
type Type int

// The types. Dyn is a value of any type, such as a field of JSON.
const (
	Dyn Type = iota
	Null
	Bool
	Int
	Double
	String
	List
	Struct
)

func (t Type) String() string {
	return [...]string{"a value of any type", "null", "a boolean", "an integer", "a double", "a string", "a list", "a struct"}[t]
}

func (t Type) isNumber() bool { return t == Int || t == Double }

// An Operand is an expression of Cloud Workflows with the type of its value.
type Operand struct {
	X        expr.Expr
	Type     Type
	Nullable bool // it is null when the parameter was not given
}

// An Env says what the names of an expression stand for.
type Env struct {
	Parameter func(name string) (Operand, bool)
	Artifact  func(name string, item int64) (expr.Expr, bool)
	Names     func() []string // of parameters and artifacts, for messages
	Value     *Operand        // what a selector selects from; nil in a condition
}

// Condition translates a condition. Its value in Cloud Workflows is true where
// it is in CEL, and where CEL gives an error, so does Cloud Workflows or the
// list. Unlike in CEL, an error on one side of && or || is one even if the other
// side decides.
func Condition(e Expr, env Env) (expr.Expr, diag.List) {
	t := translator{env: env}
	o := t.operand(e)
	if t.failed == nil && o.Type != Bool && o.Type != Dyn {
		t.fail(e.Pos(), "", "a condition is true or false, not %s", o.Type)
	}
	return t.result(o)
}

// Select translates a selector.
func Select(e Expr, env Env) (Operand, diag.List) {
	t := translator{env: env}
	o := t.operand(e)
	x, diags := t.result(o)
	return Operand{X: x, Type: o.Type, Nullable: o.Nullable}, diags
}

// A translator translates one expression. The first failure sticks.
type translator struct {
	env    Env
	failed *diag.Diagnostic
	warned diag.List
}

func (t *translator) result(o Operand) (expr.Expr, diag.List) {
	if t.failed != nil {
		return nil, diag.List{*t.failed}
	}
	return o.X, t.warned
}

func (t *translator) fail(at diag.Pos, hint, format string, args ...any) Operand {
	if t.failed == nil {
		t.failed = problem(at, hint, format, args...)
	}
	return Operand{}
}

func (t *translator) operand(e Expr) Operand {
	if t.failed != nil {
		return Operand{}
	}
	switch e := e.(type) {
	case *Literal:
		return Operand{X: &expr.Literal{At: e.At, Value: e.Value}, Type: literalType(e.Value)}
	case *Parameter:
		return t.parameter(e)
	case *Artifact:
		return t.fail(e.At, "add .uri, .name or .metadata['…']", "an artifact is no value to compare")
	case *Variable:
		return t.variable(e)
	case *Member:
		return t.member(e)
	case *Index:
		return t.index(e)
	case *Call:
		return t.call(e)
	case *Unary:
		return t.unary(e)
	case *Binary:
		return t.binary(e)
	}
	return Operand{}
}

func literalType(v any) Type {
	switch v.(type) {
	case bool:
		return Bool
	case int64:
		return Int
	case float64:
		return Double
	case string:
		return String
	}
	return Null
}

// parameter is an input of the task. In schema 2.0.0 a field that is not of the
// value's type reads as 0 or "": nobody means that.
func (t *translator) parameter(e *Parameter) Operand {
	if t.env.Parameter == nil {
		return t.fail(e.At, "", "a selector knows the value it selects from, not the inputs of the task")
	}
	o, ok := t.env.Parameter(e.Name)
	if !ok {
		return t.unknown(e.NameAt, "parameter", e.Name)
	}
	want, ok := map[string]Type{"string_value": String, "int_value": Int, "double_value": Double}[e.Field]
	if ok && o.Type != want && o.Type != Dyn {
		return t.fail(e.NameAt, "", "the parameter %q is %s, and has no %s", e.Name, o.Type, e.Field)
	}
	return o
}

func (t *translator) unknown(at diag.Pos, what, name string) Operand {
	hint := ""
	if t.env.Names != nil {
		hint = diag.DidYouMean(name, t.env.Names())
	}
	return t.fail(at, hint, "the task has no input %s %q", what, name)
}

// forms are the types of the forms of a value that a selector may name.
var forms = map[string]Type{"struct_value": Struct, "list_value": List, "number_value": Double, "bool_value": Bool}

func (t *translator) variable(e *Variable) Operand {
	if t.env.Value == nil {
		return t.fail(e.At, diag.DidYouMean(e.Name, []string{"inputs", "true", "false", "null"}), "%q is not known here", e.Name)
	}
	v := *t.env.Value
	if e.Name == "string_value" {
		return text(v, e.At)
	}
	want, ok := forms[e.Name]
	switch {
	case !ok:
		return t.fail(e.At, "use string_value, struct_value, list_value, number_value or bool_value", "%q is not known here", e.Name)
	case v.Type != want && v.Type != Dyn && !(v.Type.isNumber() && want == Double):
		return t.fail(e.At, "", "the value is %s, and has no %s", v.Type, e.Name)
	case v.Type == Dyn:
		v.Type = want
	}
	return v
}

// text is the JSON text of a value, or the value itself if it is a string.
func text(v Operand, at diag.Pos) Operand {
	encoded := call(at, "json.encode_to_string", v.X)
	switch {
	case v.Type == String && v.Nullable:
		return Operand{X: call(at, "default", v.X, &expr.Literal{At: at, Value: ""}), Type: String}
	case v.Type == String:
		return v
	case v.Type == Dyn:
		return Operand{X: call(at, "if", hasType(v.X, at, String), v.X, encoded), Type: String}
	}
	return Operand{X: encoded, Type: String}
}

func call(at diag.Pos, name string, args ...expr.Expr) *expr.Call {
	return &expr.Call{At: at, Func: name, Args: args}
}

func (t *translator) unary(e *Unary) Operand {
	x := t.operand(e.X)
	switch {
	case t.failed != nil:
		return Operand{}
	case e.Op == "!" && (x.Type == Bool || x.Type == Dyn):
		return Operand{X: &expr.Unary{At: e.At, Op: "not", X: x.X}, Type: Bool}
	case e.Op == "-" && (x.Type.isNumber() || x.Type == Dyn):
		return Operand{X: &expr.Unary{At: e.At, Op: "-", X: x.X}, Type: x.Type}
	}
	return t.fail(e.At, "", "%s does not apply to %s", e.Op, x.Type)
}

// member reads a field: of an artifact, or of a struct.
func (t *translator) member(e *Member) Operand {
	if a, ok := e.X.(*Artifact); ok {
		return t.artifact(a, e)
	}
	return t.field(t.operand(e.X), e.At, &expr.Literal{At: e.At, Value: e.Name}, String)
}

func (t *translator) artifact(a *Artifact, e *Member) Operand {
	if t.env.Artifact == nil {
		return t.fail(a.At, "", "a selector knows the value it selects from, not the inputs of the task")
	}
	x, ok := t.env.Artifact(a.Name, a.Item)
	if !ok {
		return t.unknown(a.NameAt, "artifact", a.Name)
	}
	of, ok := map[string]Type{"uri": String, "name": String, "metadata": Struct}[e.Name]
	if !ok {
		return t.fail(e.At, "it has uri, name and metadata", "an artifact has no %q here", e.Name)
	}
	return Operand{X: &expr.Member{X: x, At: e.At, Name: e.Name}, Type: of}
}

func (t *translator) index(e *Index) Operand {
	x, key := t.operand(e.X), t.operand(e.Key)
	return t.field(x, e.At, key.X, key.Type)
}

// field reads a field of JSON, whose type is not known.
func (t *translator) field(x Operand, at diag.Pos, key expr.Expr, of Type) Operand {
	if t.failed != nil {
		return Operand{}
	}
	asMap := (x.Type == Struct || x.Type == Dyn) && (of == String || of == Dyn)
	asList := (x.Type == List || x.Type == Dyn) && (of == Int || of == Dyn)
	if !asMap && !asList {
		return t.fail(at, "", "%s has no item that %s names", x.Type, of)
	}
	return Operand{X: &expr.Index{X: x.X, At: at, Key: key}, Type: Dyn}
}
