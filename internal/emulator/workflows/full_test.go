package workflows

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// gate lets requests pass once it is open.
type gate struct {
	calls callRecorder
	open  chan struct{}
}

func newGate() *gate {
	return &gate{calls: callRecorder{calls: map[string]int{}}, open: make(chan struct{})}
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.calls.RoundTrip(r)
	select {
	case <-g.open:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return resp, err
}

const twoCalls = `
main:
  steps:
    - a: {call: http.post, args: {url: 'https://x.example/a'}}
    - b: {call: http.post, args: {url: 'https://x.example/b'}, result: r}
    - out: {return: '${r.body}'}
`

// TestFullDisk: what is new is refused in clear words, what can wait waits, and
// all goes on when there is room.
func TestFullDisk(t *testing.T) {
	ctx := context.Background()
	calls := newGate()
	var full atomic.Bool
	var problems atomic.Int64
	c := boot(t, t.TempDir(), calls, func(o *Options) {
		o.Problem = func(err error) {
			if strings.Contains(err.Error(), store.ErrFull.Error()) {
				problems.Add(1)
			}
		}
		o.commit = func(f func(*store.Tx) error) error {
			if full.Load() {
				return store.ErrFull
			}
			return o.DB.Update(f)
		}
	})
	c.deploy(twoCalls)
	name := c.execute("").Name
	c.awaitStep(name, "a")

	full.Store(true)
	refused := func(what string, err error) {
		t.Helper()
		if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "the disk of the data directory is full") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := c.ex.CreateExecution(ctx, &executionspb.CreateExecutionRequest{Parent: wfName})
	refused("create", err)
	_, err = c.ex.CancelExecution(ctx, &executionspb.CancelExecutionRequest{Name: name})
	refused("cancel", err)
	_, err = c.wf.DeleteWorkflow(ctx, &workflowspb.DeleteWorkflowRequest{Name: wfName})
	refused("delete", err)
	if code, answer := c.rest("POST", name+"/callbacks/x", "{}"); code != 429 || !strings.Contains(message(answer), "is full") {
		t.Errorf("callback: %d %v", code, answer)
	}
	close(calls.open) // the answer comes while nothing can be journaled
	for problems.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if e, err := c.ex.GetExecution(ctx, &executionspb.GetExecutionRequest{Name: name}); err != nil || e.State != executionspb.Execution_ACTIVE {
		t.Errorf("while the disk is full: %v, %v", e, err)
	}
	if n := calls.calls.snapshot()["b"]; n != 0 {
		t.Error("a call was made that no journal has")
	}

	full.Store(false)
	if e := c.wait(name, executionspb.Execution_SUCCEEDED); e.Result != `"b"` {
		t.Errorf("result %s", e.Result)
	}
	if seen := calls.calls.snapshot(); seen["a"] != 1 || seen["b"] != 1 {
		t.Errorf("calls %v", seen)
	}
	if e := c.run(""); e.State != executionspb.Execution_SUCCEEDED {
		t.Errorf("a new one: %v", e)
	}
	list, err := c.svc.ListExecutions(developer(), &executionspb.ListExecutionsRequest{Parent: wfName})
	if err != nil || len(list.Executions) != 2 {
		t.Errorf("%d executions, %v: what was refused is there", len(list.GetExecutions()), err)
	}
}

// TestCloseOnFullDisk: a process whose disk is full ends all the same, and the
// next one goes on with what was written.
func TestCloseOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	var full atomic.Bool
	calls := newGate()
	c := boot(t, dir, calls, func(o *Options) {
		o.Problem = nil
		o.commit = func(f func(*store.Tx) error) error {
			if full.Load() {
				return store.ErrFull
			}
			return o.DB.Update(f)
		}
	})
	c.deploy(twoCalls)
	name := c.execute("").Name
	c.awaitStep(name, "a")
	full.Store(true)
	close(calls.open)
	time.Sleep(10 * time.Millisecond) // it comes to wait for the disk, most likely
	c.dead.Store(true)                // the error of Close is expected
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.svc.Close(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("close: %v, %v", err, ctx.Err())
	}
	c.stop()

	c = boot(t, dir, calls)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	if e := c.wait(name); e.State != executionspb.Execution_FAILED || !strings.Contains(e.Error.Payload, "ConnectionError") {
		t.Errorf("the call was in flight: %v", e)
	}
}
