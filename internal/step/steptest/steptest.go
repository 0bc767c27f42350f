// Package steptest calls functions in tests, as a workflow does.
package steptest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/kakehi/kakehi/internal/executor"
)

// Run is a run of a pipeline whose Cloud Storage is a temporary folder.
type Run struct {
	t     testing.TB
	files executor.Files
}

// New starts a run; the functions of this process see its storage.
func New(t *testing.T) *Run {
	t.Helper()
	root := t.TempDir()
	t.Setenv("KAKEHI_GCS_ROOT", root)
	return &Run{t: t, files: executor.Files{Root: root}}
}

// Path is the file of a gs:// URI.
func (r *Run) Path(uri string) string {
	r.t.Helper()
	name, err := r.files.Path(uri)
	if err != nil {
		r.t.Fatal(err)
	}
	return name
}

// Put writes an object.
func (r *Run) Put(uri, text string) {
	r.t.Helper()
	name := r.Path(uri)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// Get reads an object.
func (r *Run) Get(uri string) string {
	r.t.Helper()
	body, err := os.ReadFile(r.Path(uri))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(body)
}

// Task is a call of a function.
type Task struct {
	Params  map[string]any
	In      map[string]*executor.Artifact
	Out     map[string]string // name to type, such as Dataset
	Handler http.Handler
}

// Answer is what a function answered: an ExecutorOutput, or an error.
type Answer struct {
	executor.Output
	Code  int `json:"-"`
	Error struct {
		Code            int
		Message, Status string
	}
	Body string `json:"-"`
}

// Artifact is the one output artifact of a name.
func (a *Answer) Artifact(name string) *executor.Artifact {
	if list := a.Artifacts[name].Artifacts; len(list) == 1 {
		return list[0]
	}
	return nil
}

// Call sends the task's ExecutorInput; outputs go to gs://b/NAME.
func (r *Run) Call(task Task) *Answer {
	r.t.Helper()
	lists := func(m map[string]*executor.Artifact) map[string]executor.ArtifactList {
		out := map[string]executor.ArtifactList{}
		for name, a := range m {
			out[name] = executor.ArtifactList{Artifacts: []*executor.Artifact{a}}
		}
		return out
	}
	outputs := map[string]*executor.Artifact{}
	for name, kind := range task.Out {
		outputs[name] = &executor.Artifact{Name: name, Type: executor.ArtifactType{SchemaTitle: "system." + kind}, URI: "gs://b/" + name}
	}
	body, err := json.Marshal(map[string]any{
		"inputs":  map[string]any{"parameterValues": task.Params, "artifacts": lists(task.In)},
		"outputs": map[string]any{"artifacts": lists(outputs)},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.Post(task.Handler, body)
}

// Post sends a body.
func (r *Run) Post(h http.Handler, body []byte) *Answer {
	r.t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
	a := &Answer{Code: w.Code, Body: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), a); err != nil {
		r.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if a.Code != http.StatusOK && a.Error.Code != a.Code {
		r.t.Errorf("answer %d has no error of that code: %s", a.Code, w.Body)
	}
	return a
}
