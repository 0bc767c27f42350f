package run

import (
	"context"
	"errors"

	"cloud.google.com/go/run/apiv2/runpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

// Condition types of executions and tasks.
const (
	completed = "Completed"
	started   = "Started"
)

func failedCondition(message string, now *timestamppb.Timestamp) *runpb.Condition {
	c := condition(completed, runpb.Condition_CONDITION_FAILED, now)
	c.Message, c.Reasons = message, &runpb.Condition_ExecutionReason_{ExecutionReason: runpb.Condition_NON_ZERO_EXIT_CODE}
	return c
}

func cancelledCondition(message string, now *timestamppb.Timestamp) *runpb.Condition {
	c := failedCondition(message, now)
	c.Reasons = &runpb.Condition_ExecutionReason_{ExecutionReason: runpb.Condition_CANCELLED}
	return c
}

// attemptResult words how an attempt ended.
func attemptResult(exit runtime.Exit, err error) *runpb.TaskAttemptResult {
	switch {
	case err == nil && exit.Err == nil && exit.Code == 0:
		return &runpb.TaskAttemptResult{Status: &rpcstatus.Status{}}
	case errors.Is(err, context.DeadlineExceeded):
		return attemptFailure(0, codes.DeadlineExceeded, "The task attempt ran longer than its timeout and was stopped.")
	case err != nil:
		return attemptFailure(0, codes.Internal, "The container could not be started: "+err.Error())
	}
	return attemptFailure(int32(exit.Code), codes.Aborted, "The container exited with an error: "+exitReason(exit)+".")
}

func attemptFailure(exit int32, code codes.Code, message string) *runpb.TaskAttemptResult {
	return &runpb.TaskAttemptResult{ExitCode: exit, Status: &rpcstatus.Status{Code: int32(code), Message: message}}
}
