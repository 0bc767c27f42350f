package stub

import (
	"slices"

	"github.com/kakehi/kakehi/internal/interp"
)

// Set answers one execution; it is its [interp.Stubs].
type Set struct {
	files []*File
	given map[*Stub]int64 // answers
}

// NewSet returns the stubs of the files for a new execution. Those of earlier
// files go first.
func NewSet(files ...*File) *Set { return &Set{files: files, given: map[*Stub]int64{}} }

// Call implements [interp.Stubs].
func (s *Set) Call(c interp.Call) *interp.Answer {
	if a := s.answer(c, nil); a != nil {
		return a
	}
	for _, f := range s.files {
		for _, h := range f.hooks {
			if h.name == c.Func {
				return h.answer(c)
			}
		}
	}
	return nil
}

// Request implements [interp.Stubs].
func (s *Set) Request(c interp.Call, r *interp.Request) *interp.Answer {
	if a := s.answer(c, r); a != nil {
		return a
	}
	if slices.ContainsFunc(s.files, func(f *File) bool { return f.Refuse }) {
		return failed("no stub answers %s %s, sent by %s in step %q of %s", r.Method, r.URL, c.Func, c.Step, c.Routine)
	}
	return nil
}

// answer is that of the first stub that has one.
func (s *Set) answer(c interp.Call, r *interp.Request) *interp.Answer {
	for _, f := range s.files {
		for _, stub := range f.Stubs {
			if stub.requests != (r != nil) || !stub.Matches(c, r) {
				continue
			}
			if a := stub.next(s.given[stub], c, r); a != nil {
				s.given[stub]++
				return a
			}
		}
	}
	return nil
}

// next is the answer after a number of others, or nil if there is none.
func (s *Stub) next(given int64, c interp.Call, r *interp.Request) *interp.Answer {
	left := given
	for _, a := range s.answers {
		if left < a.times {
			return a.give(c, r, given+1)
		}
		left -= a.times
	}
	switch s.exhausted {
	case passOn:
		return nil
	case failRun:
		return failed("the stub at %s (%s) has been asked %d times, and has no more answers", s.At, s.Match, given+1)
	}
	return s.answers[len(s.answers)-1].give(c, r, given+1)
}
