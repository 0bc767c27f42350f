package vertex

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

// result is the end of one attempt: success, when failure is nil.
type result struct {
	failure *rpcstatus.Status
	again   bool // the whole job may be tried again
}

// attempt starts all replicas and waits until the primary one succeeds, one
// fails, or ctx ends; then it stops the others. An attempt that ctx ended fails
// with the end of the primary's log: the caller knows why.
func (j *job) attempt(ctx context.Context) result {
	replicas, err := j.replicas()
	if err != nil {
		return result{failure: statusOf(codes.InvalidArgument, err.Error())}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var ended sync.WaitGroup
	var down atomic.Int64 // replicas that have not been started
	down.Store(int64(len(replicas)))
	results := make(chan result, len(replicas))
	for _, r := range replicas {
		started := sync.OnceFunc(func() {
			if down.Add(-1) == 0 {
				j.running()
			}
		})
		ended.Go(func() {
			if end, decides := r.run(ctx, started); decides {
				results <- end
			}
		})
	}
	select {
	case end := <-results:
		stop()
		ended.Wait()
		return end
	case <-ctx.Done():
		ended.Wait()
		return result{failure: statusOf(codes.Canceled, replicas[0].logEnd())}
	}
}

func statusOf(code codes.Code, message string) *rpcstatus.Status {
	return &rpcstatus.Status{Code: int32(code), Message: message}
}

// replica is one machine of a job.
type replica struct {
	job     *job
	id      string // such as workerpool0-0
	primary bool
	spec    runtime.Spec
	output  *output
}

// How long a replica that is stopped has to end by itself.
const (
	stopGrace  = 10 * time.Second
	closeGrace = time.Second
)

// run starts the replica, and again after an end that allows it. The result
// decides the attempt unless decides is false, as with a secondary replica
// that completed. started is called each time it runs.
func (r *replica) run(ctx context.Context, started func()) (end result, decides bool) {
	wholeJob := r.job.message().JobSpec.GetScheduling().GetRestartJobOnWorkerRestart()
	disabled := r.job.message().JobSpec.GetScheduling().GetDisableRetries()
	for restarts := 0; ; restarts++ {
		exit, err := r.once(ctx, started)
		if ctx.Err() != nil {
			return result{}, false
		}
		if err != nil {
			return result{failure: statusOf(codes.InvalidArgument, fmt.Sprintf("The replica %s could not be started: %v", r.id, err))}, true
		}
		switch v := r.job.s.training.judge(exit, restarts); {
		case v == completed:
			return result{}, r.primary
		case v == permanent || disabled:
			return result{failure: r.failure(exit)}, true
		case v == retry || wholeJob:
			return result{failure: r.failure(exit), again: true}, true
		}
		r.job.log(fmt.Sprintf("The replica %s exited with a non-zero status of %d and is restarted.", r.id, exit.Code))
	}
}

// once runs the container to its end, or stops it when ctx ends.
func (r *replica) once(ctx context.Context, started func()) (runtime.Exit, error) {
	stdout, stderr := r.output.writers()
	spec := r.spec
	spec.Stdout, spec.Stderr = stdout, stderr
	container, err := r.job.s.Runtime.Start(ctx, spec)
	if err != nil {
		return runtime.Exit{}, err
	}
	started()
	release := context.AfterFunc(ctx, func() {
		grace := stopGrace
		if errors.Is(context.Cause(ctx), errClosing) {
			grace = closeGrace
		}
		container.Stop(grace)
	})
	defer release()
	exit := container.Wait()
	_ = stdout.Close() // hands over a last line; cannot fail
	_ = stderr.Close()
	return exit, nil
}

// failure words the end of a replica as the service does, and adds the end of
// its log, which is what a user looks for next.
func (r *replica) failure(e runtime.Exit) *rpcstatus.Status {
	var b strings.Builder
	switch {
	case e.Err != nil:
		fmt.Fprintf(&b, "The replica %s was lost: %v.", r.id, e.Err)
	case e.Code == r.job.s.training.OutOfMemoryExitCode:
		fmt.Fprintf(&b, "The replica %s ran out of memory and exited with a non-zero status of %d.", r.id, e.Code)
	default:
		fmt.Fprintf(&b, "The replica %s exited with a non-zero status of %d. Termination reason: Error.", r.id, e.Code)
	}
	fmt.Fprintf(&b, " To find out more about why your job exited please check the logs: gcloud ai custom-jobs stream-logs %s --region=%s",
		r.job.name.id, r.job.name.region)
	return statusOf(codes.InvalidArgument, b.String()+r.logEnd())
}

// logEnd is the end of the replica's log as a part of a message, "" if it has
// written nothing.
func (r *replica) logEnd() string {
	lines := r.output.end()
	if len(lines) == 0 {
		return ""
	}
	return "\nlog:\n" + strings.Join(lines, "\n")
}
