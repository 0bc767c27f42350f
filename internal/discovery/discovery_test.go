package discovery_test

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/discovery"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestSummary compares what the tables hold with a golden file: a new version
// of google.golang.org/api shows here what it changed.
func TestSummary(t *testing.T) {
	var b strings.Builder
	methods, waiting := 0, 0
	for _, name := range discovery.APIs() {
		a, ok := discovery.Load(name)
		if !ok {
			t.Fatalf("%s is listed and cannot be loaded", name)
		}
		n, waits := 0, map[string]int{}
		for method := range a.Names() {
			m, ok := a.Method(method)
			if !ok {
				t.Fatalf("%s.%s is listed and cannot be found", name, method)
			}
			n++
			if m.Wait != "" {
				waits[m.Wait]++
				waiting++
			}
		}
		methods += n
		fmt.Fprintf(&b, "%-28s %s %5d methods, waits %v\n", name, a.Revision, n, waits)
	}
	fmt.Fprintf(&b, "%d APIs, %d methods, %d of them wait\n", len(discovery.APIs()), methods, waiting)
	golden(t, "testdata/summary.txt", b.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", file, d)
	}
}

// TestMethods checks each line of each table for what its reader relies on.
func TestMethods(t *testing.T) {
	verbs := []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	types := []string{"string", "integer", "boolean", "number", "fieldmask"}
	for _, name := range discovery.APIs() {
		a, _ := discovery.Load(name)
		if base, err := url.Parse(a.Base); err != nil || base.Scheme != "https" || !strings.HasSuffix(base.Host, ".googleapis.com") || !strings.HasSuffix(a.Base, "/") {
			t.Errorf("%s: base %q", name, a.Base)
		}
		previous := ""
		for method := range a.Names() {
			m, _ := a.Method(method)
			id := name + "." + method
			if method <= previous {
				t.Errorf("%s comes after %s", id, previous)
			}
			previous = method
			if !slices.Contains(verbs, m.Verb) || m.Path == "" || strings.ContainsAny(m.Path, "+* ") {
				t.Errorf("%s: %s %s", id, m.Verb, m.Path)
			}
			if m.Verb == "GET" && (m.Body || m.Wait != "") {
				t.Errorf("%s: a GET with body %t, wait %q", id, m.Body, m.Wait)
			}
			inPath := 0
			for _, p := range m.Params {
				if !slices.Contains(types, p.Type) || p.Name == "" {
					t.Errorf("%s: parameter %+v", id, p)
				}
				if m.InPath(p.Name) {
					inPath++
					if !p.Required || p.Repeated {
						t.Errorf("%s: parameter %+v of the path", id, p)
					}
				}
			}
			if want := strings.Count(m.Path, "{"); inPath != want {
				t.Errorf("%s: %d of %d parameters of %s are known", id, inPath, want, m.Path)
			}
		}
	}
}

func TestFind(t *testing.T) {
	m, ok := discovery.Find("aiplatform.v1.projects.locations.customJobs.list")
	if !ok {
		t.Fatal("not found")
	}
	if m.Verb+" "+m.API.Base+m.Path != "GET https://aiplatform.googleapis.com/v1/{parent}/customJobs" {
		t.Errorf("got %s %s%s", m.Verb, m.API.Base, m.Path)
	}
	want := []discovery.Param{
		{Name: "parent", Type: "string", Required: true}, {Name: "filter", Type: "string"},
		{Name: "pageSize", Type: "integer"}, {Name: "pageToken", Type: "string"}, {Name: "readMask", Type: "fieldmask"},
	}
	if d := cmp.Diff(want, m.Params); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"https://www.googleapis.com/auth/aiplatform", "https://www.googleapis.com/auth/cloud-platform"}, m.Scopes); d != "" {
		t.Error(d)
	}
	for _, name := range []string{"", "x", "aiplatform", "aiplatform.v1", "aiplatform.v1.", "aiplatform.v1.projects", "aiplatform.v9.projects.locations.customJobs.list", "../x.v1.y", "aiplatform.v1.projects.locations.customJobs.list\tGET"} {
		if _, ok := discovery.Find(name); ok {
			t.Errorf("found %q", name)
		}
	}
}

// BenchmarkFirst is what the first call of a method of the largest API costs.
func BenchmarkFirst(b *testing.B) {
	for b.Loop() {
		discovery.Forget()
		if _, ok := discovery.Find("compute.v1.instances.insert"); !ok {
			b.Fatal("not found")
		}
	}
}
