package run

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// RunJob begins an execution; the operation ends with it.
func (j jobs) RunJob(ctx context.Context, r *runpb.RunJobRequest) (*longrunningpb.Operation, error) {
	n, err := j.parseJob(r.Name, 0)
	if err != nil {
		return nil, err
	}
	_, op, err := j.begin(ctx, n, r.Etag, r.Overrides, r.ValidateOnly)
	return op, err
}

// begin is the one way in which an execution begins.
func (s *Service) begin(ctx context.Context, n jobName, etag string, o *runpb.RunJobRequest_Overrides, validateOnly bool) (*runpb.Execution, *longrunningpb.Operation, error) {
	permission := "run.jobs.run"
	if o != nil {
		permission = "run.jobs.runWithOverrides"
	}
	if err := s.Auth.Require(ctx, permission, n.String()); err != nil {
		return nil, nil, err
	}
	job, err := s.job(n)
	if err != nil {
		return nil, nil, err
	}
	if err := checkJobEtag(n, etag, job.Etag); err != nil {
		return nil, nil, err
	}
	x, err := newExecution(ctx, n, job, o)
	if err != nil {
		return nil, nil, err
	}
	if validateOnly {
		op, err := doneOperation(x)
		return x, op, err
	}
	op, err := s.Ops.Start(n.parent(), x)
	if err != nil {
		return nil, nil, err
	}
	if err := s.DB.Update(func(tx *store.Tx) error { return s.storeExecution(tx, n, x, op.Name) }); err != nil {
		return nil, nil, failOperation(s.Ops, op.Name, err)
	}
	s.runLater(x, op.Name, nil)
	return x, op, nil
}

// failOperation ends an operation that came to nothing, and returns why.
func failOperation(ops Operations, op string, err error) error {
	if e := ops.Finish(op, nil, err); e != nil {
		return e
	}
	return err
}

// storeExecution writes a new execution with its tasks, and notes it at its
// job.
func (s *Service) storeExecution(tx *store.Tx, n jobName, x *runpb.Execution, op string) error {
	job, err := s.readJob(tx, n)
	if err != nil {
		return err
	}
	if _, err := tx.Get(executionsTable, x.Name); !errors.Is(err, store.ErrNotFound) {
		return status.Errorf(codes.Aborted, "The name %s that was drawn is taken: try again.", x.Name)
	}
	job.ExecutionCount++
	job.LatestCreatedExecution = &runpb.ExecutionReference{
		Name: lastSegment(x.Name), CreateTime: x.CreateTime, CompletionStatus: runpb.ExecutionReference_EXECUTION_PENDING,
	}
	if err := tx.PutProto(jobsTable, job.Name, job); err != nil {
		return err
	}
	for i := range x.TaskCount {
		task := newTask(x, i)
		if err := tx.PutProto(tasksTable, task.Name, task); err != nil {
			return err
		}
	}
	if err := tx.PutJSON(runsTable, x.Name, runState{Operation: op}); err != nil {
		return err
	}
	return tx.PutProto(executionsTable, x.Name, x)
}

// newExecution makes the execution that a call of Run asks for.
func newExecution(ctx context.Context, n jobName, job *runpb.Job, o *runpb.RunJobRequest_Overrides) (*runpb.Execution, error) {
	t := proto.CloneOf(job.Template)
	if err := override(t, o); err != nil {
		return nil, err
	}
	caller, _ := iam.CallerOf(ctx)
	now := timestamppb.Now()
	n.execution = strings.TrimRight(n.id[:min(len(n.id), 57)], "-") + "-" + strings.ToLower(rand.Text()[:5])
	x := &runpb.Execution{
		Name: n.String(), Uid: uuid.NewString(), Creator: email(caller), Generation: 1, ObservedGeneration: 1,
		Labels: t.Labels, Annotations: t.Annotations, CreateTime: now, UpdateTime: now, LaunchStage: job.LaunchStage,
		Job: n.id, Parallelism: t.Parallelism, TaskCount: t.TaskCount, Template: t.Template, Reconciling: true,
		Conditions: []*runpb.Condition{reconciling(completed, now)},
	}
	x.Etag = etagOf(x.Uid, x.Generation)
	return x, nil
}

// override applies what a call changes of a job's template.
func override(t *runpb.ExecutionTemplate, o *runpb.RunJobRequest_Overrides) error {
	v := &violations{}
	if o.GetTaskCount() != 0 {
		checkTaskCount(v, "overrides.task_count", o.TaskCount)
		t.TaskCount = o.TaskCount
	}
	if o.GetTimeout() != nil {
		checkTaskTimeout(v, "overrides.timeout", o.Timeout)
		t.Template.Timeout = o.Timeout
	}
	for _, c := range o.GetContainerOverrides() {
		const at = "overrides.container_overrides"
		program := t.Template.Containers[0]
		if c.Name != "" && c.Name != program.Name {
			v.add(at, "the job has no container %q", c.Name)
		}
		switch {
		case c.ClearArgs && len(c.Args) > 0:
			v.add(at, "args and clear_args exclude each other")
		case c.ClearArgs:
			program.Args = nil
		case len(c.Args) > 0:
			program.Args = c.Args
		}
		checkEnv(v, at+".env", c.Env, reservedJobEnv)
		program.Env = overrideEnv(program.Env, c.Env)
	}
	return v.err()
}

// overrideEnv adds variables, in the place of those of the same name.
func overrideEnv(env, more []*runpb.EnvVar) []*runpb.EnvVar {
	for _, e := range more {
		found := false
		for i, old := range env {
			if old.Name == e.Name {
				env[i], found = e, true
			}
		}
		if !found {
			env = append(env, e)
		}
	}
	return env
}

func newTask(x *runpb.Execution, index int32) *runpb.Task {
	id := lastSegment(x.Name) + "-task" + strconv.Itoa(int(index))
	t := x.Template
	return &runpb.Task{
		Name: x.Name + "/tasks/" + id, Uid: uuid.NewString(), Generation: 1, ObservedGeneration: 1, Labels: x.Labels, Annotations: x.Annotations,
		CreateTime: x.CreateTime, UpdateTime: x.CreateTime, Job: x.Job, Execution: lastSegment(x.Name),
		Containers: t.Containers, Volumes: t.Volumes, MaxRetries: t.GetMaxRetries(), Timeout: t.Timeout, ServiceAccount: t.ServiceAccount,
		ExecutionEnvironment: t.ExecutionEnvironment, Index: index, Reconciling: true,
		Conditions: []*runpb.Condition{reconciling(completed, x.CreateTime)},
	}
}
