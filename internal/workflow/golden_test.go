package workflow

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// findings parses and checks a source and writes down what was found.
func findings(name string, src []byte) (*File, string) {
	f, err := Parse(name, src)
	var list diag.List
	if err != nil {
		list, _ = diag.From(err)
	} else {
		list = Check(f, testOptions(src))
	}
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintln(&b, d)
	}
	return f, b.String()
}

// golden compares text with the file beside the input.
func golden(t *testing.T, input, got string) {
	t.Helper()
	file := strings.TrimSuffix(strings.TrimSuffix(input, ".yaml"), ".json") + ".out"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s is stale (rewrite it with -update): %s", file, d)
	}
}

// inputs returns the files of a folder that are not golden.
func inputs(t testing.TB, folder string) []string {
	t.Helper()
	yamls, _ := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	jsons, _ := filepath.Glob(filepath.Join("testdata", folder, "*.json"))
	if len(yamls) == 0 {
		t.Fatalf("no inputs in testdata/%s", folder)
	}
	return append(yamls, jsons...)
}

// TestOK holds what is printed for definitions without errors, below the
// warnings about them.
func TestOK(t *testing.T) {
	for _, file := range inputs(t, "ok") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f, found := findings(filepath.Base(file), src)
			if f == nil || Check(f, testOptions(src)).HasErrors() {
				t.Fatal(found)
			}
			checkRoundTrip(t, f)
			golden(t, file, found+"---\n"+string(Format(f)))
		})
	}
}

// TestErr holds the findings in definitions with errors.
func TestErr(t *testing.T) {
	for _, file := range inputs(t, "err") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, found := findings(filepath.Base(file), src)
			golden(t, file, found)
		})
	}
}

// TestGoldenFilesHaveInputs keeps golden files from outliving their inputs.
func TestGoldenFilesHaveInputs(t *testing.T) {
	outs, _ := filepath.Glob("testdata/*/*.out")
	for _, out := range outs {
		base := strings.TrimSuffix(out, ".out")
		if matches, _ := filepath.Glob(base + ".[yj]*"); len(matches) == 0 {
			t.Errorf("%s has no input", out)
		}
	}
}
