package run

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"sync"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Why an execution ends before its tasks have.
var (
	errCancelled = errors.New("the execution was cancelled")
	errDeleted   = errors.New("the execution was deleted")
	errClosing   = errors.New("the embedded cloud is closing")
)

// runner runs one execution.
type runner struct {
	*Service
	name   string
	op     string // to be finished at the end
	cancel context.CancelCauseFunc
	done   chan struct{} // closed at the end

	mu sync.Mutex
	x  *runpb.Execution // the newest state
}

// runLater runs an execution until it ends or the service closes. With a reason
// why not, it only writes that.
func (s *Service) runLater(x *runpb.Execution, op string, why error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	if why != nil {
		cancel(why)
	}
	r := &runner{Service: s, name: x.Name, op: op, cancel: cancel, done: make(chan struct{}), x: proto.CloneOf(x)}
	s.mu.Lock()
	s.runners[x.Name] = r
	s.mu.Unlock()
	stop := context.AfterFunc(s.life, func() { cancel(errClosing) })
	begun := s.background(func() {
		defer stop()
		defer r.leave()
		r.run(ctx)
	})
	if !begun {
		stop()
		r.leave()
	}
}

func (r *runner) leave() {
	r.Service.mu.Lock()
	delete(r.runners, r.name)
	r.Service.mu.Unlock()
	r.cancel(nil)
	close(r.done)
}

// stopExecution ends an execution and waits until it has ended. One that does
// not run has.
func (s *Service) stopExecution(name string, why error) {
	s.mu.Lock()
	r := s.runners[name]
	s.mu.Unlock()
	if r != nil {
		r.cancel(why)
		<-r.done
	}
}

// run runs the tasks that have not ended, some at a time, and writes how it
// went. When the cloud closes, everything stays as it is, for the next life.
func (r *runner) run(ctx context.Context) {
	tasks, err := r.tasksOf(r.name)
	if err == nil {
		err = r.update(func(x *runpb.Execution) {
			now := timestamppb.Now()
			if x.StartTime == nil {
				x.StartTime = now
			}
			x.RunningCount = 0
			x.Conditions = []*runpb.Condition{reconciling(completed, now), succeeded(resourcesAvailable, now), succeeded(started, now)}
		})
	}
	if err == nil {
		r.runTasks(ctx, tasks)
	}
	if errors.Is(context.Cause(ctx), errClosing) {
		return
	}
	x, outcome := r.end(context.Cause(ctx), err)
	if x == nil {
		outcome = err
	}
	_ = r.Ops.Finish(r.op, x, outcome)
}

// slots is how many tasks run at a time. Without a parallelism the cloud runs
// as many as it can; here that is one for each processor, which is a choice.
func (r *runner) slots() int {
	most := int(r.x.TaskCount)
	if p := int(r.x.Parallelism); p > 0 {
		return min(p, most)
	}
	return min(goruntime.NumCPU(), most)
}

func (r *runner) runTasks(ctx context.Context, tasks []*runpb.Task) {
	slots := make(chan struct{}, r.slots())
	var running sync.WaitGroup
	for _, t := range tasks {
		if t.CompletionTime != nil {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			r.runTask(ctx, t)
		})
	}
	running.Wait()
}

// runTask runs a task, and again after a failure, as often as it may.
func (r *runner) runTask(ctx context.Context, t *runpb.Task) {
	r.change(t, func(x *runpb.Execution) {
		now := timestamppb.Now()
		x.RunningCount++
		t.ScheduledTime, t.StartTime = now, now
		t.Conditions = []*runpb.Condition{reconciling(completed, now), succeeded(started, now)}
	})
	for {
		exit, err := r.attempt(ctx, t)
		if ctx.Err() != nil {
			r.change(t, func(x *runpb.Execution) { r.stopped(x, t, context.Cause(ctx)) })
			return
		}
		t.LastAttemptResult = attemptResult(exit, err)
		again := err == nil || errors.Is(err, context.DeadlineExceeded) // a container that cannot be started cannot the next time
		if again && t.LastAttemptResult.Status.GetCode() != int32(codes.OK) && t.Retried < t.MaxRetries {
			r.change(t, func(x *runpb.Execution) { t.Retried++; x.RetriedCount++ })
			continue
		}
		r.change(t, func(x *runpb.Execution) { ended(x, t) })
		return
	}
}

// stopped notes that a task was stopped. When the cloud closes it is as if it
// had not begun.
func (r *runner) stopped(x *runpb.Execution, t *runpb.Task, why error) {
	x.RunningCount--
	if errors.Is(why, errClosing) {
		t.StartTime, t.ScheduledTime = nil, nil
		return
	}
	now := timestamppb.Now()
	x.CancelledCount++
	t.CompletionTime, t.Reconciling = now, false
	t.Conditions = []*runpb.Condition{cancelledCondition("The task was cancelled.", now)}
}

// ended notes how a task ended of itself.
func ended(x *runpb.Execution, t *runpb.Task) {
	now := timestamppb.Now()
	x.RunningCount--
	t.CompletionTime, t.Reconciling = now, false
	if t.LastAttemptResult.Status.GetCode() == int32(codes.OK) {
		x.SucceededCount++
		t.Conditions = []*runpb.Condition{succeeded(completed, now), succeeded(started, now)}
		return
	}
	x.FailedCount++
	t.Conditions = []*runpb.Condition{failedCondition(t.LastAttemptResult.Status.Message, now), succeeded(started, now)}
}

