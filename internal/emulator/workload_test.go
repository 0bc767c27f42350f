//go:build unix

package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The workflows of the crash test. Each takes {id, base} and calls base/id/CALL,
// where the calls of a branch are numbered: a call that arrives proves that the
// one before was completed. A POST that was in flight at a crash is not sent
// again: it ends as ConnectionError, and the result has "lost" for it.
var crashWorkflows = map[string]string{
	// GET and POST in turn, in a subworkflow, with a sleep between.
	"chain": `
main:
  params: [args]
  steps:
    - init: {assign: [{got: []}]}
    - loop:
        for:
          value: i
          range: [1, 4]
          steps:
            - read: {call: get, args: {url: '${args.base + "/" + args.id + "/" + string(2 * i - 1)}'}, result: r}
            - nap: {call: sys.sleep, args: {seconds: 0.02}}
            - write: {call: post, args: {url: '${args.base + "/" + args.id + "/" + string(2 * i)}'}, result: w}
            - keep: {assign: [{got: '${list.concat(list.concat(got, r), w)}'}]}
    - out: {return: '${got}'}
` + callers,
	// Three branches of a GET and a POST each, then one more GET.
	"parallel": `
main:
  params: [args]
  steps:
    - init: {assign: [{got: {}}]}
    - all:
        parallel:
          shared: [got]
          for:
            value: b
            range: [1, 3]
            steps:
              - read: {call: get, args: {url: '${args.base + "/" + args.id + "/b" + string(b) + "-1"}'}, result: r}
              - write: {call: post, args: {url: '${args.base + "/" + args.id + "/b" + string(b) + "-2"}'}, result: w}
              - keep: {assign: [{'got["b" + string(b)]': '${[r, w]}'}]}
    - last: {call: get, args: {url: '${args.base + "/" + args.id + "/9"}'}, result: z}
    - out: {return: ['${got.b1[0]}', '${got.b1[1]}', '${got.b2[0]}', '${got.b2[1]}', '${got.b3[0]}', '${got.b3[1]}', '${z}']}
` + callers,
	// A GET that fails twice and a POST that is sent again: both are retried by
	// the workflow's own rules.
	"retry": `
main:
  params: [args]
  steps:
    - read:
        try: {call: http.get, args: {url: '${args.base + "/" + args.id + "/flaky-1"}'}, result: r}
        retry: {predicate: '${http.default_retry_predicate}', max_retries: 50, backoff: {initial_delay: 0.01, max_delay: 0.05, multiplier: 1.5}}
    - write:
        try: {call: http.post, args: {url: '${args.base + "/" + args.id + "/flaky-2"}'}, result: w}
        retry: {predicate: '${again}', max_retries: 50, backoff: {initial_delay: 0.01, max_delay: 0.05, multiplier: 1.5}}
    - out: {return: ['${r.body}', '${w.body}']}
again:
  params: [e]
  steps:
    - decide: {return: '${"ConnectionError" in default(map.get(e, "tags"), []) or default(map.get(e, "code"), 0) == 503}'}
`,
	// A sleep that is longer than the lives of the process.
	"sleep": `
main:
  params: [args]
  steps:
    - before: {assign: [{from: '${sys.now()}'}]}
    - read: {call: get, args: {url: '${args.base + "/" + args.id + "/1"}'}, result: r}
    - nap: {call: sys.sleep, args: {seconds: 1.5}}
    - again: {call: get, args: {url: '${args.base + "/" + args.id + "/2"}'}, result: s}
    - out: {return: ['${r}', '${s}', '${sys.now() - from >= 1.5}']}
` + callers,
	// Two calls of a callback endpoint.
	"await": `
main:
  params: [args]
  steps:
    - make: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: cb}
    - read: {call: get, args: {url: '${args.base + "/" + args.id + "/1"}'}, result: r}
    - first: {call: events.await_callback, args: {callback: '${cb}', timeout: 600}, result: a}
    - again: {call: get, args: {url: '${args.base + "/" + args.id + "/2"}'}, result: s}
    - second: {call: events.await_callback, args: {callback: '${cb}', timeout: 600}, result: b}
    - out: {return: ['${r}', '${a.http_request.body.n}', '${s}', '${b.http_request.body.n}']}
` + callers,
	// One that only a cancellation ends.
	"cancel": `
main:
  params: [args]
  steps:
    - read: {call: get, args: {url: '${args.base + "/" + args.id + "/1"}'}, result: r}
    - nap: {call: sys.sleep, args: {seconds: 86400}}
    - never: {call: post, args: {url: '${args.base + "/" + args.id + "/2"}'}}
` + callers,
}

