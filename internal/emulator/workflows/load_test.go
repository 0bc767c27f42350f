package workflows

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// TestTenThousandAtOnce starts more executions than may run and wait: the quota
// runs, the backlog waits, the rest is refused, and all that was accepted ends.
func TestTenThousandAtOnce(t *testing.T) {
	run, wait, tooMany := 10000, 1000, 50
	if testing.Short() {
		run, wait = 300, 100
	}
	calls := newGate()
	c := boot(t, t.TempDir(), calls)
	c.svc.quotas.ConcurrentExecutions, c.svc.quotas.BackloggedExecutions = run, wait
	c.deploy(twoCalls)

	var mu sync.Mutex
	states := map[executionspb.Execution_State]int{}
	var names []string
	refused := 0
	create := func() {
		e, err := c.svc.CreateExecution(developer(), &executionspb.CreateExecutionRequest{Parent: wfName})
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			states[e.State]++
			names = append(names, e.Name)
		case status.Code(err) == codes.ResourceExhausted:
			refused++
		default:
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range (run + wait + tooMany) / 100 {
				create()
			}
		})
	}
	all.Wait()
	for len(names)+refused < run+wait+tooMany {
		create()
	}
	if states[executionspb.Execution_ACTIVE] != run || states[executionspb.Execution_QUEUED] != wait || refused != tooMany {
		t.Errorf("%v, %d refused; want %d active, %d queued and %d refused", states, refused, run, wait, tooMany)
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	if perExecution := int(memory.HeapInuse+memory.StackInuse) / (run + wait); !testing.Short() && perExecution > 64<<10 {
		t.Errorf("an execution takes %d bytes", perExecution)
	}
	close(calls.open)
	for _, name := range names {
		c.wait(name, executionspb.Execution_SUCCEEDED)
	}
	t.Logf("%d MB of heap and %d MB of stacks for %d executions", memory.HeapInuse>>20, memory.StackInuse>>20, run+wait)
}

// TestCancelManyQueued: cancelling one of many that wait does not search for it.
func TestCancelManyQueued(t *testing.T) {
	c := boot(t, t.TempDir(), newGate(), func(o *Options) { o.MaxConcurrent = 1 })
	c.deploy(twoCalls)
	first := c.execute("").Name
	var queued []string
	for range 200 {
		queued = append(queued, c.execute("").Name)
	}
	for i := len(queued) - 1; i >= 0; i -= 2 {
		e, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: queued[i]})
		if err != nil || e.State != executionspb.Execution_CANCELLED {
			t.Fatalf("%v, %v", e, err)
		}
	}
	if c.svc.waiting != 100 {
		t.Errorf("%d wait", c.svc.waiting)
	}
	if _, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: first}); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(queued); i += 2 { // each has its turn
		c.awaitStep(queued[i], "a")
		if _, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: queued[i]}); err != nil {
			t.Fatal(err)
		}
	}
}

