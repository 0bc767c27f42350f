package kfp

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// seeds calls f for the files of the archives of testdata.
func seeds(t testing.TB, f func(src []byte)) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range a.Files {
			if !strings.HasSuffix(file.Name, ".out") {
				f(file.Data)
			}
		}
	}
}

// FuzzParse reads pipelines and components of all kinds.
func FuzzParse(f *testing.F) {
	seeds(f, func(src []byte) { f.Add(src) })
	f.Fuzz(func(t *testing.T, src []byte) {
		Is(src)
		checkParse(t, src)
	})
}

// FuzzComponent reads what stands below a component's implementation, with
// itself for the components that it refers to.
func FuzzComponent(f *testing.F) {
	seeds(f, func(src []byte) {
		if i := bytes.Index(src, []byte("\nimplementation:")); i >= 0 {
			f.Add(src[i+len("\nimplementation:"):])
		}
	})
	const head = "name: Fuzz\ninputs: [{name: Text}, {name: Data, type: CSV}, {name: Rows, type: Integer, default: '5'}]\noutputs: [{name: Model}, {name: Said, type: String}]\nimplementation:"
	f.Fuzz(func(t *testing.T, body []byte) { checkParse(t, append([]byte(head), body...)) })
}

// checkParse reads a file, and checks what can be said of any outcome.
func checkParse(t *testing.T, src []byte) {
	t.Helper()
	calls := 0
	s, diags := Parse("f", src, Options{Component: func(string) (string, []byte, error) {
		calls++
		return "f", src, nil
	}})
	if s == nil && !diags.HasErrors() {
		t.Fatal("neither a pipeline nor an error")
	}
	if len(diags) > 2*(maxErrors+1) || calls > maxComponents {
		t.Fatalf("%d mistakes, %d components", len(diags), calls)
	}
	lines := bytes.Count(src, []byte("\n")) + 1
	for _, d := range diags {
		if d.Pos.Line < 1 || d.Pos.Line > lines || d.Pos.Col < 1 || d.Message == "" {
			t.Fatalf("%#v", d)
		}
	}
	diag.Render(&bytes.Buffer{}, diags, func(string) []byte { return src }, true)
	if !diags.HasErrors() {
		checkSound(t, s)
	}
}

// checkSound checks what the compiler may rely on: everything is there that was
// not reported.
func checkSound(t *testing.T, s *Spec) {
	t.Helper()
	if s.Root == nil || s.Root.DAG == nil {
		t.Fatal("no root")
	}
	for _, c := range s.all() {
		switch {
		case (c.DAG == nil) == (c.Executor == nil):
			t.Fatalf("component %q: DAG %v, executor %v", c.Name, c.DAG, c.Executor)
		case c.Executor != nil:
			if c.Executor.Kind == nil {
				t.Fatalf("executor %q does nothing", c.Executor.Name)
			}
			continue
		}
		for _, task := range c.DAG.Tasks {
			if task.Component == nil || task.When != nil && task.When.X == nil {
				t.Fatalf("task %q", task.Name)
			}
			for _, i := range append(task.Parameters, task.Artifacts...) {
				if i.From == nil || i.Selector != nil && i.Selector.X == nil {
					t.Fatalf("input %q of task %q", i.Name, task.Name)
				}
			}
		}
	}
	dumper{places: true}.spec(s)
}

// FuzzPlaceholders splits texts, and joins them again.
func FuzzPlaceholders(f *testing.F) {
	for _, s := range []string{
		"a {{$}} b", "{{$.inputs.parameters['x']}}{{$.outputs.artifacts[\"y\"].metadata['k']}}", "{{$.pipeline_job_name}} {{$.nothing}} {{$ {{",
		`{"Concat": ["a", "{{$.inputs.artifacts['x'].uri}}", {"IfPresent": {"InputName": "x", "Then": ["b"], "Else": "c"}}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts, diags := parsePlaceholders(text, func(offset int) diag.Pos {
			if !strings.HasPrefix(text[offset:], "{{$") {
				t.Fatalf("no placeholder at %d", offset)
			}
			return diag.Pos{File: "f", Line: 1, Col: offset + 1}
		})
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(p.Text)
			if p.Placeholder == nil {
				continue
			}
			b.WriteString(p.Placeholder.Text)
			if again := parsePlaceholder(p.Placeholder.write()); again == nil || again.Of != p.Placeholder.Of {
				t.Fatalf("%s is written as %s", p.Placeholder.Text, p.Placeholder.write())
			}
		}
		if parts != nil && b.String() != text {
			t.Fatalf("%q became %q", text, b.String())
		}
		diag.Render(&bytes.Buffer{}, diags, func(string) []byte { return []byte(text) }, false)
		checkArg(text)
	})
}

// checkArg reads a text as an argument.
func checkArg(text string) {
	var b strings.Builder
	writeJSON(&b, &Text{Value: text})
	if docs, _ := source.Read("f", []byte(b.String())); len(docs) == 1 && docs[0] != nil {
		r := &reader{}
		walkArgs([]Arg{r.arg(docs[0])}, func(*Text) {}, func(*IfPresent) {})
	}
}
