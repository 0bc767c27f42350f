package conformance

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
)

// corpus is the folder of public definitions, which is no part of the
// repository. What we say of it is, so the page can be made without it:
// refused.tsv has the definitions that we refuse, the code of an error and why
// that is right; differs.tsv those whose expected result,
// a claim of somebody else's test, we do not give, and why.
const (
	corpus     = "../../../shared/corpus/workflows"
	corpusSize = 489
)

// definition is one of the corpus.
type definition struct {
	path     string
	expected string // its result, in the words of the test that it comes from
	offline  bool   // it needs nothing outside
	source   []byte
}

func definitions(t testing.TB) []definition {
	t.Helper()
	file, err := os.Open(filepath.Join(corpus, "INDEX.tsv"))
	if err != nil {
		t.Skip("the corpus of public definitions is not on this machine: ", err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []definition
	for _, row := range rows[1:] {
		source, err := os.ReadFile(filepath.Join(corpus, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		// Terraform's templates double the dollar.
		source = bytes.ReplaceAll(source, []byte("$${"), []byte("${"))
		all = append(all, definition{row[0], row[6], row[7] == "yes", source})
	}
	return all
}

// remark is a line of refused.tsv or differs.tsv.
type remark struct{ path, code, reason string }

func remarks(t testing.TB, name string) []remark {
	t.Helper()
	var all []remark
	for line := range strings.Lines(read(t, name)) {
		cols := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cols) != 3 {
			t.Fatalf("%s: %q has not three columns", name, line)
		}
		all = append(all, remark{cols[0], cols[1], cols[2]})
	}
	return all
}

func byPath(all []remark) map[string]remark {
	m := make(map[string]remark, len(all))
	for _, r := range all {
		m[r.path] = r
	}
	return m
}

func hasError(found diag.List, code string) bool {
	return slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Severity == diag.Error && d.Code == code })
}

// TestCorpusAccepted checks that every definition of the corpus is accepted,
// or refused for the reason that we give.
func TestCorpusAccepted(t *testing.T) {
	refused := byPath(remarks(t, "refused.tsv"))
	accepted, all := 0, definitions(t)
	for _, d := range all {
		p, found := deploy(d.source)
		known, ok := refused[d.path]
		delete(refused, d.path)
		switch {
		case p != nil && ok:
			t.Errorf("%s is accepted, but refused.tsv has it", d.path)
		case p == nil && !ok:
			t.Errorf("%s is refused:\n%v", d.path, found)
		case p == nil && !hasError(found, known.code):
			t.Errorf("%s: no error is %q:\n%v", d.path, known.code, found)
		case p != nil:
			accepted++
		}
	}
	for path := range refused {
		t.Errorf("%s is in refused.tsv, but not in the corpus", path)
	}
	if len(all) != corpusSize {
		t.Errorf("the corpus has %d definitions, the page says %d", len(all), corpusSize)
	}
	t.Logf("accepted %d of %d definitions", accepted, len(all))
}
