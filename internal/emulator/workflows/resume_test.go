package workflows

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

const caller = `
main:
  steps:
    - call: {call: http.get, args: {url: 'https://x.example/call'}}
    - nap: {call: sys.sleep, args: {seconds: 3600}}
`

// TestResumeTakesOnlyWhatWasLeft: what is created before Resume runs once.
func TestResumeTakesOnlyWhatWasLeft(t *testing.T) {
	dir := t.TempDir()
	calls := &callRecorder{calls: map[string]int{}}
	c := boot(t, dir, calls)
	c.deploy(caller)
	old := c.execute("").Name
	c.awaitStep(old, "nap")
	c.crash()

	c = boot(t, dir, calls)
	fresh := c.execute("").Name
	c.awaitStep(fresh, "nap")
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{old, fresh} {
		c.awaitStep(name, "nap")
		e, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: name})
		if err != nil || e.State != executionspb.Execution_CANCELLED {
			t.Errorf("%v, %v", e, err)
		}
	}
	if n := calls.snapshot()["call"]; n != 2 {
		t.Errorf("two executions made %d calls", n)
	}
}

// TestCancelBeforeResume: an execution that waits for Resume can be cancelled.
func TestCancelBeforeResume(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil)
	c.deploy(sleeper)
	name := c.execute("").Name
	c.crash()

	c = boot(t, dir, nil)
	done := make(chan error, 1)
	go func() {
		_, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: name})
		done <- err
	}()
	r := c.svc.run(mustParse(c, name))
	for cancelled := false; !cancelled; {
		r.mu.Lock()
		cancelled = r.rec.cancelled
		r.mu.Unlock()
	}
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	c.wait(name, executionspb.Execution_CANCELLED)
}

// TestJournalIsForgotten: nothing is left of the journal of what has ended, also
// if the power went before it was removed.
func TestJournalIsForgotten(t *testing.T) {
	dir := t.TempDir()
	calls := &callRecorder{calls: map[string]int{}}
	c := boot(t, dir, calls)
	c.deploy(crashSource)
	c.run("")
	c.stop()
	if n := count(t, dir, tableJournal); n != 0 {
		t.Errorf("%d entries are left", n)
	}

	c = boot(t, dir, calls, func(o *Options) {
		o.Problem = nil
		ended := false
		o.commit = func(f func(*store.Tx) error) error {
			if ended {
				return errCut
			}
			return o.DB.Update(func(tx *store.Tx) error {
				before := unfinished(tx)
				err := f(tx)
				ended = unfinished(tx) < before
				return err
			})
		}
	})
	name := c.execute("").Name
	c.wait(name, executionspb.Execution_SUCCEEDED)
	c.crash()
	if n := count(t, dir, tableJournal); n == 0 {
		t.Error("the power went too late")
	}
	c = boot(t, dir, calls)
	c.stop()
	if n := count(t, dir, tableJournal); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func unfinished(tx *store.Tx) (n int) {
	tx.Scan(tableUnfinished, "", func(string, []byte) bool { n++; return true })
	return n
}

// count opens a data directory that nobody has open.
func count(t *testing.T, dir, table string) (n int) {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *store.Tx) error {
		tx.Scan(table, "", func(string, []byte) bool { n++; return true })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDeletionSurvivesCrash: a deletion that was begun is finished, one that was
// not leaves everything as it was.
func TestDeletionSurvivesCrash(t *testing.T) {
	for _, tt := range []struct {
		name    string
		commits int64
		deleted bool
	}{{"not begun", 0, false}, {"begun", 1, true}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			var cutting atomic.Bool
			var left atomic.Int64
			left.Store(tt.commits)
			dark := make(chan struct{}, 1)
			c := boot(t, dir, nil, func(o *Options) {
				o.Problem = nil
				o.commit = func(f func(*store.Tx) error) error {
					if cutting.Load() && left.Add(-1) < 0 {
						select {
						case dark <- struct{}{}:
						default:
						}
						return errCut
					}
					return o.DB.Update(f)
				}
			})
			c.deploy(sleeper)
			name := c.execute("").Name
			c.awaitStep(name, "nap")
			cutting.Store(true)
			answered := make(chan error, 1)
			go func() {
				_, err := c.wf.DeleteWorkflow(context.Background(), &workflowspb.DeleteWorkflowRequest{Name: wfName})
				answered <- err
			}()
			<-dark
			if !tt.deleted {
				if err := <-answered; err == nil || !strings.Contains(err.Error(), errCut.Error()) {
					t.Errorf("answer %v", err)
				}
			}
			c.crash()

			c = boot(t, dir, nil)
			if err := c.svc.Resume(); err != nil {
				t.Fatal(err)
			}
			want := codes.OK
			if tt.deleted {
				want = codes.NotFound
			}
			if _, err := c.ex.GetExecution(context.Background(), &executionspb.GetExecutionRequest{Name: name}); status.Code(err) != want {
				t.Errorf("execution: %v, want %v", err, want)
			}
			if _, err := c.wf.GetWorkflow(context.Background(), &workflowspb.GetWorkflowRequest{Name: wfName}); status.Code(err) != want {
				t.Errorf("workflow: %v, want %v", err, want)
			}
			c.stop()
		})
	}
}
