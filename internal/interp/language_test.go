package interp_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestLanguage runs the definitions in testdata/language: NAME.yaml, with the
// argument in NAME.arg if there is one, has the outcome NAME.want.
func TestLanguage(t *testing.T) {
	files, err := filepath.Glob("testdata/language/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { checkArchive(t, file) })
	}
}

func checkArchive(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string][]byte{}
	for _, f := range archive.Files {
		data[f.Name] = f.Data
	}
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		name, ok := strings.CutSuffix(f.Name, ".yaml")
		if !ok {
			continue
		}
		got := describe(t, string(f.Data), string(data[name+".arg"]))
		out.Files = append(out.Files, f)
		if arg, ok := data[name+".arg"]; ok {
			out.Files = append(out.Files, txtar.File{Name: name + ".arg", Data: arg})
		}
		out.Files = append(out.Files, txtar.File{Name: name + ".want", Data: []byte(got)})
		if want := string(data[name+".want"]); got != want && !*update {
			t.Errorf("%s: (-want +got)\n%s", name, cmp.Diff(want, got))
		}
	}
	if *update {
		if text := txtar.Format(out); !bytes.Equal(text, txtar.Format(archive)) {
			if err := os.WriteFile(file, text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// describe runs src and tells what came of it: the outcome, the error's
// context, the steps, the virtual time and the log.
func describe(t *testing.T, src, arg string) string {
	t.Helper()
	var b strings.Builder
	cfg := virtual()
	cfg.Env = map[string]string{"NAME": "value"}
	start := cfg.Clock.Now()
	cfg.Log = func(e interp.LogEntry) {
		fmt.Fprintf(&b, "log: %s %q", e.Severity, e.Text)
		if e.JSON != nil {
			fmt.Fprintf(&b, " %s", value.MustJSON(e.JSON))
		}
		fmt.Fprintf(&b, " at %v\n", e.Time.Sub(start))
	}
	o := run(t, src, arg, cfg)
	fmt.Fprintf(&b, "%s\n", show(o))
	if o.Err != nil {
		fmt.Fprintf(&b, "%s\n", o.Err.Context)
	}
	fmt.Fprintf(&b, "%d steps, %v\n", o.Steps, cfg.Clock.Now().Sub(start).Round(time.Millisecond))
	return b.String()
}
