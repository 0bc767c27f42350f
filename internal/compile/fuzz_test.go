package compile_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/spec"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/workflow"
)

// FuzzCompile: a spec that is not refused compiles, to a definition that would
// be deployed unless it is too large.
func FuzzCompile(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(parseArchive(src).file("pipeline.yaml")))
	}
	f.Add([]byte("pipeline: p\ntasks:\n  a: {function: ''}\n"))
	f.Fuzz(func(t *testing.T, src []byte) { checkSpec(t, src) })
}

// checkSpec holds for every text: it is refused with a place, or compiles.
func checkSpec(t *testing.T, src []byte) {
	t.Helper()
	p, err := spec.Parse("pipeline.yaml", src, spec.Options{})
	if err != nil {
		return
	}
	made, err := compile.Compile(p, compile.Options{File: "pipeline.yaml", Source: src})
	if err != nil {
		if list, ok := diag.From(err); !ok || !list[0].Pos.IsValid() {
			t.Errorf("a refusal without a place: %v", err)
		}
		return
	}
	text := workflow.Format(made)
	parsed, err := workflow.Parse("workflow.yaml", text)
	if err != nil {
		t.Errorf("the output does not parse: %v\nof:\n%s", err, src)
		return
	}
	for _, d := range workflow.Check(parsed, workflow.CheckOptions{Source: text, Functions: stdlib.Signature}) {
		if d.Severity == diag.Error && d.Code != "limit" {
			t.Errorf("the output would not be deployed: %v\nof:\n%s", d, src)
		}
	}
}

// Each value of the examples, replaced by others.
func TestOtherValuesCompileOrAreRefused(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	value := regexp.MustCompile(`(: |, |\[|- )([^\s,\[\]{}]+)`)
	for _, name := range archives {
		text := readArchive(t, name).file("pipeline.yaml")
		if len(text) > 4<<10 {
			continue // the same task many times
		}
		for _, at := range value.FindAllStringSubmatchIndex(text, -1) {
			for _, other := range []string{"''", "[]", "null", "-1", "1.5", "x", `"$$x"`, "$bucket", "{a: [1, {b: null}]}"} {
				checkSpec(t, []byte(text[:at[4]]+other+text[at[5]:]))
			}
		}
	}
}
