// Package step is the HTTP shell of the functions: it reads one JSON request,
// calls the step, and answers JSON or an error in the form of google.rpc.
package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/kakehi/kakehi/internal/executor"
)

// maxBody is the greatest request in bytes. Data travels by reference, so a
// request holds parameters and URIs only.
const maxBody = 1 << 20

// JSON makes a handler of a step that decodes its own request. Panics are left
// to the framework, which answers 500.
func JSON[Req, Resp any](do func(context.Context, *Req) (Resp, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		flights.begin()
		defer flights.end()
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			fail(w, &Error{Code: http.StatusMethodNotAllowed, Status: "UNIMPLEMENTED", Message: "method " + r.Method + " is not allowed; use POST"})
			return
		}
		var req Req
		if err := decode(w, r, &req); err != nil {
			fail(w, err)
			return
		}
		resp, err := do(r.Context(), &req)
		if err != nil {
			fail(w, err)
			return
		}
		body, err := json.Marshal(resp)
		if err != nil {
			fail(w, fmt.Errorf("encode the answer: %w", err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n'))
	}
}

// Env is what a KFP step works with besides its input.
type Env struct {
	Files executor.Files
}

// EnvFromOS is the environment of this process: KAKEHI_GCS_ROOT says where
// Cloud Storage is mounted, if not at /gcs.
func EnvFromOS() Env {
	return Env{Files: executor.Files{Root: os.Getenv("KAKEHI_GCS_ROOT")}}
}

// Executor makes a handler of a step that takes a KFP ExecutorInput and
// answers a KFP ExecutorOutput. inputs and outputs are the artifacts that it
// knows.
func Executor(inputs, outputs []string, do func(context.Context, Env, *executor.Input, *executor.Output) error) http.HandlerFunc {
	return JSON(func(ctx context.Context, in *executor.Input) (*executor.Output, error) {
		if err := in.Accept(inputs, outputs); err != nil {
			return nil, Invalid(err)
		}
		var out executor.Output
		if err := do(ctx, EnvFromOS(), in, &out); err != nil {
			return nil, err
		}
		return &out, nil
	})
}

func decode(w http.ResponseWriter, r *http.Request, v any) (err error) {
	// A client that is still sending when the connection closes may never see
	// the answer, so the rest is read first; the platform bounds it.
	defer func() {
		if err != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}()
	if t := r.Header.Get("Content-Type"); t != "" && !isJSON(t) {
		return &Error{Code: http.StatusUnsupportedMediaType, Status: "INVALID_ARGUMENT", Message: fmt.Sprintf("Content-Type %q is not application/json", t)}
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	err = d.Decode(v)
	if err == nil {
		if _, tail := d.Token(); !errors.Is(tail, io.EOF) {
			err = errors.New("text after the JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return &Error{Code: http.StatusRequestEntityTooLarge, Status: "INVALID_ARGUMENT",
			Message: fmt.Sprintf("the request is larger than %d bytes: pass data by gs:// URI", tooLarge.Limit)}
	}
	return Invalid(fmt.Errorf("the body is not the JSON of this call: %w", err))
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// Error is an answer other than 200. Its JSON is that of Google's APIs.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Invalid is a request that is wrong however often it is sent.
func Invalid(err error) error {
	return &Error{Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT", Message: err.Error()}
}

// Refused is a check that failed for good: data or a model that must not pass.
// It is 422, so that no retry policy repeats it.
func Refused(format string, args ...any) error {
	return &Error{Code: http.StatusUnprocessableEntity, Status: "FAILED_PRECONDITION", Message: fmt.Sprintf(format, args...)}
}

// Denied is a permission that the function's service account lacks.
func Denied(format string, args ...any) error {
	return &Error{Code: http.StatusForbidden, Status: "PERMISSION_DENIED", Message: fmt.Sprintf(format, args...)}
}

// Unavailable is worth another try.
func Unavailable(format string, args ...any) error {
	return &Error{Code: http.StatusServiceUnavailable, Status: "UNAVAILABLE", Message: fmt.Sprintf(format, args...)}
}

// fail answers err. One that no step has classed is a fault of ours: its text
// goes to the log as well.
func fail(w http.ResponseWriter, err error) {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: http.StatusInternalServerError, Status: "INTERNAL", Message: err.Error()}
		if uri := (*executor.URIError)(nil); errors.As(err, &uri) {
			e = &Error{Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT", Message: err.Error()}
		} else if errors.Is(err, os.ErrNotExist) {
			e = &Error{Code: http.StatusNotFound, Status: "NOT_FOUND", Message: err.Error()}
		}
	}
	log(e)
	body, _ := json.Marshal(map[string]*Error{"error": e})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Code)
	_, _ = w.Write(append(body, '\n'))
}

// log writes a structured line for Cloud Logging.
func log(e *Error) {
	severity := "WARNING"
	if e.Code >= http.StatusInternalServerError {
		severity = "ERROR"
	}
	line, _ := json.Marshal(map[string]any{"severity": severity, "message": fmt.Sprintf("%d %s: %s", e.Code, e.Status, strings.ToValidUTF8(e.Message, ""))})
	fmt.Fprintln(os.Stderr, string(line))
}
