package source

import (
	"sort"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// Locator returns a function that tells where the byte of a scalar's text at an
// offset comes from: quotes, escapes, folded lines and indentation make text
// and file differ.
func (n *Node) Locator() func(offset int) diag.Pos {
	var marks []mark
	switch {
	case n.Kind != Scalar:
	case n.verbatim():
		from := n.from
		if n.style != plain {
			from++
		}
		marks = []mark{{0, from}}
	default:
		d := decoder{text: n.file.text, at: n.from, parent: n.indent, json: true, marks: &marks}
		// In brackets a plain text may end before its line does.
		ok := d.decode(n.style) && (string(d.out) == n.Value || n.style == plain && strings.HasPrefix(string(d.out), n.Value))
		if !ok {
			marks = nil
		}
	}
	if len(marks) == 0 {
		at := n.Pos()
		return func(int) diag.Pos { return at }
	}
	return func(offset int) diag.Pos {
		i := max(0, sort.Search(len(marks), func(i int) bool { return marks[i].value > offset })-1)
		return n.file.Pos(marks[i].file + offset - marks[i].value)
	}
}

// verbatim reports whether the text stands in the file as it is.
func (n *Node) verbatim() bool {
	from, to := n.from, n.end
	switch n.style {
	case single, double:
		from, to = from+1, to-1
	case literal, folded:
		return false
	}
	return from <= to && to <= len(n.file.text) && n.file.text[from:to] == n.Value
}
