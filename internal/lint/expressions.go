package lint

import (
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// expression warns of arguments that look lazy: default and if evaluate all of
// theirs.
func (l *linter) expression(x expr.Expr) {
	expr.Walk(x, func(x expr.Expr) bool {
		c, ok := x.(*expr.Call)
		switch {
		case !ok:
		case c.Func == "default" && len(c.Args) == 2 && isPart(c.Args[0]):
			l.warn(c.At, "eager", "write "+mapGet(c.Args[0], c.Args[1]),
				"default does not help where the key is missing: its arguments are evaluated first, and "+expr.String(c.Args[0])+" raises KeyError")
		case c.Func == "if" && len(c.Args) == 3:
			l.guarded(c)
		}
		return true
	})
}

// isPart reports whether x reads a key that may be missing.
func isPart(x expr.Expr) bool {
	switch x := x.(type) {
	case *expr.Member:
		return true
	case *expr.Index:
		_, item := x.Key.(*expr.Literal)
		return !item || isText(x.Key)
	}
	return false
}

func isText(x expr.Expr) bool {
	lit, ok := x.(*expr.Literal)
	if !ok {
		return false
	}
	_, ok = lit.Value.(string)
	return ok
}

// mapGet words the call that reads x safely.
func mapGet(x, byDefault expr.Expr) string {
	var of, key expr.Expr
	switch x := x.(type) {
	case *expr.Member:
		of, key = x.X, &expr.Literal{Value: x.Name}
	case *expr.Index:
		of, key = x.X, x.Key
	}
	get := &expr.Call{Func: "map.get", Args: []expr.Expr{of, key}}
	return "${" + expr.String(&expr.Call{Func: "default", Args: []expr.Expr{get, byDefault}}) + "}"
}

// guarded warns of if("k" in m, m.k, …), whose guard does not guard.
func (l *linter) guarded(c *expr.Call) {
	in, ok := c.Args[0].(*expr.Binary)
	if !ok || in.Op != "in" || !isText(in.X) {
		return
	}
	key, _ := in.X.(*expr.Literal).Value.(string)
	of := expr.String(in.Y)
	for _, arm := range c.Args[1:] {
		expr.Walk(arm, func(x expr.Expr) bool {
			if readsKey(x, of, key) {
				l.warn(c.At, "eager", "use switch, or default(map.get("+of+", "+expr.String(in.X)+"), …)",
					"if evaluates both of its values, so "+expr.String(x)+" raises KeyError where the key is missing")
				return false
			}
			return true
		})
	}
}

// readsKey reports whether x is of.key or of["key"].
func readsKey(x expr.Expr, of, key string) bool {
	switch x := x.(type) {
	case *expr.Member:
		return x.Name == key && expr.String(x.X) == of
	case *expr.Index:
		lit, ok := x.Key.(*expr.Literal)
		return ok && lit.Value == key && expr.String(x.X) == of
	}
	return false
}

// literal warns of a string that was meant as an expression: YAML cuts a plain
// scalar at " #", and reads ": " in a list item as the end of a key.
func (l *linter) literal(lit *workflow.Lit) {
	s, ok := lit.Value.(string)
	if !ok {
		return
	}
	l.secret(lit, s)
	if strings.HasPrefix(s, "${") && len(s) > len("${") && !strings.Contains(s, "}") {
		l.warn(lit.At, "unclosed-expression", `quote the whole of it: '${…}'`,
			`this is a plain string, since it does not end in "}": YAML ends a value that is not quoted at " #", and a key at ": "`)
	}
}
