package interp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// memory is a journal that dies after a number of entries.
type memory struct {
	mu      sync.Mutex
	entries []interp.Entry
	synced  int
	dieAt   int // refuse this entry and all after; 0 for never
}

var errCrash = errors.New("crash")

func (m *memory) Append(e interp.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dieAt > 0 && int(e.Seq) >= m.dieAt {
		return errCrash
	}
	m.entries = append(m.entries, e)
	return nil
}

func (m *memory) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.synced = len(m.entries)
	return nil
}

// transport serves requests from a function.
type transport func(r *http.Request) (status int, body string)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := f(r)
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, nil
}

// jobs is a service that creates what it is told to, every time it is told.
type jobs struct {
	mu      sync.Mutex
	created []string
	polls   int
}

func (j *jobs) serve(r *http.Request) (int, string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case r.Method == "POST":
		body, _ := io.ReadAll(r.Body)
		j.created = append(j.created, string(body))
		return 200, `{"name": "job-1"}`
	case r.URL.Path == "/jobs":
		if len(j.created) == 0 {
			return 200, `{"jobs": []}`
		}
		return 200, `{"jobs": ["job-1"]}`
	}
	j.polls++
	if j.polls < 3 {
		return 200, `{"done": false}`
	}
	return 200, `{"done": true}`
}

// durable creates a job once, whatever happens: it looks for it before it
// creates it again. Meanwhile two branches sleep.
const durable = `
main:
  params: [args]
  steps:
    - init:
        assign:
          - job: null
          - naps: []
          - id: ${uuid.generate()}
          - started: ${sys.now()}
    - both:
        parallel:
          shared: [job, naps]
          branches:
            - work:
                steps:
                  - find:
                      try:
                        call: http.get
                        args: {url: 'https://jobs.example.com/jobs'}
                        result: found
                      retry: ${http.default_retry}
                  - known:
                      switch:
                        - condition: ${len(found.body.jobs) > 0}
                          assign: [{job: '${found.body.jobs[0]}'}]
                          next: wait
                  - create:
                      try:
                        call: http.post
                        args:
                          url: https://jobs.example.com/jobs
                          body: {n: '${args.n}'}
                        result: made
                      except:
                        as: e
                        steps:
                          - lost:
                              switch:
                                - condition: ${"ConnectionError" in e.tags}
                                  next: find
                          - other:
                              raise: ${e}
                  - keep:
                      assign: [{job: '${made.body.name}'}]
                  - wait:
                      call: sys.sleep
                      args: {seconds: 5}
                  - poll:
                      call: http.get
                      args: {url: '${"https://jobs.example.com/" + job}'}
                      result: state
                  - check:
                      switch:
                        - condition: ${not state.body.done}
                          next: wait
            - naps:
                steps:
                  - loop:
                      for:
                        value: v
                        in: [1, 4, 20]
                        steps:
                          - nap:
                              call: sys.sleep
                              args: {seconds: '${v}'}
                          - note:
                              assign: [{naps: '${list.concat(naps, v)}'}]
    - say:
        call: sys.log
        args: {text: '${"job " + job}'}
    - done:
        return: ['${job}', '${naps}', '${len(id)}', '${started > 0}']
`

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type life struct {
	outcome interp.Outcome
	journal *memory
	logs    []string
	steps   []string
	end     time.Time
}

func live(t *testing.T, p *interp.Program, http transport, at time.Time, replay []interp.Entry, dieAt int) life {
	t.Helper()
	l := life{journal: &memory{dieAt: dieAt, entries: append([]interp.Entry(nil), replay...)}}
	clock := interp.NewVirtualClock(at)
	arg := value.NewMap().Put("n", value.Int(7))
	l.outcome = p.Run(context.Background(), arg, interp.Config{
		HTTP: http, Clock: clock, Journal: l.journal, Replay: replay,
		Log: func(e interp.LogEntry) { l.logs = append(l.logs, e.InsertID+" "+e.Text) },
		OnStep: func(e interp.StepEvent) {
			l.steps = append(l.steps, fmt.Sprint(e.ID, " ", e.Parent, " ", e.Thread, " ", e.Step, " ", e.Type, " ", e.State, " ", e.Iteration))
		},
	})
	l.end = clock.Now()
	return l
}

