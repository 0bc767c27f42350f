package kfp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
)

const corpus = "../../../shared/corpus"

// corpusFiles lists the YAML and JSON files below a folder of the corpus, which
// is not part of the repository.
func corpusFiles(t testing.TB, folder string) []string {
	t.Helper()
	root := filepath.Join(corpus, folder)
	if _, err := os.Stat(root); err != nil {
		t.Skip("the corpus is not here: ../shared/corpus beside the repository")
	}
	var files []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch base := filepath.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && base == "unit_cases":
			return fs.SkipDir
		case base == "EXPECTED.json" || base == "INDEX.json" || filepath.Ext(name) == ".tsv" || d.IsDir():
			return nil
		}
		files = append(files, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestCorpus reads every compiled pipeline: all but the one that is meant to be
// refused are right.
func TestCorpus(t *testing.T) {
	warnings := map[string]int{}
	files := corpusFiles(t, "kfp")
	for _, file := range files {
		src := read(t, file)
		if !Is(src) {
			t.Errorf("%s: not recognized", file)
		}
		s, diags := Parse(file, src, Options{})
		invalid := strings.Contains(file, "/invalid/")
		if s == nil || diags.HasErrors() != invalid {
			t.Errorf("%s: %v", file, diags)
		}
		for _, d := range diags {
			if d.Severity == diag.Warning {
				warnings[d.Code]++
			}
		}
		checkPlaces(t, file, src, diags)
	}
	t.Logf("%d pipelines; warnings: %v", len(files), warnings)
}

// checkPlaces checks that diagnostics can be shown.
func checkPlaces(t *testing.T, file string, src []byte, diags diag.List) {
	t.Helper()
	lines := bytes.Count(src, []byte("\n")) + 1
	for _, d := range diags {
		if d.Pos.File == file && (d.Pos.Line < 1 || d.Pos.Line > lines || d.Pos.Col < 1) {
			t.Errorf("%s: place %s", file, d.Pos)
		}
	}
	diag.Render(&bytes.Buffer{}, diags, func(string) []byte { return src }, true)
}

var emptyImage = regexp.MustCompile(`(?m)^ +image: *(''|"")? *(#.*)?\r?$`)

var errNotHere = errors.New("not part of the corpus")

// TestCorpusComponents reads every component of version 1: those with a
// container are right, those with a graph lack the components they refer to.
func TestCorpusComponents(t *testing.T) {
	containers, graphs := 0, 0
	for _, file := range corpusFiles(t, "components") {
		src := read(t, file)
		if !Is(src) {
			t.Errorf("%s: not recognized", file)
		}
		s, diags := Parse(file, src, Options{Component: func(string) (string, []byte, error) { return "", nil, errNotHere }})
		if s == nil {
			t.Errorf("%s: %v", file, diags)
			continue
		}
		if !bytes.Contains(src, []byte("\n  graph:")) {
			containers++
			noImage := emptyImage.Match(src)
			if diags.HasErrors() != noImage {
				t.Errorf("%s: %v", file, diags)
			}
			continue
		}
		graphs++
		for _, d := range diags {
			if !strings.Contains(d.Message, errNotHere.Error()) {
				t.Errorf("%s", d)
			}
		}
		checkPlaces(t, file, src, diags)
	}
	t.Logf("%d components with a container, %d with a graph", containers, graphs)
}

// TestSameAsKFP compares the components that the KFP SDK can read with what it
// compiles them to.
func TestSameAsKFP(t *testing.T) {
	files := corpusFiles(t, "components_ir")
	var index []struct{ Component, IR, Status string }
	if err := json.Unmarshal(read(t, filepath.Join(corpus, "components_ir/INDEX.json")), &index); err != nil {
		t.Fatal(err)
	}
	d := dumper{sorted: true, skip: []string{
		"Spec.SDKVersion", "Spec.DisplayName", "Spec.Description", // the SDK drops what authors say
		"Parameter.Description", "Artifact.Description",
		"Container.FileOutputs", // and outputs at fixed places
	}}
	same := 0
	for _, entry := range index {
		if entry.Status != "ok" {
			continue
		}
		name := filepath.Join(corpus, "components", entry.Component)
		got, diags := Parse(name, read(t, name), Options{})
		golden := filepath.Join(corpus, "components_ir", entry.IR)
		want, goldenDiags := Parse(golden, read(t, golden), Options{})
		if got == nil || want == nil || diags.HasErrors() != goldenDiags.HasErrors() {
			t.Errorf("%s: %v\n%s: %v", name, diags, golden, goldenDiags)
			continue
		}
		if diff := cmp.Diff(d.spec(want), d.spec(got)); diff != "" {
			t.Errorf("%s: -KFP +ours:\n%.3000s", entry.Component, diff)
			continue
		}
		same++
	}
	t.Logf("%d of %d files are the same", same, len(files))
}
