package compile_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/spec"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/workflow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sections are the parts of an archive that the test writes.
var sections = []string{"workflow.yaml", "runtime", "errors"}

// TestGolden compiles the pipeline.yaml of each archive. workflow.yaml is what
// is expected, without the runtime, whose subworkflows are listed in runtime;
// errors is what is expected instead.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { golden(t, name) })
	}
}

func golden(t *testing.T, name string) {
	a := readArchive(t, name)
	got := map[string]string{"workflow.yaml": "", "runtime": "", "errors": ""}
	f, err := compile.Compile(parse(t, a), compile.Options{File: "pipeline.yaml", Source: []byte(a.file("pipeline.yaml"))})
	if err != nil {
		got["errors"] = err.Error() + "\n"
	} else {
		own, runtime := divide(f)
		got["workflow.yaml"] = string(workflow.Format(own))
		got["runtime"] = strings.Join(runtime, "\n") + "\n"
		checkFile(t, f)
	}
	if *update {
		if err := os.WriteFile(name, []byte(a.with(sections, got)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, section := range sections {
		if diff := cmp.Diff(a.file(section), got[section]); diff != "" {
			t.Errorf("%s (-want +got; go test -update rewrites it):\n%s", section, diff)
		}
	}
}

// parse reads the archive's pipeline, which may name its other files.
func parse(t *testing.T, a *archive) *pipeline.Pipeline {
	t.Helper()
	read := func(name string) ([]byte, error) {
		if text := a.file(name); text != "" {
			return []byte(text), nil
		}
		return nil, fmt.Errorf("no file %s in the archive", name)
	}
	p, err := spec.Parse("pipeline.yaml", []byte(a.file("pipeline.yaml")), spec.Options{ReadFile: read})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// divide splits the runtime off: what follows the pipelines' own workflows.
func divide(f *workflow.File) (*workflow.File, []string) {
	own := *f
	var runtime []string
	for i, w := range f.Workflows {
		if w.Name != "main" && !strings.HasSuffix(w.Name, "_pipeline") && !strings.Contains(w.Name, "_pipeline_") {
			for _, w := range f.Workflows[i:] {
				runtime = append(runtime, w.Name)
			}
			own.Workflows = f.Workflows[:i]
			break
		}
	}
	return &own, runtime
}

// sameTree compares trees as texts do: without positions and comments, which
// the parser passes over.
func sameTree(t *testing.T, want, got any) {
	t.Helper()
	forget(reflect.ValueOf(want))
	forget(reflect.ValueOf(got))
	if !reflect.DeepEqual(want, got) {
		t.Errorf("the text is not the tree (-tree +text):\n%s", cmp.Diff(want, got))
	}
}

// forget zeroes what a text does not hold. It changes the tree.
func forget(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			forget(v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 && v.CanSet() {
			v.SetZero()
		}
		for i := range v.Len() {
			forget(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch f := v.Field(i); {
			case f.Type() == reflect.TypeFor[diag.Pos](), v.Type().Field(i).Name == "Comment", v.Type().Field(i).Name == "Width":
				f.SetZero()
			default:
				forget(f)
			}
		}
	}
}

// checkFile holds for every definition that the compiler makes: it would be
// deployed, and its text reads as the same tree.
func checkFile(t *testing.T, f *workflow.File) {
	t.Helper()
	text := workflow.Format(f)
	parsed, err := workflow.Parse(f.Name, text)
	if err != nil {
		t.Fatalf("the output does not parse: %v\n%s", err, text)
	}
	own, runtime := divide(f)
	read, readRuntime := divide(parsed)
	if diff := cmp.Diff(runtime, readRuntime); diff != "" {
		t.Errorf("subworkflows (-tree +text):\n%s", diff)
	}
	if found := workflow.Check(parsed, workflow.CheckOptions{Source: text, Functions: stdlib.Signature}); len(found) > 0 {
		t.Errorf("the output would not be deployed:\n%s", found.Error())
	}
	for _, w := range f.Workflows {
		for _, s := range w.Steps {
			if !s.At.IsValid() {
				t.Errorf("step %s of %s has no position", s.Name, w.Name)
			}
		}
	}
	// The runtime is shared between definitions, and has a test of its own.
	sameTree(t, own.Workflows, read.Workflows)
}

// TestRuntimeText: what is emitted of the runtime reads as what it was made
// from.
func TestRuntimeText(t *testing.T) {
	f, err := compile.Compile(parse(t, readArchive(t, "testdata/job.txtar")), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := workflow.Parse("", workflow.Format(f))
	if err != nil {
		t.Fatal(err)
	}
	again, err := workflow.Parse("", workflow.Format(parsed))
	if err != nil {
		t.Fatal(err)
	}
	sameTree(t, parsed, again)
}

func TestCompileIsDeterministic(t *testing.T) {
	a := readArchive(t, "testdata/parallel.txtar")
	var first []byte
	for range 20 {
		f, err := compile.Compile(parse(t, a), compile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		text := workflow.Format(f)
		if first == nil {
			first = text
		}
		if !bytes.Equal(first, text) {
			t.Fatal("the same pipeline gave different bytes")
		}
	}
}

// chainsOf writes a pipeline of n function tasks in chains of ten.
func chainsOf(n int) []byte {
	var b strings.Builder
	b.WriteString("pipeline: large\nparams: {seed: 1}\ntasks:\n")
	for i := range n {
		fmt.Fprintf(&b, "  task_%d:\n    function: step\n", i)
		if i%10 == 0 {
			b.WriteString("    in: {seed: $params.seed}\n")
		} else {
			fmt.Fprintf(&b, "    in: {data: $task_%d.data, seed: $params.seed}\n", i-1)
		}
		b.WriteString("    out: {data: Dataset, rows: int}\n")
	}
	return []byte(b.String())
}

func TestRequires(t *testing.T) {
	for name, want := range map[string]compile.Requirements{
		"job":    {Images: []string{"ko://./fit", "us-docker.pkg.dev/p/r/tool@sha256:" + strings.Repeat("0123456789abcdef", 4), "us-docker.pkg.dev/p/r/train:1"}, Jobs: true},
		"serve":  {Functions: []string{"probe", "rollout", "train"}, Images: []string{"us-docker.pkg.dev/p/r/server:2"}, ModelServer: true, Services: []string{"careful", "direct"}},
		"sub":    {Functions: []string{"fetch", "join", "score", "train"}},
		"onexit": {Functions: []string{"clean", "notify", "work"}},
	} {
		p := parse(t, readArchive(t, "testdata/"+name+".txtar"))
		got := compile.Requires(p)
		if name == "job" {
			if len(got.Inputs) != 1 || got.Inputs[0].Name != "data" {
				t.Errorf("job: inputs %v, want data", got.Inputs)
			}
			got.Inputs = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestDeepAndRepeatedPipelines: files that name each other twice, level by
// level, are checked in reasonable time, and refused where calls would nest
// too deep.
func TestDeepAndRepeatedPipelines(t *testing.T) {
	inner := &pipeline.Pipeline{Name: "p0", Tasks: []*pipeline.Task{{Name: "leaf", Kind: &pipeline.Function{Name: "f"}}}}
	nest := func(depth int) *pipeline.Pipeline {
		p := inner
		for i := range depth {
			p = &pipeline.Pipeline{Name: fmt.Sprintf("p%d", i+1), Tasks: []*pipeline.Task{
				{Name: "a", Kind: &pipeline.Sub{Pipeline: p}}, {Name: "b", Kind: &pipeline.Sub{Pipeline: p}},
			}}
		}
		return p
	}
	if _, err := compile.Compile(nest(12), compile.Options{}); err != nil {
		t.Errorf("12 levels: %v", err)
	}
	if _, err := compile.Compile(nest(40), compile.Options{}); err == nil || !strings.Contains(err.Error(), "too-deep") {
		t.Errorf("40 levels: %v, want too-deep", err)
	}
	many := &pipeline.Pipeline{Name: "many", Tasks: slices.Repeat(inner.Tasks, 100_000)}
	if _, err := compile.Compile(many, compile.Options{}); err == nil || !strings.Contains(err.Error(), "too-large") {
		t.Errorf("100000 tasks: %v, want too-large", err)
	}
}

func TestLargePipelineFitsTheSourceLimit(t *testing.T) {
	p, err := spec.Parse("pipeline.yaml", chainsOf(100), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := compile.Compile(p, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, f)
	if size, limit := len(workflow.Format(f)), workflow.DefaultLimits().SourceBytes; size > limit {
		t.Errorf("100 tasks compile to %d bytes, limit %d", size, limit)
	}
}

func BenchmarkCompile100Tasks(b *testing.B) {
	src := chainsOf(100)
	for b.Loop() {
		p, err := spec.Parse("pipeline.yaml", src, spec.Options{})
		if err != nil {
			b.Fatal(err)
		}
		f, err := compile.Compile(p, compile.Options{Source: src})
		if err != nil {
			b.Fatal(err)
		}
		workflow.Format(f)
	}
}
