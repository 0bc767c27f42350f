package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// taskState is the state of a task as the board shows it.
type taskState string

const (
	stateWaiting   taskState = "waiting"
	stateRunning   taskState = "running"
	stateSucceeded taskState = "ok"
	stateCached    taskState = "cached"
	stateFailed    taskState = "FAILED"
	stateSkipped   taskState = "skipped"
)

// mark gives each state a sign and a colour; the word says the same.
func (s taskState) mark() (sign, color string) {
	switch s {
	case stateRunning:
		return "▸", colorRunning
	case stateSucceeded:
		return "✓", colorOK
	case stateCached:
		return "≡", colorCached
	case stateFailed:
		return "✗", colorFailed
	case stateSkipped:
		return "–", colorDim
	}
	return "·", colorDim
}

func (s taskState) ended() bool { return s != stateWaiting && s != stateRunning }

// row is one task of the board.
type row struct {
	name       string
	state      taskState
	note       string
	begun, end time.Time
}

// board shows the tasks of a run: on a terminal as a tree that is redrawn, in a
// pipe as one line for each change.
type board struct {
	w     io.Writer
	term  terminal
	now   func() time.Time
	width int // of the names' column

	mu    sync.Mutex
	rows  []*row
	drawn int // lines on the terminal that the next drawing replaces
	stop  chan struct{}
	done  sync.WaitGroup
}

func newBoard(w io.Writer, term terminal, tasks []string) *board {
	b := &board{w: w, term: term, now: time.Now, stop: make(chan struct{})}
	for _, name := range tasks {
		b.row(name)
	}
	if term.live {
		b.done.Add(1)
		go b.animate()
	}
	return b
}

// row returns the row of a task, adding it at the end if it is new.
func (b *board) row(name string) *row {
	for _, r := range b.rows {
		if r.name == name {
			return r
		}
	}
	r := &row{name: name, state: stateWaiting}
	b.rows = append(b.rows, r)
	b.width = max(b.width, utf8.RuneCountInString(name))
	return r
}

// set moves a task to a state. An empty note keeps the one it has.
func (b *board) set(name string, s taskState, note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.row(name)
	if r.state == s && (note == "" || note == r.note) {
		return
	}
	if note != "" {
		r.note = note
	}
	if s == stateRunning && r.begun.IsZero() {
		r.begun = b.now()
	}
	if s.ended() {
		r.end = b.now()
	}
	r.state = s
	if !b.term.live {
		fmt.Fprintln(b.w, b.line(r))
	}
}

// say prints a line of its own above the tasks.
func (b *board) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	fmt.Fprintf(b.w, format+"\n", args...)
	b.draw()
}

// close draws the board for the last time and leaves it on the terminal.
func (b *board) close() {
	if !b.term.live {
		return
	}
	close(b.stop)
	b.done.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	b.draw()
	b.drawn = 0
}

// animate redraws the board so that running times move.
func (b *board) animate() {
	defer b.done.Done()
	tick := time.NewTicker(120 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-tick.C:
			b.mu.Lock()
			b.erase()
			b.draw()
			b.mu.Unlock()
		}
	}
}

func (b *board) erase() {
	if b.drawn > 0 {
		fmt.Fprintf(b.w, "\x1b[%dA\x1b[J", b.drawn)
		b.drawn = 0
	}
}

func (b *board) draw() {
	if !b.term.live {
		return
	}
	for _, r := range b.rows {
		fmt.Fprintln(b.w, b.line(r))
	}
	b.drawn = len(b.rows)
}

func (b *board) line(r *row) string {
	sign, color := r.state.mark()
	pad := strings.Repeat(" ", b.width-utf8.RuneCountInString(r.name))
	text := fmt.Sprintf("  %s %s%s  %s %8s", b.term.paint(color, sign), r.name, pad,
		b.term.paint(color, fmt.Sprintf("%-7s", r.state)), b.elapsed(r))
	if r.note != "" {
		text += "  " + b.term.paint(colorDim, b.fit(r.note))
	}
	return strings.TrimRight(text, " ")
}

// beside is how many columns of a line are taken by other things than the name
// and the note.
const beside = len("  x ") + len("  running ") + len("12345678  ")

// fit cuts a note so that its line does not wrap: a line that did could not be
// redrawn in place. In a pipe nothing is cut.
func (b *board) fit(note string) string {
	if b.term.columns == nil {
		return note
	}
	room := b.term.columns() - beside - b.width - 1
	runes := []rune(note)
	switch {
	case room <= 0 && b.term.columns() > 0:
		return ""
	case room <= 0 || len(runes) <= room:
		return note
	}
	return string(runes[:room-1]) + "…"
}

func (b *board) elapsed(r *row) string {
	switch {
	case r.begun.IsZero():
		return ""
	case r.state.ended():
		return shortDuration(r.end.Sub(r.begun))
	}
	return shortDuration(b.now().Sub(r.begun))
}

// shortDuration formats d as people say it: 80ms, 2.4s, 3m12s.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
