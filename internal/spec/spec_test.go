package spec

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file, or writes it.
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
		t.Fatalf("%v (write it with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale (-want +got; write it with -update):\n%s", file, diff)
	}
}

// specs returns the specs of a folder of testdata, and fails if a golden file
// is left over.
func specs(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	found := map[string]bool{}
	for _, e := range entries {
		switch ext := filepath.Ext(e.Name()); ext {
		case ".yaml", ".json":
			files = append(files, filepath.Join(folder, e.Name()))
			found[e.Name()] = true
		}
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".out"); ok && !found[name] {
			t.Errorf("%s has no spec", e.Name())
		}
	}
	return files
}

func TestParse(t *testing.T) {
	for _, file := range append(specs(t, "testdata/ok"), penguins) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(file, src, Options{ReadFile: os.ReadFile})
			if err != nil {
				t.Fatal(err)
			}
			if file != penguins {
				golden(t, file+".out", dump(p))
			}
		})
	}
}

// penguins is the main example, which must be free of warnings too.
const penguins = "../../workflows/penguins/pipeline.yaml"

func TestExampleHasNoWarnings(t *testing.T) {
	src, err := os.ReadFile(penguins)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(penguins, src, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if l := p.Validate(); len(l) > 0 {
		t.Error(l)
	}
}

func TestErrors(t *testing.T) {
	for _, file := range specs(t, "testdata/err") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(file, src, Options{ReadFile: os.ReadFile})
			l := positioned(t, map[string][]byte{file: src}, err)
			var b bytes.Buffer
			diag.Render(&b, l, func(name string) []byte {
				src, err := os.ReadFile(name)
				if err != nil {
					t.Error(err)
				}
				return src
			}, false)
			golden(t, file+".out", b.String())
		})
	}
}

// positioned checks that err is a list of mistakes, each with a place within
// its file, and returns it. Files that are not given are not checked.
func positioned(t *testing.T, files map[string][]byte, err error) diag.List {
	t.Helper()
	l, ok := diag.From(err)
	if !ok {
		t.Fatalf("no list of mistakes: %v", err)
	}
	if !l.HasErrors() {
		t.Errorf("no mistake: %v", l)
	}
	for _, d := range l {
		src, known := files[d.Pos.File]
		lines := strings.Split(string(src), "\n")
		switch {
		case d.Message == "" || d.Code == "":
			t.Errorf("%v says nothing", d)
		case d.Pos.File == "" || d.Pos.Line < 1 || d.Pos.Col < 1:
			t.Errorf("%v is nowhere", d)
		case !known:
		case d.Pos.Line > len(lines):
			t.Errorf("%v is after the last line, %d", d, len(lines))
		case d.Pos.Col > len([]rune(lines[d.Pos.Line-1]))+1:
			t.Errorf("%v is after the end of its line %q", d, lines[d.Pos.Line-1])
		}
	}
	return l
}
