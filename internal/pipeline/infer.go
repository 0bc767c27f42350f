package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
)

// A scope is what the expressions of one place may name.
type scope struct {
	tasks  map[string]*Task
	params map[string]*Param
	self   *Task           // the task that the expression belongs to, or nil
	types  map[string]Type // names without a namespace: built-in names, items
	before bool            // the run: neither tasks nor parameters are known
	later  []*Task         // tasks that run only after this place
}

func newScope(params []*Param, lists ...[]*Task) *scope {
	s := &scope{tasks: map[string]*Task{}, params: map[string]*Param{}, types: Builtins}
	for _, list := range lists {
		for _, t := range list {
			s.tasks[t.Name] = t
		}
	}
	for _, p := range params {
		s.params[p.Name] = p
	}
	return s
}

// beforeRun is the scope of what is evaluated before a run begins.
func beforeRun() *scope { return &scope{types: Builtins, before: true} }

// with returns s with one more name.
func (s *scope) with(name string, t Type) *scope {
	c := *s
	c.types = map[string]Type{name: t}
	for n, t := range s.types {
		if n != name {
			c.types[n] = t
		}
	}
	return &c
}

// of returns s for the expressions of the task t.
func (s *scope) of(t *Task) *scope {
	c := *s
	c.self = t
	return &c
}

// runsLater reports whether a task of that name runs only after this place.
func (s *scope) runsLater(name string) bool {
	return slices.ContainsFunc(s.later, func(t *Task) bool { return t.Name == name })
}

func (s *scope) names() []string {
	names := append(keys(s.types), keys(s.tasks)...)
	if len(s.params) > 0 {
		names = append(names, Params)
	}
	return names
}

func (s *scope) paramNames() []string { return keys(s.params) }