// attempt runs the container of a task to its end. It is stopped when ctx ends
// or, with DeadlineExceeded, after its timeout.
func (r *runner) attempt(ctx context.Context, t *runpb.Task) (runtime.Exit, error) {
	spec, err := r.taskSpec(t)
	if err != nil {
		return runtime.Exit{}, err
	}
	n := r.stored(t.Name)
	out := r.newOutput(n.resource(), map[string]string{
		runPrefix + "execution_name": n.execution,
		runPrefix + "task_index":     fmt.Sprint(t.Index), runPrefix + "task_attempt": fmt.Sprint(t.Retried),
	})
	spec.Stdout, spec.Stderr = out.stdout, out.stderr
	container, err := r.Runtime.Start(ctx, spec)
	if err != nil {
		return runtime.Exit{}, err
	}
	limit, cancel := context.WithTimeout(ctx, t.Timeout.AsDuration())
	defer cancel()
	release := context.AfterFunc(limit, func() {
		grace := stopGrace
		if errors.Is(context.Cause(ctx), errClosing) {
			grace = time.Second
		}
		container.Stop(grace)
	})
	exit := container.Wait()
	asked := !release()
	out.close(exit, asked)
	if asked && ctx.Err() == nil {
		return exit, context.DeadlineExceeded
	}
	return exit, nil
}

// taskSpec is the container of a task, as Cloud Run would run it.
func (r *runner) taskSpec(t *runpb.Task) (runtime.Spec, error) {
	reach, err := r.ProcessEnv(t.ServiceAccount)
	if err != nil {
		return runtime.Spec{}, fmt.Errorf("environment of service account %s: %w", t.ServiceAccount, err)
	}
	c := t.Containers[0]
	env := append([]string{"GOOGLE_CLOUD_PROJECT=" + r.Project}, reach...)
	for _, e := range c.Env {
		env = append(env, e.Name+"="+e.GetValue())
	}
	env = append(env,
		"CLOUD_RUN_JOB="+t.Job, "CLOUD_RUN_EXECUTION="+t.Execution,
		fmt.Sprint("CLOUD_RUN_TASK_INDEX=", t.Index), fmt.Sprint("CLOUD_RUN_TASK_ATTEMPT=", t.Retried), fmt.Sprint("CLOUD_RUN_TASK_COUNT=", r.x.TaskCount))
	return runtime.Spec{Name: lastSegment(t.Name), Image: c.Image, Command: c.Command, Args: c.Args, Env: env}, nil
}

// update changes the execution and stores it.
func (r *runner) update(f func(x *runpb.Execution)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.x)
	r.x.UpdateTime = timestamppb.Now()
	return r.DB.Update(func(tx *store.Tx) error { return tx.PutProto(executionsTable, r.name, r.x) })
}

// change changes a task with its execution and stores both. What cannot be
// stored, on a full disk, is in the next state that can.
func (r *runner) change(t *runpb.Task, f func(x *runpb.Execution)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.x)
	now := timestamppb.Now()
	r.x.UpdateTime, t.UpdateTime = now, now
	_ = r.DB.Update(func(tx *store.Tx) error {
		return errors.Join(tx.PutProto(tasksTable, t.Name, t), tx.PutProto(executionsTable, r.name, r.x))
	})
}

// end writes the end of an execution, also at its job, and returns it with the
// error that its operation ends with.
func (r *runner) end(why, failure error) (*runpb.Execution, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, now := r.x, timestamppb.Now()
	x.CompletionTime, x.UpdateTime, x.Reconciling, x.RunningCount = now, now, false, 0
	x.Conditions = []*runpb.Condition{succeeded(completed, now), succeeded(resourcesAvailable, now), succeeded(started, now)}
	result, outcome := runpb.ExecutionReference_EXECUTION_SUCCEEDED, failure
	switch {
	case why != nil:
		x.CancelledCount = x.TaskCount - x.SucceededCount - x.FailedCount
		x.Conditions[0] = cancelledCondition("The execution was cancelled.", now)
		result, outcome = runpb.ExecutionReference_EXECUTION_CANCELLED, status.Error(codes.Canceled, "The execution was cancelled.")
	case failure != nil || x.SucceededCount < x.TaskCount:
		message := fmt.Sprintf("Execution %s has failed to complete, %d/%d tasks were a success.", lastSegment(x.Name), x.SucceededCount, x.TaskCount)
		x.Conditions[0] = failedCondition(message, now)
		result = runpb.ExecutionReference_EXECUTION_FAILED
		if outcome == nil {
			outcome = status.Error(codes.Aborted, message)
		}
	}
	err := r.DB.Update(func(tx *store.Tx) error {
		if err := r.note(tx, x, result); err != nil {
			return err
		}
		return tx.PutProto(executionsTable, r.name, x)
	})
	if err != nil && outcome == nil {
		outcome = err
	}
	return x, outcome
}

// note writes at the job how its latest execution went.
func (r *runner) note(tx *store.Tx, x *runpb.Execution, result runpb.ExecutionReference_CompletionStatus) error {
	job, err := r.readJob(tx, r.stored(r.name))
	if status.Code(err) == codes.NotFound {
		return nil // deleted while its execution ran
	}
	if err != nil {
		return err
	}
	latest := job.LatestCreatedExecution
	if latest.GetName() != lastSegment(x.Name) {
		return nil
	}
	latest.CompletionTime, latest.CompletionStatus = x.CompletionTime, result
	return tx.PutProto(jobsTable, job.Name, job)
}
