package diag

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Render writes each diagnostic with the source line it points at and a caret
// below. source returns a file's text, or nil when it is not at hand.
func Render(w io.Writer, l List, source func(file string) []byte, color bool) {
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	for _, d := range l {
		hue := "31;1"
		if d.Severity == Warning {
			hue = "33;1"
		}
		fmt.Fprintf(w, "%s: %s %s", paint("1", d.Pos.String()), paint(hue, d.Severity.String()+":"), clean(d.Message))
		if d.Code != "" {
			fmt.Fprintf(w, " %s", paint("2", "["+d.Code+"]"))
		}
		fmt.Fprintln(w)
		if line, ok := lineOf(source, d.Pos); ok && !d.Secret {
			text, caret := snippet(line, d.Pos.Col, d.Width)
			fmt.Fprintf(w, "  %s %s\n", paint("2", fmt.Sprintf("%5d |", d.Pos.Line)), text)
			fmt.Fprintf(w, "  %s %s\n", paint("2", "      |"), paint(hue, caret))
		}
		if d.Hint != "" {
			fmt.Fprintf(w, "  %s %s\n", paint("2", "      ="), clean(d.Hint))
		}
	}
}

func lineOf(source func(string) []byte, p Pos) (string, bool) {
	if source == nil || !p.IsValid() {
		return "", false
	}
	text := source(p.File)
	if text == nil {
		return "", false
	}
	rest := string(text)
	for n := 1; n < p.Line; n++ {
		i := strings.IndexByte(rest, '\n')
		if i < 0 {
			return "", false
		}
		rest = rest[i+1:]
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSuffix(line, "\r"), true
}

// maxSnippet keeps a diagnostic about a very long line readable.
const maxSnippet = 120

func snippet(line string, col, width int) (text, caret string) {
	runes := []rune(line)
	if col < 1 {
		col = 1
	}
	if col > len(runes)+1 {
		col = len(runes) + 1
	}
	start := 0
	if col > maxSnippet {
		start = col - maxSnippet/2
	}
	end := min(len(runes), start+maxSnippet)
	shown := runes[start:end]
	text = clean(string(shown))
	before, under := runes[start:col-1], runes[col-1:min(col-1+max(width, 1), end)]
	return text, strings.Repeat(" ", columns(before)) + strings.Repeat("^", max(1, columns(under)))
}

// columns is how many columns a terminal gives to characters: two to those of
// East Asia and to pictures, none to marks on the one before.
func columns(runes []rune) int {
	n := 0
	for _, r := range runes {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
			r >= 0x1F300 && r <= 0x1FAFF, r >= 0xFF01 && r <= 0xFF60, r >= 0x3000 && r <= 0x303E:
			n += 2
		default:
			n++
		}
	}
	return n
}

// clean keeps a hostile source from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return '�'
		}
		return r
	}, s)
}
