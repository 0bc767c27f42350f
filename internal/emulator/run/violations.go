package run

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// violations gathers what is wrong with a request, so that it is told at once.
type violations struct {
	list        []*errdetails.BadRequest_FieldViolation
	unsupported bool
}

func (v *violations) add(field, format string, args ...any) {
	v.list = append(v.list, &errdetails.BadRequest_FieldViolation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// lacks reports a field that the cloud has and this emulator has not.
func (v *violations) lacks(field, what string) {
	v.unsupported = true
	v.add(field, "%s not supported by the embedded Cloud Run", what)
}

// err is INVALID_ARGUMENT with the violations as BadRequest details;
// UNIMPLEMENTED if one of them is fine in the cloud.
func (v *violations) err() error {
	if len(v.list) == 0 {
		return nil
	}
	texts := make([]string, len(v.list))
	for i, f := range v.list {
		texts[i] = "Violation in " + f.Field + ": " + f.Description + "."
	}
	code := codes.InvalidArgument
	if v.unsupported {
		code = codes.Unimplemented
	}
	st, err := status.New(code, strings.Join(texts, " ")).WithDetails(&errdetails.BadRequest{FieldViolations: v.list})
	if err != nil {
		return fmt.Errorf("error details: %w", err)
	}
	return st.Err()
}
