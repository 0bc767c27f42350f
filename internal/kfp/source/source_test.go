package source

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// dump writes a tree, a node a line, with places.
func dump(b *strings.Builder, indent string, n *Node) {
	if n == nil {
		fmt.Fprintf(b, "%sno document\n", indent)
		return
	}
	at := n.Pos()
	fmt.Fprintf(b, "%s%d:%d ", indent, at.Line, at.Col)
	switch n.Kind {
	case Scalar:
		fmt.Fprintf(b, "%d %q\n", n.Type, n.Value)
	case List:
		fmt.Fprintln(b, "list")
		for _, item := range n.Items {
			dump(b, indent+"  ", item)
		}
	case Map:
		fmt.Fprintln(b, "map")
		for _, f := range n.Fields {
			dump(b, indent+"  ", f.Key)
			dump(b, indent+"    ", f.Value)
		}
	}
}

func dumpAll(docs []*Node) string {
	var b strings.Builder
	for _, n := range docs {
		dump(&b, "", n)
	}
	return b.String()
}

// both reads src with our reader and with the library.
func both(src []byte) (ours, library string, read bool) {
	r := &reader{File: newFile("f", src)}
	if !r.plainText() {
		return "", "", false
	}
	docs, ok := r.documents()
	if !ok {
		return "", "", false
	}
	l := &reader{File: newFile("f", src)}
	theirs := l.library(src)
	if l.diags != nil {
		return dumpAll(docs), l.diags.Error(), true
	}
	return dumpAll(docs), dumpAll(theirs), true
}

// samples have something of all that our reader takes, and leaves.
var samples = []struct {
	name, src string
	ours      bool
}{
	{"empty", "", true},
	{"only a comment", "# nothing\n", true},
	{"map", "a: 1\nb: two\nc:\nd: ~\n", true},
	{"nested", "a:\n  b:\n    c: 1\n  d: 2\ne: 3\n", true},
	{"list below a key", "a:\n- 1\n- 2\nb:\n  - 3\n", true},
	{"compact", "- a: 1\n  b:\n  - c\n  - - d\n    - e\n-\n- f\n", true},
	{"empty collections", "a: {}\nb: []\n", true},
	{"flow", "a: {b: [1, 'x', \"y\"], c: {d: e}}\nf: [g h, i]\n", true},
	{"flow on several lines", "a: {b: 1,\n  c: 2}\n", true},
	{"plain on several lines", "a: one\n  two\n\n  three\nb: x\n", true},
	{"plain with marks", "a: b#c :d http://x - y\n", true},
	{"single quotes", "a: 'it''s'\nb: 'one\n  two\n\n  three'\n'c': 1\n", true},
	{"double quotes", "a: \"x\\ty\\\"\"\nb: \"one \\\n  \\  two\\n\\\n  three\n  four\"\n\"c\": \"\\u00e9\\U0001F600\\x41\"\n", true},
	{"literal", "a: |\n  one\n    two\n\n  three\nb: |-\n  x\n\nc: |+\n  y\n\nd: 1\n", true},
	{"literal at the end", "a: |\n  one", true},
	{"literal with indentation", "a: |2\n    one\n  two\n", true},
	{"folded", "a: >\n  one\n  two\n\n  three\nb: >-\n  x\n", true},
	{"folded, more indented", "a: >\n  one\n    two\n  three\n\n\n   four\n\n  five\n  six\n", true},
	{"types", "- 1\n- -0x1F\n- 1.5\n- 1e5\n- .5\n- .inf\n- yes\n- y\n- null\n- 2020-01-02\n- 1:30\n- 0o7\n- 010\n- +1.\n", true},
	{"comments", "# head\na: 1 # one\n\n# between\nb: # two\n  c # three\nd: '#'\n", true},
	{"two documents", "a: 1\n---\nb: 2\n", true},
	{"a marked document", "---\na: 1\n", true},
	{"an empty document", "a: 1\n---\n", true},
	{"wide characters", "ключ: 值 é\nb: \"é\\u00e9\"\n", true},
	{"anchors", "a: &x 1\nb: *x\n", false},
	{"tags", "a: !!str 1\n", false},
	{"complex keys", "? a\n: 1\n", false},
	{"carriage returns", "a: 1\r\n", false},
	{"a byte order mark", "\ufeffa: 1\n", false},
	{"tabs", "a:\n\tb: 1\n", false},
	{"not YAML", "a: b: c\n", false},
	{"bad indentation", "a: 1\n  b: 2\n", false},
	{"unclosed", "a: 'b\n", false},
	{"plain over lines in flow", "a: [b\n  c]\n", false},
}

