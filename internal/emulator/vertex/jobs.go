package vertex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

const jobCollection = "customJobs"

// CreateCustomJob stores a job and starts it, or queues it while others run.
func (s *jobServer) CreateCustomJob(ctx context.Context, req *pb.CreateCustomJobRequest) (*pb.CustomJob, error) {
	at, err := s.parseLocation(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.customJobs.create", s.resource(at)); err != nil {
		return nil, err
	}
	if err := checkJob(req.GetCustomJob()).err(); err != nil {
		return nil, err
	}
	spec := proto.CloneOf(req.GetCustomJob().GetJobSpec())
	if spec.ServiceAccount != "" {
		account, err := s.Auth.Account(spec.ServiceAccount)
		if err != nil {
			return nil, err
		}
		if err := s.Auth.Require(ctx, "iam.serviceAccounts.actAs", account.Name); err != nil {
			return nil, err
		}
		spec.ServiceAccount = account.Email
	}
	n := name{at.region, jobCollection, s.ids.next()}
	now := timestamppb.New(time.Now())
	j := s.newJob(n, &pb.CustomJob{
		Name: s.full(n), DisplayName: req.CustomJob.DisplayName, JobSpec: spec, Labels: req.CustomJob.Labels,
		EncryptionSpec: req.CustomJob.EncryptionSpec, State: pb.JobState_JOB_STATE_QUEUED, CreateTime: now,
	})
	if err := j.tryChange(func(*pb.CustomJob) {}); err != nil {
		return nil, internal("store custom job", err)
	}
	answer := j.message()
	s.enqueue(j)
	return answer, nil
}

// GetCustomJob returns a job.
func (s *jobServer) GetCustomJob(ctx context.Context, req *pb.GetCustomJobRequest) (*pb.CustomJob, error) {
	n, err := s.parse(req.GetName(), jobCollection)
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.customJobs.get", s.resource(n)); err != nil {
		return nil, err
	}
	return s.job(n)
}

// job reads a stored job: what is stored is never behind.
func (s *jobServer) job(n name) (*pb.CustomJob, error) {
	message := &pb.CustomJob{}
	err := s.DB.View(func(tx *store.Tx) error { return tx.GetProto(tableJobs, n.key(), message) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "The CustomJob %q was not found.", s.full(n))
	}
	if err != nil {
		return nil, internal("read custom job", err)
	}
	return message, nil
}

// ListCustomJobs lists jobs, the newest first.
func (s *jobServer) ListCustomJobs(ctx context.Context, req *pb.ListCustomJobsRequest) (*pb.ListCustomJobsResponse, error) {
	at, err := s.parseLocation(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.customJobs.list", s.resource(at)); err != nil {
		return nil, err
	}
	all, err := scan[pb.CustomJob](s.core, tableJobs, at.region+"/")
	if err != nil {
		return nil, internal("list custom jobs", err)
	}
	slices.Reverse(all)
	q := listing.Query{
		Parent: req.GetParent(), Filter: req.GetFilter(), PageToken: req.GetPageToken(), PageSize: req.GetPageSize(),
		Default: 100, Max: 1000,
	}
	page, next, err := listing.Page(all, q, jobFields)
	return &pb.ListCustomJobsResponse{CustomJobs: page, NextPageToken: next}, err
}

// jobFields names the fields of filters.
func jobFields(j *pb.CustomJob) listing.Fields {
	return func(path []string) (any, bool) {
		switch strings.Join(path, ".") {
		case "name":
			return j.Name, true
		case "display_name", "displayName":
			return j.DisplayName, true
		case "state":
			return j.State.String(), true
		case "create_time", "createTime":
			return timeValue(j.CreateTime), true
		case "start_time", "startTime":
			return timeValue(j.StartTime), true
		case "end_time", "endTime":
			return timeValue(j.EndTime), true
		case "update_time", "updateTime":
			return timeValue(j.UpdateTime), true
		}
		return labelValue(j.Labels, path)
	}
}

func timeValue(t *timestamppb.Timestamp) any {
	if t == nil {
		return nil
	}
	return t.AsTime()
}

func labelValue(labels map[string]string, path []string) (any, bool) {
	switch {
	case len(path) == 0 || path[0] != "labels" || len(path) > 2:
		return nil, false
	case len(path) == 1:
		return labels, true
	}
	v, ok := labels[path[1]]
	if !ok {
		return nil, true
	}
	return v, true
}

// scan reads all messages below a prefix.
func scan[T any, M interface {
	*T
	proto.Message
}](c *core, table, prefix string) ([]M, error) {
	var all []M
	var damaged error
	err := c.DB.View(func(tx *store.Tx) error {
		tx.Scan(table, prefix, func(key string, v []byte) bool {
			m := M(new(T))
			if err := proto.Unmarshal(v, m); err != nil {
				damaged = fmt.Errorf("%s is damaged: %w", key, err)
				return false
			}
			all = append(all, m)
			return true
		})
		return damaged
	})
	return all, err
}

// CancelCustomJob stops a job. It does not wait for the processes to end, and
// leaves a job alone that has ended: cancelling is best effort.
func (s *jobServer) CancelCustomJob(ctx context.Context, req *pb.CancelCustomJobRequest) (*emptypb.Empty, error) {
	n, err := s.parse(req.GetName(), jobCollection)
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.customJobs.cancel", s.resource(n)); err != nil {
		return nil, err
	}
	if _, err := s.job(n); err != nil {
		return nil, err
	}
	j := s.live(n)
	if j == nil {
		return &emptypb.Empty{}, nil
	}
	err = j.tryChange(func(p *pb.CustomJob) {
		if !final(p.State) {
			p.State = pb.JobState_JOB_STATE_CANCELLING
		}
	})
	if err != nil {
		return nil, internal("cancel custom job", err)
	}
	j.end(errCancelled)
	if s.dequeue(j) {
		j.finish(pb.JobState_JOB_STATE_CANCELLED, cancelledStatus())
		s.forget(j)
	}
	return &emptypb.Empty{}, nil
}

// DeleteCustomJob removes a job that has ended.
func (s *jobServer) DeleteCustomJob(ctx context.Context, req *pb.DeleteCustomJobRequest) (*longrunningpb.Operation, error) {
	n, err := s.parse(req.GetName(), jobCollection)
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.customJobs.delete", s.resource(n)); err != nil {
		return nil, err
	}
	message, err := s.job(n)
	if err != nil {
		return nil, err
	}
	if !final(message.State) {
		return nil, status.Errorf(codes.FailedPrecondition, "The CustomJob %q is in state %s: only a job that has ended can be deleted.", message.Name, message.State)
	}
	if err := s.DB.Update(func(tx *store.Tx) error { return tx.Delete(tableJobs, n.key()) }); err != nil {
		return nil, internal("delete custom job", err)
	}
	return s.Ops.Done(ctx, s.full(n), deleteMetadata(), &emptypb.Empty{}, nil)
}

func deleteMetadata() *pb.DeleteOperationMetadata {
	return &pb.DeleteOperationMetadata{GenericMetadata: genericMetadata()}
}

func genericMetadata() *pb.GenericOperationMetadata {
	now := timestamppb.New(time.Now())
	return &pb.GenericOperationMetadata{CreateTime: now, UpdateTime: now}
}
