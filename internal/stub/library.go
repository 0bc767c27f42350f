package stub

import (
	"slices"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/form"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Stubbed lists the functions that a definition calls and that only stubs
// know: connectors of services that nobody emulates.
func Stubbed(f *workflow.File, library interp.Library, files ...*File) []string {
	var names []string
	for _, name := range workflow.Calls(f) {
		if _, ok := library(name); ok || slices.ContainsFunc(f.Workflows, func(w *workflow.Workflow) bool { return w.Name == name }) {
			continue
		}
		if slices.ContainsFunc(files, func(f *File) bool { return f.names(name) }) {
			names = append(names, name)
		}
	}
	return names
}

// names reports whether a stub or a hook of f is for a function.
func (f *File) names(function string) bool {
	return slices.ContainsFunc(f.Stubs, func(s *Stub) bool { return s.Call != "" && glob(s.Call, function) }) ||
		slices.ContainsFunc(f.hooks, func(h *hook) bool { return h.name == function })
}

// Library adds functions that only stubs know.
func Library(base interp.Library, stubbed []string) interp.Library {
	if len(stubbed) == 0 {
		return base
	}
	return func(name string) (*interp.Func, bool) {
		if !slices.Contains(stubbed, name) {
			return base(name)
		}
		return &interp.Func{Named: true, Connector: true, Start: func(*interp.Context, []value.Value) interp.Next {
			return interp.Fail(value.Errorf(value.ValueError, "%s is not emulated, and no stub has an answer to this call", name))
		}}, true
	}
}

// Signature adds those functions to what [workflow.Check] knows.
func Signature(base func(string) (workflow.Signature, bool), stubbed []string) func(string) (workflow.Signature, bool) {
	return func(name string) (workflow.Signature, bool) {
		if slices.Contains(stubbed, name) {
			return workflow.Signature{Named: true, Blocking: true}, true
		}
		return base(name)
	}
}

const noStub = "--env, --seed and --start, and in tests env, seed and start, set what comes from outside"

// computes reports whether a function of the library is no call that waits.
func computes(name string) bool {
	fn, ok := stdlib.Funcs()(name)
	return ok && fn.Start == nil
}

// Unused warns of stubs for what a definition does not have: a misspelt
// function or step would never answer. Handlers are not looked at, since a hook
// file serves many definitions.
func Unused(f *workflow.File, files ...*File) diag.List {
	r := &form.Reader{}
	names := NamesOf(f)
	for _, file := range files {
		for _, s := range file.Stubs {
			s.Check(r, names)
		}
	}
	for i := range r.Found {
		r.Found[i].Severity = diag.Warning
	}
	return r.Found
}
