package workflow

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outline writes down all of a tree that the parser looks at.
func outline(b *strings.Builder, n *element, indent string) {
	fmt.Fprintf(b, "%s%d style %d at %d:%d %q\n", indent, n.Kind, n.Style, n.Line, n.Column, n.Value)
	for _, child := range n.Content {
		outline(b, child, indent+" ")
	}
}

// checkBlocks compares readBlocks with the library, and reports whether it read
// the source at all.
func checkBlocks(t *testing.T, src []byte) bool {
	t.Helper()
	root, ok := readBlocks(src)
	if !ok {
		return false
	}
	p := &parser{name: "f.yaml", src: src, lines: []int{0}}
	if !p.checkText() {
		return false // the parser looks no further
	}
	var got, want strings.Builder
	outline(&got, root, "")
	if n := p.loadYAML(); n != nil {
		outline(&want, n, "")
	}
	if p.errs.HasErrors() {
		t.Fatalf("read what the library refuses: %v\n%s", p.errs, src)
	}
	if d := cmp.Diff(want.String(), got.String()); d != "" {
		t.Fatalf("the library reads it differently: (-library +blocks)\n%s\n%s", d, src)
	}
	return true
}

var blockSources = []string{
	"a: 1", "a: b c", "- a\n- b", "a:\n  b: c\n  d:\n    - e\n    - f: g\n      h: i\nj: k", "a:\n- b\n- c\nd: e", "- - a\n  - b\n- c", "-   a:  b\n    c: d",
	"# c\na: b # d\n\n  # e\nc: 'it''s' # f\n", `"a b": "c\"d\\e\n"`, "a: [b, 'c', \"d\", [e], {f: g}]", "a: {b: c, 'd': [e, f], \"g\": h}", "a: []\nb: {}", "- {a: b}\n- [c]",
	"a: ${x + 1}\nb: ${y[\"z\"]}", "m[\"odd!key\"]: 1", "a.b: -5", "a: -b", "a: b:c", "a: b#c", "a: 'b: c'", "é: ü\nx: {é: 'ü', y: z}", "a: \"\"\nb: ''", "a: b,c]d", "- 'a'\n- \"b\"",
	// What is left to the library.
	"a:", "a:\nb: c", "-", "- \n- b", "a: b\n  c", "a: |\n  b", "a: &x b", "a: *x", "a: !!str b", "a: {b}", "a: [b: c]", "a: {b:c}", "a: [b,]", "a: [b", "a: \"b", "a: 'b' c", "a: b: c", "a b", "\ta: b",
	"a: b\r\nc: d", "---\na: b", "a: b\n---\nc: d", "? a\n: b", "<<: a", "a: {<<: b}", "a: \"\\x41\"", "a #b: c", "a: b\n c: d", "- a\n b", "- a\n  - b", "a:\n  b: c\n d: e", "a: [b]: c", "[a]: b", "a: - b", "a: ? b",
	"a: % b", "a: @b", "a: , b", "a: ] b", "a: #b", "a: [b #c\n]", "a:\n    b: c\n  d: e", " a: b\nc: d", "a: b\n- c", "- a\nb: c", "\"a\"b: c", "\"a\" : b", "a : b", "a:  b", "a::b", "a:: b", ": a", "a: :b", "a: [a?b]", "a: [-]", "a: [- b]",
}

// TestBlocks compares the reader of simple YAML with the library.
func TestBlocks(t *testing.T) {
	read := 0
	for _, src := range blockSources {
		if checkBlocks(t, []byte(src)) {
			read++
		}
	}
	if read < 25 {
		t.Errorf("read only %d of %d sources", read, len(blockSources))
	}
	for _, folder := range []string{"ok", "err"} {
		for _, file := range inputs(t, folder) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkBlocks(t, src)
		}
	}
	if !checkBlocks(t, longDefinition(1000)) {
		t.Error("did not read the definition that is measured")
	}
}

func TestCorpusBlocks(t *testing.T) {
	read, all := 0, corpus(t)
	for _, f := range all {
		if checkBlocks(t, f.src) {
			read++
		}
	}
	t.Logf("read %d of %d definitions", read, len(all))
}

// FuzzBlocks compares the reader of simple YAML with the library.
func FuzzBlocks(f *testing.F) {
	for _, src := range blockSources {
		f.Add([]byte(src))
	}
	for _, file := range inputs(f, "ok") {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) < 1<<14 {
			checkBlocks(t, src)
		}
	})
}
