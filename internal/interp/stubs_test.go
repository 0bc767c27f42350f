package interp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// stubs answers by function name or URL, and notes what it was asked.
type stubs struct {
	calls, requests map[string]*interp.Answer
	asked           []string
}

func (s *stubs) Call(c interp.Call) *interp.Answer {
	s.asked = append(s.asked, fmt.Sprintf("%s.%s %s(%s)", c.Routine, c.Step, c.Func, value.MustJSON(value.Printable(c.Args))))
	return s.calls[c.Func]
}

func (s *stubs) Request(c interp.Call, r *interp.Request) *interp.Answer {
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s", c.Func, r.Method, r.URL))
	return s.requests[r.URL]
}

const stubbed = `
main:
  steps:
    - init:
        assign: [{a: null}, {b: null}, {c: null}, {e: null}]
    - both:
        parallel:
          shared: [a, b]
          branches:
            - one:
                steps:
                  - publish:
                      call: googleapis.pubsub.v1.projects.topics.publish
                      args: {topic: t, body: {n: 1}}
                      result: a
            - two:
                steps:
                  - sub:
                      call: double
                      args: {x: 4}
                      result: b
    - get:
        try:
          call: http.get
          args: {url: https://example.com/a, timeout: 10}
          result: c
        except: {as: err, steps: [{x: {assign: [{e: '${err}'}]}}]}
    - now:
        assign: [{t: '${sys.now()}'}]
    - done:
        return: ['${a}', '${b}', '${c}', '${e}', '${t}']
double:
  params: [x, y: 2]
  steps:
    - r: {return: '${x * y}'}
`

func TestStubs(t *testing.T) {
	published := value.NewMap().Put("messageIds", value.NewList(value.String("1")))
	ok := &interp.Response{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"n": 1}`)}
	busy := &interp.Response{Status: 503}
	lost := value.NewError("lost", value.ConnectionError)
	fatal := &value.Error{Payload: value.String("no stub"), Fatal: true}
	for _, c := range []struct {
		name string
		s    stubs
		want string
	}{
		{"values", stubs{
			calls: map[string]*interp.Answer{
				"googleapis.pubsub.v1.projects.topics.publish": {Value: published, After: 5 * time.Second},
				"double": {Value: value.Int(7)},
			},
			requests: map[string]*interp.Answer{"https://example.com/a": {Response: ok, After: 9 * time.Second}},
		}, `[{"messageIds":["1"]},7,{"body":{"n":1},"code":200,"headers":{"Content-Type":"application/json"}},null,1767225614.0]`},
		{"no answer in time", stubs{
			calls:    map[string]*interp.Answer{"googleapis.pubsub.v1.projects.topics.publish": {Value: value.Null{}}},
			requests: map[string]*interp.Answer{"https://example.com/a": {Response: ok, After: time.Hour}},
		}, `[null,8,null,{"message":"request timed out","tags":["TimeoutError","OSError"]},1767225610.0]`},
		{"errors", stubs{
			calls:    map[string]*interp.Answer{"googleapis.pubsub.v1.projects.topics.publish": {Value: value.Null{}}},
			requests: map[string]*interp.Answer{"https://example.com/a": {Err: lost}},
		}, `[null,8,null,{"message":"lost","tags":["ConnectionError"]},1767225600.0]`},
		{"a status", stubs{
			calls:    map[string]*interp.Answer{"googleapis.pubsub.v1.projects.topics.publish": {Value: value.Null{}}},
			requests: map[string]*interp.Answer{"https://example.com/a": {Response: busy}},
		}, `[null,8,null,{"message":"HTTP server responded with error code 503","tags":["HttpError"],"body":null,"code":503,"headers":{}},1767225600.0]`},
		{"a failing branch", stubs{
			calls: map[string]*interp.Answer{"googleapis.pubsub.v1.projects.topics.publish": {Err: lost}},
		}, `! UnhandledBranchError,RuntimeError`},
		{"what cannot be caught", stubs{
			calls:    map[string]*interp.Answer{"googleapis.pubsub.v1.projects.topics.publish": {Value: value.Null{}}},
			requests: map[string]*interp.Answer{"https://example.com/a": {Err: fatal}},
		}, `! "no stub"`},
		{"work outside", stubs{
			calls: map[string]*interp.Answer{
				"googleapis.pubsub.v1.projects.topics.publish": {Perform: func(context.Context) (value.Value, error) { return value.String("done"), nil }},
				"double":   {Perform: func(context.Context) (value.Value, error) { return nil, lost }},
				"http.get": {Perform: func(context.Context) (value.Value, error) { return nil, errors.New("broken") }},
			},
		}, `! UnhandledBranchError,RuntimeError`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := program(t, stubbed)
			o, journal := seeded(p, 0, interp.Config{Stubs: &c.s})
			if got := show(o); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			again := p.Run(context.Background(), nil, interp.Config{Replay: journal, ReplayOnly: true})
			if show(again) != show(o) || again.Entries != int64(len(journal)) {
				t.Errorf("replayed without the stubs: %s (%v)", show(again), again.Cause)
			}
			// A later life asks the stubs as the first one did, up to the end.
			second := stubs{calls: c.s.calls, requests: c.s.requests}
			for n := range journal {
				second.asked = nil
				if o := p.Run(context.Background(), nil, interp.Config{
					Replay: journal[:n], Stubs: &second, Clock: interp.NewVirtualClock(time.Time{}), Journal: &memory{},
				}); show(o) != c.want && !strings.Contains(c.name, "outside") {
					t.Errorf("crashed at entry %d: %s", n, show(o))
				}
				if d := cmp.Diff(c.s.asked, second.asked); d != "" {
					t.Errorf("crashed at entry %d: asked (-first +second):\n%s", n, d)
				}
			}
		})
	}
}

func TestStubsAsked(t *testing.T) {
	s := stubs{}
	seeded(program(t, stubbed), 0, interp.Config{Stubs: &s, HTTP: transport(func(*http.Request) (int, string) { return 200, "{}" })})
	want := []string{
		`main.publish googleapis.pubsub.v1.projects.topics.publish({"topic":"t","body":{"n":1}})`,
		`googleapis.pubsub.v1.projects.topics.publish POST https://pubsub.googleapis.com/v1/t:publish`,
		`main.sub double({"x":4})`,
	}
	if d := cmp.Diff(want, s.asked); d != "" {
		t.Error(d)
	}
}

