package interp_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// TestRealClock runs with the real clock in a bubble of virtual time.
func TestRealClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		o := run(t, `
- a:
    call: sys.sleep
    args: {seconds: 3600}
- b:
    try:
      raise: {code: 503}
    retry: {predicate: '${http.default_retry_predicate}', max_retries: 3, backoff: {initial_delay: 10, max_delay: 15, multiplier: 2}}
    except:
      steps:
        - c:
            call: sys.sleep_until
            args: {time: '2000-01-01T02:00:00Z'}
`, "", interp.Config{})
		if got := show(o); got != "null" {
			t.Error(got)
		}
		if got, want := time.Since(start), 2*time.Hour; got != want {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

const awaiting = `
- make:
    call: events.create_callback_endpoint
    args: {http_callback_method: POST}
    result: endpoint
- first:
    call: events.await_callback
    args: {callback: '${endpoint}', timeout: 60}
    result: a
- nap:
    call: sys.sleep
    args: {seconds: 10}
- second:
    try:
      call: events.await_callback
      args: {callback: '${endpoint}', timeout: 60}
      result: b
    except:
      as: e
      steps:
        - r:
            return: ['${a.http_request.body}', '${e.tags}']
- done:
    return: ['${a.http_request.body.n}', '${b.http_request.body}', '${b.http_request.method}', '${b.http_request.query}', '${b.received_time - a.received_time}']
`

func call(body string) interp.CallbackRequest {
	return interp.CallbackRequest{
		Method: "POST", URL: "/x", Query: url.Values{"q": {"1"}, "r": {"2", "3"}},
		Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body),
	}
}

func TestCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := program(t, awaiting).Start(t.Context(), nil, interp.Config{
			CallbackURL: func(n int) string { return "https://host/v1/callbacks/id" + string(rune('0'+n)) },
		})
		synctest.Wait()
		want := []interp.CallbackPoint{{ID: "id1", URL: "https://host/v1/callbacks/id1", Method: "POST", Waiters: 1}}
		if d := cmp.Diff(want, x.Callbacks()); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]interp.Frame{{Step: "first", Routine: "main", At: diag.Pos{File: "main.yaml", Line: 7, Col: 11}}}, x.Current()); d != "" {
			t.Error(d)
		}
		for _, c := range []struct {
			id, method string
			want       error
		}{
			{"id2", "POST", interp.ErrCallbackNotFound},
			{"id1", "GET", interp.ErrCallbackMethod},
			{"id1", "POST", nil},
			{"id1", "POST", nil}, // stored while the workflow sleeps
			{"id1", "POST", interp.ErrCallbackBusy},
		} {
			req := call(`{"n": 1}`)
			req.Method = c.method
			if err := x.Callback(c.id, req); !errors.Is(err, c.want) {
				t.Errorf("%s %s: %v, want %v", c.method, c.id, err, c.want)
			}
		}
		if got, want := show(x.Wait()), `[1,{"n":1},"POST",{"q":"1","r":["2","3"]},0.0]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if err := x.Callback("id1", call("")); !errors.Is(err, interp.ErrCallbackNotFound) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestCallbackTimeout is about an endpoint that is called too late, and about
// one whose waiter has survived a crash: its deadline stands.
func TestCallbackTimeout(t *testing.T) {
	p := program(t, awaiting)
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		journal := &memory{}
		x := p.Start(ctx, nil, interp.Config{Journal: journal})
		synctest.Wait()
		if err := x.Callback("1", call(`"early"`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second) // 10 asleep, 20 of the second wait
		stop()
		if o := x.Wait(); o.State != interp.Active || !errors.Is(o.Cause, context.Canceled) {
			t.Fatalf("stopped: %s %v", o.State, o.Cause)
		}
		time.Sleep(15 * time.Second) // while nothing runs
		o := p.Run(t.Context(), nil, interp.Config{Replay: journal.entries})
		if got, want := show(o), `["early",["TimeoutError"]]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := time.Since(start), 70*time.Second; got != want {
			t.Errorf("timed out after %v, want %v", got, want)
		}
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := &memory{}
		var states []string
		p := program(t, "[{p: {parallel: {for: {value: v, range: [1, 3], steps: [{s: {call: sys.sleep, args: {seconds: 100}}}]}}}}]")
		x := p.Start(t.Context(), nil, interp.Config{Journal: journal, OnStep: func(e interp.StepEvent) {
			if e.State != interp.StepRunning {
				states = append(states, e.Type+" "+string(e.State))
			}
		}})
		synctest.Wait()
		x.Cancel()
		o := x.Wait()
		if o.State != interp.Cancelled || o.Err == nil {
			t.Errorf("got %s %v", o.State, o.Err)
		}
		want := strings.Repeat("STEP_STD_LIB_CALL STATE_CANCELLED,STEP_FOR_ITERATION STATE_CANCELLED,", 3) + "STEP_PARALLEL_FOR STATE_CANCELLED"
		if got := strings.Join(states, ","); got != want {
			t.Errorf("got %s", got)
		}
		x.Cancel() // once more does nothing
		if o := p.Run(t.Context(), nil, interp.Config{Replay: journal.entries}); o.State != interp.Cancelled {
			t.Errorf("replayed: %s", o.State)
		}
	})
}

