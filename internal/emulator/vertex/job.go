package vertex

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// The tables of the database.
const (
	tableJobs       = "vertex.jobs"        // region/id: a CustomJob
	tableUnfinished = "vertex.jobs.active" // the same key, of those that have not ended: ""
)

// Why the life of a job in this process ends.
var (
	errClosing   = errors.New("the service is closing")
	errCancelled = errors.New("the job was cancelled")
	errTimeout   = errors.New("the job timed out")
)

// job is a CustomJob that has not ended.
type job struct {
	s    *jobServer
	name name
	life context.Context
	end  context.CancelCauseFunc

	mu sync.Mutex
	pb *pb.CustomJob // as stored; replaced, never changed
}

func (s *jobServer) newJob(n name, message *pb.CustomJob) *job {
	life, end := context.WithCancelCause(context.Background())
	return &job{s: s, name: n, life: life, end: end, pb: message}
}

func (j *job) message() *pb.CustomJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pb
}

// change stores a changed job before anybody sees it; one that has ended stays
// as it is. It waits for room on a full disk: the job's process, which filled
// it, may be gone soon.
func (j *job) change(f func(*pb.CustomJob)) bool {
	for {
		err := j.tryChange(f)
		if err == nil {
			return true
		}
		j.s.report(fmt.Errorf("store custom job %s: %w", j.name.id, err))
		select {
		case <-time.After(time.Second):
		case <-j.s.closing:
			return false
		}
	}
}

func (j *job) tryChange(f func(*pb.CustomJob)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if final(j.pb.State) {
		return nil
	}
	next := proto.CloneOf(j.pb)
	f(next)
	next.UpdateTime = timestamppb.New(time.Now())
	err := j.s.DB.Update(func(tx *store.Tx) error {
		if final(next.State) {
			if err := tx.Delete(tableUnfinished, j.name.key()); err != nil {
				return err
			}
		} else if err := tx.Put(tableUnfinished, j.name.key(), []byte{}); err != nil {
			return err
		}
		return tx.PutProto(tableJobs, j.name.key(), next)
	})
	if err == nil {
		j.pb = next
	}
	return err
}

func final(s pb.JobState) bool {
	switch s {
	case pb.JobState_JOB_STATE_SUCCEEDED, pb.JobState_JOB_STATE_FAILED, pb.JobState_JOB_STATE_CANCELLED,
		pb.JobState_JOB_STATE_EXPIRED, pb.JobState_JOB_STATE_PARTIALLY_SUCCEEDED:
		return true
	}
	return false
}

// run takes the job through its states.
func (j *job) run() {
	if err := j.s.DB.Reserve(); err != nil {
		j.s.report(err)
	}
	j.log("Waiting for job to be provisioned.")
	if !j.change(func(p *pb.CustomJob) {
		if p.State != pb.JobState_JOB_STATE_CANCELLING {
			p.State = pb.JobState_JOB_STATE_PENDING
		}
	}) {
		return
	}
	limit := j.s.training.timeout(j.message().JobSpec.GetScheduling())
	ctx, cancel := context.WithTimeoutCause(j.life, limit, errTimeout)
	defer cancel()
	failure := j.attempts(ctx)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errClosing):
		return
	case failure == nil:
		j.finish(pb.JobState_JOB_STATE_SUCCEEDED, nil)
	case errors.Is(cause, errCancelled):
		j.finish(pb.JobState_JOB_STATE_CANCELLED, cancelledStatus())
	case errors.Is(cause, errTimeout):
		message := fmt.Sprintf("The job ran longer than its timeout (scheduling.timeout) of %s and was stopped.", limit)
		if failure.Code == int32(codes.Canceled) {
			message += failure.Message
		}
		j.finish(pb.JobState_JOB_STATE_FAILED, &rpcstatus.Status{Code: int32(codes.DeadlineExceeded), Message: message})
	default:
		j.finish(pb.JobState_JOB_STATE_FAILED, failure)
	}
}

func cancelledStatus() *rpcstatus.Status {
	return &rpcstatus.Status{Code: int32(codes.Canceled), Message: "CANCELED"}
}

// attempts runs the job until it succeeds (nil), fails for good, or ctx ends.
func (j *job) attempts(ctx context.Context) *rpcstatus.Status {
	retries := j.s.training.JobRetries
	if j.message().JobSpec.GetScheduling().GetDisableRetries() {
		retries = 0
	}
	for n := 0; ; n++ {
		r := j.attempt(ctx)
		if !r.again || n >= retries || ctx.Err() != nil {
			return r.failure
		}
		j.log(fmt.Sprintf("Retrying the job (%d of %d).", n+1, retries))
	}
}

func (j *job) running() {
	j.log("Job is running.")
	j.change(func(p *pb.CustomJob) {
		if p.State != pb.JobState_JOB_STATE_CANCELLING {
			p.State = pb.JobState_JOB_STATE_RUNNING
		}
		if p.StartTime == nil {
			p.StartTime = timestamppb.New(time.Now())
		}
	})
}

// finish ends the job, whose processes are gone.
func (j *job) finish(state pb.JobState, failure *rpcstatus.Status) {
	if err := j.s.DB.Release(); err != nil {
		j.s.report(fmt.Errorf("give back the reserve of the disk: %w", err))
	}
	if failure == nil {
		j.log("Job completed successfully.")
	} else {
		j.log("Job ended: " + failure.Message)
	}
	j.change(func(p *pb.CustomJob) {
		p.State, p.Error, p.EndTime = state, failure, timestamppb.New(time.Now())
	})
}
