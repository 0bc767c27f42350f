package vertex

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

//go:embed training.json
var trainingJSON []byte

// training is how the service deals with replicas that end.
type training struct {
	TimeoutSeconds      int64
	WorkerRestarts      int // of a replica, after which the whole job is retried
	TransientRestarts   int // of a replica that ends with a transient code
	JobRetries          int
	TransientExitCodes  []int
	OutOfMemoryExitCode int
}

func loadTraining() (training, error) {
	var t training
	if err := json.Unmarshal(trainingJSON, &t); err != nil {
		return t, fmt.Errorf("training.json: %w", err)
	}
	return t, nil
}

// timeout of the whole job.
func (t training) timeout(s *pb.Scheduling) time.Duration {
	if d := s.GetTimeout(); d != nil {
		return d.AsDuration()
	}
	return time.Duration(t.TimeoutSeconds) * time.Second
}

// verdict is what the end of a replica means.
type verdict int

const (
	completed verdict = iota
	permanent         // the job fails
	restart           // the replica is started again, on the same machine
	retry             // the whole job is started again
)

// judge decides after a replica has been restarted so many times.
//
// The service documents that "common errors" are permanent and that other
// non-zero exits are restarted, but public job logs show that an exit with 1
// fails the job at once. So the codes that a program gives itself count as
// common here, and what a signal ended (above 128) is tried again. This is a
// choice.
func (t training) judge(e runtime.Exit, restarts int) verdict {
	switch {
	case e.Err != nil:
		return retry
	case e.Code == 0:
		return completed
	case e.Code == t.OutOfMemoryExitCode:
		return permanent
	case slices.Contains(t.TransientExitCodes, e.Code):
		if restarts < t.TransientRestarts {
			return restart
		}
		return permanent
	case e.Code <= 128:
		return permanent
	case restarts < t.WorkerRestarts:
		return restart
	}
	return retry
}
