package workflow

import (
	"bytes"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/diag"
)

// stretch is a part of a scalar's value that stands in the source as it is.
type stretch struct {
	offset int // in the value, where the part begins
	at     diag.Pos
}

// locator returns a function that tells where the byte at an offset of the
// scalar's value comes from. Quotes, escapes, folded lines and indentation
// make the two differ.
func (p *parser) locator(n *element) func(offset int) diag.Pos {
	parts := p.stretches(n)
	value := n.Value
	return func(offset int) diag.Pos {
		i := sort.Search(len(parts), func(i int) bool { return parts[i].offset > offset }) - 1
		at := parts[i].at
		at.Col += utf8.RuneCountInString(value[parts[i].offset:offset])
		return at
	}
}

// offsetOf returns the byte offset of a position in the source.
func (p *parser) offsetOf(line, col int) int {
	if line < 1 || line > len(p.lines) {
		return len(p.src)
	}
	off := p.lines[line-1]
	for ; col > 1 && off < len(p.src); col-- {
		_, w := utf8.DecodeRune(p.src[off:])
		off += w
	}
	return off
}

// verbatim reports where the scalar's value stands in the source, if it does
// so without escapes and on one line, as nearly all do.
func (p *parser) verbatim(n *element) (diag.Pos, bool) {
	at := p.pos(n)
	off := p.offsetOf(int(n.Line), int(n.Column))
	switch n.Style {
	case 0:
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		off++
		at.Col++
	default:
		return at, false
	}
	return at, off <= len(p.src) && bytes.HasPrefix(p.src[off:], []byte(n.Value)) && strings.IndexByte(n.Value, '\n') < 0
}

// stretches walks the value and the source side by side.
func (p *parser) stretches(n *element) []stretch {
	if at, ok := p.verbatim(n); ok {
		return []stretch{{at: at}}
	}
	w := aligner{src: p.src, off: p.offsetOf(int(n.Line), int(n.Column)), at: p.pos(n)}
	w.skipProperties()
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		w.enterBlock(strings.TrimLeft(n.Value, "\n"))
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		w.quote = w.peek()
		w.step()
	}
	w.parts = []stretch{{at: w.at}}
	start := 0
	if w.block { // blank lines before the text have been skipped
		start = len(n.Value) - len(strings.TrimLeft(n.Value, "\n"))
		w.parts = append(w.parts, stretch{start, w.at})
	}
	for i, r := range n.Value[start:] {
		w.align(start+i, r)
	}
	return w.parts
}

// aligner is a place in the source that follows the value of a scalar.
type aligner struct {
	src    []byte
	off    int
	at     diag.Pos
	quote  byte // ' or " for those styles, else 0
	block  bool
	indent int // of a block scalar, in characters
	parts  []stretch
	broken bool // the source has to be skipped before the next character
}

func (w *aligner) peek() byte {
	if w.off < len(w.src) {
		return w.src[w.off]
	}
	return 0
}

// step moves over one character of the source.
func (w *aligner) step() {
	if w.off >= len(w.src) {
		return
	}
	r, size := utf8.DecodeRune(w.src[w.off:])
	w.off += size
	w.at.Col++
	if r == '\n' {
		w.at.Line, w.at.Col = w.at.Line+1, 1
	}
}

// skipProperties moves over an anchor and a tag.
func (w *aligner) skipProperties() {
	for c := w.peek(); c == '&' || c == '!'; c = w.peek() {
		for c := w.peek(); c != 0 && strings.IndexByte(" \t\r\n", c) < 0; c = w.peek() {
			w.step()
		}
		w.skip(" \t\r\n")
	}
}

func (w *aligner) skip(chars string) {
	for c := w.peek(); c != 0 && strings.IndexByte(chars, c) >= 0; c = w.peek() {
		w.step()
	}
}

// enterBlock moves from the header of a block scalar to its first character;
// text is its value without leading line breaks.
func (w *aligner) enterBlock(text string) {
	w.block = true
	for w.peek() != 0 && w.peek() != '\n' {
		w.step()
	}
	w.skip("\r\n ")
	// Blanks that begin the text are no indentation.
	blanks := len(text) - len(strings.TrimLeft(text, " "))
	w.indent = w.at.Col - 1 - blanks
	w.off -= blanks
	w.at.Col -= blanks
}

// align finds the source of character r of the value, at offset i.
func (w *aligner) align(i int, r rune) {
	switch c := w.peek(); {
	case w.quote == '"' && c == '\\':
		w.escape(i, r)
		return
	case w.quote == '\'' && c == '\'':
		w.mark(i)
		w.step()
		w.step()
		w.broken = true
		return
	case w.atBreak():
		if r == '\n' || r == ' ' {
			w.mark(i)
			w.lineBreak()
			return
		}
		for w.atBreak() && w.off < len(w.src) {
			w.lineBreak()
		}
	}
	w.mark(i)
	w.step()
}

// mark begins a new stretch where the source was not contiguous.
func (w *aligner) mark(i int) {
	if w.broken {
		w.parts = append(w.parts, stretch{i, w.at})
		w.broken = false
	}
}

// atBreak reports whether only blanks that do not count precede a line break.
func (w *aligner) atBreak() bool {
	rest := w.src[w.off:]
	if !w.block {
		rest = bytes.TrimLeft(rest, " \t")
	}
	return bytes.HasPrefix(rest, []byte("\n")) || bytes.HasPrefix(rest, []byte("\r\n"))
}

// lineBreak moves to the text of the next line.
func (w *aligner) lineBreak() {
	w.broken = true
	for w.peek() != '\n' {
		w.step()
	}
	w.step()
	for n := 0; w.peek() == ' ' && (!w.block || n < w.indent); n++ {
		w.step()
	}
	if !w.block {
		w.skip(" \t")
	}
}

// escape moves over one escape of a double-quoted scalar.
func (w *aligner) escape(i int, r rune) {
	w.broken = true
	w.mark(i)
	w.step()
	c := w.peek()
	if c == '\n' || c == '\r' { // an escaped line break stands for nothing
		w.lineBreak()
		w.align(i, r)
		return
	}
	w.step()
	length := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if c == 'u' && w.surrogate() {
		length = 10
	}
	for ; length > 0; length-- {
		w.step()
	}
	w.broken = true
}

// surrogate reports whether the four digits at hand, those of a JSON escape,
// are the first half of a pair.
func (w *aligner) surrogate() bool {
	rest := w.src[w.off:]
	return len(rest) >= 10 && rest[0]|0x20 == 'd' && strings.IndexByte("89abAB", rest[1]) >= 0 && rest[4] == '\\'
}
