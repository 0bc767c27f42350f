//go:build unix

package emulator_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/kakehi/kakehi/internal/discovery"
)

// TestMissingAPIs: of an API that the cloud does not have, no method answers.
func TestMissingAPIs(t *testing.T) {
	c := start(t)
	for _, api := range []string{"batch.v1", "bigquery.v2", "cloudbuild.v1", "dataflow.v1b3", "documentai.v1", "pubsub.v1"} {
		a, _ := discovery.Load(api)
		for name := range a.Names() {
			if m, _ := a.Method(name); c.has(m) {
				t.Errorf("%s.%s is served", api, name)
			}
		}
	}
}

var variable = regexp.MustCompile(`\{([^}=]*)[^}]*\}`)

// has reports whether the cloud knows a method: it answers with anything but
// the reason for one that it does not have.
func (c *cloud) has(m *discovery.Method) bool {
	c.t.Helper()
	collection := m.Name[:strings.LastIndexByte(m.Name, '.')]
	base, err := url.Parse(m.API.Base + variable.ReplaceAllStringFunc(m.Path, func(v string) string {
		return resourceFor(collection, variable.FindStringSubmatch(v)[1])
	}))
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), m.Verb, c.base+base.RequestURI(), strings.NewReader("{}"))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Host = base.Host
	r.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return !strings.Contains(string(body), "NOT_EMULATED")
}

// resourceFor returns a name of a resource of a collection, such as
// projects.locations.endpoints, or of what it is in.
func resourceFor(collection, param string) string {
	if param != "name" && param != "parent" && param != "resource" {
		return "none"
	}
	parts := strings.Split(collection, ".")
	if param == "parent" {
		parts = parts[:len(parts)-1]
	}
	for i, part := range parts {
		id := "none"
		switch part {
		case "projects", "namespaces":
			id = "kakehi-local"
		case "locations":
			id = "us-central1"
		}
		parts[i] = part + "/" + id
	}
	return strings.Join(parts, "/")
}

// TestAnnotations compares the tables with the HTTP annotations of those of the
// APIs that are linked into this program: two descriptions of Google's own.
func TestAnnotations(t *testing.T) {
	compared := map[string]int{}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			host, _ := proto.GetExtension(service.Options(), annotations.E_DefaultHost).(string)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
				verb, path := ruleOf(rule)
				version, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
				name := strings.TrimSuffix(host, ".googleapis.com") + "." + version
				a, ok := discovery.Load(name)
				if !ok {
					continue
				}
				compared[name]++
				if path == "/v1/{parent=projects/*/locations/*/models/*/evaluations/*}/slices:batchImport" {
					continue // the document has the slices in the parameter
				}
				if !described(a, verb, path) {
					t.Errorf("%s: %s has no %s %s", method.FullName(), name, verb, path)
				}
			}
		}
		return true
	})
	for _, name := range []string{"aiplatform.v1", "run.v2", "workflows.v1", "workflowexecutions.v1"} {
		if compared[name] < 4 {
			t.Errorf("%s: only %d methods were compared", name, compared[name])
		}
	}
}

func ruleOf(rule *annotations.HttpRule) (verb, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get
	case *annotations.HttpRule_Put:
		return "PUT", p.Put
	case *annotations.HttpRule_Post:
		return "POST", p.Post
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch
	}
	return "", ""
}

// described reports whether an API has a method with the same verb, path and
// parameters. The annotations name these in snake case, and a field of the body
// by its path.
func described(a *discovery.API, verb, path string) bool {
	want := variable.ReplaceAllStringFunc(strings.TrimPrefix(path, "/"), func(v string) string {
		field := variable.FindStringSubmatch(v)[1]
		words := strings.Split(field[strings.LastIndexByte(field, '.')+1:], "_")
		for i, w := range words[1:] {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
		return "{" + strings.Join(words, "") + "}"
	})
	for name := range a.Names() {
		m, _ := a.Method(name)
		if m.Verb == verb && m.Path == want {
			return true
		}
	}
	return false
}
