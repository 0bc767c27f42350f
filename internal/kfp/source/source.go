// Package source reads the YAML and JSON files of Kubeflow Pipelines into trees
// whose every node knows its place, down to the characters inside of a scalar.
//
// A compiled pipeline of 1,000 tasks has 1.9 MB of YAML, of the plain kind that
// PyYAML writes. A reader of our own takes that kind, and JSON, and leaves all
// else to the YAML library: anchors, tags, odd line breaks, and every mistake,
// so that all messages about YAML are the library's. It is several times as
// fast, and a test holds both to the same trees.
package source

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/kakehi/kakehi/internal/diag"
)

// Bounds on what a file may be, so that a hostile one costs little.
const (
	maxBytes    = 16 << 20
	maxDepth    = 200
	maxExpanded = 100_000 // nodes that aliases add
)

// Read returns the documents of a file; an empty document is nil. A file that
// cannot be read has none, and the list says why. The list may hold mistakes
// that leave documents to read, such as keys that are given twice.
func Read(name string, src []byte) ([]*Node, diag.List) {
	r := &reader{File: newFile(name, src)}
	if len(src) > maxBytes {
		r.failf(0, "too-large", "", "the file has %d bytes; no pipeline may have more than %d", len(src), maxBytes)
		return nil, r.diags
	}
	if at, ok := invalidUTF8(src); !ok {
		r.failf(at, "encoding", "save the file as UTF-8", "the file is not valid UTF-8")
		return nil, r.diags
	}
	docs := r.read(src)
	r.checkKeys(docs)
	return docs, r.diags
}

func (r *reader) read(src []byte) []*Node {
	if start := bytes.TrimLeft(src, " \t\r\n"); len(start) > 0 && (start[0] == '{' || start[0] == '[') && json.Valid(src) {
		r.json = true
		if n, ok := r.jsonDocument(); ok {
			return []*Node{n}
		}
		r.failf(r.at, "too-deep", "", "values are nested more than %d deep", maxDepth)
		return nil
	}
	if r.plainText() {
		if docs, ok := r.documents(); ok {
			return docs
		}
	}
	return r.library(src)
}

// ReadJSON reads JSON that is the text of a scalar. It returns nil if the text
// is no JSON.
func ReadJSON(n *Node) (*Node, diag.List) {
	if !json.Valid([]byte(n.Value)) {
		return nil, nil
	}
	f := newFile(n.file.name, []byte(n.Value))
	f.outer = n.Locator()
	r := &reader{File: f, json: true}
	inner, ok := r.jsonDocument()
	if !ok {
		return nil, nil
	}
	r.checkKeys([]*Node{inner})
	return inner, r.diags
}

// checkKeys reports keys that are no text or are given twice, and leaves the
// first of them.
func (r *reader) checkKeys(docs []*Node) {
	for _, n := range docs {
		if n != nil {
			r.checkKeysOf(n)
		}
	}
}

func (r *reader) checkKeysOf(n *Node) {
	for _, item := range n.Items {
		r.checkKeysOf(item)
	}
	kept := n.Fields[:0]
	seen := newNames(len(n.Fields))
	for _, f := range n.Fields {
		first := seen.add(f.Key)
		if first == nil {
			kept = append(kept, f)
			r.checkKeysOf(f.Value)
			continue
		}
		r.failf(f.Key.from, "duplicate-key", "", "the key %q is given twice, first on line %d", f.Key.Value, first.Pos().Line)
	}
	n.Fields = kept
}

// names is a set of keys, which finds equal ones fast in small maps and large.
type names struct {
	list  []*Node
	table map[string]*Node
}

const manyNames = 16

func newNames(n int) *names {
	if n <= manyNames {
		return &names{list: make([]*Node, 0, n)}
	}
	return &names{table: make(map[string]*Node, n)}
}

// add returns the equal key that is in the set, or adds this one.
func (s *names) add(key *Node) *Node {
	if s.table != nil {
		first := s.table[key.Value]
		if first == nil {
			s.table[key.Value] = key
		}
		return first
	}
	for _, k := range s.list {
		if k.Value == key.Value {
			return k
		}
	}
	s.list = append(s.list, key)
	return nil
}

// A reader reads one file, or the text of one scalar.
type reader struct {
	*File
	at     int // the next byte
	col    int // of what is at hand in a block; -1 at the end of a document
	json   bool
	depth  int
	slab   []Node  // to take nodes from
	stack  []*Node // items and fields of the collections being read
	buffer []byte  // to make the texts of scalars in
	diags  diag.List
}

func (r *reader) failf(at int, code, hint, format string, args ...any) {
	r.diags.Add(diag.Diagnostic{Pos: r.Pos(at), Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// node makes a node that begins at the byte from.
func (r *reader) node(kind Kind, from int) *Node {
	if len(r.slab) == 0 {
		r.slab = make([]Node, 256)
	}
	n := &r.slab[0]
	r.slab = r.slab[1:]
	n.Kind, n.file, n.from = kind, r.File, from
	return n
}
