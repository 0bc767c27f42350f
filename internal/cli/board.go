package cli

import (
	"fmt"
	"io"
	"slices"
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
	width int // of the longest name

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

// row returns the row of a task, adding it if it is new: one of a sub-pipeline
// or an iteration below the task that it is part of.
func (b *board) row(name string) *row {
	if i := b.index(name); i >= 0 {
		return b.rows[i]
	}
	r := &row{name: name, state: stateWaiting}
	b.width = max(b.width, utf8.RuneCountInString(indented(name)))
	at := b.index(topTask(name)) + 1
	if at == 0 {
		at = len(b.rows)
	}
	for at < len(b.rows) && topTask(b.rows[at].name) == topTask(name) && !laterIteration(b.rows[at].name, name) {
		at++
	}
	b.rows = slices.Insert(b.rows, at, r)
	return r
}

func (b *board) index(name string) int {
	return slices.IndexFunc(b.rows, func(r *row) bool { return r.name == name })
}

// set moves a task to a state. An empty note keeps the one it has.
func (b *board) set(name string, s taskState, note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.row(name)
	note = plain(strings.ReplaceAll(note, "\n", " "))
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

// state is a task's.
func (b *board) state(name string) taskState {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.index(name); i >= 0 {
		return b.rows[i].state
	}
	return stateWaiting
}

// busy reports whether a part of a task is running.
func (b *board) busy(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.rows, func(r *row) bool {
		return r.state == stateRunning && r.name != name && topTask(r.name) == name
	})
}

// say prints a line of its own above the tasks.
func (b *board) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	fmt.Fprintf(b.w, format+"\n", args...)
	b.draw()
}

// close draws the board for the last time, with all its rows, and leaves it on
// the terminal.
func (b *board) close() {
	if !b.term.live {
		return
	}
	close(b.stop)
	b.done.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	b.print(b.rows)
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

// draw shows as many rows as the terminal has room for: one that scrolled out of
// it could not be redrawn. A line above stays, too: terminals take a screen that
// is erased as a whole into their history.
func (b *board) draw() {
	if !b.term.live {
		return
	}
	shown := b.rows
	if height := b.term.rows(); height > 0 && len(b.rows) > height-2 {
		shown = mostTelling(b.rows, max(height-3, 1))
	}
	b.print(shown)
	b.drawn = len(shown)
	if hidden := summary(b.rows, shown); hidden != "" {
		fmt.Fprintf(b.w, "  %s\n", b.term.paint(colorDim, "… and "+hidden))
		b.drawn++
	}
}

func (b *board) print(rows []*row) {
	for _, r := range rows {
		fmt.Fprintln(b.w, b.line(r))
	}
}

// mostTelling picks n rows, in their order: first those that run or failed, then
// those that wait.
func mostTelling(rows []*row, n int) []*row {
	picked := map[*row]bool{}
	for _, states := range [][]taskState{{stateRunning, stateFailed}, {stateWaiting}, {stateSucceeded, stateCached, stateSkipped}} {
		for _, r := range rows {
			if len(picked) < n && slices.Contains(states, r.state) {
				picked[r] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return !picked[r] })
}

// summary counts the rows that are not shown, such as "12 ok, 3 waiting".
func summary(rows, shown []*row) string {
	var parts []string
	for _, s := range []taskState{stateFailed, stateRunning, stateSucceeded, stateCached, stateSkipped, stateWaiting} {
		n := 0
		for _, r := range rows {
			if r.state == s && !slices.Contains(shown, r) {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}
