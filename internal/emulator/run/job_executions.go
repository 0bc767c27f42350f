package run

import (
	"context"
	"errors"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// GetExecution returns one execution.
func (j jobs) GetExecution(ctx context.Context, r *runpb.GetExecutionRequest) (*runpb.Execution, error) {
	n, err := j.parseJob(r.Name, 1)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.executions.get", n.String()); err != nil {
		return nil, err
	}
	return j.execution(n)
}

// ListExecutions returns a job's executions, newest first; "-" stands for any
// job or location.
func (j jobs) ListExecutions(ctx context.Context, r *runpb.ListExecutionsRequest) (*runpb.ListExecutionsResponse, error) {
	n, err := j.parseJob(r.Parent, 0)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.executions.list", n.String()); err != nil {
		return nil, err
	}
	all, err := j.executionsOf(n.String())
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, r.PageSize, r.PageToken, (*runpb.Execution).GetName)
	return &runpb.ListExecutionsResponse{Executions: list, NextPageToken: next}, err
}

// CancelExecution stops an execution; the operation ends when it has stopped.
func (j jobs) CancelExecution(ctx context.Context, r *runpb.CancelExecutionRequest) (*longrunningpb.Operation, error) {
	n, err := j.parseJob(r.Name, 1)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.executions.cancel", n.String()); err != nil {
		return nil, err
	}
	x, err := j.execution(n)
	if err != nil {
		return nil, err
	}
	if err := checkJobEtag(n, r.Etag, x.Etag); err != nil {
		return nil, err
	}
	if r.ValidateOnly {
		return doneOperation(x)
	}
	return j.cancelExecution(n)
}

// cancelExecution notes that an execution is to end, so that a restart does not
// forget it, and ends it.
func (s *Service) cancelExecution(n jobName) (*longrunningpb.Operation, error) {
	x, err := s.execution(n)
	if err != nil {
		return nil, err
	}
	op, err := s.Ops.Start(n.parent(), x)
	if err != nil {
		return nil, err
	}
	err = s.DB.Update(func(tx *store.Tx) error {
		x, err := readExecution(tx, n)
		if err != nil {
			return err
		}
		if x.CompletionTime != nil {
			return status.Errorf(codes.FailedPrecondition, "Execution '%s' has already completed.", n.execution)
		}
		st, err := readRun(tx, n)
		if err != nil {
			return err
		}
		st.Cancelled, st.Cancel = true, op.Name
		return tx.PutJSON(runsTable, n.String(), st)
	})
	if err != nil {
		return nil, failOperation(s.Ops, op.Name, err)
	}
	s.background(func() {
		s.stopExecution(n.String(), errCancelled)
		x, err := s.execution(n)
		_ = s.Ops.Finish(op.Name, x, err)
	})
	return op, nil
}

// DeleteExecution removes an execution with its tasks; one that runs is
// stopped.
func (j jobs) DeleteExecution(ctx context.Context, r *runpb.DeleteExecutionRequest) (*longrunningpb.Operation, error) {
	n, err := j.parseJob(r.Name, 1)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.executions.delete", n.String()); err != nil {
		return nil, err
	}
	x, err := j.execution(n)
	if err != nil {
		return nil, err
	}
	if err := checkJobEtag(n, r.Etag, x.Etag); err != nil {
		return nil, err
	}
	x.DeleteTime = timestamppb.Now()
	if r.ValidateOnly {
		return doneOperation(x)
	}
	op, err := j.Ops.Start(n.parent(), x)
	if err != nil {
		return nil, err
	}
	j.background(func() {
		j.stopExecution(n.String(), errDeleted)
		err := j.DB.Update(func(tx *store.Tx) error { return dropExecution(tx, n.String()) })
		_ = j.Ops.Finish(op.Name, x, err)
	})
	return op, nil
}

// GetTask returns one task.
func (j jobs) GetTask(ctx context.Context, r *runpb.GetTaskRequest) (task *runpb.Task, err error) {
	n, err := j.parseJob(r.Name, 2)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.tasks.get", n.String()); err != nil {
		return nil, err
	}
	err = j.DB.View(func(tx *store.Tx) error {
		task, err = read(tx, tasksTable, n.String(), &runpb.Task{}, n.notFound())
		return err
	})
	if err != nil {
		return nil, err
	}
	return task, nil
}

// ListTasks returns the tasks of an execution by index; "-" stands for any
// execution or job.
func (j jobs) ListTasks(ctx context.Context, r *runpb.ListTasksRequest) (*runpb.ListTasksResponse, error) {
	n, err := j.parseJob(r.Parent, 1)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.tasks.list", n.String()); err != nil {
		return nil, err
	}
	all, err := j.tasksOf(n.String())
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, r.PageSize, r.PageToken, (*runpb.Task).GetName)
	return &runpb.ListTasksResponse{Tasks: list, NextPageToken: next}, err
}

// resumeExecutions goes on with the executions that a restart interrupted. A
// task that ran then runs again from its begin, as after the loss of a machine
// in the cloud. What is left of a deleted job goes.
func (s *Service) resumeExecutions() error {
	var unfinished []*runpb.Execution
	var orphans []string
	states := map[string]runState{}
	err := s.DB.View(func(tx *store.Tx) error {
		var damaged error
		err := scan(tx, executionsTable, "", func() *runpb.Execution { return &runpb.Execution{} }, func(x *runpb.Execution) {
			n := s.stored(x.Name)
			st, failure := readRun(tx, n)
			if _, err := s.readJob(tx, n); status.Code(err) == codes.NotFound {
				orphans = append(orphans, x.Name)
				return
			} else if err != nil || failure != nil {
				damaged = errors.Join(damaged, err, failure)
				return
			}
			if x.CompletionTime == nil {
				unfinished, states[x.Name] = append(unfinished, x), st
			}
		})
		return errors.Join(err, damaged)
	})
	if err != nil {
		return err
	}
	err = s.DB.Update(func(tx *store.Tx) error {
		for _, name := range orphans {
			if err := dropExecution(tx, strings.Clone(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, x := range unfinished {
		st := states[x.Name]
		s.Ops.Adopt(st.Operation)
		if !st.Cancelled {
			s.runLater(x, st.Operation, nil)
			continue
		}
		s.runLater(x, st.Operation, errCancelled)
		s.Ops.Adopt(st.Cancel)
		s.background(func() {
			s.stopExecution(x.Name, errCancelled)
			x, err := s.execution(s.stored(x.Name))
			_ = s.Ops.Finish(st.Cancel, x, err)
		})
	}
	return nil
}
