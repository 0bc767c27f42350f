// Package workflows_test keeps the compiled definitions beside their sources.
package workflows_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/spec"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/workflow"
	"github.com/kakehi/kakehi/internal/workflowtest"
)

var update = flag.Bool("update", false, "rewrite the compiled definitions")

// TestCompiled recompiles each pipeline.yaml: workflow.yaml must be what comes
// out, byte for byte, and must be accepted when it is deployed.
func TestCompiled(t *testing.T) {
	sources, err := filepath.Glob("*/pipeline.yaml")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no pipelines: %v", err)
	}
	for _, name := range sources {
		t.Run(filepath.Dir(name), func(t *testing.T) { compiled(t, name) })
	}
}

func compiled(t *testing.T, name string) {
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Parse(name, src, spec.Options{ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	f, err := compile.Compile(p, compile.Options{File: filepath.Base(name), Source: src})
	if err != nil {
		t.Fatal(err)
	}
	got := workflow.Format(f)
	checkDeployable(t, got)
	target := filepath.Join(filepath.Dir(name), "workflow.yaml")
	if *update {
		if err := os.WriteFile(target, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(target)
	if err != nil {
		t.Fatalf("%v; go test ./workflows -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale; go test ./workflows -update rewrites it (-want +got):\n%s", target, diff)
	}
}

func checkDeployable(t *testing.T, text []byte) {
	t.Helper()
	f, err := workflow.Parse("workflow.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	found := workflow.Check(f, workflow.CheckOptions{Functions: stdlib.Signature, FunctionNames: stdlib.Names(), Connectors: stdlib.Connectors, Source: text})
	if len(found) > 0 {
		t.Errorf("it would not be deployed:\n%s", found.Error())
	}
}

// TestWorkflows runs the workflow tests beside the definitions.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("*/*.test.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflow tests: %v", err)
	}
	for _, name := range files {
		f, err := workflowtest.Load(name, os.ReadFile)
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		for _, test := range f.Tests {
			t.Run(filepath.Dir(name)+"/"+test.Name, func(t *testing.T) {
				for _, failure := range f.Run(t.Context(), test).Failures {
					t.Error(failure)
				}
			})
		}
	}
}