// TestCrash lets an execution die at each entry of its journal, and the next
// life go on with what was written, or only with what was synced.
func TestCrash(t *testing.T) {
	p := program(t, durable)
	whole := live(t, p, (&jobs{}).serve, epoch, nil, 0)
	want := `["job-1",[1,4,20],36,true]`
	if show(whole.outcome) != want {
		t.Fatalf("got %s (%v)", show(whole.outcome), whole.outcome.Cause)
	}
	n := len(whole.journal.entries)
	for dieAt := 1; dieAt <= n; dieAt++ {
		for _, syncedOnly := range []bool{false, true} {
			service := &jobs{}
			first := live(t, p, service.serve, epoch, nil, dieAt)
			if first.outcome.State != interp.Active || !errors.Is(first.outcome.Cause, errCrash) {
				t.Fatalf("entry %d: the first life ended %s: %v", dieAt, first.outcome.State, first.outcome.Cause)
			}
			kept := first.journal.entries
			if syncedOnly {
				kept = kept[:first.journal.synced]
			}
			second := live(t, p, service.serve, first.end, kept, 0)
			if got := show(second.outcome); got != want {
				t.Errorf("entry %d: got %s (%v %v)", dieAt, got, second.outcome.Cause, second.outcome.Err)
			}
			if len(service.created) != 1 || service.created[0] != `{"n":7}` {
				t.Errorf("entry %d: created %q", dieAt, service.created)
			}
			if len(second.logs) == 0 && len(first.logs) == 0 {
				t.Errorf("entry %d: the log entry was lost", dieAt)
			}
			if d := second.end.Sub(whole.end).Abs(); d > 15*time.Second {
				t.Errorf("entry %d: ended %v off", dieAt, d)
			}
		}
	}
}

// TestReplayWhole replays a finished execution: nothing goes out again, and
// every step is the same.
func TestReplayWhole(t *testing.T) {
	p := program(t, durable)
	first := live(t, p, (&jobs{}).serve, epoch, nil, 0)
	again := live(t, p, func(r *http.Request) (int, string) {
		t.Errorf("%s %s was sent again", r.Method, r.URL)
		return 500, ""
	}, epoch.Add(time.Hour), first.journal.entries, 0)
	if show(again.outcome) != show(first.outcome) || again.outcome.Steps != first.outcome.Steps {
		t.Errorf("got %s after %d steps, want %s after %d", show(again.outcome), again.outcome.Steps, show(first.outcome), first.outcome.Steps)
	}
	if d := cmp.Diff(first.steps, again.steps); d != "" {
		t.Errorf("steps (-first +again):\n%s", d)
	}
	if len(again.journal.entries) != len(first.journal.entries) {
		t.Errorf("the replay appended %d entries", len(again.journal.entries)-len(first.journal.entries))
	}
}

// TestSameJournal runs twice and compares the journals byte by byte.
func TestSameJournal(t *testing.T) {
	p := program(t, strings.ReplaceAll(durable, "${uuid.generate()}", `"123456789012345678901234567890123456"`))
	a := live(t, p, (&jobs{}).serve, epoch, nil, 0)
	b := live(t, p, (&jobs{}).serve, epoch, nil, 0)
	text := func(l life) (out []string) {
		for _, e := range l.journal.entries {
			out = append(out, fmt.Sprint(e.Seq, " ", string(e.Data)))
		}
		return out
	}
	if d := cmp.Diff(text(a), text(b)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(a.steps, b.steps); d != "" {
		t.Error(d)
	}
}

func TestForeignJournal(t *testing.T) {
	l := live(t, program(t, durable), (&jobs{}).serve, epoch, nil, 0)
	entries := l.journal.entries
	other := program(t, "[{a: {call: sys.sleep, args: {seconds: 1}}}, {b: {return: '${uuid.generate()}'}}]")
	for name, replay := range map[string][]interp.Entry{
		"of another definition": entries,
		"without its start":     entries[1:],
		"malformed":             {entries[0], {Seq: 2, Data: []byte("{")}},
		"an odd completion":     {entries[0], {Seq: 2, Data: []byte(`{"kind":"issue","id":1,"effect":"sleep"}`)}, {Seq: 3, Data: []byte(`{"kind":"call","text":"1"}`)}, {Seq: 4, Data: []byte(`{"kind":"zz"}`)}},
	} {
		got := show(live(t, other, nil, epoch, replay, 0).outcome)
		if got != "! SystemError" && name != "an odd completion" {
			t.Errorf("a journal %s: got %s", name, got)
		}
	}
}

// TestLostRequest tells what happens to a request that was in flight when the
// process stopped, by its method.
func TestLostRequest(t *testing.T) {
	for method, want := range map[string]string{
		"GET": `200`, "HEAD": `200`, "OPTIONS": `200`,
		"POST": `! ConnectionError`, "PUT": `! ConnectionError`, "DELETE": `! ConnectionError`, "PATCH": `! ConnectionError`,
	} {
		p := program(t, `
- a:
    call: http.request
    args: {method: `+method+`, url: 'https://example.com/'}
    result: r
- b:
    return: ${r.code}
`)
		serve := func(*http.Request) (int, string) { return 200, "" }
		first := live(t, p, serve, epoch, nil, 3) // start, issue, and the answer is lost
		if first.outcome.State != interp.Active || len(first.journal.entries) != 2 {
			t.Fatalf("%s: %s after %d entries", method, first.outcome.State, len(first.journal.entries))
		}
		if got := show(live(t, p, serve, epoch, first.journal.entries, 0).outcome); got != want {
			t.Errorf("%s: got %s, want %s", method, got, want)
		}
	}
}
