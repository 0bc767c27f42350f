package stdlib

import (
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/discovery"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// methodOf returns the API method that a connector calls.
func methodOf(connector string) (*discovery.Method, bool) {
	name, ok := strings.CutPrefix(connector, "googleapis.")
	if !ok {
		return nil, false
	}
	return discovery.Find(name)
}

// connector returns the function of a connector. It exists for any name under
// googleapis, but fails where there is no such method.
func connector(name string) (*interp.Func, bool) {
	if !strings.HasPrefix(name, "googleapis.") {
		return nil, false
	}
	start := func(c *interp.Context, args []value.Value) interp.Next {
		m, ok := methodOf(name)
		if !ok {
			return interp.Fail(value.Errorf(value.ValueError, "there is no connector %s", name))
		}
		return callMethod(c, name, m, args[0].(*value.Map))
	}
	return &interp.Func{Named: true, Connector: true, Start: start}, true
}

// Connectors lists connectors that name may stand for: those of the API that
// it names, or else one of each API.
func Connectors(name string) []string {
	var names []string
	for _, e := range entries {
		if e.Func.Connector {
			names = append(names, e.Name)
		}
	}
	wanted, method := discovery.Split(strings.TrimPrefix(name, "googleapis."))
	if a, ok := discovery.Load(wanted); ok {
		for m := range a.Names() {
			names = append(names, "googleapis."+wanted+"."+m)
		}
		return names
	}
	for _, api := range discovery.APIs() {
		if a, _ := discovery.Load(api); a != nil {
			if _, ok := a.Method(method); ok {
				names = append(names, "googleapis."+api+"."+method)
			}
		}
	}
	return names
}

// methodSignature describes the connector of a method. A message among the
// parameters is one argument, by the first part of its fields' names.
func methodSignature(m *discovery.Method) workflow.Signature {
	sig := workflow.Signature{Blocking: true, Connector: true, Scopes: m.Scopes}
	add := func(name string) {
		if !slices.Contains(sig.Params, name) {
			sig.Params = append(sig.Params, name)
		}
	}
	for _, p := range m.Params {
		if p.Required {
			add(p.Name)
		}
	}
	region := m.API.Region
	if region.Required || region.Param != "" && region.Default == "" && !strings.HasSuffix(m.Name, ".list") { // the host without a region only lists
		add(region.Param)
	}
	sig.Required = len(sig.Params)
	for _, p := range m.Params {
		name, _, _ := strings.Cut(p.Name, ".")
		add(name)
	}
	if region.Param != "" {
		add(region.Param)
	}
	if m.Body {
		add("body")
	}
	add("query")
	for _, name := range m.API.Standard {
		add(name)
	}
	add("connector_params")
	return sig
}