// TestStubGone resumes a call that a stub was to answer without the stub.
func TestStubGone(t *testing.T) {
	p := program(t, "[{s: {try: {call: sys.sleep, args: {seconds: 5}}, except: {steps: [{r: {return: caught}}]}}}]")
	s := stubs{calls: map[string]*interp.Answer{"sys.sleep": {Value: value.Null{}, After: time.Hour}}}
	_, journal := seeded(p, 0, interp.Config{Stubs: &s})
	o, _ := seeded(p, 0, interp.Config{Replay: journal[:2]})
	if got := show(o); got != "! SystemError" {
		t.Error(got)
	}
}

// TestRoutine begins with a subworkflow.
func TestRoutine(t *testing.T) {
	p := program(t, `
main:
  steps: [{a: {return: '${double(1)}'}}]
double:
  params: [x, y: 2]
  steps:
    - r: {return: '${x * y}'}
`)
	for _, c := range []struct {
		args value.Value
		want string
	}{
		{value.NewMap().Put("x", value.Int(3)), `6`},
		{value.NewMap().Put("y", value.Int(3)).Put("x", value.Int(5)), `15`},
		{value.NewMap().Put("y", value.Int(3)), `! TypeError`},
		{value.NewMap().Put("x", value.Int(3)).Put("z", value.Null{}), `! TypeError`},
		{value.Int(3), `! TypeError`},
	} {
		sub, ok := p.Routine("double")
		if !ok {
			t.Fatal("no subworkflow double")
		}
		if got := show(sub.Run(t.Context(), c.args, virtual())); got != c.want {
			t.Errorf("%s: got %s, want %s", value.MustJSON(c.args), got, c.want)
		}
	}
	if _, ok := p.Routine("nothing"); ok {
		t.Error("there is a subworkflow nothing")
	}
}