func (t *Task) outputNames() []string {
	var names []string
	for _, o := range t.Out {
		names = append(names, o.Name)
	}
	return names
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// null is the type of null, and of no declared value.
const null Type = "null"

// valueType infers the type of a value, "" when it cannot be known, and reports
// what its expressions have wrong.
func (c *checker) valueType(v Value, s *scope) Type {
	switch v := v.(type) {
	case *Lit:
		return literalType(v.V)
	case *Expr:
		return c.exprType(v.X, s)
	case *Items:
		for _, item := range v.Items {
			c.valueType(item, s)
		}
		return List
	case *Fields:
		for _, f := range v.Fields {
			c.valueType(f.Value, s)
		}
		return Struct
	}
	return ""
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
	return null
}

func (c *checker) exprType(x expr.Expr, s *scope) Type {
	switch x := x.(type) {
	case *expr.Literal:
		return literalType(x.Value)
	case *expr.Ident:
		return c.identType(x, s)
	case *expr.Member:
		return c.memberType(x, s)
	case *expr.Index:
		return c.indexType(x, s)
	case *expr.Call:
		return c.callType(x, s)
	case *expr.Unary:
		return c.unaryType(x, s)
	case *expr.Binary:
		return c.binaryType(x, s)
	case *expr.List:
		for _, item := range x.Items {
			c.exprType(item, s)
		}
		return List
	}
	return ""
}

// identType is the type of a name by itself: a task or params is none.
func (c *checker) identType(x *expr.Ident, s *scope) Type {
	if t, ok := s.types[x.Name]; ok {
		return t
	}
	switch t := s.tasks[x.Name]; {
	case x.Name == Params && !s.before:
		c.at(x.At, len(x.Name)).hint("write params.NAME").errorf("bad-reference", "params is all parameters, not a value")
	case t != nil && t == s.self:
		c.selfReference(x)
	case t != nil:
		c.at(x.At, len(x.Name)).hint(outputsHint(t)).errorf("bad-reference", "%s is a task, not a value", x.Name)
	default:
		c.unknownName(x, s)
	}
	return ""
}

func (c *checker) selfReference(x *expr.Ident) {
	c.at(x.At, len(x.Name)).errorf("cycle", "the task %s depends on itself", x.Name)
}

func outputsHint(t *Task) string {
	if len(t.Out) == 0 {
		return "it has no outputs; declare them with out"
	}
	return "name one of its outputs: " + t.Name + "." + t.Out[0].Name
}

func (c *checker) unknownName(x *expr.Ident, s *scope) {
	d := c.at(x.At, len(x.Name))
	switch {
	case s.before:
		d.hint("only " + strings.Join(keys(s.types), ", ") + " are known before a run")
	case s.params[x.Name] != nil:
		d.hint("write params." + x.Name)
	case s.runsLater(x.Name):
		d.hint("the tasks of onExit run after all others, and after the outputs are taken")
	case x.Name == Event:
		d.hint("event is known in the in of a trigger only")
	case x.Name == Status:
		d.hint("status is known in onExit only")
	case x.Name == DefaultItem:
		d.hint("item is known in a task with foreach, and not in its list")
	default:
		d.hint(c.didYouMean(x.Name, s.names, ""))
	}
	d.errorf("unknown-reference", "there is no task and no built-in name %q", x.Name)
}

// memberType is the type of params.NAME, TASK.OUTPUT or VALUE.FIELD.
func (c *checker) memberType(x *expr.Member, s *scope) Type {
	id, ok := x.X.(*expr.Ident)
	if !ok {
		return c.fieldType(c.exprType(x.X, s), x)
	}
	if t, ok := s.types[id.Name]; ok {
		if id.Name == Status {
			return c.statusType(x)
		}
		return c.fieldType(t, x)
	}
	switch t := s.tasks[id.Name]; {
	case id.Name == Params && !s.before:
		return c.paramType(x, s)
	case t == nil:
		c.unknownName(id, s)
	case t == s.self:
		c.selfReference(id)
	default:
		return c.outputType(t, x)
	}
	return ""
}

func (c *checker) paramType(x *expr.Member, s *scope) Type {
	if p := s.params[x.Name]; p != nil {
		c.used[p] = true
		return p.Type
	}
	c.at(x.At, len(x.Name)).hint(c.didYouMean(x.Name, s.paramNames, "declare it in params")).
		errorf("unknown-reference", "there is no parameter %q", x.Name)
	return ""
}

func (c *checker) outputType(t *Task, x *expr.Member) Type {
	if o := t.Output(x.Name); o != nil {
		if t.ForEach != nil {
			return List
		}
		return o.Type
	}
	if t.Kind == nil { // an earlier mistake
		return ""
	}
	c.at(x.At, len(x.Name)).hint(c.didYouMean(x.Name, t.outputNames, outputsHint(t))).
		errorf("unknown-reference", "the task %s has no output %q", t.Name, x.Name)
	return ""
}

// statusType is the type of a field of [Status]; that of its error is not
// known.
func (c *checker) statusType(x *expr.Member) Type {
	switch x.Name {
	case "state":
		return String
	case "error":
	default:
		c.at(x.At, len(x.Name)).hint("status has state and error").errorf("unknown-reference", "status has no field %q", x.Name)
	}
	return ""
}

// artifactFields are the fields of an artifact that expressions may read: those
// of KFP's RuntimeArtifact.
var artifactFields = map[string]Type{"name": String, "uri": String, "metadata": Struct, "type": Struct}

// fieldType is the type of a value's field.
func (c *checker) fieldType(t Type, x *expr.Member) Type {
	switch {
	case t == "" || t == Struct:
		return ""
	case t.IsArtifact():
		if f, ok := artifactFields[x.Name]; ok {
			return f
		}
		c.at(x.At, len(x.Name)).hint("an artifact has name, uri and metadata").
			errorf("unknown-reference", "an artifact has no field %q", x.Name)
		return ""
	}
	hint := ""
	if t == String {
		hint = fmt.Sprintf("if .%s is text, end the reference with braces: ${%s}.%s", x.Name, expr.String(x.X), x.Name)
	}
	c.at(x.At, len(x.Name)).hint(hint).errorf("type-mismatch", "%s has no field %q", article(t), x.Name)
	return ""
}

func (c *checker) indexType(x *expr.Index, s *scope) Type {
	t, key := c.exprType(x.X, s), c.exprType(x.Key, s)
	switch {
	case t == "" || key == "":
	case t == List:
		if key != Int {
			c.at(x.Key.Pos(), 1).errorf("type-mismatch", "a list is indexed by a whole number, not by %s", article(key))
		}
	case t == Struct || t.IsArtifact():
		if key != String {
			c.at(x.Key.Pos(), 1).errorf("type-mismatch", "%s is indexed by text, not by %s", article(t), article(key))
		}
	default:
		c.at(x.At, 1).errorf("type-mismatch", "%s has no items", article(t))
	}
	return ""
}

func (c *checker) callType(x *expr.Call, s *scope) Type {
	for _, a := range x.Args {
		c.exprType(a, s)
	}
	f, ok := functions[x.Func]
	d := c.at(x.At, len(x.Func))
	switch {
	case blocking(x.Func):
		d.hint("make it a task").errorf("bad-expression", "%s cannot be called in an expression: it waits", x.Func)
	case !ok:
		d.hint(c.didYouMean(x.Func, func() []string { return keys(functions) }, "")).errorf("unknown-function", "Cloud Workflows has no function %s", x.Func)
	case len(x.Args) < f.min || len(x.Args) > f.max:
		d.errorf("bad-expression", "%s takes %s, not %d", x.Func, f.arity(), len(x.Args))
	}
	return f.result
}

func (c *checker) unaryType(x *expr.Unary, s *scope) Type {
	t := c.exprType(x.X, s)
	if x.Op == "not" {
		c.want(t, Bool, x.X, `"not" takes a condition`)
		return Bool
	}
	if t != "" && !numeric(t) {
		c.at(x.At, 1).errorf("type-mismatch", `"-" takes a number, not %s`, article(t))
		return ""
	}
	return t
}

func numeric(t Type) bool { return t == Int || t == Double }

// want reports that x, of type t, should be of another type.
func (c *checker) want(t, wanted Type, x expr.Expr, why string) {
	if t == "" || t == wanted {
		return
	}
	c.at(x.Pos(), len([]rune(expr.String(x)))).errorf("type-mismatch", "%s, and this is %s", why, article(t))
}

func (c *checker) binaryType(x *expr.Binary, s *scope) Type {
	a, b := c.exprType(x.X, s), c.exprType(x.Y, s)
	switch x.Op {
	case "and", "or":
		why := fmt.Sprintf("%q joins conditions", x.Op)
		c.want(a, Bool, x.X, why)
		c.want(b, Bool, x.Y, why)
		return Bool
	case "in":
		if b != "" && b != List && b != Struct {
			c.at(x.At, 2).errorf("type-mismatch", `"in" looks into a list or a struct, not into %s`, article(b))
		}
		return Bool
	case "==", "!=", "<", "<=", ">", ">=":
		c.comparison(x, a, b)
		return Bool
	case "+":
		return c.sumType(x, a, b)
	}
	for _, t := range []Type{a, b} {
		if t != "" && !numeric(t) {
			c.at(x.At, len(x.Op)).errorf("type-mismatch", "%q takes numbers, not %s", x.Op, article(t))
			return ""
		}
	}
	return arithmetic(x.Op, a, b)
}

// arithmetic is the type of a calculation with numbers.
func arithmetic(op string, a, b Type) Type {
	switch {
	case op == "/" || a == Double || b == Double:
		return Double
	case a == Int && b == Int:
		return Int
	}
	return ""
}

// comparison checks that a comparison can come out both ways.
func (c *checker) comparison(x *expr.Binary, a, b Type) {
	if a == "" || b == "" {
		return
	}
	d := c.at(x.At, len(x.Op))
	if x.Op == "==" || x.Op == "!=" {
		if a != b && a != null && b != null && !(numeric(a) && numeric(b)) {
			d.errorf("type-mismatch", "%s and %s are never equal", article(a), article(b))
		}
		return
	}
	if !(numeric(a) && numeric(b)) && !(a == String && b == String) {
		d.errorf("type-mismatch", "%q cannot compare %s with %s", x.Op, article(a), article(b))
	}
}

// sumType follows Cloud Workflows: text with a number or a boolean makes text.
func (c *checker) sumType(x *expr.Binary, a, b Type) Type {
	for _, t := range []Type{a, b} {
		switch {
		case t == List || t == Struct || t == null || t.IsArtifact():
			hint := ""
			switch {
			case t.IsArtifact():
				hint = "an artifact's place is its uri: write NAME.uri"
			case t != null:
				hint = "json.encode_to_string(…) makes text of it"
			}
			c.at(x.At, 1).hint(hint).errorf("type-mismatch", "%s cannot be part of a text or a sum", article(t))
			return ""
		}
	}
	switch {
	case a == String || b == String:
		return String
	case a == Bool || b == Bool:
		c.at(x.At, 1).errorf("type-mismatch", `"+" cannot add a boolean to %s`, article(other(Bool, a, b)))
		return ""
	}
	return arithmetic("+", a, b)
}

// other returns the one of a and b that is not t, or t when both are.
func other(t, a, b Type) Type {
	if a == t {
		return b
	}
	return a
}

// article names a type in a sentence.
func article(t Type) string {
	switch t {
	case "":
		return "something unknown"
	case null:
		return "null"
	case Bool:
		return "a boolean"
	case Int:
		return "an int"
	case Metrics, ClassificationMetrics:
		return string(t)
	}
	if strings.ContainsAny(string(t[0]), "AEIOaeio") || t == HTML {
		return "an " + string(t)
	}
	return "a " + string(t)
}

// assignable reports whether a value of one type may stand where another is
// wanted.
func assignable(to, from Type) bool {
	switch {
	case to == "" || from == "" || to == from:
		return true
	case to == Double:
		return from == Int
	case to.IsArtifact():
		return from == String || from == Artifact || to == Artifact && from.IsArtifact()
	}
	return false
}
