// Package stdlib is the standard library of Cloud Workflows: a table from
// names to functions for package interp.
//
// Source: cloud.google.com/workflows/docs/reference/stdlib/overview. Where the
// pages leave behaviour open, docs/CONFORMANCE.md has a choice; a comment names
// it where it is made.
package stdlib

import (
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Entry is a function or named value of the library.
type Entry struct {
	Name string
	Func interp.Func
	Doc  string // address of its reference page
	// Inline entries wait for the outside world and may yet be called in an
	// expression.
	Inline  bool
	Example string // a call of it, as an expression or the text of a call step
}

const reference = "https://cloud.google.com/workflows/docs/reference/"

// Entries returns the library, sorted by name. Connectors are not in it but
// for the helpers that no API method stands behind: see [Connectors].
func Entries() []Entry {
	return slices.Clone(entries)
}

var entries = func() []Entry {
	all := slices.Concat(helpers, codecs, texts, collections, numbers, times, system, events, requests, retries, executions, secrets, kubernetes)
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	for i := range all {
		module, function, ok := strings.Cut(all[i].Name, ".")
		if !ok {
			module, function = "expression-helpers", ""
		}
		all[i].Doc = strings.TrimSuffix(reference+"stdlib/"+module+"/"+function, "/")
		switch {
		case module == "gke":
			all[i].Doc = reference + "connectors/gke/" + function
		case all[i].Func.Connector:
			all[i].Doc = reference + "googleapis/" + strings.Split(all[i].Name, ".")[1] + "/Overview"
		}
	}
	return all
}()

var byName = func() map[string]*Entry {
	m := make(map[string]*Entry, len(entries))
	for i := range entries {
		m[entries[i].Name] = &entries[i]
	}
	return m
}()

// Funcs returns the library for [interp.New], connectors included. A name under
// googleapis that no API method has is there as well, and fails when it is
// called.
func Funcs() interp.Library {
	return func(name string) (*interp.Func, bool) {
		if e, ok := byName[name]; ok {
			return &e.Func, true
		}
		return connector(name)
	}
}

// Names lists the names of the library, sorted, without connectors.
func Names() []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names
}

// Signature describes a function for [workflow.Check], connectors included.
func Signature(name string) (workflow.Signature, bool) {
	e, ok := byName[name]
	if !ok {
		m, ok := methodOf(name)
		if !ok {
			return workflow.Signature{}, false
		}
		return methodSignature(m), true
	}
	return workflow.Signature{
		Params:    e.Func.Params,
		Required:  e.Func.Required,
		Blocking:  e.Func.Start != nil && !e.Inline,
		Value:     e.Func.Value != nil,
		Connector: e.Func.Connector,
	}, true
}
