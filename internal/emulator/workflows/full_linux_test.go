package workflows

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestRealFullDisk fills a small file system. TestFullDisk says what must hold
// to the word; here it is enough that nothing acknowledged is lost.
func TestRealFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ctx := context.Background()
	calls := newGate()
	c := boot(t, dir, calls, func(o *Options) { o.Problem = nil })
	c.deploy(twoCalls)
	waiting := c.execute("").Name
	c.awaitStep(waiting, "a")

	filler := filepath.Join(dir, "filler")
	fillDisk(t, filler)
	large := `"` + strings.Repeat("x", 30000) + `"`
	var names []string
	for {
		e, err := c.ex.CreateExecution(ctx, &executionspb.CreateExecutionRequest{Parent: wfName, Execution: &executionspb.Execution{Argument: large}})
		if err != nil {
			if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "the disk of the data directory is full") {
				t.Errorf("create: %v", err)
			}
			break
		}
		if names = append(names, e.Name); len(names) > 500 {
			t.Fatal("the disk never gets full")
		}
	}
	// A large source needs room, too.
	w := &workflowspb.Workflow{Name: wfName}
	setSource(w, twoCalls+strings.Repeat("# a long comment, which is part of the source\n", 2000))
	_, err := c.wf.UpdateWorkflow(ctx, &workflowspb.UpdateWorkflowRequest{Workflow: w})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("deploy: %v", err)
	}
	close(calls.open)

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, waiting) {
		c.wait(name, executionspb.Execution_SUCCEEDED)
	}
	if e := c.run(large); e.State != executionspb.Execution_SUCCEEDED {
		t.Errorf("a new one: %v", e)
	}
	c.stop()
	c = boot(t, dir, nil) // the database is whole
	list, err := c.svc.ListExecutions(developer(), &executionspb.ListExecutionsRequest{Parent: wfName, PageSize: 1000})
	if err != nil || len(list.Executions) != len(names)+2 {
		t.Errorf("%d executions, %v; want %d", len(list.GetExecutions()), err, len(names)+2)
	}
}

// fillDisk writes a file until the disk is full.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