// TestStopDuringRequest ends the context while a request is in flight: the
// request is given up, and nothing is journaled of it.
func TestStopDuringRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		journal := &memory{}
		p := program(t, "[{s: {call: http.post, args: {url: 'https://example.com'}, result: r}}]")
		x := p.Start(ctx, nil, interp.Config{Journal: journal, HTTP: hanging{}})
		synctest.Wait()
		stop()
		if o := x.Wait(); o.State != interp.Active {
			t.Errorf("got %s", o.State)
		}
		if len(journal.entries) != 2 {
			t.Errorf("%d entries", len(journal.entries))
		}
	})
}

// hanging never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestRequestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		p := program(t, "[{s: {try: {call: http.get, args: {url: 'https://example.com'}}, except: {as: e, steps: [{r: {return: '${e}'}}]}}}]")
		o := p.Run(t.Context(), nil, interp.Config{HTTP: hanging{}})
		if got, want := show(o), `{"message":"request timed out","tags":["TimeoutError","OSError"]}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := time.Since(start); got != 300*time.Second {
			t.Errorf("after %v", got)
		}
	})
}

// TestExecutionLimit ends an execution that lasts too long.
func TestExecutionLimit(t *testing.T) {
	cfg := virtual()
	cfg.Limits = workflow.DefaultLimits()
	cfg.Limits.ExecutionSeconds = 100
	o := run(t, "[{a: {try: {call: sys.sleep, args: {seconds: 1000}}, except: {steps: [{r: {return: caught}}]}}}]", "", cfg)
	if got := show(o); got != "! ResourceLimitError" {
		t.Error(got)
	}
}

// TestConcurrentRuns runs one program many times at once, on one argument.
func TestConcurrentRuns(t *testing.T) {
	p := program(t, `
main:
  params: [args]
  steps:
    - init:
        assign:
          - policy: ${http.default_retry}
          - policy.max_retries: ${args.n}
          - constant: {l: [1, {x: 2}]}
          - constant.l[1].x: ${args.list[0]}
          - args.list[0]: 5
    - done:
        return: ['${policy.max_retries}', '${http.default_retry.max_retries}', '${constant}', '${args}']
`)
	arg, err := value.FromJSON([]byte(`{"n": 9, "list": [3]}`))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if got, want := show(p.Run(t.Context(), arg, interp.Config{})), `[9,5,{"l":[1,{"x":3}]},{"n":9,"list":[5]}]`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
	all.Wait()
}

// TestSharedVirtualClock lets two executions share a clock: it goes in small
// steps, not past the other's timer.
func TestSharedVirtualClock(t *testing.T) {
	cfg := virtual()
	var mu sync.Mutex
	var order []string
	cfg.Log = func(e interp.LogEntry) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, e.Text)
	}
	naps := func(name string, seconds string) *interp.Program {
		return program(t, "[{l: {for: {value: i, range: [1, 3], steps: [{s: {call: sys.sleep, args: {seconds: "+seconds+"}}}, {t: {call: sys.log, args: {text: '${\""+name+"\" + i}'}}}]}}}]")
	}
	clock := cfg.Clock.(*interp.VirtualClock)
	clock.Busy() // until both have begun
	a := naps("a", "10").Start(t.Context(), nil, cfg)
	b := naps("b", "7").Start(t.Context(), nil, cfg)
	clock.Idle()
	a.Wait()
	b.Wait()
	if got, want := strings.Join(order, " "), "b1 a1 b2 a2 b3 a3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNewProblems(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"[{a: {return: '${x}'}}]", "symbol 'x' is neither a variable nor a sub-workflow name"},
		{"[{a: {next: nowhere}}]", "there is no step named 'nowhere' here to jump to"},
		{"[{a: {call: nothing.here}}]", "symbol 'nothing.here' is neither a variable nor a sub-workflow name"},
		{"[{a: {call: http.default_retry}}]", "http.default_retry is a value and cannot be called"},
		{"[{a: {next: break}}]", "next: break is only possible in a for loop"},
		{"[{i: {assign: [{x: 1}]}}, {a: {parallel: {for: {value: v, in: [1], steps: [{s: {assign: [{x: 2}]}}]}}}}]", "variable 'x' belongs to the code around the parallel step and is not in its shared list"},
		{"[{a: {parallel: {for: {value: v, in: [1], steps: [{s: {return: 1}}]}}}}]", "a branch or parallel iteration cannot return"},
		{"sub: {steps: [{a: {return: 1}}]}", "main"},
		{"{main: {steps: [{a: {return: '${f()}'}}]}, f: {params: [x: '${f()}'], steps: [{a: {return: 1}}]}}", "default"},
	} {
		f, err := workflow.Parse("main.yaml", []byte(c.src))
		if err == nil {
			_, err = interp.New(f, stdlib.Funcs())
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.src, err, c.want)
		}
	}
}