func TestSameTreesAsTheLibrary(t *testing.T) {
	for _, c := range samples {
		t.Run(c.name, func(t *testing.T) {
			ours, library, read := both([]byte(c.src))
			if read != c.ours {
				t.Errorf("read by our reader: %v, want %v", read, c.ours)
			}
			if diff := cmp.Diff(library, ours); read && diff != "" {
				t.Errorf("-library +ours:\n%s", diff)
			}
		})
	}
}

// corpusFiles lists the files of kinds below a folder of the corpus, which is
// not part of the repository.
func corpusFiles(t testing.TB, folder string, kinds ...string) []string {
	t.Helper()
	root := filepath.Join("../../../../shared/corpus", folder)
	if _, err := os.Stat(root); err != nil {
		t.Skip("the corpus is not here: ../shared/corpus beside the repository")
	}
	var files []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		for _, kind := range kinds {
			if err == nil && filepath.Ext(name) == kind {
				files = append(files, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSameTreesOverTheCorpus(t *testing.T) {
	for _, folder := range []string{"kfp", "components", "components_ir", "workflows"} {
		total, read := 0, 0
		for _, file := range corpusFiles(t, folder, ".yaml") {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ours, library, ok := both(src)
			total++
			if !ok {
				continue
			}
			read++
			if diff := cmp.Diff(library, ours); diff != "" {
				t.Errorf("%s: -library +ours:\n%.2000s", file, diff)
			}
		}
		t.Logf("%s: our reader takes %d of %d", folder, read, total)
	}
}

// TestLocator finds each word of a text in the file.
func TestLocator(t *testing.T) {
	for _, c := range samples {
		docs, _ := Read("f", []byte(c.src))
		for _, n := range docs {
			checkLocators(t, c.src, n)
		}
	}
}

func checkLocators(t *testing.T, src string, n *Node) {
	t.Helper()
	if n == nil {
		return
	}
	for _, item := range n.Items {
		checkLocators(t, src, item)
	}
	for _, f := range n.Fields {
		checkLocators(t, src, f.Key)
		checkLocators(t, src, f.Value)
	}
	if n.Kind != Scalar {
		return
	}
	locate := n.Locator()
	f := newFile("f", []byte(src))
	for i, c := range n.Value {
		at := locate(i)
		if c >= utf8.RuneSelf || !unicode.IsLetter(c) || strings.ContainsAny(n.file.text[n.from:], `\`) {
			continue
		}
		if got := src[f.offset(at.Line, at.Col):]; !strings.HasPrefix(got, string(c)) {
			t.Errorf("%q: %c at %d is said to be at %s, where %.10q is", n.Value, c, i, at, got)
		}
	}
}

func TestLocatorOfEscapes(t *testing.T) {
	src := "a: \"x\\n\\\n  \\  \\u0041y\"\n"
	docs, _ := Read("f", []byte(src))
	n := docs[0].Field("a")
	if n.Value != "x\n  Ay" {
		t.Fatalf("read %q", n.Value)
	}
	locate := n.Locator()
	for i, want := range []string{"f:1:5", "f:1:6", "f:2:3", "f:2:5", "f:2:6", "f:2:12"} {
		if got := locate(i).String(); got != want {
			t.Errorf("byte %d: %s, want %s", i, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	src := "{\n  \"a\": [1, -2.5, 1e5, true, null, \"\\ud83d\\ude00\\ud800 \\/\"],\n\t\"b\": {}, \"a\": 2\n}\n"
	docs, diags := Read("f.json", []byte(src))
	if len(docs) != 1 {
		t.Fatalf("%d documents: %v", len(docs), diags)
	}
	want := `1:1 map
  2:3 0 "a"
    2:8 list
      2:9 3 "1"
      2:12 4 "-2.5"
      2:18 4 "1e5"
      2:23 2 "true"
      2:29 1 "null"
      2:35 0 "😀� /"
  3:2 0 "b"
    3:7 map
`
	if diff := cmp.Diff(want, dumpAll(docs)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := diags.Error(), `f.json:3:11: the key "a" is given twice, first on line 2 [duplicate-key]`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestReadJSONInAText(t *testing.T) {
	docs, _ := Read("f", []byte("a:\n- '{\"b\": \"it''s\",\n  \"c\": {\"d\": 1}}'\n- x\n"))
	items := docs[0].Field("a").Items
	n, diags := ReadJSON(items[0])
	if n == nil || diags != nil {
		t.Fatal(n, diags)
	}
	if got := n.Field("b").TextPos().String(); got != "f:2:11" {
		t.Errorf("b is at %s", got)
	}
	if got := n.Field("c").Field("d").Pos().String(); got != "f:3:14" {
		t.Errorf("d is at %s", got)
	}
	if n, _ := ReadJSON(items[1]); n != nil {
		t.Error("read what is no JSON")
	}
}

func TestMistakes(t *testing.T) {
	for src, want := range map[string]string{
		"a: b: c\n":                          "f:1:5: not valid YAML: mapping values are not allowed in this context [yaml]",
		"a:\n\tb: 1\n":                       "f:2:1: not valid YAML: while scanning for the next token: found character that cannot start any token (YAML indents with spaces: replace the tab) [yaml]",
		"a: \xff\n":                          "f:1:4: the file is not valid UTF-8 (save the file as UTF-8) [encoding]",
		"a: !x 1\nb: &c {<<: 1}\n? [d]\n: 1": "f:1:4: the tag !x is not supported (leave the tag out) [wrong-type]\nf:2:8: the merge key << is not supported (write the keys out) [unknown-key]\nf:3:3: a key is a name, not a list [wrong-type]",
		"{\"a\": 1":                          "f:1:8: not valid YAML: while parsing a flow mapping: did not find expected ',' or '}' [yaml]",
	} {
		docs, diags := Read("f", []byte(src))
		diags.Sort()
		if got := diags.Error(); got != want {
			t.Errorf("%q (%d documents):\n%s\nwant\n%s", src, len(docs), got, want)
		}
	}
}

func TestHostileFilesAreCheap(t *testing.T) {
	for name, src := range map[string]string{
		"deep blocks":       strings.Repeat("- ", 100_000),
		"deep flow":         strings.Repeat("{a: ", 100_000),
		"deep JSON":         strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		"many aliases":      "a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [" + strings.Repeat("*a, ", 5_000) + "]\nc: [" + strings.Repeat("*b, ", 100) + "]",
		"one long line":     `{"é": [` + strings.Repeat(`"é", `, 200_000) + `1]}`,
		"many equal keys":   strings.Repeat("a: 1\n", 10_000),
		"many marks":        strings.Repeat("---\n", 100_000),
		"long key":          strings.Repeat("k", 1<<20) + ": 1\n",
		"quotes and breaks": "a: '" + strings.Repeat("\n\n  x''", 100_000) + "'\n",
	} {
		t.Run(name, func(t *testing.T) {
			docs, diags := Read("f", []byte(src))
			if docs == nil && diags == nil {
				t.Error("neither documents nor reasons")
			}
			for _, n := range docs {
				if n != nil && len(src) < 1<<20 {
					_ = dumpAll([]*Node{n})
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range samples {
		f.Add([]byte(c.src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if !utf8.Valid(src) {
			return
		}
		if ours, library, read := both(src); read && ours != library {
			t.Errorf("ours:\n%s\nlibrary:\n%s", ours, library)
		}
		docs, _ := Read("f", src)
		for _, n := range docs {
			touch(n)
		}
	})
}

func touch(n *Node) {
	if n == nil {
		return
	}
	n.TextPos()
	n.Width()
	if n.Kind == Scalar {
		locate := n.Locator()
		for i := range n.Value {
			locate(i)
		}
	}
	for _, item := range n.Items {
		touch(item)
	}
	for _, f := range n.Fields {
		touch(f.Key)
		touch(f.Value)
	}
}
