package source

import "strings"

// jsonDocument reads a file that is valid JSON. It returns false only when the
// file is nested too deep.
func (r *reader) jsonDocument() (*Node, bool) {
	r.flowSpace(-1)
	return r.flowValue(-1)
}

// flow reads a list or a map in brackets. Its methods end behind what they
// read, unlike those of blocks.
func (r *reader) flow(parent int) (*Node, bool) {
	if r.depth++; r.depth > maxDepth {
		return nil, false
	}
	defer func() { r.depth-- }()
	if r.peek() == '[' {
		return r.flowList(parent)
	}
	return r.flowMap(parent)
}

func (r *reader) flowList(parent int) (*Node, bool) {
	n, top := r.node(List, r.at), len(r.stack)
	for more := r.open(parent, ']'); more; {
		item, ok := r.flowValue(parent)
		if !ok {
			return nil, false
		}
		r.stack = append(r.stack, item)
		if more, ok = r.comma(parent, ']'); !ok {
			return nil, false
		}
	}
	n.Items = append([]*Node(nil), r.stack[top:]...)
	r.stack = r.stack[:top]
	return n, true
}

func (r *reader) flowMap(parent int) (*Node, bool) {
	n, top := r.node(Map, r.at), len(r.stack)
	for more := r.open(parent, '}'); more; {
		key, ok := r.flowKey(parent)
		if !ok {
			return nil, false
		}
		value, ok := r.flowValue(parent)
		if !ok {
			return nil, false
		}
		r.stack = append(r.stack, key, value)
		if more, ok = r.comma(parent, '}'); !ok {
			return nil, false
		}
	}
	n.Fields = fields(r.stack[top:])
	r.stack = r.stack[:top]
	return n, true
}

// open moves behind an opening bracket, and over the closing one if it follows.
func (r *reader) open(parent int, closing byte) (more bool) {
	r.at++
	if !r.flowSpace(parent) || r.peek() != closing {
		return true
	}
	r.at++
	return false
}

// comma reads what follows an item.
func (r *reader) comma(parent int, closing byte) (more, ok bool) {
	if !r.flowSpace(parent) {
		return false, false
	}
	c := r.peek()
	r.at++
	if c == closing {
		return false, true
	}
	return true, c == ',' && r.flowSpace(parent)
}

// flowSpace moves over blanks and line breaks. In YAML a line must be indented
// more than what the collection belongs to.
func (r *reader) flowSpace(parent int) bool {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ':
			r.at++
		case '\t', '\r':
			if !r.json {
				return false
			}
			r.at++
		case '\n':
			r.at++
			line := r.at
			r.spaces()
			if !r.json && r.at-line <= parent && r.peek() != '\n' {
				return false
			}
		default:
			return true
		}
	}
	return true
}

func (r *reader) flowValue(parent int) (*Node, bool) {
	switch c := r.peek(); {
	case c == '[' || c == '{':
		return r.flow(parent)
	case c == '"' || c == '\'':
		return r.quoted(parent)
	}
	return r.flowPlain()
}

// flowKey reads a key with its colon.
func (r *reader) flowKey(parent int) (*Node, bool) {
	from := r.at
	quoted := r.peek() == '"' || r.peek() == '\''
	key, ok := r.flowValue(parent)
	if !ok || key.Kind != Scalar || key.Value == "<<" || !r.json && strings.IndexByte(r.text[from:r.at], '\n') >= 0 {
		return nil, false
	}
	if r.json {
		r.flowSpace(parent)
	} else {
		r.spaces()
	}
	if r.peek() != ':' || !quoted && !blank(r.byteAt(r.at+1)) || r.at-from > maxKey && !r.json {
		return nil, false
	}
	r.at++
	return key, r.flowSpace(parent)
}

// flowPlain reads a plain scalar on one line. One that goes on is left to the
// library, as is one that a bracket of some kind touches.
func (r *reader) flowPlain() (*Node, bool) {
	if !r.plainStart() || strings.IndexByte("-?:", r.peek()) >= 0 && strings.IndexByte(",[]{}", r.byteAt(r.at+1)) >= 0 {
		return nil, false
	}
	n := r.node(Scalar, r.at)
	end := r.at
	for strings.IndexByte(",[]{}\n", r.byteAt(end)) < 0 {
		if c := r.text[end]; c == '#' || c == ':' && strings.IndexByte(" \t\n,[]{}", r.byteAt(end+1)) >= 0 {
			break
		}
		end++
	}
	n.Value = strings.TrimRight(r.text[r.at:end], " \t\r")
	r.at += len(n.Value)
	n.end = r.at
	n.Type = resolve(n.Value)
	if r.json {
		n.Type = resolveJSON(n.Value)
	}
	return n, n.Value != ""
}
