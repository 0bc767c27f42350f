package source

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A decoder makes the value of a scalar from its text in the file, and can note
// which part of the one comes from which part of the other.
type decoder struct {
	text   string
	at     int // the next byte
	parent int // column of what the scalar belongs to
	json   bool
	out    []byte
	marks  *[]mark // nil: not wanted
}

// A mark says that from a byte of the value on, value and file run in parallel.
type mark struct{ value, file int }

// decode reads a whole scalar of the style. It returns false where it is left
// to the library.
func (d *decoder) decode(s style) bool {
	switch s {
	case single:
		return d.single()
	case double:
		return d.double()
	case literal, folded:
		return d.block(s == folded)
	}
	return d.plain()
}

func (d *decoder) mark(at int) {
	if d.marks != nil {
		*d.marks = append(*d.marks, mark{len(d.out), at})
	}
}

// run copies text.
func (d *decoder) run(from, to int) {
	if from < to {
		d.mark(from)
		d.out = append(d.out, d.text[from:to]...)
	}
}

// put writes a character that stands for what is in the file at a byte.
func (d *decoder) put(c rune, at int) {
	d.mark(at)
	d.out = utf8.AppendRune(d.out, c)
}

func (d *decoder) peek() byte { return byteAt(d.text, d.at) }

// single reads a single-quoted scalar.
func (d *decoder) single() bool {
	d.at++
	for from := d.at; d.at < len(d.text); {
		switch d.text[d.at] {
		case '\'':
			d.run(from, d.at)
			d.at++
			if d.peek() != '\'' {
				return true
			}
			from = d.at
			d.at++
		case '\n':
			if !d.fold(from, true) {
				return false
			}
			from = d.at
		default:
			d.at++
		}
	}
	return false
}

// double reads a double-quoted scalar.
func (d *decoder) double() bool {
	d.at++
	for from := d.at; d.at < len(d.text); {
		switch d.text[d.at] {
		case '"':
			d.run(from, d.at)
			d.at++
			return true
		case '\\':
			d.run(from, d.at)
			if !d.escape() {
				return false
			}
			from = d.at
		case '\n':
			if !d.fold(from, true) {
				return false
			}
			from = d.at
		default:
			d.at++
		}
	}
	return false
}

// fold copies the text of a line without the blanks at its end, and moves to
// that of the next. A single line break stands for a space, unless it is
// escaped; others are kept.
func (d *decoder) fold(from int, space bool) bool {
	d.run(from, from+len(strings.TrimRight(d.text[from:d.at], " \t")))
	at, breaks := d.at, 0
	for {
		d.at++
		line := d.at
		for d.peek() == ' ' {
			d.at++
		}
		switch {
		case d.at >= len(d.text), d.text[d.at] == '\t':
			return false
		case d.text[d.at] == '\n':
			breaks++
			continue
		case d.at-line <= d.parent, d.parent < 0:
			return false
		}
		if breaks == 0 && space {
			d.put(' ', at)
		}
		for range breaks {
			d.put('\n', at)
		}
		return true
	}
}

// plain reads a plain scalar of several lines.
func (d *decoder) plain() bool {
	for {
		from := d.at
		end, stop := plainLine(d.text, from)
		if byteAt(d.text, stop) == ':' {
			return false
		}
		d.at = stop
		if byteAt(d.text, stop) == '#' || !continued(d.text, stop, d.parent) {
			d.run(from, end)
			d.at = end
			return true
		}
		if !d.fold(from, true) {
			return false
		}
	}
}

// escapes are those of one character: YAML's, which include JSON's.
var escapes = [128]rune{
	'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// escape reads one escape.
func (d *decoder) escape() bool {
	at := d.at
	d.at++
	c := d.peek()
	if c == '\n' {
		return d.fold(d.at, false)
	}
	if c == '0' || c < utf8.RuneSelf && escapes[c] != 0 {
		d.at++
		d.put(escapes[c], at)
		return true
	}
	size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if size == 0 {
		return false
	}
	d.at++
	r, ok := d.hex(size)
	if !ok {
		return false
	}
	if utf16.IsSurrogate(r) {
		if !d.json { // YAML has no such escape
			return false
		}
		r = d.pair(r)
	}
	if !utf8.ValidRune(r) {
		return false
	}
	d.put(r, at)
	return true
}

func (d *decoder) hex(size int) (rune, bool) {
	if d.at+size > len(d.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(d.text[d.at:d.at+size], 16, 32)
	d.at += size
	return rune(n), err == nil && n <= utf8.MaxRune
}

// pair joins the first half of a surrogate pair with the second.
func (d *decoder) pair(high rune) rune {
	at := d.at
	if strings.HasPrefix(d.text[d.at:], `\u`) {
		d.at += len(`\u`)
		if low, ok := d.hex(4); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				return r
			}
		}
	}
	d.at = at
	return utf8.RuneError
}
