package run

import (
	"context"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// jobs is the Admin API v2 of jobs, their executions and tasks.
type jobs struct{ *Service }

var (
	_ runpb.JobsServer       = jobs{}
	_ runpb.ExecutionsServer = jobs{}
	_ runpb.TasksServer      = jobs{}
)

// CreateJob creates a job; it does not run it.
func (j jobs) CreateJob(ctx context.Context, r *runpb.CreateJobRequest) (*longrunningpb.Operation, error) {
	at, err := j.parseParent(r.Parent)
	if err != nil {
		return nil, err
	}
	n := jobName{serviceName: at}
	n.id = r.JobId
	if err := j.Auth.Require(ctx, "run.jobs.create", n.parent()); err != nil {
		return nil, err
	}
	job, err := j.putJob(ctx, n, r.ValidateOnly, func(old *runpb.Job) (*runpb.Job, error) {
		if old != nil {
			return nil, status.Errorf(codes.AlreadyExists, "Resource '%s' already exists.", n.id)
		}
		return newJob(n, r.Job)
	})
	return j.finished(n, job, r.ValidateOnly, err)
}

func newJob(n jobName, wanted *runpb.Job) (*runpb.Job, error) {
	switch {
	case !jobID.MatchString(n.id):
		return nil, status.Errorf(codes.InvalidArgument, "Invalid job id %q: it must begin with a letter, hold lowercase letters, digits and hyphens, not end with a hyphen, and be at most 63 characters long.", n.id)
	case n.location == "-":
		return nil, status.Error(codes.InvalidArgument, "The location '-' is for lists only.")
	case wanted == nil:
		return nil, status.Error(codes.InvalidArgument, "The request has no job.")
	}
	return mergeFields(&runpb.Job{}, wanted, nil, mutableJob)
}

// finished is the operation of a change that is done at once.
func (j jobs) finished(n jobName, job *runpb.Job, validateOnly bool, err error) (*longrunningpb.Operation, error) {
	if err != nil {
		return nil, err
	}
	if validateOnly {
		return doneOperation(job)
	}
	op, err := j.Ops.Start(n.parent(), job)
	if err != nil {
		return nil, err
	}
	if err := j.Ops.Finish(op.Name, job, nil); err != nil {
		return nil, err
	}
	done, err := doneOperation(job)
	if err != nil {
		return nil, err
	}
	done.Name, done.Metadata = op.Name, op.Metadata
	return done, nil
}

// putJob is the one way in which a job is created or updated.
func (s *Service) putJob(ctx context.Context, n jobName, validateOnly bool, make func(old *runpb.Job) (*runpb.Job, error)) (next *runpb.Job, err error) {
	plan := func(tx *store.Tx) (old *runpb.Job, err error) {
		if old, err = s.readJob(tx, n); status.Code(err) == codes.NotFound {
			old, err = nil, nil
		}
		if err != nil {
			return nil, err
		}
		if next, err = make(old); err != nil {
			return nil, err
		}
		s.setJobDefaults(next)
		return old, validateJob(next)
	}
	if err := s.DB.View(func(tx *store.Tx) error { _, err := plan(tx); return err }); err != nil {
		return nil, err
	}
	account := next.Template.Template.ServiceAccount
	if err := s.actAs(ctx, account); err != nil {
		return nil, err
	}
	if validateOnly {
		return next, nil
	}
	err = s.DB.Update(func(tx *store.Tx) error {
		old, err := plan(tx)
		if err != nil {
			return err
		}
		if next.Template.Template.ServiceAccount != account {
			return status.Errorf(codes.Aborted, "Conflict for resource '%s': it was changed at the same time.", n.id)
		}
		stampJob(ctx, n, old, next)
		return tx.PutProto(jobsTable, n.job(), next)
	})
	return next, err
}

// stampJob sets the output-only fields. A job is ready at once: whether its
// image can be run is found when it runs, which is a choice.
func stampJob(ctx context.Context, n jobName, old, next *runpb.Job) {
	now := timestamppb.Now()
	caller, _ := iam.CallerOf(ctx)
	if old == nil {
		next.Uid, next.CreateTime, next.Creator = uuid.NewString(), now, email(caller)
	}
	next.Name = n.job()
	next.Generation++
	next.ObservedGeneration = next.Generation
	next.UpdateTime, next.LastModifier = now, email(caller)
	next.TerminalCondition, next.Conditions = succeeded(ready, now), nil
	next.Etag = etagOf(next.Uid, next.Generation)
}

// UpdateJob replaces all that a caller can set of a job.
func (j jobs) UpdateJob(ctx context.Context, r *runpb.UpdateJobRequest) (*longrunningpb.Operation, error) {
	n, err := j.parseJob(r.GetJob().GetName(), 0)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.jobs.update", n.String()); err != nil {
		return nil, err
	}
	if _, err := j.job(n); status.Code(err) == codes.NotFound && r.AllowMissing {
		if err := j.Auth.Require(ctx, "run.jobs.create", n.parent()); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	job, err := j.putJob(ctx, n, r.ValidateOnly, func(old *runpb.Job) (*runpb.Job, error) {
		if old == nil {
			return newJob(n, r.Job)
		}
		if err := checkJobEtag(n, r.Job.Etag, old.Etag); err != nil {
			return nil, err
		}
		return mergeFields(old, r.Job, nil, mutableJob)
	})
	return j.finished(n, job, r.ValidateOnly, err)
}

func checkJobEtag(n jobName, sent, current string) error {
	if sent == "" || sent == current {
		return nil
	}
	return status.Errorf(codes.Aborted, "Conflict for resource '%s': version '%s' was specified but current version is '%s'.", n.id, sent, current)
}

// GetJob returns one job.
func (j jobs) GetJob(ctx context.Context, r *runpb.GetJobRequest) (*runpb.Job, error) {
	n, err := j.parseJob(r.Name, 0)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.jobs.get", n.String()); err != nil {
		return nil, err
	}
	return j.job(n)
}

