package source

import (
	"strings"
	"unicode/utf8"
)

// This file reads the block collections of plain YAML. Its methods return false
// when they meet what is left to the library. They end at the first character
// of what comes next, with its column in r.col.

// plainText reports whether the file has no characters that readers of YAML
// refuse, or disagree about.
func (r *reader) plainText() bool {
	for i := range len(r.text) {
		switch c := r.text[i]; {
		case c >= utf8.RuneSelf:
			return plainRunes(r.text[i:])
		case c < ' ' && c != '\n' && c != '\t', c == 0x7f:
			return false
		}
	}
	return true
}

func plainRunes(s string) bool {
	for _, c := range s {
		switch {
		case c == '\n' || c == '\t':
		case c < ' ', 0x7f <= c && c < 0xa0, c == 0x2028, c == 0x2029, c == 0xfeff, c == 0xfffe, c == 0xffff:
			return false
		}
	}
	return true
}

// documents reads the documents of a stream.
func (r *reader) documents() (docs []*Node, ok bool) {
	if !r.toContent() {
		return nil, false
	}
	for first := true; r.at < len(r.text); first = false {
		marked := r.col < 0
		if marked {
			r.at += len(marker)
			if !r.advance() {
				return nil, false
			}
		}
		if marked && r.col < 0 {
			docs = append(docs, nil)
			continue
		}
		if !marked && !first || r.peek() == '%' {
			return nil, false
		}
		n, ok := r.block(-1, r.col)
		if !ok || r.col >= 0 {
			return nil, false
		}
		docs = append(docs, unlessNull(n))
	}
	return docs, true
}

// unlessNull returns nil for a document that says nothing.
func unlessNull(n *Node) *Node {
	if n.Is(Null) {
		return nil
	}
	return n
}

// marker is the line that begins a document.
const marker = "---"

// peek returns the next byte. Behind the end there is a line break.
func (r *reader) peek() byte { return r.byteAt(r.at) }

func (r *reader) byteAt(i int) byte { return byteAt(r.text, i) }

