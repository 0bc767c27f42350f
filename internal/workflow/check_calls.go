package workflow

import (
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// call checks a call step.
func (r *routine) call(c *Call) {
	r.value("args", c.Args)
	if sig, ok := r.signature(c.At, c.Func); ok {
		r.args(c, sig)
	}
	if c.Result != "" {
		r.write(c.ResultAt, c.Result)
	}
}

// connector reports whether a function is one of the connectors, whose
// methods are too many to know.
func connector(name string) bool { return strings.HasPrefix(name, "googleapis.") }

// signature looks a function up, and reports it when it is not there. The
// answer is false also when nothing is known about its arguments.
func (r *routine) signature(at diag.Pos, name string) (Signature, bool) {
	if w, ok := r.subs[name]; ok {
		return subSignature(w), true
	}
	if connector(name) || r.options.Functions == nil {
		return Signature{}, false
	}
	sig, ok := r.options.Functions(name)
	switch {
	case !ok:
		hint := r.suggest(name, func() []string { return append(r.subNames(), r.options.FunctionNames...) })
		r.errorf(at, "unknown-function", hint, "symbol '%s' not found", name)
	case sig.Value:
		r.errorf(at, "unknown-function", "", "'%s' is not a function", name)
	}
	return sig, ok && !sig.Value
}

// subSignature describes a subworkflow. Parameters with a default may stand
// before those without, so Required is only right for their number.
func subSignature(w *Workflow) Signature {
	var sig Signature
	for _, p := range w.Params {
		sig.Params = append(sig.Params, p.Name)
		if p.Default == nil {
			sig.Required = len(sig.Params)
		}
	}
	return sig
}

// args checks the arguments of a call step against a signature.
func (r *routine) args(c *Call, sig Signature) {
	if list, ok := c.Args.(*List); ok {
		r.count(c.At, c.Func, len(list.Items), sig)
		return
	}
	args, ok := c.Args.(*Map)
	if !ok {
		args = &Map{}
	}
	given := make(map[string]bool)
	for _, e := range args.Entries {
		key, ok := e.Key.(*Lit)
		if !ok {
			return // known at run time only
		}
		name, _ := key.Value.(string)
		given[name] = true
		if !slices.Contains(sig.Params, name) {
			r.errorf(key.At, "unknown-argument", diag.DidYouMean(name, sig.Params), "'%s' has no parameter '%v'", c.Func, key.Value)
		}
	}
	for i, name := range sig.Params {
		if !given[name] && r.required(c.Func, i, sig) {
			r.errorf(c.At, "missing-argument", "", "'%s' needs the argument '%s'", c.Func, name)
		}
	}
}

// required reports whether parameter i has to be given.
func (r *routine) required(name string, i int, sig Signature) bool {
	if w := r.subs[name]; w != nil {
		return w.Params[i].Default == nil
	}
	return i < sig.Required
}

// count checks the number of arguments given by position.
func (r *routine) count(at diag.Pos, name string, n int, sig Signature) {
	switch {
	case n > len(sig.Params):
		r.errorf(at, "unknown-argument", "", "'%s' takes at most %d arguments; got %d", name, len(sig.Params), n)
	case n < sig.Required:
		r.errorf(at, "missing-argument", "", "'%s' needs the argument '%s'", name, sig.Params[n])
	}
}

// callExpr checks a call in an expression.
func (r *routine) callExpr(c *expr.Call) {
	// An official sample reads secrets in expressions; other connectors wait.
	blocking := connector(c.Func) && !strings.HasSuffix(c.Func, ".accessString")
	if sig, ok := r.signature(c.At, c.Func); ok {
		blocking = sig.Blocking
		if !blocking {
			r.count(c.At, c.Func, len(c.Args), sig)
		}
	}
	if blocking {
		r.errorf(c.At, "blocking", `call it in a step of its own: "call: `+c.Func+`" with a result`, "'%s' waits for the outside world and cannot be called in an expression", c.Func)
	}
}