// ListJobs returns a location's jobs, newest first; location "-" stands for
// all.
func (j jobs) ListJobs(ctx context.Context, r *runpb.ListJobsRequest) (*runpb.ListJobsResponse, error) {
	n, err := j.parseParent(r.Parent)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.jobs.list", n.parent()); err != nil {
		return nil, err
	}
	all, err := j.jobsIn(n.parent())
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, r.PageSize, r.PageToken, (*runpb.Job).GetName)
	return &runpb.ListJobsResponse{Jobs: list, NextPageToken: next}, err
}

// DeleteJob removes a job; its executions are stopped and go with it.
func (j jobs) DeleteJob(ctx context.Context, r *runpb.DeleteJobRequest) (*longrunningpb.Operation, error) {
	n, err := j.parseJob(r.Name, 0)
	if err != nil {
		return nil, err
	}
	if err := j.Auth.Require(ctx, "run.jobs.delete", n.String()); err != nil {
		return nil, err
	}
	job, err := j.job(n)
	if err != nil {
		return nil, err
	}
	if err := checkJobEtag(n, r.Etag, job.Etag); err != nil {
		return nil, err
	}
	job.DeleteTime = timestamppb.Now()
	if r.ValidateOnly {
		return doneOperation(job)
	}
	if err := j.DB.Update(func(tx *store.Tx) error {
		if _, err := j.readJob(tx, n); err != nil {
			return err
		}
		return tx.Delete(jobsTable, n.job())
	}); err != nil {
		return nil, err
	}
	if err := j.Auth.DropPolicy(n.String()); err != nil {
		return nil, err
	}
	op, err := j.Ops.Start(n.parent(), job)
	if err != nil {
		return nil, err
	}
	j.background(func() { _ = j.Ops.Finish(op.Name, job, j.removeExecutions(n)) })
	return op, nil
}

// removeExecutions stops and removes the executions of a job that is gone.
func (s *Service) removeExecutions(n jobName) error {
	all, err := s.executionsOf(n.job())
	if err != nil {
		return err
	}
	for _, x := range all {
		s.stopExecution(x.Name, errDeleted)
	}
	return s.DB.Update(func(tx *store.Tx) error {
		for _, x := range all {
			if err := dropExecution(tx, x.Name); err != nil {
				return err
			}
		}
		return nil
	})
}

// GetIamPolicy returns the bindings on a job itself.
func (j jobs) GetIamPolicy(ctx context.Context, r *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	n, err := j.policied(ctx, r.Resource, "run.jobs.getIamPolicy")
	if err != nil {
		return nil, err
	}
	return j.Auth.Policy(n.String())
}

// SetIamPolicy replaces the bindings on a job.
func (j jobs) SetIamPolicy(ctx context.Context, r *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	n, err := j.policied(ctx, r.Resource, "run.jobs.setIamPolicy")
	if err != nil {
		return nil, err
	}
	if r.Policy == nil {
		return nil, status.Error(codes.InvalidArgument, "The request has no policy.")
	}
	return j.Auth.SetPolicy(n.String(), r.Policy)
}

// policied checks a permission on a job that exists.
func (j jobs) policied(ctx context.Context, resource, permission string) (jobName, error) {
	n, err := j.parseJob(resource, 0)
	if err != nil {
		return n, err
	}
	if err := j.Auth.Require(ctx, permission, n.String()); err != nil {
		return n, err
	}
	_, err = j.job(n)
	return n, err
}

// TestIamPermissions returns those of the permissions that the caller has.
func (j jobs) TestIamPermissions(ctx context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	n, err := j.parseJob(r.Resource, 0)
	if err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: j.Auth.Granted(ctx, n.String(), r.Permissions)}, nil
}