const callers = `
get:
  params: [url]
  steps:
    - send: {call: http.get, args: {url: '${url}'}, result: answer}
    - out: {return: '${answer.body}'}
post:
  params: [url]
  steps:
    - send:
        try:
          steps:
            - call: {call: http.post, args: {url: '${url}'}, result: answer}
        except:
          as: e
          steps:
            - only:
                switch:
                  - condition: '${not("ConnectionError" in e.tags)}'
                    raise: '${e}'
            - lost: {return: lost}
    - out: {return: '${answer.body}'}
`

// wants are the results by kind; POSTs may be "lost".
var wants = map[string]string{
	"chain":    `["1","2","3","4","5","6","7","8"]`,
	"parallel": `["b1-1","b1-2","b2-1","b2-2","b3-1","b3-2","9"]`,
	"retry":    `["flaky-1","flaky-2"]`,
	"sleep":    `["1","2",true]`,
	"await":    `["1",1,"2",2]`,
}

// arrival is a call that reached the server outside.
type arrival struct {
	call, method string
	life         int64 // of the process that made it
	failed       bool  // it was answered with 503
}

// order is an execution that was asked for, with what was acknowledged of it.
type order struct {
	id, kind  string
	name      string // once its creation was acknowledged
	cancelled bool   // a cancellation was acknowledged
	sentAgain bool   // the answer to a call of its callback was lost, so it was sent again
	firstLife int64  // in which it was asked for
}

type workload struct {
	t      *testing.T
	child  *child
	server *httptest.Server

	mu       sync.Mutex
	arrivals map[string][]arrival // by id
	orders   []*order
	next     int
	ended    map[string]int // by state
}

func newWorkload(t *testing.T, c *child) *workload {
	w := &workload{t: t, child: c, arrivals: map[string][]arrival{}, ended: map[string]int{}}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	return w
}

// serve records a call and answers, a little later, with its name.
func (w *workload) serve(rw http.ResponseWriter, r *http.Request) {
	id, call, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.mu.Lock()
	a := arrival{call: call, method: r.Method, life: w.child.life.Load()}
	seen := 0
	for _, b := range w.arrivals[id] {
		if b.call == call {
			seen++
		}
	}
	a.failed = strings.HasPrefix(call, "flaky") && seen < 2
	w.arrivals[id] = append(w.arrivals[id], a)
	delay := time.Duration(len(w.arrivals)*7919%20) * time.Millisecond
	w.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
	}
	if a.failed {
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	rw.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(rw, call)
}

// rest calls the API of whichever life serves.
func (w *workload) rest(method, path string, body, answer any) (int, error) {
	addr := w.child.addr.Load()
	data, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequest(method, "http://"+*addr+"/v1/"+path, bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if data, err = io.ReadAll(resp.Body); err != nil {
		return 0, err
	}
	if answer != nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(data, answer)
	}
	return resp.StatusCode, err
}

func (w *workload) deploy() {
	for id, text := range crashWorkflows {
		var op struct{ Error json.RawMessage }
		code, err := w.rest("POST", place+"/workflows?workflowId="+id, map[string]string{"sourceContents": text}, &op)
		if err != nil || code != 200 || op.Error != nil {
			w.t.Fatalf("deploy %s: %d, %v: %s", id, code, err, op.Error)
		}
	}
}

var kinds = []string{"chain", "parallel", "retry", "sleep", "await", "cancel"}

// drive starts executions and does what they wait for until ctx ends, then
// finishes what it began.
func (w *workload) drive(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		o := w.newOrder(kinds[random.IntN(len(kinds))])
		if !w.create(ctx, o) {
			continue
		}
		switch o.kind {
		case "cancel":
			w.pause(ctx, random, 200)
			w.cancel(o)
		case "await":
			w.call(o, 1)
			w.call(o, 2)
		default:
			w.pause(ctx, random, 60)
		}
	}
}

func (w *workload) pause(ctx context.Context, random *rand.Rand, most int) {
	select {
	case <-time.After(time.Duration(random.IntN(most)) * time.Millisecond):
	case <-ctx.Done():
	}
}

func (w *workload) newOrder(kind string) *order {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	o := &order{id: strconv.Itoa(w.next), kind: kind, firstLife: w.child.life.Load()}
	w.orders = append(w.orders, o)
	return o
}

type execution struct {
	Name, State, Result, Argument string
	Error                         *struct{ Context string }
}

