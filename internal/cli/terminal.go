package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminal is what the talk goes to.
type terminal struct {
	live  bool // lines may be redrawn
	color bool
	// columns is the terminal's width now; nil or 0 when there is none.
	columns func() int
}

// terminalOf looks at w and at the usual environment: NO_COLOR, CLICOLOR_FORCE,
// TERM=dumb and CI.
func terminalOf(w io.Writer) terminal {
	f, ok := w.(*os.File)
	tty := ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	t := terminal{live: tty && os.Getenv("CI") == "", color: tty}
	if t.live {
		t.columns = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 0
			}
			return width
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

func (t terminal) paint(code, s string) string {
	if !t.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
