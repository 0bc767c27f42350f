// Package discovery knows the methods of Google's APIs that Workflows has
// connectors for: their HTTP requests, parameters and scopes, as Google's API
// discovery documents describe them. The tables in apis are generated and
// compressed; one is unpacked when a method of its API is first asked for.
package discovery

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./generate

//go:embed apis
var tables embed.FS

// API is one version of an API.
type API struct {
	Name, Version string // such as aiplatform, v1
	Revision      string // of its discovery document: a date, such as 20261028
	Base          string // what the paths of its methods begin with
	Region        Region
	// Poll is the path of its operations, with {name}; "" if it has none, or
	// if an operation tells its own URL.
	Poll string
	// Standard are the parameters that all methods take, such as alt.
	Standard []string
	// States lists, by kind of waiting, the states that a resource can be in.
	States map[string][]string

	scopes  []string
	methods string // the lines of the table
}

// Region says which argument of a connector chooses the host.
type Region struct {
	Param    string // "" if none does
	Required bool
	Default  string // "" for the host without a region
}

// Method is a method of an API.
type Method struct {
	API    *API
	Name   string // such as projects.locations.customJobs.create
	Verb   string
	Path   string // below API.Base, with its parameters as {name}
	Upload string // URL for uploads of media, or ""
	// Wait is how a connector waits until the method's work is done: "" not
	// at all, "operation" for a google.longrunning.Operation, "status" for one
	// in the form of Compute Engine, or the kind of the resource that it
	// answers with, such as job.
	Wait   string
	Body   bool     // takes one
	Scopes []string // any of them is enough
	Params []Param  // those of the path first
}

// Param is a parameter of the path or the query. A dot in its name parts the
// fields of a message, as in updateMask.fieldPaths.
type Param struct {
	Name     string
	Type     string // string, integer, boolean, number or fieldmask
	Required bool
	Repeated bool
}

// InPath reports whether a parameter stands in the path.
func (m *Method) InPath(name string) bool { return strings.Contains(m.Path, "{"+name+"}") }

// APIs lists the names of all versions, such as aiplatform.v1, sorted.
func APIs() []string {
	files, err := tables.ReadDir("apis")
	if err != nil {
		panic(fmt.Sprintf("discovery: %v", err)) // embedded
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(f.Name(), ".gz")
	}
	slices.Sort(names)
	return names
}

// Find returns a method by its name with the API's in front, such as
// run.v2.projects.locations.jobs.run.
func Find(name string) (*Method, bool) {
	api, method := Split(name)
	a, ok := Load(api)
	if !ok {
		return nil, false
	}
	return a.Method(method)
}

// Split parts the name of a method into its API's and its own.
func Split(name string) (api, method string) {
	service, rest, _ := strings.Cut(name, ".")
	version, method, _ := strings.Cut(rest, ".")
	return service + "." + version, method
}

var loaded sync.Map // of *API by name

// Load returns a version of an API by its name, such as run.v2.
func Load(name string) (*API, bool) {
	if a, ok := loaded.Load(name); ok {
		return a.(*API), true
	}
	packed, err := tables.ReadFile("apis/" + name + ".gz")
	if err != nil {
		return nil, false
	}
	text, err := unpack(packed)
	if err != nil {
		panic(fmt.Sprintf("discovery: table of %s: %v", name, err)) // embedded; a test reads all
	}
	a, _ := loaded.LoadOrStore(name, parse(name, text))
	return a.(*API), true
}

func unpack(packed []byte) (string, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(z)
	return string(text), err
}

// parse reads the facts about an API; the lines of its methods stay text.
func parse(name, text string) *API {
	facts, methods, _ := strings.Cut(text, "\n\n")
	a := &API{methods: methods, States: map[string][]string{}}
	a.Name, a.Version, _ = strings.Cut(name, ".")
	for line := range strings.Lines(facts) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		words := strings.Fields(value)
		switch key {
		case "revision":
			a.Revision = value
		case "base":
			a.Base = value
		case "poll":
			a.Poll = value
		case "region":
			a.Region = region(words)
		case "standard":
			a.Standard = words
		case "scopes":
			a.scopes = words
		case "states":
			a.States[words[0]] = words[1:]
		}
	}
	return a
}

func region(words []string) Region {
	r := Region{Param: words[0]}
	switch rule := words[1]; rule {
	case "required":
		r.Required = true
	case "optional":
	default:
		r.Default = rule
	}
	return r
}

// Names yields the names of all methods, in order.
func (a *API) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(a.methods) {
			name, _, _ := strings.Cut(line, "\t")
			if !yield(name) {
				return
			}
		}
	}
}

// Method returns a method by its name, such as projects.topics.publish.
func (a *API) Method(name string) (*Method, bool) {
	rest, ok := strings.CutPrefix(a.methods, name+"\t")
	if strings.ContainsAny(name, "\t\n") {
		return nil, false
	}
	if !ok {
		if _, rest, ok = strings.Cut(a.methods, "\n"+name+"\t"); !ok {
			return nil, false
		}
	}
	line, _, _ := strings.Cut(rest, "\n")
	f := strings.Split(line, "\t")
	m := &Method{API: a, Name: name, Verb: f[0], Path: f[1], Upload: f[2], Wait: f[3], Body: f[4] != ""}
	for _, number := range strings.Fields(f[5]) {
		var i int
		fmt.Sscan(number, &i)
		m.Scopes = append(m.Scopes, a.scopes[i])
	}
	for _, text := range strings.Fields(f[6]) {
		m.Params = append(m.Params, param(text))
	}
	return m, true
}

// param reads a parameter, such as "names:string!*".
func param(text string) Param {
	name, kind, _ := strings.Cut(text, ":")
	bare := strings.TrimRight(kind, "!*")
	return Param{Name: name, Type: bare, Required: strings.Contains(kind, "!"), Repeated: strings.Contains(kind, "*")}
}
