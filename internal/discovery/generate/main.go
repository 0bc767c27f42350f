// Command generate writes the tables of package discovery from Google's own
// API discovery documents, which the module google.golang.org/api carries in
// the version that go.mod names. The same module gives the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("generate: ")
	if err := run("apis"); err != nil {
		log.Fatal(err)
	}
}

// run replaces the tables in dir.
func run(dir string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		return fmt.Errorf("find google.golang.org/api: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, a := range connectors {
		for _, version := range a.versions {
			if err := write(strings.TrimSpace(string(root)), dir, a, version); err != nil {
				return fmt.Errorf("%s %s: %w", a.name, version, err)
			}
		}
	}
	return nil
}

func write(root, dir string, a api, version string) error {
	d, err := read(root, a.name, version)
	if err != nil {
		return err
	}
	text, err := table(a, d)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = z.Write(text)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, a.name+"."+version+".gz"), packed.Bytes(), 0o644)
}

// document is as much of a discovery document as the tables need.
type document struct {
	Name, Version, Revision string
	RootURL                 string `json:"rootUrl"`
	ServicePath             string
	Parameters              map[string]parameter
	Auth                    struct {
		OAuth2 struct{ Scopes map[string]any }
	}
	Schemas map[string]schema
	resource
}

type resource struct {
	Methods   map[string]method
	Resources map[string]resource
}

type method struct {
	HTTPMethod  string
	Path        string
	Parameters  map[string]parameter
	Order       []string `json:"parameterOrder"`
	Request     *ref
	Response    *ref
	Scopes      []string
	MediaUpload struct {
		Protocols struct {
			Simple struct{ Path string }
		}
	}
}

type parameter struct {
	Type, Format, Location string
	Required, Repeated     bool
}

type ref struct {
	Ref string `json:"$ref"`
}

type schema struct {
	ref
	Enum       []string
	Items      *schema
	Properties map[string]schema
}

// read finds the document of a version. It looks into the documents, since the
// folders are not all named as the versions.
func read(root, name, version string) (*document, error) {
	files, err := filepath.Glob(filepath.Join(root, name, "*", name+"-api.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		d := &document{}
		if err := json.Unmarshal(data, d); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		// Compute Engine's v1.preview calls itself v1, too.
		if d.Version == version && !strings.Contains(file, "preview") {
			return d, nil
		}
	}
	return nil, fs.ErrNotExist
}

// walk calls visit for each method with its dotted name.
func (r resource) walk(prefix string, visit func(name string, m method)) {
	for name, m := range r.Methods {
		visit(prefix+name, m)
	}
	for name, sub := range r.Resources {
		sub.walk(prefix+name+".", visit)
	}
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
