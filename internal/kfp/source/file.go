package source

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
)

// A File knows the lines of a source, to turn bytes into places.
type File struct {
	name  string
	text  string
	lines []int // where each begins
	ascii bool
	runes []int                     // in text[:i*block]; only when not ascii
	last  int                       // the line that was asked for last
	outer func(offset int) diag.Pos // of the text of a scalar: its place in the file
}

// block is how many bytes are counted at most to find a column, so that a file
// of one long line is not slow.
const block = 1 << 10

const byteOrderMark = "\ufeff"

func newFile(name string, src []byte) *File {
	f := &File{name: name, text: string(src), lines: make([]int, 1, 1+len(src)/32), ascii: true}
	if strings.HasPrefix(f.text, byteOrderMark) {
		f.lines[0] = len(byteOrderMark)
	}
	for i := 0; ; {
		n := strings.IndexByte(f.text[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		f.lines = append(f.lines, i)
	}
	for i := range len(src) {
		if src[i] >= utf8.RuneSelf {
			f.ascii = false
			f.countRunes()
			break
		}
	}
	return f
}

func (f *File) countRunes() {
	n := 0
	for i := 0; i < len(f.text); i += block {
		f.runes = append(f.runes, n)
		n += starts(f.text[i:min(i+block, len(f.text))])
	}
	f.runes = append(f.runes, n)
}

// starts counts the bytes that begin a character: a block may cut one in two.
func starts(s string) int {
	n := 0
	for i := range len(s) {
		if s[i]&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

func (f *File) runesBefore(offset int) int {
	b := offset / block
	return f.runes[b] + starts(f.text[b*block:offset])
}

// Pos is the place of a byte.
func (f *File) Pos(offset int) diag.Pos {
	if f.outer != nil {
		return f.outer(offset)
	}
	offset = max(f.lines[0], min(offset, len(f.text)))
	line := f.line(offset)
	col := offset - f.lines[line]
	if !f.ascii {
		col = f.runesBefore(offset) - f.runesBefore(f.lines[line])
	}
	return diag.Pos{File: f.name, Line: line + 1, Col: col + 1}
}

// line returns the line of a byte, counted from 0. Most nodes are asked for in
// the order of the file, so the line is near the last one.
func (f *File) line(offset int) int {
	i := f.last
	for range 8 {
		if i+1 == len(f.lines) || f.lines[i+1] > offset {
			break
		}
		i++
	}
	if f.lines[i] > offset || i+1 < len(f.lines) && f.lines[i+1] <= offset {
		i = sort.Search(len(f.lines), func(k int) bool { return f.lines[k] > offset }) - 1
	}
	f.last = i
	return i
}

// offset is the byte at a line and a column, both counted from 1, or the end of
// what is there.
func (f *File) offset(line, col int) int {
	if line < 1 || line > len(f.lines) {
		return len(f.text)
	}
	at := f.lines[line-1]
	if f.ascii {
		return min(at+max(col, 1)-1, len(f.text))
	}
	for ; col > 1 && at < len(f.text); col-- {
		_, n := utf8.DecodeRuneInString(f.text[at:])
		at += n
	}
	return at
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8.
func invalidUTF8(src []byte) (offset int, ok bool) {
	if utf8.Valid(src) {
		return 0, true
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i, false
		}
		i += n
	}
	return 0, true
}