// create reports whether the creation was acknowledged. One that was not may
// have come to pass or not.
func (w *workload) create(ctx context.Context, o *order) bool {
	argument, err := json.Marshal(map[string]string{"id": o.id, "base": w.server.URL})
	if err != nil {
		w.t.Error(err)
		return false
	}
	var e execution
	code, err := w.rest("POST", place+"/workflows/"+o.kind+"/executions", map[string]string{"argument": string(argument)}, &e)
	if err != nil {
		w.pause(ctx, rand.New(rand.NewPCG(1, 1)), 20) // the process is down
		return false
	}
	if code != 200 {
		w.t.Errorf("create: %d", code)
		return false
	}
	o.name = e.Name
	return true
}

// cancel asks until it is answered.
func (w *workload) cancel(o *order) {
	w.until("cancel "+o.name, func() bool {
		code, err := w.rest("POST", o.name+":cancel", struct{}{}, nil)
		if err != nil {
			return false
		}
		// An earlier try may have been heard, and only its answer lost.
		if code != 200 && code != 400 {
			w.t.Errorf("cancel %s: %d", o.name, code)
		}
		o.cancelled = true
		return true
	})
}

// call sends the n-th call of the execution's callback until it is acknowledged
// or must have been heard before.
func (w *workload) call(o *order, n int) {
	w.until(fmt.Sprintf("call %d of %s", n, o.name), func() bool {
		var list struct {
			Callbacks []struct{ Name, Waiters string }
		}
		if code, err := w.rest("GET", o.name+"/callbacks", nil, &list); err != nil || code != 200 || len(list.Callbacks) == 0 {
			return w.over(o)
		}
		if !w.arrived(o.id, strconv.Itoa(n)) {
			return false // it does not wait for this call yet
		}
		if n == 1 && w.arrived(o.id, "2") {
			return true // an earlier try was heard
		}
		path := strings.Replace(list.Callbacks[0].Name, "/callback/", "/callbacks/", 1)
		code, err := w.rest("POST", path, map[string]int{"n": n}, nil)
		switch {
		case err != nil: // heard or not
			o.sentAgain = true
			return false
		case code == 429: // one that is not consumed yet
			return n == 2
		case code == 404:
			return w.over(o)
		case code != 200:
			w.t.Errorf("call %s: %d", path, code)
		}
		return true
	})
}

func (w *workload) arrived(id, call string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.arrivals[id], func(a arrival) bool { return a.call == call })
}

func (w *workload) over(o *order) bool {
	var e execution
	code, err := w.rest("GET", o.name, nil, &e)
	return err == nil && code == 200 && e.State != "ACTIVE" && e.State != "QUEUED"
}

func (w *workload) until(what string, done func() bool) {
	for begun := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 3*patience {
			w.t.Errorf("%s: not possible within %v", what, 3*patience)
			return
		}
	}
}

// check waits until every execution has ended and looks at all of them.
func (w *workload) check() {
	byID := map[string][]execution{}
	for _, kind := range kinds {
		for _, e := range w.endedExecutions(kind) {
			var argument struct{ ID string }
			if err := json.Unmarshal([]byte(e.Argument), &argument); err != nil {
				w.t.Errorf("%s: argument %q", e.Name, e.Argument)
			}
			byID[argument.ID] = append(byID[argument.ID], e)
			w.ended[e.State]++
		}
	}
	for _, o := range w.orders {
		found := byID[o.id]
		switch {
		case len(found) > 1:
			w.t.Errorf("order %s (%s) was executed %d times", o.id, o.kind, len(found))
		case len(found) == 0 && o.name != "":
			w.t.Errorf("%s was acknowledged and is lost", o.name)
		case len(found) == 1:
			w.checkExecution(o, found[0])
		}
	}
}

// endedExecutions lists a workflow's executions once none of them runs. Those
// that only a cancellation ends, and whose creation was not acknowledged, are
// cancelled.
func (w *workload) endedExecutions(kind string) (all []execution) {
	acknowledged := map[string]bool{}
	for _, o := range w.orders {
		acknowledged[o.name] = true
	}
	w.until("the end of "+kind, func() bool {
		all = nil
		running := 0
		for token := ""; ; {
			var page struct {
				Executions    []execution
				NextPageToken string
			}
			if code, err := w.rest("GET", place+"/workflows/"+kind+"/executions?view=FULL&pageToken="+token, nil, &page); err != nil || code != 200 {
				w.t.Fatalf("list %s: %d, %v", kind, code, err)
			}
			for _, e := range page.Executions {
				if e.State == "ACTIVE" || e.State == "QUEUED" {
					running++
					if (kind == "cancel" || kind == "await") && !acknowledged[e.Name] {
						_, _ = w.rest("POST", e.Name+":cancel", struct{}{}, nil)
					}
				}
			}
			all = append(all, page.Executions...)
			if token = page.NextPageToken; token == "" {
				return running == 0
			}
		}
	})
	return all
}

