package conformance

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/CONFORMANCE.md")

const page = "../../docs/CONFORMANCE.md"

// The files of choices and of what is not emulated have sections of their own
// on the page.
const choicesName, notEmulatedName = "choices", "not-emulated"

// TestPage checks that docs/CONFORMANCE.md says what the tests check.
func TestPage(t *testing.T) {
	got := writePage(t)
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("docs/CONFORMANCE.md is stale (rewrite it with go test ./internal/conformance -update): %s", d)
	}
}

func writePage(t *testing.T) string {
	var tested, choices, missing []*suite
	sentences, probes := 0, 0
	for _, s := range suites(t) {
		switch s.name {
		case choicesName:
			choices = append(choices, s)
		case notEmulatedName:
			missing = append(missing, s)
		default:
			tested = append(tested, s)
		}
		for _, one := range s.sentences {
			sentences++
			probes += one.probes()
		}
	}
	refused, differs, elsewhere := remarks(t, "refused.tsv"), remarks(t, "differs.tsv"), remarks(t, "elsewhere.tsv")
	var b strings.Builder
	fmt.Fprintf(&b, `# Conformance

What the documentation of Cloud Workflows says, in our own words, and the test that checks it. This page is made of the test
data by `+"`go test ./internal/conformance -update`"+`; a test fails when it is stale. A sentence stands here only if its test
passes: %d sentences with %d probes, and %d that tests of other packages check. Nobody has compared them with the real service; where the
documentation is silent, see [Deliberate choices](#deliberate-choices).

The test of a sentence is `+"`TestConformance/SUBJECT/NAME`"+` in internal/conformance, its source the section NAME of
internal/conformance/testdata/SUBJECT.txtar.
`, sentences, probes, len(elsewhere))
	for _, s := range tested {
		fmt.Fprintf(&b, "\n## %s\n\n| sentence | page | probes | test |\n|---|---|--:|---|\n", s.title)
		for _, one := range s.sentences {
			fmt.Fprintf(&b, "| %s | %s | %d | %s/%s |\n", cell(one.text), link(one.doc), one.probes(), s.name, one.name)
		}
	}
	writeElsewhere(&b, elsewhere)
	for _, s := range choices {
		fmt.Fprintf(&b, "\n## %s\n\nThe documentation leaves these open. Each is decided once; the engine, the checks and the library follow.\n\n", s.title)
		b.WriteString("| choice | what | why | page | probes |\n|---|---|---|---|--:|\n")
		for _, one := range s.sentences {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %d |\n", one.name, cell(one.text), cell(one.why), link(one.doc), one.probes())
		}
	}
	for _, s := range missing {
		fmt.Fprintf(&b, "\n## %s\n\n| what | page | test |\n|---|---|---|\n", s.title)
		for _, one := range s.sentences {
			fmt.Fprintf(&b, "| %s | %s | %s/%s |\n", cell(one.text), link(one.doc), s.name, one.name)
		}
	}
	writeCorpus(&b, refused, differs)
	return b.String()
}

func writeElsewhere(b *strings.Builder, all []remark) {
	b.WriteString("\n## Checked by other tests\n\n| sentence | page | test |\n|---|---|---|\n")
	for _, r := range all {
		fmt.Fprintf(b, "| %s | %s | %s |\n", cell(r.reason), link(r.code), r.path)
	}
}

func writeCorpus(b *strings.Builder, refused, differs []remark) {
	fmt.Fprintf(b, `
## Public definitions

A corpus of %d public definitions, which is no part of this repository, is parsed, checked, printed and parsed again, and run where it
needs nothing outside. All are accepted but these %d. Terraform's doubled dollar signs are read as single ones. A piece of a document is a fragment
of a definition that its text shows.

| definition | error | why |
|---|---|---|
`, corpusSize, len(refused))
	for _, r := range refused {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.path, r.code, cell(r.reason))
	}
	b.WriteString("\nOf those with an expected result these do not count: what another project's test claims contradicts the documentation, or is not known.\n\n")
	b.WriteString("| definition | | why |\n|---|---|---|\n")
	for _, r := range differs {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.path, r.code, cell(r.reason))
	}
}

// cell makes text fit into a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// link is a link to a page of the documentation.
func link(doc string) string {
	const base = "https://docs.cloud.google.com/workflows/"
	switch root, _, _ := strings.Cut(doc, "/"); root {
	case "syntax", "stdlib":
		return fmt.Sprintf("[%s](%sdocs/reference/%s)", doc, base, doc)
	case "quotas":
		return fmt.Sprintf("[%s](%s%s)", doc, base, doc)
	}
	return fmt.Sprintf("[%s](%sdocs/%s)", doc, base, doc)
}

// TestChoices checks that the code names no choice that does not exist.
func TestChoices(t *testing.T) {
	known := map[string]bool{}
	for _, s := range suites(t) {
		for _, one := range s.sentences {
			known[one.name] = known[one.name] || s.name == choicesName
		}
	}
	named := regexp.MustCompile(`\(?choice(?:\n// | )([a-z0-9]+(?:-[a-z0-9]+)+)`)
	files, err := filepath.Glob("../[eivws]*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if found++; !known[m[1]] {
				t.Errorf("%s names the choice %s, which does not exist", file, m[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("the code names only %d choices: are its comments written in another way?", found)
	}
}

// TestElsewhere checks that the tests exist that elsewhere.tsv names: folder
// and function, page, sentence.
func TestElsewhere(t *testing.T) {
	for _, r := range remarks(t, "elsewhere.tsv") {
		checkTestExists(t, r.path)
	}
}

// checkTestExists checks that there is a test, given by folder and name.
func checkTestExists(t *testing.T, test string) {
	t.Helper()
	folder, name, ok := strings.Cut(test, " ")
	if !ok || !hasTest(t, folder, name) {
		t.Errorf("there is no test %s in folder %s", name, folder)
	}
}

func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := os.ReadDir("../../" + folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), "../../"+folder+"/"+f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == name {
				return true
			}
		}
	}
	return false
}
