package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// line is one row of the board. On a terminal it takes one line there: one that
// wrapped could not be redrawn in place.
func (b *board) line(r *row) string {
	sign, color := r.state.mark()
	width := b.nameWidth()
	name := cut(indented(r.name), width)
	pad := strings.Repeat(" ", width-utf8.RuneCountInString(name))
	text := fmt.Sprintf("  %s %s%s  %s %8s", b.term.paint(color, sign), name, pad,
		b.term.paint(color, fmt.Sprintf("%-7s", r.state)), b.elapsed(r))
	if note := b.fit(r.note, width); note != "" {
		text += "  " + b.term.paint(colorDim, note)
	}
	return strings.TrimRight(text, " ")
}

// beside is how many columns of a line are taken by other things than the name
// and the note.
const beside = len("  x ") + len("  running ") + len("12345678  ")

// nameWidth is the width of the names' column.
func (b *board) nameWidth() int {
	if columns := b.term.columns(); columns > 0 {
		return min(b.width, max(columns-beside, 8))
	}
	return b.width
}

// fit cuts a note to the terminal; in a pipe nothing is cut.
func (b *board) fit(note string, nameWidth int) string {
	columns := b.term.columns()
	if columns == 0 {
		return note
	}
	return cut(note, columns-beside-nameWidth-1)
}

// cut shortens a text to n characters.
func cut(text string, n int) string {
	runes := []rune(text)
	switch {
	case len(runes) <= n:
		return text
	case n < 1:
		return ""
	}
	return string(runes[:n-1]) + "…"
}

// indented sets what is part of a task off from it.
func indented(name string) string {
	if topTask(name) != name {
		return "  " + name
	}
	return name
}

// topTask is the task of the pipeline itself that a path is part of: tune of
// tune[3]/train.
func topTask(path string) string {
	if i := strings.IndexAny(path, "[/"); i >= 0 {
		return path[:i]
	}
	return path
}

// laterIteration reports whether a path is in a later iteration than another
// one, which is part of the same task. Paths that are in none or in the same
// iteration keep the order in which they come.
func laterIteration(path, other string) bool {
	for {
		before, rest, ok := strings.Cut(path, "[")
		otherBefore, otherRest, otherOK := strings.Cut(other, "[")
		if !ok || !otherOK || before != otherBefore {
			return false
		}
		a, pathRest, _ := strings.Cut(rest, "]")
		b, otherPathRest, _ := strings.Cut(otherRest, "]")
		if a != b {
			i, errA := strconv.Atoi(a)
			j, errB := strconv.Atoi(b)
			return errA == nil && errB == nil && i > j
		}
		path, other = pathRest, otherPathRest
	}
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