func byteAt(text string, i int) byte {
	if i < len(text) {
		return text[i]
	}
	return '\n'
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' }

func (r *reader) spaces() {
	for r.at < len(r.text) && r.text[r.at] == ' ' {
		r.at++
	}
}

// advance moves from the end of a value to the next line that has something on
// it. Only a comment may follow the value on its line.
func (r *reader) advance() bool {
	from := r.at
	r.spaces()
	if r.at == from && r.peek() == '#' {
		return false
	}
	return r.emptyLine() && r.toContent()
}

// skipLine moves to the end of the line.
func (r *reader) skipLine() {
	if i := strings.IndexByte(r.text[r.at:], '\n'); i >= 0 {
		r.at += i
	} else {
		r.at = len(r.text)
	}
}

// toContent moves from the start of a line past empty lines and comments. The
// column is -1 at the end of the file and of a document.
func (r *reader) toContent() bool {
	for r.at < len(r.text) {
		line := r.at
		r.spaces()
		switch r.peek() {
		case '#':
			r.skipLine()
			fallthrough
		case '\n':
			r.at = min(r.at+1, len(r.text))
		case '\t':
			return false
		default:
			r.col = r.at - line
			if rest := r.text[r.at:]; r.col == 0 && (strings.HasPrefix(rest, marker) || strings.HasPrefix(rest, "...")) {
				r.col = -1
				return strings.HasPrefix(rest, marker) && r.byteAt(r.at+len(marker)) == '\n'
			}
			return true
		}
	}
	r.col = -1
	return true
}

// dash reports whether an item of a sequence begins here.
func (r *reader) dash() bool { return r.peek() == '-' && blank(r.byteAt(r.at+1)) }

// block reads a value at a column, which belongs to something at the column
// parent.
func (r *reader) block(parent, col int) (n *Node, ok bool) {
	if r.depth++; r.depth > maxDepth {
		return nil, false
	}
	defer func() { r.depth-- }()
	if r.dash() {
		return r.sequence(col)
	}
	if r.colon() >= 0 {
		return r.mapping(col)
	}
	return r.scalar(parent)
}

func (r *reader) sequence(col int) (*Node, bool) {
	n, top := r.node(List, r.at), len(r.stack)
	for r.col = col; r.col == col && r.dash(); {
		from := r.at
		r.at++
		var item *Node
		ok := true
		switch r.spaces(); {
		case !r.emptyLine():
			item, ok = r.block(col, col+r.at-from)
		case !r.toContent():
			return nil, false
		case r.col > col:
			item, ok = r.block(col, r.col)
		default:
			item = r.null(from + 1)
		}
		if !ok {
			return nil, false
		}
		r.stack = append(r.stack, item)
	}
	if r.col > col {
		return nil, false
	}
	n.Items = append([]*Node(nil), r.stack[top:]...)
	r.stack = r.stack[:top]
	return n, true
}

// emptyLine reports whether nothing but a comment is left on the line, and moves
// to the next line if so. A blank precedes.
func (r *reader) emptyLine() bool {
	if r.peek() == '#' {
		r.skipLine()
	}
	if r.peek() != '\n' {
		return false
	}
	r.at = min(r.at+1, len(r.text))
	return true
}

func (r *reader) null(at int) *Node {
	n := r.node(Scalar, at)
	n.Type, n.end = Null, at
	return n
}

func (r *reader) mapping(col int) (*Node, bool) {
	n, top := r.node(Map, r.at), len(r.stack)
	for r.col = col; r.col == col; {
		key, ok := r.key()
		if !ok {
			return nil, false
		}
		value, ok := r.value(col)
		if !ok {
			return nil, false
		}
		r.stack = append(r.stack, key, value)
	}
	if r.col > col {
		return nil, false
	}
	n.Fields = fields(r.stack[top:])
	r.stack = r.stack[:top]
	return n, true
}

func fields(pairs []*Node) []Field {
	fs := make([]Field, len(pairs)/2)
	for i := range fs {
		fs[i] = Field{pairs[2*i], pairs[2*i+1]}
	}
	return fs
}

// value reads what follows the colon of a key at a column.
func (r *reader) value(col int) (*Node, bool) {
	from := r.at
	if r.spaces(); !r.emptyLine() {
		if r.dash() || r.at == from {
			return nil, false
		}
		return r.scalar(col)
	}
	if !r.toContent() {
		return nil, false
	}
	switch {
	case r.col > col:
		return r.block(col, r.col)
	case r.col == col && r.dash():
		return r.sequence(col)
	}
	return r.null(from), true
}

// maxKey is a little less than what YAML readers look ahead for a colon.
const maxKey = 1000

// colon returns where the colon of the key at hand is, or -1 when there is
// no key.
func (r *reader) colon() int {
	i := r.at
	switch c := r.peek(); {
	case c == '"' || c == '\'':
		if i = r.quoteEnd(c); i < 0 {
			return -1
		}
		for r.byteAt(i) == ' ' {
			i++
		}
	case r.plainStart():
		_, i = plainLine(r.text, i)
	default:
		return -1
	}
	if r.byteAt(i) != ':' || !blank(r.byteAt(i+1)) || i-r.at > maxKey {
		return -1
	}
	return i
}

// quoteEnd returns where a quoted text on one line has ended, or -1.
func (r *reader) quoteEnd(quote byte) int {
	for i := r.at + 1; r.byteAt(i) != '\n'; i++ {
		switch r.text[i] {
		case quote:
			return i + 1
		case '\\':
			if quote == '"' {
				i++
			}
		}
	}
	return -1
}

// key reads a key and its colon.
func (r *reader) key() (*Node, bool) {
	colon := r.colon()
	if colon < 0 {
		return nil, false
	}
	n, ok := r.inline(r.text[r.at:colon])
	if !ok || n.Value == "<<" {
		return nil, false
	}
	r.at = colon + 1
	return n, true
}

// inline reads a scalar that is known to stand on one line, and its blanks.
func (r *reader) inline(token string) (*Node, bool) {
	if c := token[0]; c == '"' || c == '\'' {
		return r.quoted(-1)
	}
	n := r.node(Scalar, r.at)
	n.Value = strings.TrimRight(token, " \t")
	n.end = n.from + len(n.Value)
	n.Type = resolve(n.Value)
	return n, true
}
