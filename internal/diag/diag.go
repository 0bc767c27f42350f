// Package diag holds source positions and diagnostics: what is wrong, where,
// why, and how to mend it. It depends on nothing else of the project.
package diag

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// Pos is a place in a source file. Line and Col are 1-based and count
// characters (runes), not bytes; 0 means unknown.
type Pos struct {
	File      string
	Line, Col int
}

// IsValid reports whether the line is known.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String formats p as file:line:col, leaving out what is unknown.
func (p Pos) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	for _, n := range []int{p.Line, p.Col} {
		if n <= 0 {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprint(&b, n)
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

// Before orders positions by file, line and column.
func (p Pos) Before(q Pos) bool {
	if p.File != q.File {
		return p.File < q.File
	}
	if p.Line != q.Line {
		return p.Line < q.Line
	}
	return p.Col < q.Col
}

// Severity tells an error, which stops the command, from a warning.
type Severity int

// The severities.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one finding about a source file.
type Diagnostic struct {
	Pos      Pos
	Width    int // characters the caret underlines; 0 means 1
	Severity Severity
	Code     string // stable and machine-readable, such as "unknown-key"
	Message  string // what is wrong, and why
	Hint     string // how to mend it; may be empty
	Secret   bool   // the source line must not be shown
}

// Error formats d on one line, without its snippet.
func (d Diagnostic) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", d.Pos)
	if d.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Message)
	if d.Hint != "" {
		fmt.Fprintf(&b, " (%s)", d.Hint)
	}
	if d.Code != "" {
		fmt.Fprintf(&b, " [%s]", d.Code)
	}
	return b.String()
}

// List is a set of diagnostics. As an error it is never empty: use [List.Err].
type List []Diagnostic

// Errorf appends an error at p.
func (l *List) Errorf(p Pos, code, format string, args ...any) {
	*l = append(*l, Diagnostic{Pos: p, Code: code, Message: fmt.Sprintf(format, args...)})
}

// Warnf appends a warning at p.
func (l *List) Warnf(p Pos, code, format string, args ...any) {
	*l = append(*l, Diagnostic{Pos: p, Severity: Warning, Code: code, Message: fmt.Sprintf(format, args...)})
}

// Add appends diagnostics as they are.
func (l *List) Add(ds ...Diagnostic) { *l = append(*l, ds...) }

// Sort orders l by position, then code and message, and drops exact repeats.
func (l *List) Sort() {
	s := *l
	sort.SliceStable(s, func(i, j int) bool {
		a, b := s[i], s[j]
		if a.Pos != b.Pos {
			return a.Pos.Before(b.Pos)
		}
		if a.Code != b.Code {
			return a.Code < b.Code
		}
		return a.Message < b.Message
	})
	out := s[:0]
	for i, d := range s {
		if i == 0 || d != s[i-1] {
			out = append(out, d)
		}
	}
	*l = out
}

// HasErrors reports whether l holds anything worse than a warning.
func (l List) HasErrors() bool {
	for _, d := range l {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// Err returns l, sorted, as an error, or nil when it holds no error.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	l.Sort()
	return l
}

// Error lists the diagnostics, one a line.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.Is and errors.As each diagnostic.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, d := range l {
		errs[i] = d
	}
	return errs
}

// From extracts the diagnostics of err, if it carries any.
func From(err error) (List, bool) {
	var l List
	if errors.As(err, &l) {
		return l, true
	}
	var d Diagnostic
	if errors.As(err, &d) {
		return List{d}, true
	}
	return nil, false
}
