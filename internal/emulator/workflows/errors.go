package workflows

import (
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// invalid is INVALID_ARGUMENT with a violation of one field.
func invalid(field, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	st := status.Newf(codes.InvalidArgument, "invalid %s: %s", field, text)
	detailed, err := st.WithDetails(&errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: text}},
	})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}

func notFound(resource string) error {
	return status.Errorf(codes.NotFound, "Resource '%s' was not found", resource)
}

func internal(doing string, err error) error {
	return status.Errorf(codes.Internal, "%s: %v", doing, err)
}
