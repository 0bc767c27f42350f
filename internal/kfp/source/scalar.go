package source

import "strings"

// scalar reads a value that is no block collection, and moves to what comes
// next.
func (r *reader) scalar(parent int) (n *Node, ok bool) {
	switch c := r.peek(); {
	case c == '"' || c == '\'':
		n, ok = r.quoted(parent)
	case c == '|' || c == '>':
		n, ok = r.blockScalar(parent)
	case c == '[' || c == '{':
		n, ok = r.flow(parent)
	case r.plainStart():
		n, ok = r.plainScalar(parent)
	}
	return n, ok && r.advance()
}

// plainStart reports whether a plain scalar may begin here.
func (r *reader) plainStart() bool {
	switch r.peek() {
	case '-', '?', ':':
		return !blank(r.byteAt(r.at + 1))
	case ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ', '\t', '\n':
		return false
	}
	return true
}

// plainLine returns where the part of a plain scalar that is on one line ends,
// and what ends it: a line break, the colon of a key, or a comment.
func plainLine(text string, from int) (end, stop int) {
	for stop = from; stop < len(text); stop++ {
		c := text[stop]
		if c == '\n' ||
			c == ':' && blank(byteAt(text, stop+1)) ||
			c == '#' && stop > from && blank(text[stop-1]) {
			break
		}
	}
	for end = stop; end > from && blank(text[end-1]); {
		end--
	}
	return end, stop
}

func (r *reader) plainScalar(parent int) (*Node, bool) {
	n := r.node(Scalar, r.at)
	n.indent = parent
	end, stop := plainLine(r.text, r.at)
	switch r.byteAt(stop) {
	case ':':
		return nil, false
	case '\n':
		if continued(r.text, stop, parent) {
			return r.long(n)
		}
	}
	n.Value, n.end, r.at = r.text[n.from:end], end, end
	n.Type = resolve(n.Value)
	return n, true
}

// continued reports whether the lines after a line break go on with a plain
// scalar.
func continued(text string, at, parent int) bool {
	for line := at + 1; line < len(text); {
		i := line
		for byteAt(text, i) == ' ' {
			i++
		}
		if byteAt(text, i) != '\n' {
			return i-line > parent && text[i] != '#'
		}
		line = i + 1
	}
	return false
}

// quoted reads a quoted scalar.
func (r *reader) quoted(parent int) (*Node, bool) {
	n := r.node(Scalar, r.at)
	n.indent = parent
	n.style = single
	special := "'\n"
	if r.peek() == '"' {
		n.style, special = double, "\"\\\n"
	}
	from := r.at + 1
	end := strings.IndexAny(r.text[from:], special)
	if end < 0 {
		return nil, false
	}
	end += from
	if r.text[end] != r.text[n.from] || n.style == single && r.byteAt(end+1) == '\'' {
		return r.long(n)
	}
	n.Value, n.end, r.at = r.text[from:end], end+1, end+1
	return n, true
}

func (r *reader) blockScalar(parent int) (*Node, bool) {
	n := r.node(Scalar, r.at)
	n.indent = parent
	n.style = literal
	if r.peek() == '>' {
		n.style = folded
	}
	return r.long(n)
}

// long reads a scalar of several lines, or with escapes.
func (r *reader) long(n *Node) (*Node, bool) {
	d := decoder{text: r.text, at: n.from, parent: n.indent, json: r.json, out: r.buffer[:0]}
	ok := d.decode(n.style)
	n.Value, n.end, r.at, r.buffer = string(d.out), d.at, d.at, d.out
	if n.style == plain {
		n.Type = resolve(n.Value)
	}
	return n, ok
}
