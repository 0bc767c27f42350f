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

// connector reports whether a function is one of the connectors.
func connector(name string) bool { return strings.HasPrefix(name, "googleapis.") }

// signature looks a function up, and reports it when it is not there. The
// answer is false also when nothing is known about its arguments.
func (r *routine) signature(at diag.Pos, name string) (Signature, bool) {
	if w, ok := r.subs[name]; ok {
		return subSignature(w), true
	}
	if r.options.Functions == nil {
		return Signature{}, false
	}
	sig, ok := r.options.Functions(name)
	switch {
	case !ok && connector(name):
		// Its API may have the method all the same: the service has
		// connectors that this program's tables are too old for.
		hint := r.suggest(name, func() []string {
			if r.options.Connectors == nil {
				return nil
			}
			return r.options.Connectors(name)
		})
		r.warnf(at, "unknown-connector", hint, "there is no connector %s", name)
	case !ok:
		hint := r.suggest(name, func() []string { return append(r.subNames(), r.options.FunctionNames...) })
		r.errorf(at, "unknown-function", hint, "symbol '%s' not found", name)
	case sig.Value:
		r.errorf(at, "unknown-function", "", "'%s' is not a function", name)
	}
	return sig, ok && !sig.Value && !sig.Named
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
	report := r.reporter(sig)
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
			report(key.At, "unknown-argument", diag.DidYouMean(name, sig.Params), "'%s' has no parameter '%v'", c.Func, key.Value)
		}
		if sig.Connector && name == "connector_params" {
			r.settings(name, e.Value)
			r.scopes(c.Func, e.Value, sig.Scopes)
		}
	}
	for i, name := range sig.Params {
		if !given[name] && r.required(c.Func, i, sig) {
			report(c.At, "missing-argument", "", "'%s' needs the argument '%s'", c.Func, name)
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

// reporter is what reports mistakes in the arguments of a function.
func (r *routine) reporter(sig Signature) func(at diag.Pos, code, hint, format string, args ...any) {
	if sig.Connector {
		return r.warnf
	}
	return r.errorf
}

// connectorSettings are the names in connector_params and in its maps.
//
// Source: cloud.google.com/workflows/docs/reference/googleapis.
var connectorSettings = map[string][]string{
	"connector_params": {"polling_policy", "scopes", "skip_polling", "timeout"},
	"polling_policy":   {"initial_delay", "max_delay", "multiplier"},
}

// settings checks the names in connector_params: one that is misspelt would
// leave the default in force.
func (r *routine) settings(of string, n Node) {
	m, ok := n.(*Map)
	known := connectorSettings[of]
	if !ok || known == nil {
		return
	}
	for _, e := range m.Entries {
		key, ok := e.Key.(*Lit)
		if !ok {
			continue
		}
		name, _ := key.Value.(string)
		if !slices.Contains(known, name) {
			r.warnf(key.At, "unknown-argument", diag.DidYouMean(name, known), "%s has no setting '%v'", of, key.Value)
		}
		r.settings(name, e.Value)
	}
}

// scopes checks the scopes in connector_params that are written out: without
// one that the method accepts, its API refuses the call.
func (r *routine) scopes(function string, params Node, accepted []string) {
	m, ok := params.(*Map)
	if !ok || len(accepted) == 0 {
		return
	}
	for _, e := range m.Entries {
		if key, ok := e.Key.(*Lit); !ok || key.Value != "scopes" {
			continue
		}
		given, known := writtenScopes(e.Value)
		if known && len(given) > 0 && !slices.ContainsFunc(given, func(s string) bool { return slices.Contains(accepted, s) }) {
			r.warnf(e.Value.Pos(), "scope", "it accepts "+strings.Join(accepted, ", "), "'%s' accepts none of the scopes", function)
		}
	}
}

// writtenScopes reads scopes as a text or a list of texts; false if they are
// known at run time only.
func writtenScopes(n Node) ([]string, bool) {
	nodes := []Node{n}
	if l, ok := n.(*List); ok {
		nodes = l.Items
	}
	var scopes []string
	for _, n := range nodes {
		lit, ok := n.(*Lit)
		if !ok {
			return nil, false
		}
		text, _ := lit.Value.(string)
		scopes = append(scopes, strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })...)
	}
	return scopes, true
}

// count checks the number of arguments given by position.
func (r *routine) count(at diag.Pos, name string, n int, sig Signature) {
	report := r.reporter(sig)
	switch {
	case n > len(sig.Params):
		report(at, "unknown-argument", "", "'%s' takes at most %d arguments; got %d", name, len(sig.Params), n)
	case n < sig.Required:
		report(at, "missing-argument", "", "'%s' needs the argument '%s'", name, sig.Params[n])
	}
}

// callExpr checks a call in an expression.
func (r *routine) callExpr(c *expr.Call) {
	blocking := connector(c.Func)
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
