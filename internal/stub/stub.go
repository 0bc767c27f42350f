// Package stub reads stub files, and answers the calls and requests of an
// execution with what they hold, in the place of the outside.
//
// A stub names calls, by function, step and arguments, or requests, by URL and
// method, and has an answer for each attempt. The hook file of gcw-emulator,
// which maps connectors to programs and HTTP endpoints, is a stub file too.
package stub

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/form"
	"github.com/kakehi/kakehi/internal/workflow"
)

// File is what a stub file holds.
type File struct {
	Stubs []*Stub
	hooks []*hook
	// Refuse says that a request which nothing answers must not go out.
	Refuse bool
}

// Stub answers the calls or requests that match.
type Stub struct {
	At diag.Pos
	Match
	answers   []*answer
	requests  bool // it answers requests, not calls
	exhausted string
}

// What happens when all answers of a stub were given.
const (
	repeatLast = "repeat" // the last one is given again, always
	passOn     = "pass"   // the stub answers no more
	failRun    = "fail"   // the execution fails; it cannot catch that
)

// Parse reads a stub file; name is for positions. The error is a [diag.List]
// with every mistake; without an error the list may hold warnings.
func Parse(name string, src []byte) (*File, diag.List, error) {
	n, err := workflow.ParseValue(name, src)
	if err != nil {
		return nil, nil, err
	}
	r := &form.Reader{}
	f := &File{}
	if n == nil {
		r.Errorf(diag.Pos{File: name, Line: 1, Col: 1}, "empty", "begin with: stubs:", "the file is empty")
	} else {
		table := fileObject()
		table.Lax = isHookFile(n)
		table.Read(r, n, f)
	}
	return f, r.Found, r.Found.Err()
}

// isHookFile says that a file has hooks alone. gcw-emulator passes over keys
// that it does not know.
func isHookFile(n workflow.Node) bool {
	hooks, stubs := false, false
	if m, ok := n.(*workflow.Map); ok {
		for _, e := range m.Entries {
			key, _ := e.Key.(*workflow.Lit)
			hooks = hooks || key != nil && key.Value == "connectors"
			stubs = stubs || key != nil && key.Value == "stubs"
		}
	}
	return hooks && !stubs
}

// Schema is the JSON Schema of stub files.
func Schema() []byte { return fileObject().Schema().Document("Kakehi stubs") }

func fileObject() form.Object[File] {
	return form.Object[File]{
		Name: "a stub file", Doc: "Answers in the place of the outside world.",
		Fields: []form.Field[File]{
			{Key: "stubs", Doc: "the stubs; of those that match, the first that has an answer gives it", Schema: ListSchema(),
				Read: func(r *form.Reader, n workflow.Node, f *File) { f.Stubs = Read(r, n) }},
			{Key: "connectors", Doc: "handlers by function name, as in the hook file of gcw-emulator", Schema: form.MapOf(hookObject().Schema()),
				Read: func(r *form.Reader, n workflow.Node, f *File) { f.hooks = readHooks(r, n) }},
			{Key: "unmatched", Doc: "what becomes of requests that nothing answers; pass is the default of exec and dev, refuse that of test", Schema: form.Word("pass", "refuse"),
				Read: func(r *form.Reader, n workflow.Node, f *File) { f.Refuse = r.Word(n, "pass", "refuse") == "refuse" }},
		},
	}
}

// Read reads a list of stubs.
func Read(r *form.Reader, n workflow.Node) []*Stub {
	var stubs []*Stub
	r.List(n, func(item workflow.Node) {
		s := &Stub{At: item.Pos(), exhausted: repeatLast}
		before := len(r.Found)
		if !stubObject().Read(r, item, s) {
			return
		}
		stubs = append(stubs, s)
		if len(r.Found) == before { // else what is missing may be misspelt
			s.complete(r)
		}
		s.check(r)
	})
	return stubs
}

// ListSchema is the JSON Schema of a list of stubs.
func ListSchema() form.Schema { return form.ListOf(stubObject().Schema()) }

func stubObject() form.Object[Stub] {
	fields := MatchFields(func(s *Stub) *Match { return &s.Match })
	return form.Object[Stub]{
		Name: "a stub", Doc: "Calls or requests, and their answers.",
		Fields: append(fields, []form.Field[Stub]{
			{Key: "answer", Doc: "the answer to each call", Schema: answerObject().Schema(),
				Read: func(r *form.Reader, n workflow.Node, s *Stub) { s.answers = append(s.answers, readAnswer(r, n)) }},
			{Key: "answers", Doc: "the answers, one for each attempt in turn", Schema: form.ListOf(answerObject().Schema()),
				Read: func(r *form.Reader, n workflow.Node, s *Stub) {
					r.List(n, func(item workflow.Node) { s.answers = append(s.answers, readAnswer(r, item)) })
				}},
			{Key: "exhausted", Doc: "what follows the last answer: repeat it (the default), pass the call on, or fail the run", Schema: form.Word(repeatLast, passOn, failRun),
				Read: func(r *form.Reader, n workflow.Node, s *Stub) { s.exhausted = r.Word(n, repeatLast, passOn, failRun) }},
		}...),
	}
}

// complete reports what s lacks.
func (s *Stub) complete(r *form.Reader) {
	if s.IsZero() {
		r.Errorf(s.At, "missing-key", "name a function with call, or requests with url", "the stub says not what it answers")
	}
	if len(s.answers) == 0 {
		r.Errorf(s.At, "missing-key", "answer: {result: …}, or {status: 200, body: …}, or {error: …}", "the stub has no answer")
	}
}

// check finds out what s answers.
func (s *Stub) check(r *form.Reader) {
	if computes(s.Call) {
		r.Errorf(s.callAt, "no-stub", noStub, "%s computes at once: nobody asks a stub", s.Call)
	}
	s.requests = s.Match.OfRequest()
	for _, a := range s.answers {
		s.requests = s.requests || a.isResponse()
	}
	for _, a := range s.answers {
		if s.requests && a.result != nil {
			r.Errorf(a.at, "mixed", "write body instead, or leave url, method and status out", "this stub answers requests, which have no result")
		}
	}
}
