package workflows

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// crashSource makes two calls, then two branches of two calls each, then one
// more. Each answers with its own path. The engine never sends a request again
// by itself: one that was in flight at a crash fails with ConnectionError, which
// the retry cures.
const crashSource = `
main:
  steps:
    - init:
        assign: [{left: ""}, {right: ""}]
    - a1: {call: post, args: {path: a1}, result: a1}
    - a2: {call: post, args: {path: a2}, result: a2}
    - both:
        parallel:
          shared: [left, right]
          branches:
            - l:
                steps:
                  - l1: {call: post, args: {path: l1}, result: l1}
                  - l2: {call: post, args: {path: l2}, result: l2}
                  - lset:
                      assign: [{left: '${l1 + l2}'}]
            - r:
                steps:
                  - r1: {call: post, args: {path: r1}, result: r1}
                  - r2: {call: post, args: {path: r2}, result: r2}
                  - rset:
                      assign: [{right: '${r1 + r2}'}]
    - z1: {call: post, args: {path: z1}, result: z1}
    - out:
        return: '${a1 + a2 + left + right + z1}'
post:
  params: [path]
  steps:
    - send:
        try:
          call: http.post
          args: {url: '${"https://x.example/" + path}'}
          result: answer
        retry:
          predicate: '${http.default_retry_predicate}'
          max_retries: 2
          backoff: {initial_delay: 0.001, max_delay: 0.001, multiplier: 1}
    - out:
        return: '${answer.body}'
`

// after says which call proves, by being made, that another was completed.
var after = map[string][]string{
	"a2": {"a1"}, "l1": {"a2"}, "r1": {"a2"}, "l2": {"l1"}, "r2": {"r1"}, "z1": {"l2", "r2"},
}

// callRecorder answers each request with its path and counts it.
type callRecorder struct {
	mu    sync.Mutex
	calls map[string]int
}

func (c *callRecorder) RoundTrip(req *http.Request) (*http.Response, error) {
	path := strings.TrimPrefix(req.URL.Path, "/")
	c.mu.Lock()
	c.calls[path]++
	c.mu.Unlock()
	return &http.Response{
		StatusCode: 200, Request: req, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader(path)),
	}, nil
}

func (c *callRecorder) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]int{}
	for k, v := range c.calls {
		seen[k] = v
	}
	return seen
}

var errCut = errors.New("the power is gone")

// TestCrashAtEveryWrite cuts the power after the first, second, … transaction
// of an execution, of which the first stores it, and starts again. The execution must end with its result, and
// no call that was completed may be made again.
func TestCrashAtEveryWrite(t *testing.T) {
	for cut := 1; ; cut++ {
		if cut > 200 {
			t.Fatal("the execution does not end")
		}
		if done := crashAfter(t, cut); done {
			if cut < 8 {
				t.Fatalf("only %d cuts were possible", cut)
			}
			return
		}
	}
}

// crashAfter reports whether the execution ended before the cut.
func crashAfter(t *testing.T, cut int) bool {
	dir := t.TempDir()
	calls := &callRecorder{calls: map[string]int{}}
	dark := make(chan struct{})
	goDark := sync.OnceFunc(func() { close(dark) })
	var left atomic.Int64
	left.Store(int64(cut))
	c := boot(t, dir, calls, func(o *Options) {
		o.Problem = nil
		o.commit = func(f func(*store.Tx) error) error {
			if left.Add(-1) < 0 {
				goDark()
				return errCut
			}
			return o.DB.Update(f)
		}
	})
	c.deploy(crashSource)
	name := c.execute("").Name
	ended := make(chan struct{})
	if r := c.svc.run(mustParse(c, name)); r != nil {
		go func() {
			<-r.done
			close(ended)
		}()
	} else {
		close(ended)
	}
	select {
	case <-ended:
		c.crash()
		return true
	case <-dark:
	}
	c.crash()
	before := calls.snapshot()

	c = boot(t, dir, calls)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	e := c.wait(name, executionspb.Execution_SUCCEEDED)
	const want = `"a1a2l1l2r1r2z1"`
	if e.Result != want {
		t.Errorf("cut %d: result %s, want %s", cut, e.Result, want)
	}
	total := calls.snapshot()
	for call, earlier := range after {
		for _, done := range earlier {
			if before[call] > 0 && total[done] != 1 {
				t.Errorf("cut %d: %s was completed before the crash, but was made %d times", cut, done, total[done])
			}
		}
	}
	for call, n := range total {
		if n > 2 {
			t.Errorf("cut %d: %s was made %d times", cut, call, n)
		}
	}
	c.stop()
	return false
}

func mustParse(c *cloud, name string) executionName {
	c.t.Helper()
	n, err := c.svc.parseExecution(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// TestNoAcknowledgedExecutionIsLost crashes right after many executions were
// acknowledged.
func TestNoAcknowledgedExecutionIsLost(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil, func(o *Options) { o.MaxConcurrent = 3 })
	c.deploy(`
main:
  params: [n]
  steps:
    - wait: {call: sys.sleep, args: {seconds: 0.05}}
    - out: {return: '${n}'}
`)
	names := map[string]string{}
	for i := range 12 {
		names[c.execute(fmt.Sprint(i)).Name] = fmt.Sprint(i)
	}
	c.crash()
	c = boot(t, dir, nil)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	for name, want := range names {
		if e := c.wait(name, executionspb.Execution_SUCCEEDED); e.Result != want {
			t.Errorf("%s: result %s, want %s", name, e.Result, want)
		}
	}
}

// TestCancelSurvivesCrash: an acknowledged cancellation is not undone.
func TestCancelSurvivesCrash(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil)
	c.deploy(sleeper)
	name := c.execute("").Name
	r := c.svc.run(mustParse(c, name))
	r.mu.Lock()
	r.rec.cancelled = true
	r.mu.Unlock()
	if err := r.store(); err != nil {
		t.Fatal(err)
	}
	if err := c.svc.writer.sync(); err != nil {
		t.Fatal(err)
	}
	c.crash()
	c = boot(t, dir, nil)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	c.wait(name, executionspb.Execution_CANCELLED)
}

const sleeper = `
main:
  steps:
    - nap: {call: sys.sleep, args: {seconds: 3600}}
`

// TestRestartKeepsRunning: a clean stop leaves executions active.
func TestRestartKeepsRunning(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil)
	c.deploy(sleeper)
	name := c.execute("").Name
	c.stop()
	c = boot(t, dir, nil)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	if e := c.wait(name, executionspb.Execution_ACTIVE); e.Error != nil {
		t.Error(e.Error)
	}
}
