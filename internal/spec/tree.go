package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// Bounds on what a spec may be, so that a hostile one costs little.
const (
	maxBytes    = 1 << 20
	maxDepth    = 50
	maxExpanded = 10_000 // nodes that aliases add
)

// A node is a YAML value with its aliases resolved and its keys unique.
type node struct {
	kind   kind
	at     diag.Pos
	width  int    // characters to underline
	tag    string // of a scalar: !!str, !!int, !!float, !!bool or !!null
	value  string // of a scalar
	style  yaml.Style
	items  []*node
	fields []pair
}

type pair struct{ key, value *node }

type kind int

const (
	scalar kind = iota
	list
	mapping
)

func (k kind) String() string { return [...]string{"a scalar", "a list", "a map"}[k] }

// field returns the pair of a map's key, or nil.
func (n *node) field(key string) *pair {
	for i := range n.fields {
		if n.fields[i].key.value == key {
			return &n.fields[i]
		}
	}
	return nil
}

// isText reports whether n is a string.
func (n *node) isText() bool { return n.kind == scalar && n.tag == "!!str" }

// isNull reports whether n is null or left empty.
func (n *node) isNull() bool { return n.kind == scalar && n.tag == "!!null" }

// tree reads the file's one document, which must be a map. It returns nil, with
// the reasons reported, when the file cannot be read at all.
func (r *reader) tree(src []byte) *node {
	start := &node{at: diag.Pos{File: r.text.file, Line: 1, Col: 1}, width: 1}
	if len(src) > maxBytes {
		r.errorf(start, "too-large", "split it into sub-pipelines", "the file has %d bytes, and a spec may have at most %d", len(src), maxBytes)
		return nil
	}
	if at, ok := invalidUTF8(src); !ok {
		r.errorf(&node{at: r.text.pos(at), width: 1}, "encoding", "save the file as UTF-8", "the file is not valid UTF-8")
		return nil
	}
	if at, c := oddLineEnd(r.text.src); c != 0 {
		r.errorf(&node{at: r.text.pos(at), width: 1}, "encoding", `end lines with a line feed; in a text write it as an escape in double quotes, such as "\u2028"`,
			"%U ends a line for some readers of YAML only", c)
		return nil
	}
	doc, err := document(src)
	switch {
	case err != nil:
		r.syntaxError(err)
		return nil
	case doc == nil || len(doc.Content) == 0:
		r.errorf(start, "empty", "begin with: pipeline: NAME", "the file is empty")
		return nil
	}
	t := &treeBuilder{reader: r, budget: maxExpanded}
	root := t.build(doc.Content[0], 0, false)
	if root != nil && root.kind != mapping {
		r.errorf(root, "wrong-type", "begin with: pipeline: NAME", "a spec is a map of keys, not %s", root.kind)
		return nil
	}
	return root
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8.
func invalidUTF8(src []byte) (offset int, ok bool) {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i, false
		}
		i += n
	}
	return 0, true
}

// oddLineEnd finds a character at which YAML's readers do not agree on whether a
// line ends: a lone carriage return and Unicode's line ends.
func oddLineEnd(src string) (offset int, c rune) {
	for i, c := range src {
		switch {
		case c == '\r' && !strings.HasPrefix(src[i+1:], "\n"), c == 0x85, c == 0x2028, c == 0x2029:
			return i, c
		}
	}
	return 0, 0
}

// document returns the only document of src, or nil when there is none.
func document(src []byte) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(joinSurrogates(src)))
	if err != nil {
		return nil, err
	}
	var doc, second yaml.Node
	if err := loader.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
		return &doc, nil
	case err != nil:
		return nil, err
	}
	return nil, &yaml.LoadError{Message: secondDocument, Mark: yaml.Mark{Line: second.Line, Column: max(second.Column, 1)}}
}

var surrogates = lazyregexp.New(`\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)`)

// joinSurrogates writes the surrogate pairs of JSON strings as the characters
// they stand for: YAML has no such escape.
func joinSurrogates(src []byte) []byte {
	if !bytes.Contains(bytes.ToLower(src), []byte(`\ud`)) || !json.Valid(src) {
		return src
	}
	return surrogates.ReplaceAllFunc(src, func(m []byte) []byte {
		if len(m) != len(`\ud83d\ude00`) {
			return m
		}
		high, _ := strconv.ParseUint(string(m[2:6]), 16, 32)
		low, _ := strconv.ParseUint(string(m[8:12]), 16, 32)
		return utf8.AppendRune(nil, utf16.DecodeRune(rune(high), rune(low)))
	})
}

