package workflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusDir holds real definitions; it is no part of the repository.
const corpusDir = "../../../shared/corpus/workflows"

type corpusFile struct {
	path string
	src  []byte
}

func corpus(t testing.TB) []corpusFile {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(corpusDir, "INDEX.tsv"))
	if err != nil {
		t.Skip("the corpus of real workflow definitions is not on this machine")
	}
	var files []corpusFile
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		path, _, _ := strings.Cut(line, "\t")
		src, err := os.ReadFile(filepath.Join(corpusDir, path))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, corpusFile{path, src})
	}
	return files
}
