package workflow

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// scope holds the variables of a workflow, loop, handler or branch
// (cloud.google.com/workflows/docs/reference/syntax/variables).
type scope struct {
	parent *scope
	vars   map[string]bool
	shared map[string]bool // what a parallel branch or iteration may assign of its surroundings; else nil
}

func newScope(parent *scope) *scope {
	return &scope{parent: parent, vars: make(map[string]bool)}
}

// share makes s the scope of a branch or iteration of p, if p is not nil.
func (s *scope) share(p *Parallel) {
	if p == nil {
		return
	}
	s.shared = make(map[string]bool)
	for _, name := range p.Shared {
		s.shared[name] = true
	}
}

// find returns the scope that has a variable.
func (s *scope) find(name string) (*scope, bool) {
	for ; s != nil; s = s.parent {
		if s.vars[name] {
			return s, true
		}
	}
	return nil, false
}

// declare adds the variables that steps assign, unless an outer scope has
// them. Loops, handlers and branches keep theirs to themselves.
func (s *scope) declare(steps []*Step) {
	for _, step := range steps {
		switch a := step.Do.(type) {
		case *Assign:
			for _, it := range a.Items {
				if id, ok := it.Target.(*expr.Ident); ok {
					s.add(id.Name)
				}
			}
		case *Call:
			s.add(a.Result)
		case *Switch:
			for _, arm := range a.Arms {
				s.declare([]*Step{arm.Body})
			}
		case *Try:
			s.declare([]*Step{a.Body})
		case *Steps:
			s.declare(a.Steps)
		}
	}
}

func (s *scope) add(name string) {
	if _, ok := s.find(name); !ok && name != "" {
		s.vars[name] = true
	}
}

// target checks the left side of an assignment.
func (r *routine) target(x expr.Expr) {
	for {
		switch t := x.(type) {
		case *expr.Ident:
			r.write(t.At, t.Name)
			return
		case *expr.Member:
			x = t.X
		case *expr.Index:
			r.expr(t.Key)
			x = t.X
		default:
			return
		}
	}
}

// write checks an assignment to a variable, or to a part of it.
func (r *routine) write(at diag.Pos, name string) {
	owner, ok := r.scope.find(name)
	if !ok {
		r.unknown(at, name)
		return
	}
	for s := r.scope; s != owner; s = s.parent {
		if s.shared != nil && !s.shared[name] {
			r.errorf(at, "not-shared", `add it to "shared:" of the parallel step, or use another name in the branch`,
				"variable %q exists outside of the parallel branch and is not shared, so it cannot be assigned here", name)
			return
		}
	}
}

// unknown reports a name that means nothing.
func (r *routine) unknown(at diag.Pos, name string) {
	hint := ""
	if where, ok := r.inner[name]; ok {
		hint = "it is assigned inside a " + where + " only, and unknown outside; assign it before, too"
	} else if len(name) > 2 { // every short name resembles another
		hint = r.suggest(name, r.visible)
	}
	r.errorf(at, "unknown-name", hint, "symbol '%s' is neither a variable nor a sub-workflow name", name)
}

// visible returns the names of variables and workflows, sorted.
func (r *routine) visible() []string {
	names := r.subNames()
	for s := r.scope; s != nil; s = s.parent {
		for v := range s.vars {
			names = append(names, v)
		}
	}
	sort.Strings(names)
	return names
}

// value checks the expressions in a value; doing says what it is.
func (r *routine) value(doing string, n Node) {
	r.doing = doing
	WalkNodes(n, func(n Node) {
		switch n := n.(type) {
		case *Expr:
			r.length(n)
			r.expr(n.X)
		case *Lit:
			if s, ok := n.Value.(string); ok {
				r.interpolation(n.At, s)
			}
		}
	})
	r.doing = ""
}

func (r *routine) length(e *Expr) {
	n := e.Width
	if n <= r.limits.ExpressionLength && n > 0 {
		return
	}
	if n == 0 {
		n = utf8.RuneCountInString(expr.String(e.X))
	}
	if n > r.limits.ExpressionLength {
		r.errorf(e.At, "limit", "assign parts of it to variables first", "the expression is %d characters long; the limit is %d", n, r.limits.ExpressionLength)
	}
}

// reference matches ${name} or ${name.key…} inside a string.
var reference = lazyregexp.New(`\$\{ *([A-Za-z_][A-Za-z0-9_]*)[.\[ }]`)

// interpolation warns of strings that look as if a variable should be
// inserted, which the language does not do.
func (r *routine) interpolation(at diag.Pos, s string) {
	if !strings.Contains(s, "${") {
		return
	}
	m := reference.FindStringSubmatch(s)
	if m == nil {
		return
	}
	if _, ok := r.scope.find(m[1]); ok {
		r.warnf(at, "interpolation", `make the whole string one expression, such as ${"a" + b}`, "${%s…} inside a longer string is not replaced by its value", m[1])
	}
}

// expr checks the names in an expression.
func (r *routine) expr(x expr.Expr) {
	expr.Walk(x, func(x expr.Expr) bool {
		switch x := x.(type) {
		case *expr.Ident:
			r.read(x)
		case *expr.Member:
			r.member(x)
			return false
		case *expr.Call:
			r.callExpr(x)
		case *expr.Binary:
			r.precedence(x)
		}
		return true
	})
}

// read checks a name that stands for a value.
func (r *routine) read(x *expr.Ident) {
	if _, ok := r.scope.find(x.Name); ok {
		return
	}
	if _, ok := r.subs[x.Name]; !ok {
		r.unknown(x.At, x.Name)
	}
}

// member checks a member and all that it is a member of.
func (r *routine) member(x *expr.Member) {
	root := x.X
	for m, ok := root.(*expr.Member); ok; m, ok = root.(*expr.Member) {
		root = m.X
	}
	head, ok := root.(*expr.Ident)
	switch {
	case !ok:
		r.expr(root)
	case !r.constant(x, head.Name):
		r.read(head)
	}
}

// longestName is how many dots the name of a function may have at most.
const longestName = 12

// constant reports whether x, whose first name is head, or what x is a member
// of, is a name of the standard library, as in http.default_retry, or looks
// like one.
func (r *routine) constant(x *expr.Member, head string) bool {
	if _, ok := r.scope.find(head); ok {
		return false
	}
	if r.options.Functions == nil {
		return true
	}
	name, _ := expr.Dotted(x)
	known := name
	if parts := strings.SplitN(name, ".", longestName+2); len(parts) > longestName+1 {
		known = strings.Join(parts[:longestName+1], ".")
	}
	for known != "" {
		if _, ok := r.options.Functions(known); ok {
			return true
		}
		known = known[:max(0, strings.LastIndexByte(known, '.'))]
	}
	if !slices.ContainsFunc(r.options.FunctionNames, func(f string) bool { return strings.HasPrefix(f, head+".") }) {
		return false // meant as a variable
	}
	hint := r.suggest(name, func() []string { return r.options.FunctionNames })
	r.errorf(x.Pos(), "unknown-function", hint, "symbol '%s' not found", name)
	return true
}

// precedence warns of not a == b, which is (not a) == b.
func (r *routine) precedence(x *expr.Binary) {
	if u, ok := x.X.(*expr.Unary); ok && u.Op == "not" && x.Op != "and" && x.Op != "or" {
		fix := expr.String(&expr.Unary{Op: "not", X: &expr.Binary{X: u.X, Op: x.Op, Y: x.Y}})
		r.warnf(u.At, "precedence", "write "+fix, "not binds tighter than %s", x.Op)
	}
}