func (w *workload) checkExecution(o *order, e execution) {
	switch {
	case e.State == "CANCELLED" && (o.cancelled || o.name == ""):
	case e.State != "SUCCEEDED":
		w.t.Errorf("order %s (%s): %s ended %s: %v", o.id, o.kind, e.Name, e.State, e.Error)
	case o.cancelled:
		w.t.Errorf("order %s (%s): the cancellation of %s was acknowledged and forgotten", o.id, o.kind, e.Name)
	default:
		w.checkResult(o, e)
	}
	if err := w.checkCalls(o, e); err != nil {
		w.t.Errorf("order %s (%s), %s with result %s: %v; calls: %v", o.id, o.kind, e.Name, e.Result, err, w.arrivals[o.id])
	}
	w.checkHistory(e)
}

// checkResult compares a result, in which calls may be lost.
func (w *workload) checkResult(o *order, e execution) {
	var got, want []any
	if err := errors.Join(json.Unmarshal([]byte(e.Result), &got), json.Unmarshal([]byte(wants[o.kind]), &want)); err != nil || len(got) != len(want) {
		w.t.Errorf("order %s (%s): result %s, want %s", o.id, o.kind, e.Result, wants[o.kind])
		return
	}
	for i := range got {
		again := o.sentAgain && got[i] == 1.0 && want[i] == 2.0 // a call that had been heard came twice
		if got[i] != want[i] && got[i] != "lost" && !again {
			w.t.Errorf("order %s (%s): result %s, want %s", o.id, o.kind, e.Result, wants[o.kind])
			return
		}
	}
}

// checkCalls says which call was made although it must not.
func (w *workload) checkCalls(o *order, e execution) error {
	var result []any
	_ = json.Unmarshal([]byte(e.Result), &result) // none of what was cancelled
	last := map[string]string{}                   // call by branch
	times := map[string]int{}
	lives := map[string]map[int64]int{}
	for _, a := range w.arrivals[o.id] {
		branch, _, _ := strings.Cut(a.call, "-")
		if strings.HasPrefix(a.call, "flaky") || !strings.Contains(a.call, "-") {
			branch = ""
		}
		if last[branch] > a.call {
			return fmt.Errorf("%s came after %s, which proves that it was completed", a.call, last[branch])
		}
		last[branch] = a.call
		times[a.call]++
		if lives[a.call] == nil {
			lives[a.call] = map[int64]int{}
		}
		if !a.failed {
			lives[a.call][a.life]++
		}
		if n := lives[a.call][a.life]; n > 1 {
			return fmt.Errorf("%s was made %d times in one life of the process", a.call, n)
		}
		if a.method == http.MethodPost && times[a.call] > 1 && !strings.HasPrefix(a.call, "flaky") {
			return fmt.Errorf("POST %s was sent again", a.call)
		}
	}
	for _, r := range result {
		if call, ok := r.(string); ok && call != "lost" && times[call] == 0 {
			return fmt.Errorf("%s is in the result and was never made", call)
		}
	}
	if slices.Contains(result, any("lost")) && w.child.life.Load() == o.firstLife {
		return errors.New("a call is lost without a crash")
	}
	return nil
}

// checkHistory: each step is told once and has ended.
func (w *workload) checkHistory(e execution) {
	var list struct {
		StepEntries []struct{ EntryID, State, Step string }
		TotalSize   int
	}
	code, err := w.rest("GET", e.Name+"/stepEntries", nil, &list)
	if err != nil || code != 200 || len(list.StepEntries) == 0 || len(list.StepEntries) != list.TotalSize {
		w.t.Errorf("steps of %s: %d, %v: %d of %d", e.Name, code, err, len(list.StepEntries), list.TotalSize)
	}
	for i, step := range list.StepEntries {
		if step.EntryID != strconv.Itoa(i+1) || step.State == "STATE_IN_PROGRESS" {
			w.t.Errorf("%s: entry %d is %+v", e.Name, i+1, step)
			return
		}
	}
}

func (w *workload) summary() string {
	calls, lost := 0, 0
	for _, a := range w.arrivals {
		calls += len(a)
	}
	for _, o := range w.orders {
		if o.name == "" {
			lost++
		}
	}
	return fmt.Sprintf("%d executions asked for, %d not acknowledged; ended %v; %d calls", len(w.orders), lost, w.ended, calls)
}