// startMany creates executions from many clients at once.
func (c *cloud) startMany(executions int, argument string) (names []string) {
	c.t.Helper()
	var mu sync.Mutex
	work := make(chan struct{}, executions)
	for range executions {
		work <- struct{}{}
	}
	close(work)
	var all sync.WaitGroup
	for range min(executions, 100) {
		all.Go(func() {
			for range work {
				e, err := c.svc.CreateExecution(developer(), &executionspb.CreateExecutionRequest{
					Parent: wfName, Execution: &executionspb.Execution{Argument: argument},
				})
				if err != nil {
					c.t.Error(err)
					return
				}
				mu.Lock()
				names = append(names, e.Name)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return names
}

// runMany starts executions and waits until all have ended.
func (c *cloud) runMany(executions int, argument string) {
	c.t.Helper()
	for _, fullName := range c.startMany(executions, argument) {
		name, err := c.svc.parseExecution(fullName)
		if err != nil {
			c.t.Fatal(err)
		}
		if r := c.svc.run(name); r != nil {
			<-r.done
		}
	}
}

// durable makes n calls in turn. Each is two entries of the journal: it is on
// disk before the request is sent, and the answer before the workflow sees it.
const durable = `
main:
  params: [n]
  steps:
    - loop:
        for:
          value: i
          range: [1, '${n}']
          steps:
            - call: {call: http.post, args: {url: 'https://x.example/call'}}
`

// BenchmarkDurableSteps measures calls whose effects are on disk, by the number
// of executions that make them at the same time.
func BenchmarkDurableSteps(b *testing.B) {
	for _, executions := range []int{1, 10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("executions=%d", executions), func(b *testing.B) {
			calls := max(10, 20000/executions)
			if executions == 1 {
				calls = 500
			}
			c := boot(b, b.TempDir(), &callRecorder{calls: map[string]int{}})
			c.deploy(durable)
			for b.Loop() {
				c.runMany(executions, fmt.Sprint(calls))
			}
			b.ReportMetric(float64(b.N*executions*calls)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}

// inMemory has n steps, two per iteration.
const inMemory = `
main:
  params: [n]
  steps:
    - loop:
        for:
          value: i
          range: [1, '${n // 2}']
          steps:
            - set: {assign: [{x: '${i}'}]}
`

// BenchmarkStepCost measures steps without effects, with their history, in
// executions of different lengths.
func BenchmarkStepCost(b *testing.B) {
	for _, steps := range []int{100, 1000, 10000, 99990} {
		b.Run(fmt.Sprintf("steps=%d", steps), func(b *testing.B) {
			c := boot(b, b.TempDir(), nil)
			c.deploy(inMemory)
			for b.Loop() {
				c.runMany(99990/steps, fmt.Sprint(steps))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(99990/steps)*steps), "ns/step")
		})
	}
}

// BenchmarkAmongMany measures the API with many executions that sleep.
func BenchmarkAmongMany(b *testing.B) {
	for _, sleeping := range []int{1, 10000} {
		c := boot(b, b.TempDir(), nil)
		c.deploy(sleeper)
		name := c.startMany(sleeping, "")[0]
		bench := func(what string, f func() error) {
			b.Run(fmt.Sprintf("%s/sleeping=%d", what, sleeping), func(b *testing.B) {
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		bench("get", func() error {
			_, err := c.svc.GetExecution(developer(), &executionspb.GetExecutionRequest{Name: name})
			return err
		})
		list := func(req *executionspb.ListExecutionsRequest) func() error {
			req.Parent = wfName
			return func() error {
				_, err := c.svc.ListExecutions(developer(), req)
				return err
			}
		}
		bench("list", list(&executionspb.ListExecutionsRequest{}))
		bench("list-filter", list(&executionspb.ListExecutionsRequest{Filter: "state=FAILED"}))
		bench("list-order", list(&executionspb.ListExecutionsRequest{OrderBy: "startTime"}))
		bench("create-cancel", func() error {
			e, err := c.svc.CreateExecution(developer(), &executionspb.CreateExecutionRequest{Parent: wfName})
			if err == nil {
				_, err = c.svc.CancelExecution(developer(), &executionspb.CancelExecutionRequest{Name: e.Name})
			}
			return err
		})
	}
}

// BenchmarkResume measures how long an execution takes to come back that has
// 100,000 entries in its journal.
func BenchmarkResume(b *testing.B) {
	dir := b.TempDir()
	// The journal is written without a flush for each entry.
	var mu sync.Mutex
	var late []func(*store.Tx) error
	flush := func(db *store.DB) error {
		return db.Update(func(tx *store.Tx) error {
			for _, f := range late {
				if err := f(tx); err != nil {
					return err
				}
			}
			late = nil
			return nil
		})
	}
	c := boot(b, dir, &callRecorder{calls: map[string]int{}}, func(o *Options) {
		o.commit = func(f func(*store.Tx) error) error {
			mu.Lock()
			defer mu.Unlock()
			if late = append(late, f); len(late) < 200 {
				return nil
			}
			return flush(o.DB)
		}
	})
	c.deploy(`
main:
  steps:
    - all:
        parallel:
          for:
            value: i
            range: [1, 49990]
            steps:
              - call: {call: http.post, args: {url: 'https://x.example/call'}}
    - nap: {call: sys.sleep, args: {seconds: 86400}}
`)
	name := c.execute("").Name
	for c.at(name) != "nap" {
		time.Sleep(50 * time.Millisecond)
	}
	mu.Lock()
	if err := flush(c.db); err != nil {
		b.Fatal(err)
	}
	mu.Unlock()
	c.crash()
	for b.Loop() {
		c := boot(b, dir, nil)
		if err := c.svc.Resume(); err != nil {
			b.Fatal(err)
		}
		c.awaitStep(name, "nap")
		b.StopTimer()
		c.crash()
		b.StartTimer()
	}
}

// at is the step at which an execution is.
func (c *cloud) at(name string) string {
	e, err := c.svc.GetExecution(developer(), &executionspb.GetExecutionRequest{Name: name})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range e.Status.GetCurrentSteps() {
		return s.Step
	}
	return ""
}
