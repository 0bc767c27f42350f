package value

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// FromJSON decodes one JSON text. Numbers without fraction and exponent are
// integers; one that does not fit in 64 bits becomes a double. Of equal keys
// the last wins. Invalid UTF-8, doubles out of range, nesting deeper than
// [MaxDepth] and anything after the value are [SyntaxError]s.
func FromJSON(text []byte) (Value, error) {
	d := decoder{src: text}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.at < len(d.src) {
		return nil, d.fail("unexpected %s after the value", d.char())
	}
	return v, nil
}

type decoder struct {
	src []byte
	at  int
}

func (d *decoder) fail(format string, args ...any) error {
	return &SyntaxError{Offset: d.at, Msg: fmt.Sprintf(format, args...)}
}

// char names the next character for a message.
func (d *decoder) char() string {
	if d.at >= len(d.src) {
		return "end of text"
	}
	r, n := utf8.DecodeRune(d.src[d.at:])
	if r == utf8.RuneError && n <= 1 {
		return fmt.Sprintf("byte 0x%02x", d.src[d.at])
	}
	return strconv.QuoteRune(r)
}

func (d *decoder) space() {
	for d.at < len(d.src) {
		switch d.src[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *decoder) peek() byte {
	if d.at < len(d.src) {
		return d.src[d.at]
	}
	return 0
}

func (d *decoder) value(depth int) (Value, error) {
	if depth > MaxDepth {
		return nil, d.fail("nested deeper than %d levels", MaxDepth)
	}
	switch c := d.peek(); {
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.list(depth)
	case c == '"':
		s, err := d.text()
		return String(s), err
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	}
	for _, w := range words {
		if bytes.HasPrefix(d.src[d.at:], []byte(w.text)) {
			d.at += len(w.text)
			return w.value, nil
		}
	}
	return nil, d.fail("expected a value, found %s", d.char())
}

var words = [...]struct {
	text  string
	value Value
}{{"null", Null{}}, {"true", Bool(true)}, {"false", Bool(false)}}

func (d *decoder) list(depth int) (Value, error) {
	d.at++
	var items []Value
	for d.space(); d.peek() != ']'; d.space() {
		if len(items) > 0 {
			if err := d.want(','); err != nil {
				return nil, err
			}
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	d.at++
	return NewList(items...), nil
}

func (d *decoder) object(depth int) (Value, error) {
	d.at++
	m := NewMap()
	for d.space(); d.peek() != '}'; d.space() {
		if m.Len() > 0 {
			if err := d.want(','); err != nil {
				return nil, err
			}
		}
		if d.peek() != '"' {
			return nil, d.fail("expected a key in double quotes, found %s", d.char())
		}
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		d.space()
		if err := d.want(':'); err != nil {
			return nil, err
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m.Put(key, v)
	}
	d.at++
	return m, nil
}

func (d *decoder) want(c byte) error {
	if d.peek() != c {
		return d.fail("expected %q, found %s", c, d.char())
	}
	d.at++
	d.space()
	return nil
}

func (d *decoder) digits() int {
	start := d.at
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.at++
	}
	return d.at - start
}

func (d *decoder) number() (Value, error) {
	start := d.at
	if d.peek() == '-' {
		d.at++
	}
	zero := d.peek() == '0'
	if n := d.digits(); n == 0 || zero && n > 1 {
		return nil, d.fail("malformed number")
	}
	whole := true
	if d.peek() == '.' {
		d.at++
		whole = false
		if d.digits() == 0 {
			return nil, d.fail("malformed number: no digit after the point")
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.at++
		whole = false
		if c := d.peek(); c == '+' || c == '-' {
			d.at++
		}
		if d.digits() == 0 {
			return nil, d.fail("malformed number: no digit in the exponent")
		}
	}
	text := string(d.src[start:d.at])
	if whole {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Int(n), nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d.at = start
		return nil, d.fail("number out of range: %.40s", text)
	}
	return Double(f), nil
}

func (d *decoder) text() (string, error) {
	d.at++
	start := d.at
	for d.at < len(d.src) { // the usual case: nothing to unescape
		c := d.src[d.at]
		if c == '"' {
			s := string(d.src[start:d.at])
			d.at++
			return s, nil
		}
		if c == '\\' || c < 0x20 || c >= utf8.RuneSelf {
			break
		}
		d.at++
	}
	out := append([]byte(nil), d.src[start:d.at]...)
	for d.at < len(d.src) {
		c := d.src[d.at]
		switch {
		case c == '"':
			d.at++
			return string(out), nil
		case c == '\\':
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < 0x20:
			return "", d.fail("control character in a string")
		default:
			r, n := utf8.DecodeRune(d.src[d.at:])
			if r == utf8.RuneError && n == 1 {
				return "", d.fail("invalid UTF-8")
			}
			out = append(out, d.src[d.at:d.at+n]...)
			d.at += n
		}
	}
	return "", d.fail("the string does not end")
}

// escape decodes one escape sequence. A lone surrogate becomes U+FFFD.
func (d *decoder) escape() (rune, error) {
	d.at++
	c := d.peek()
	const names, runes = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	for i := range len(names) {
		if c == names[i] && d.at < len(d.src) {
			d.at++
			return rune(runes[i]), nil
		}
	}
	if c != 'u' {
		return 0, d.fail("unknown escape sequence")
	}
	d.at++
	r, err := d.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if d.peek() == '\\' && d.at+1 < len(d.src) && d.src[d.at+1] == 'u' {
		back := d.at
		d.at += 2
		low, err := d.hex4()
		if err != nil {
			return 0, err
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, nil
		}
		d.at = back
	}
	return utf8.RuneError, nil
}

func (d *decoder) hex4() (rune, error) {
	if len(d.src)-d.at < 4 {
		return 0, d.fail("the escape sequence does not end")
	}
	n, err := strconv.ParseUint(string(d.src[d.at:d.at+4]), 16, 16)
	if err != nil {
		return 0, d.fail("malformed \\u escape")
	}
	d.at += 4
	return rune(n), nil
}
