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
	width = max(1, min(width, end-col+1))
	return text, strings.Repeat(" ", col-1-start) + strings.Repeat("^", width)
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
