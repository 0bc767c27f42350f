package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// httpCodes are the HTTP statuses of gRPC codes: google/rpc/code.proto.
var httpCodes = [...]int{
	codes.OK: 200, codes.Canceled: 499, codes.Unknown: 500, codes.InvalidArgument: 400, codes.DeadlineExceeded: 504,
	codes.NotFound: 404, codes.AlreadyExists: 409, codes.PermissionDenied: 403, codes.ResourceExhausted: 429,
	codes.FailedPrecondition: 400, codes.Aborted: 409, codes.OutOfRange: 400, codes.Unimplemented: 501,
	codes.Internal: 500, codes.Unavailable: 503, codes.DataLoss: 500, codes.Unauthenticated: 401,
}

// names are the codes as google/rpc/code.proto spells them.
var names = [...]string{
	codes.OK: "OK", codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN", codes.InvalidArgument: "INVALID_ARGUMENT", codes.DeadlineExceeded: "DEADLINE_EXCEEDED",
	codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS", codes.PermissionDenied: "PERMISSION_DENIED", codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.FailedPrecondition: "FAILED_PRECONDITION", codes.Aborted: "ABORTED", codes.OutOfRange: "OUT_OF_RANGE", codes.Unimplemented: "UNIMPLEMENTED",
	codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE", codes.DataLoss: "DATA_LOSS", codes.Unauthenticated: "UNAUTHENTICATED",
}

// Status returns the HTTP status and the name, such as NOT_FOUND, of a gRPC
// code.
func Status(c codes.Code) (httpStatus int, name string) {
	if int(c) >= len(httpCodes) {
		c = codes.Unknown
	}
	return httpCodes[c], names[c]
}

// envelope is the body of an error answer: cloud.google.com/apis/design/errors.
type envelope struct {
	Error struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Status  string            `json:"status"`
		Details []json.RawMessage `json:"details,omitempty"`
	} `json:"error"`
}

// NotEmulated is the reason, in a google.rpc.ErrorInfo of this domain, of an
// error about an API or method that this cloud does not have. Connectors of
// Workflows know it by that.
const (
	NotEmulated = "NOT_EMULATED"
	errorDomain = "kakehi"
)

// Missing is the error of a method that this cloud does not have.
func Missing(c codes.Code, format string, args ...any) error {
	return missing(status.New(c, fmt.Sprintf(format, args...))).Err()
}

func missing(st *status.Status) *status.Status {
	more, err := st.WithDetails(&errdetails.ErrorInfo{Reason: NotEmulated, Domain: errorDomain})
	if err != nil {
		return st
	}
	return more
}

// WriteError answers a request with an error: the status that it carries, or
// UNKNOWN.
func WriteError(w http.ResponseWriter, err error) {
	st := statusOf(err)
	if st.Code() == codes.Unimplemented && len(st.Details()) == 0 {
		st = missing(st)
	}
	var e envelope
	e.Error.Code, e.Error.Status = Status(st.Code())
	e.Error.Message = st.Message()
	for _, d := range st.Proto().GetDetails() {
		e.Error.Details = append(e.Error.Details, detail(d))
	}
	if e.Error.Code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/"`)
	}
	WriteJSON(w, e.Error.Code, e)
}

func statusOf(err error) *status.Status {
	switch {
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, "The operation was cancelled.")
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, "The deadline expired before the operation could complete.")
	}
	return status.Convert(err)
}

// detail writes one detail of a status; one of an unknown type shows only that
// type.
func detail(d *anypb.Any) json.RawMessage {
	data, err := protojson.Marshal(d)
	if err != nil {
		return json.RawMessage(fmt.Sprintf(`{"@type":%s}`, quoteJSON(d.GetTypeUrl())))
	}
	return data
}

// WriteJSON answers a request with a JSON value, laid out as Google does.
func WriteJSON(w http.ResponseWriter, code int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, code, b.Bytes())
}

func writeBody(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that hung up needs no answer
}

func invalid(message string) error { return status.Error(codes.InvalidArgument, message) }

func unimplemented(m protoreflect.MethodDescriptor) error {
	return status.Errorf(codes.Unimplemented, "%s is a streaming method: it is served over gRPC only.", m.FullName())
}

// violations are the faults of a request.
type violations struct {
	list    []*errdetails.BadRequest_FieldViolation
	dropped int
}

const maxViolations = 50

func (v *violations) add(field, description string) {
	if len(v.list) == maxViolations {
		v.dropped++
		return
	}
	v.list = append(v.list, &errdetails.BadRequest_FieldViolation{Field: field, Description: description})
}

func (v *violations) unknown(path, name string) {
	at := ""
	if path != "" {
		at = " at '" + path + "'"
	}
	v.add(path, fmt.Sprintf("Invalid JSON payload received. Unknown name \"%s\"%s: Cannot find field.", name, at))
}

// value reports a value of the wrong kind.
func (v *violations) value(path, kind string, tree any) {
	text, err := json.Marshal(tree)
	if err != nil || len(text) > 200 {
		text = []byte("…")
	}
	v.add(path, fmt.Sprintf("Invalid value at '%s' (%s), %s", path, kind, text))
}

// err is INVALID_ARGUMENT with all violations, or nil without any.
func (v *violations) err() error {
	if len(v.list) == 0 {
		return nil
	}
	lines := make([]string, 0, len(v.list)+1)
	for _, f := range v.list {
		lines = append(lines, f.Description)
	}
	if v.dropped > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more.", v.dropped))
	}
	st, err := status.New(codes.InvalidArgument, strings.Join(lines, "\n")).WithDetails(&errdetails.BadRequest{FieldViolations: v.list})
	if err != nil {
		return invalid(strings.Join(lines, "\n"))
	}
	return st.Err()
}

// Marshal writes a message as Google's APIs do: unset fields left out, 64-bit
// integers as strings, enums by name. Equal messages give equal bytes.
func Marshal(m proto.Message) ([]byte, error) { return marshal(m, protojson.MarshalOptions{}) }

func marshal(m proto.Message, o protojson.MarshalOptions) ([]byte, error) {
	data, err := o.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	// protojson varies its spaces on purpose.
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func quoteJSON(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(data)
}

// WriteMessage answers a request with a message.
func WriteMessage(w http.ResponseWriter, m proto.Message) {
	data, err := Marshal(m)
	if err != nil {
		WriteError(w, status.Error(codes.Internal, err.Error()))
		return
	}
	writeBody(w, http.StatusOK, data)
}