// A treeBuilder turns YAML nodes into nodes of ours.
type treeBuilder struct {
	*reader
	budget int // nodes that aliases may still add
}

// build returns nil when y had to be left out.
func (t *treeBuilder) build(y *yaml.Node, depth int, inAlias bool) *node {
	n := &node{at: t.text.clamp(y.Line, y.Column), width: 1}
	if inAlias {
		if t.budget--; t.budget < 0 {
			if t.budget == -1 {
				t.errorf(n, "too-large", "write out less through aliases", "aliases add more than %d values", maxExpanded)
			}
			return nil
		}
	}
	if depth > maxDepth {
		t.errorf(n, "too-deep", "", "values are nested more than %d deep", maxDepth)
		return nil
	}
	switch y.Kind {
	case yaml.AliasNode:
		return t.build(y.Alias, depth+1, true)
	case yaml.SequenceNode:
		n.kind = list
		t.noTag(n, y)
		for _, item := range y.Content {
			if c := t.build(item, depth+1, inAlias); c != nil {
				n.items = append(n.items, c)
			}
		}
	case yaml.MappingNode:
		n.kind = mapping
		t.noTag(n, y)
		t.fields(n, y, depth, inAlias)
	default:
		t.scalar(n, y)
	}
	return n
}

func (t *treeBuilder) fields(n *node, y *yaml.Node, depth int, inAlias bool) {
	seen := make(map[string]*node, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := t.build(y.Content[i], depth+1, inAlias)
		value := t.build(y.Content[i+1], depth+1, inAlias)
		switch {
		case key == nil || value == nil:
			continue
		case key.kind != scalar:
			t.errorf(key, "wrong-type", "", "a key is a name, not %s", key.kind)
			continue
		case y.Content[i].ShortTag() == "!!merge":
			t.errorf(key, "unknown-key", "write the keys out", "the merge key << is not supported")
			continue
		}
		if first := seen[key.value]; first != nil {
			t.errorf(key, "duplicate-key", "keep one of them", "the key %q is given twice, first on line %d", key.value, first.at.Line)
			continue
		}
		seen[key.value] = key
		n.fields = append(n.fields, pair{key, value})
	}
}

func (t *treeBuilder) scalar(n *node, y *yaml.Node) {
	n.value, n.style, n.tag = y.Value, y.Style, y.ShortTag()
	switch n.tag {
	case "!!int", "!!bool", "!!null":
	case "!!str", "!!float":
		if n.style == 0 {
			n.tag = numberTag(n.value, n.tag)
		}
	case "!!timestamp", "!!merge": // a date is text to us, as to JSON
		n.tag = "!!str"
	default:
		t.noTag(n, y)
		n.tag = "!!str"
	}
	if !strings.Contains(n.value, "\n") {
		n.width = max(1, utf8.RuneCountInString(n.value))
		if n.quoted() {
			n.width += 2
		}
	}
}

// noTag reports a tag that makes something else of a value.
func (t *treeBuilder) noTag(n *node, y *yaml.Node) {
	if tag := y.ShortTag(); tag != "!!map" && tag != "!!seq" {
		t.errorf(n, "wrong-type", "leave the tag out", "the tag %s is not supported", tag)
	}
}

var (
	numberForm = lazyregexp.New(`^[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?$`)
	digitsForm = lazyregexp.New(`^[-+]?0(x[0-9a-fA-F_]+|o[0-7_]+|b[01_]+)$`)
)

// numberTag corrects the tag of a plain number: the YAML reader makes a double
// or text of a whole number that is too long, and text of a double that is too
// large.
func numberTag(value, tag string) string {
	switch m := numberForm.FindStringSubmatch(value); {
	case m == nil && digitsForm.MatchString(value):
		return "!!int"
	case m == nil:
		return tag
	case m[1] == "" && m[2] == "":
		return "!!int"
	}
	return "!!float"
}

func (n *node) quoted() bool {
	return n.style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
}

func (n *node) block() bool {
	return n.style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// describe names a value in a message: `the text "x"`, `a list`.
func (n *node) describe() string {
	if n.kind != scalar {
		return n.kind.String()
	}
	switch n.tag {
	case "!!null":
		return "nothing"
	case "!!str":
		return fmt.Sprintf("the text %s", quote(n.value))
	}
	return n.value
}

// quote quotes a string for a message.
func quote(s string) string {
	if runes := []rune(s); len(runes) > 40 {
		s = string(runes[:40]) + "…"
	}
	return strconv.Quote(s)
}
