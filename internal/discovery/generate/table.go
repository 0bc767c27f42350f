package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// table writes the table of one version of an API: facts about all of it, a
// line each, an empty line, and a line for each method, sorted by name. The
// fields of a line are separated by tabs; package discovery reads them.
func table(a api, d *document) ([]byte, error) {
	var b bytes.Buffer
	fact := func(name string, values ...string) {
		if len(values) > 0 {
			fmt.Fprintf(&b, "%s\t%s\n", name, strings.Join(values, " "))
		}
	}
	fact("revision", d.Revision)
	fact("base", d.RootURL+d.ServicePath)
	fact("poll", operationPath(d)...)
	if a.region != "" && !(a.name == "run" && d.Version == "v2") { // whose resource names say where
		fact("region", a.region, a.regions)
	}
	fact("standard", sorted(d.Parameters)...)
	scopes := sorted(d.Auth.OAuth2.Scopes)
	fact("scopes", scopes...)
	var methods []string
	states := map[string][]string{}
	d.walk("", func(name string, m method) {
		wait := waitOf(a, d, name, m)
		if wait != "" {
			states[wait] = append(states[wait], statesOf(d, m)...)
		}
		params := append(parameters(m), a.more[name]...)
		methods = append(methods, line(name, m, wait, params, d, scopes))
	})
	for _, wait := range sorted(states) {
		slices.Sort(states[wait])
		if values := slices.Compact(states[wait]); len(values) > 0 {
			fact("states", slices.Insert(values, 0, wait)...)
		}
	}
	slices.Sort(methods)
	fmt.Fprintf(&b, "\n%s", strings.Join(methods, ""))
	if strings.ContainsRune(b.String(), '\r') {
		return nil, fmt.Errorf("a carriage return in the document")
	}
	return b.Bytes(), nil
}

// line writes a method: name, verb, path, path of uploads, kind of waiting,
// whether there is a body, scopes by number, and parameters.
func line(name string, m method, wait string, params []string, d *document, scopes []string) string {
	body := ""
	if m.Request != nil {
		body = "body"
	}
	upload := ""
	if path := m.MediaUpload.Protocols.Simple.Path; path != "" {
		upload = strings.TrimSuffix(d.RootURL, "/") + plain(path)
	}
	var accepted []string
	for _, scope := range m.Scopes {
		accepted = append(accepted, fmt.Sprint(slices.Index(scopes, scope)))
	}
	fields := []string{name, m.HTTPMethod, plain(m.Path), upload, wait, body, strings.Join(accepted, " "), strings.Join(params, " ")}
	return strings.Join(fields, "\t") + "\n"
}

var reserved = strings.NewReplacer("{+", "{")

// plain writes a path with all its parameters as {name}: names of resources
// stand in it as they are.
func plain(path string) string { return reserved.Replace(path) }

// parameters lists those of the path in the order of the API, then the others
// by name, each with its type and its properties: ! required, * repeated.
func parameters(m method) []string {
	names := slices.Clone(m.Order)
	for _, name := range sorted(m.Parameters) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	out := make([]string, 0, len(names))
	for _, name := range names {
		p := m.Parameters[name]
		kind := p.Type
		if p.Format == "google-fieldmask" {
			kind = "fieldmask"
		}
		text := name + ":" + kind
		if p.Required || p.Location == "path" {
			text += "!"
		}
		if p.Repeated {
			text += "*"
		}
		out = append(out, text)
	}
	return out
}

// operationPath is the path under which operations are read, if there is one
// for all of them.
func operationPath(d *document) []string {
	var paths []string
	d.walk("", func(_ string, m method) {
		path := plain(m.Path)
		if m.HTTPMethod == "GET" && isOperation(d, m.Response) && strings.HasSuffix(path, "/{name}") {
			paths = append(paths, path)
		}
	})
	slices.Sort(paths)
	return slices.Compact(paths)
}

// isOperation reports whether a message is a google.longrunning.Operation.
func isOperation(d *document, r *ref) bool {
	if r == nil {
		return false
	}
	p := d.Schemas[r.Ref].Properties
	_, done := p["done"]
	_, response := p["response"]
	_, failure := p["error"]
	return done && response && failure
}

// isStatusOperation reports whether a message is an operation in the form of
// Compute Engine: it has a status, and a URL of its own.
func isStatusOperation(d *document, r *ref) bool {
	if r == nil || !strings.HasSuffix(r.Ref, "Operation") {
		return false
	}
	p := d.Schemas[r.Ref].Properties
	_, status := p["status"]
	_, link := p["selfLink"]
	return status && link
}

// begins are the last names of methods that start the work of the resource
// with which they answer; others, such as patch, do not.
var begins = []string{"create", "insert", "launch", "run", "startManualRuns", "scheduleRuns", "replaceService", "replaceJob"}

var packagePrefix = regexp.MustCompile(`^Google(?:Cloud)?[A-Z][a-z]*V[0-9]+(?:beta[0-9]+)?_*`)

// waitOf is how a connector waits for a method: not at all ("") for one that
// only reads.
func waitOf(a api, d *document, name string, m method) string {
	switch {
	case m.HTTPMethod == "GET" || m.Response == nil:
		return ""
	case isOperation(d, m.Response):
		return "operation"
	case isStatusOperation(d, m.Response):
		return "status"
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if !slices.Contains(begins, last) {
		return ""
	}
	return a.waits[packagePrefix.ReplaceAllString(m.Response.Ref, "")]
}

// statesOf lists the values of the state of a method's answer.
func statesOf(d *document, m method) []string {
	p := d.Schemas[m.Response.Ref].Properties
	for _, path := range [][]string{{"state"}, {"currentState"}, {"status", "state"}, {"job", "currentState"}, {"runs", "state"}} {
		if values := enum(d, p, path); values != nil {
			return values
		}
	}
	return nil
}

func enum(d *document, p map[string]schema, path []string) []string {
	s, ok := p[path[0]]
	if !ok {
		return nil
	}
	if s.Items != nil {
		s = *s.Items
	}
	if s.Ref != "" {
		s = d.Schemas[s.Ref]
	}
	if len(path) == 1 {
		return s.Enum
	}
	return enum(d, s.Properties, path[1:])
}
