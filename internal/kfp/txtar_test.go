package kfp

import (
	"bytes"
	"flag"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"os"

	"github.com/kakehi/kakehi/internal/diag"
)

var update = flag.Bool("update", false, "write the outputs in testdata")

// TestData reads the files of each archive of testdata, and compares what comes
// out with the file NAME.out behind it: the nodes with their places, and what
// is reported. The files in lib are components that graphs refer to.
func TestData(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { checkArchive(t, name) })
	}
}

func checkArchive(t *testing.T, name string) {
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want, files := map[string]string{}, map[string][]byte{}
	for _, f := range a.Files {
		if base, ok := strings.CutSuffix(f.Name, ".out"); ok {
			want[base] = string(f.Data)
		} else {
			files[f.Name] = f.Data
		}
	}
	var out []txtar.File
	for _, f := range a.Files {
		if strings.HasSuffix(f.Name, ".out") {
			continue
		}
		out = append(out, f)
		if strings.HasPrefix(f.Name, "lib/") {
			continue
		}
		got := outcome(t, f, files)
		out = append(out, txtar.File{Name: f.Name + ".out", Data: []byte(got)})
		if diff := cmp.Diff(want[f.Name], got); diff != "" && !*update {
			t.Errorf("%s (-want +got; write it with -update):\n%s", f.Name, diff)
		}
		delete(want, f.Name)
	}
	for left := range want {
		if !*update {
			t.Errorf("%s.out is of no file", left)
		}
	}
	if *update {
		a.Files = out
		if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// outcome is what reading a file comes to, as text.
func outcome(t *testing.T, f txtar.File, files map[string][]byte) string {
	s, diags := Parse(f.Name, f.Data, Options{Component: func(url string) (string, []byte, error) {
		if src, ok := files[url]; ok {
			return url, src, nil
		}
		return "", nil, fs.ErrNotExist
	}})
	if !Is(f.Data) {
		t.Errorf("%s is not recognized", f.Name)
	}
	var b bytes.Buffer
	diag.Render(&b, diags, func(name string) []byte { return files[name] }, false)
	if s == nil && !diags.HasErrors() {
		t.Errorf("%s: neither a pipeline nor an error", f.Name)
	}
	if s != nil && !diags.HasErrors() {
		b.WriteString(dumper{places: true}.spec(s))
	}
	return b.String()
}
