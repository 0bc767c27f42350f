package workflows

import (
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// invalid is INVALID_ARGUMENT with a violation of one field.
func invalid(field, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return detailed(status.Newf(codes.InvalidArgument, "invalid %s: %s", field, text), &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: text}},
	})
}

// notFound is NOT_FOUND of a resource, such as
// projects/P/locations/L/workflows/W.
func notFound(resource string) error {
	return detailed(status.Newf(codes.NotFound, "Resource '%s' was not found", resource), &errdetails.ResourceInfo{
		ResourceName: resource, Description: "it does not exist",
	})
}

// exceeded is RESOURCE_EXHAUSTED: a quota is used up.
func exceeded(what string, limit int) error {
	st := status.Newf(codes.ResourceExhausted, "Quota exceeded for %s: the limit is %d.", what, limit)
	return detailed(st, &errdetails.QuotaFailure{
		Violations: []*errdetails.QuotaFailure_Violation{{Subject: what, Description: fmt.Sprintf("the limit is %d", limit)}},
	})
}

// failedPrecondition says that an execution is not in the state that a method
// needs.
func failedPrecondition(execution, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return detailed(status.New(codes.FailedPrecondition, text), &errdetails.PreconditionFailure{
		Violations: []*errdetails.PreconditionFailure_Violation{{Type: "STATE", Subject: execution, Description: text}},
	})
}

func detailed(st *status.Status, detail protoadapt.MessageV1) error {
	if with, err := st.WithDetails(detail); err == nil {
		st = with
	}
	return st.Err()
}

// unwritten is the error of a request whose writes failed; nothing of it was
// done. A full disk refuses what is new, as a used-up quota does.
func unwritten(doing string, err error) error {
	switch {
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, errWriterClosed):
		return status.Errorf(codes.Unavailable, "%s: %v", doing, err)
	}
	return internal(doing, err)
}

func internal(doing string, err error) error {
	return status.Errorf(codes.Internal, "%s: %v", doing, err)
}
