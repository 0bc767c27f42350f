package spec

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/diag"
)

// A cursor follows the bytes of a scalar's value through the source, past
// indentation, folded line ends, quotes and escapes.
type cursor struct {
	src     string
	value   string
	escapes bool     // the scalar has double quotes
	i       int      // bytes of value that are behind
	at      int      // offset in src
	pos     diag.Pos // of at
	lost    bool     // the value is not in the source; pos stays where it is
}

func (t *text) cursor(n *node) *cursor {
	c := &cursor{src: t.src, value: n.value, at: t.offset(n.at), pos: n.at, escapes: n.style&yaml.DoubleQuotedStyle != 0}
	switch {
	case n.quoted():
		c.move(1)
	case n.block(): // past the header, such as |-
		c.move(max(0, strings.IndexByte(t.src[c.at:], '\n')))
	}
	return c
}

func (c *cursor) move(bytes int) {
	end := min(c.at+bytes, len(c.src))
	for _, r := range c.src[c.at:end] {
		c.pos.Col++
		if r == '\n' {
			c.pos.Line, c.pos.Col = c.pos.Line+1, 1
		}
	}
	c.at = end
}

// to returns where byte i of the value stands in the file. i must not decrease
// from call to call.
func (c *cursor) to(i int) diag.Pos {
	for _, want := range c.value[c.i:i] {
		if !unicode.IsSpace(want) && !c.lost {
			c.pass(want)
		}
	}
	c.i = i
	if next, _ := utf8.DecodeRuneInString(c.value[i:]); i < len(c.value) && !unicode.IsSpace(next) && !c.lost {
		c.skipSpace()
	}
	return c.pos
}

// pass moves past the next character of the value, which is want.
func (c *cursor) pass(want rune) {
	c.skipSpace()
	if r, size := c.next(); r == want {
		c.move(size)
		return
	}
	skip := strings.IndexRune(c.src[c.at:], want)
	if skip < 0 {
		c.lost = true
		return
	}
	c.move(skip + utf8.RuneLen(want))
}

func (c *cursor) skipSpace() {
	for {
		r, size := c.next()
		if size == 0 || !unicode.IsSpace(r) {
			return
		}
		c.move(size)
	}
}

// next is the character that the source has next, and the bytes that it takes.
func (c *cursor) next() (r rune, size int) {
	if rest := c.src[c.at:]; c.escapes && strings.HasPrefix(rest, `\`) {
		return unescape(rest[1:])
	}
	return utf8.DecodeRuneInString(c.src[c.at:])
}

// escaped holds the escapes of YAML for one character.
var escaped = map[byte]rune{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// unescape reads an escape of a double-quoted scalar, of which the backslash
// has been read; size counts it.
func unescape(s string) (r rune, size int) {
	if s == "" {
		return utf8.RuneError, 1
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	if digits == 0 {
		if r, ok := escaped[s[0]]; ok {
			return r, 2
		}
		r, n := utf8.DecodeRuneInString(s) // a quote, a slash, or the end of a line
		return r, 1 + n
	}
	r = hex(s, digits)
	if low := s[min(len(s), 1+digits):]; utf16.IsSurrogate(r) && strings.HasPrefix(low, `\u`) { // JSON has these
		return utf16.DecodeRune(r, hex(low[1:], 4)), 12
	}
	return r, 2 + digits
}

// hex reads the number behind the letter of an escape.
func hex(s string, digits int) rune {
	n, err := strconv.ParseUint(s[1:min(len(s), 1+digits)], 16, 32)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}
