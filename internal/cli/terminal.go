package cli

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// terminal is what the talk goes to.
type terminal struct {
	live  bool // lines may be redrawn
	color bool
	// size is the terminal's now, in characters; nil or 0 when there is none.
	size func() (columns, rows int)
}

// terminalOf looks at w and at the usual environment: NO_COLOR, CLICOLOR_FORCE,
// TERM=dumb and CI.
func terminalOf(w io.Writer) terminal {
	f, ok := w.(*os.File)
	tty := ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	t := terminal{live: tty && os.Getenv("CI") == "", color: tty}
	if t.live {
		t.size = func() (columns, rows int) {
			columns, rows, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0, 0
			}
			return columns, rows
		}
	}
	if os.Getenv("CLICOLOR_FORCE") != "" {
		t.color = true
	}
	if os.Getenv("NO_COLOR") != "" {
		t.color = false
	}
	return t
}

// Colours by meaning. A word or a sign always says the same as the colour.
const (
	colorOK      = "32"
	colorFailed  = "31;1"
	colorRunning = "34;1"
	colorWaiting = "33"
	colorCached  = "36"
	colorDim     = "2"
	colorBold    = "1"
)

// columns is the terminal's width, 0 when it is not known.
func (t terminal) columns() int {
	if t.size == nil {
		return 0
	}
	columns, _ := t.size()
	return columns
}

// rows is the terminal's height, 0 when it is not known.
func (t terminal) rows() int {
	if t.size == nil {
		return 0
	}
	_, rows := t.size()
	return rows
}

func (t terminal) paint(code, s string) string {
	if !t.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// plain keeps text from elsewhere, such as what a job printed, from steering the
// terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}
