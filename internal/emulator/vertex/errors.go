package vertex

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// violations gathers what is wrong with a request, so that all is told at once.
type violations []*errdetails.BadRequest_FieldViolation

func (v *violations) add(field, format string, args ...any) {
	*v = append(*v, &errdetails.BadRequest_FieldViolation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// err is INVALID_ARGUMENT in Vertex AI's layout, or nil without any violation.
func (v violations) err() error {
	if len(v) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString("List of found errors:")
	for i, f := range v {
		fmt.Fprintf(&b, "\t%d.Field: %s; Message: %s", i+1, f.Field, f.Description)
	}
	b.WriteByte('\t')
	st := status.New(codes.InvalidArgument, b.String())
	if detailed, err := st.WithDetails(&errdetails.BadRequest{FieldViolations: v}); err == nil {
		st = detailed
	}
	return st.Err()
}

func internal(doing string, err error) error {
	return status.Errorf(codes.Internal, "%s: %v", doing, err)
}
