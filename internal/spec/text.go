package spec

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
)

// A text is a source file, to turn a place in a value into a place in the file.
type text struct {
	file  string
	src   string
	lines []line
}

// A line knows where its characters are: a file may be one very long line.
type line struct {
	start, end int   // bytes, without the line's end
	runes      int   // -1 until marks is made
	marks      []int // offset of every markEvery-th character
}

const markEvery = 256

func newText(file string, src []byte) *text {
	t := &text{file: file, src: string(src)}
	for start := 0; start < len(src) || start == 0; {
		end := strings.IndexByte(t.src[start:], '\n')
		next := start + end + 1
		if end < 0 {
			end, next = len(src)-start, len(src)+1
		}
		stop := start + len(strings.TrimSuffix(t.src[start:start+end], "\r"))
		t.lines = append(t.lines, line{start: start, end: stop, runes: -1})
		start = next
	}
	return t
}

// line returns line n, counted from 1, with its marks.
func (t *text) line(n int) *line {
	l := &t.lines[n-1]
	if l.runes >= 0 {
		return l
	}
	l.runes = 0
	for at := range t.src[l.start:l.end] {
		if l.runes%markEvery == 0 {
			l.marks = append(l.marks, l.start+at)
		}
		l.runes++
	}
	return l
}

// lineOf is the text of line n, "" when there is none.
func (t *text) lineOf(n int) string {
	if n < 1 || n > len(t.lines) {
		return ""
	}
	return t.src[t.lines[n-1].start:t.lines[n-1].end]
}

// clamp makes a position of a line and a column that may lie beyond the file:
// a YAML reader reports what is missing after the last line, and knows line
// ends that editors do not.
func (t *text) clamp(line, col int) diag.Pos {
	if line > len(t.lines) {
		line, col = len(t.lines), 1<<30
	}
	line = max(line, 1)
	return diag.Pos{File: t.file, Line: line, Col: max(1, min(col, t.line(line).runes+1))}
}

// pos is the position of a byte.
func (t *text) pos(offset int) diag.Pos {
	n := max(1, sort.Search(len(t.lines), func(i int) bool { return t.lines[i].start > offset }))
	l := t.line(n)
	col := utf8.RuneCountInString(t.src[l.start:max(l.start, min(offset, l.end))]) + 1
	return t.clamp(n, col)
}

// offset is the byte at a position, which is one of clamp's.
func (t *text) offset(p diag.Pos) int {
	l := t.line(p.Line)
	if p.Col > l.runes {
		return l.end
	}
	mark := (p.Col - 1) / markEvery
	at := l.marks[mark]
	for range p.Col - 1 - mark*markEvery {
		_, n := utf8.DecodeRuneInString(t.src[at:])
		at += n
	}
	return at
}

func (t *text) runeAt(p diag.Pos) rune {
	r, _ := utf8.DecodeRuneInString(t.src[t.offset(p):])
	return r
}
