package lint

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/workflow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestRules checks the warnings about the definitions in testdata: those about
// NAME.yaml are in NAME.want.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out := &txtar.Archive{Comment: archive.Comment}
		want := map[string]string{}
		for _, f := range archive.Files {
			want[f.Name] = string(f.Data)
		}
		for _, f := range archive.Files {
			name, ok := strings.CutSuffix(f.Name, ".yaml")
			if !ok {
				continue
			}
			got := warnings(t, f.Name, f.Data)
			out.Files = append(out.Files, f, txtar.File{Name: name + ".want", Data: []byte(got)})
			if want := want[name+".want"]; got != want && !*update {
				t.Errorf("%s: %s: (-want +got)\n%s", file, name, cmp.Diff(want, got))
			}
		}
		if text := txtar.Format(out); *update && !bytes.Equal(text, txtar.Format(archive)) {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func warnings(t *testing.T, name string, src []byte) string {
	t.Helper()
	f, err := workflow.Parse(name, src)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var b strings.Builder
	for _, d := range Check(f) {
		if d.Severity != diag.Warning || d.Hint == "" || !d.Pos.IsValid() {
			t.Errorf("%s: a warning without place or hint: %#v", name, d)
		}
		fmt.Fprintln(&b, d)
	}
	return b.String()
}

// justified are the warnings about our own compiled workflows, by code and by
// the line that they are about, and why they are all right.
var justified = map[string]string{
	"unbounded-poll next: poll":  "a job carries scheduling.timeout, so that Vertex AI ends it",
	"unbounded-poll next: check": "an operation of Cloud Run ends by itself",
	"unbounded-poll next: look":  "a rollout waits for evidence as long as it takes; it is cancelled by hand",
	"retry-post call: http.post": "functions/rollout decides from its arguments alone, so asking it twice does no harm",
}

// TestOwnWorkflows checks the workflows of this repository.
func TestOwnWorkflows(t *testing.T) {
	files, err := filepath.Glob("../../workflows/*/workflow.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no compiled workflows: %v", err)
	}
	used := map[string]bool{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := workflow.Parse(file, src)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(src), "\n")
		for _, d := range Check(f) {
			about := d.Code + " " + strings.TrimSpace(lines[d.Pos.Line-1])
			if used[about] = true; justified[about] == "" {
				t.Errorf("%v", d)
			}
		}
	}
	for about := range justified {
		if !used[about] {
			t.Errorf("no workflow has the warning %q any more", about)
		}
	}
}

// TestSecretsAreNotShown keeps a secret out of what is printed about it.
func TestSecretsAreNotShown(t *testing.T) {
	const secret = "AIzaSyA-1234567890abcdefghijklmnopqrstu"
	src := []byte("- a:\n    call: http.get\n    args: {url: 'https://a.example', query: {key: " + secret + "}}\n")
	f, err := workflow.Parse("f.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	found := Check(f)
	diag.Render(&b, found, func(string) []byte { return src }, false)
	if len(found) != 1 || strings.Contains(b.String(), secret[:12]) {
		t.Errorf("%d warnings:\n%s", len(found), b.String())
	}
}
