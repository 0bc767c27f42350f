// Package storage is the Cloud Storage of the embedded cloud: the JSON API, and
// as much of the XML API as Google's clients read through. Objects are plain
// files under ROOT/BUCKET, so that what a job writes to /gcs/BUCKET is an object
// and the reverse.
//
// Source of the forms: cloud.google.com/storage/docs/json_api.
package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/rest"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Auth checks the caller of a request and keeps the policies of buckets.
type Auth interface {
	Require(ctx context.Context, permission, resource string) error
	// Granted returns those of the permissions that the caller has.
	Granted(ctx context.Context, resource string, permissions []string) []string
	Policy(resource string) (*iampb.Policy, error)
	SetPolicy(resource string, p *iampb.Policy) (*iampb.Policy, error)
	DropPolicy(resource string) error
}

// Options are what a Service needs.
type Options struct {
	DB     *store.DB
	Auth   Auth
	Root   string // folder of the buckets
	Number string // project number
}

// Service serves Cloud Storage; it is an http.Handler.
type Service struct {
	db     *store.DB
	auth   Auth
	root   string
	tmp    string
	number string

	mu      sync.RWMutex // held while an object's file and record change together, or are looked at
	uploads map[string]*upload
}

// New returns the service over the buckets in o.Root, which it creates.
func New(o Options) (*Service, error) {
	s := &Service{db: o.DB, auth: o.Auth, root: o.Root, tmp: filepath.Join(o.Root, ".uploads"), number: o.Number, uploads: map[string]*upload{}}
	if err := os.RemoveAll(s.tmp); err != nil { // of a crash
		return nil, fmt.Errorf("clear unfinished uploads: %w", err)
	}
	if err := os.MkdirAll(s.tmp, 0o700); err != nil {
		return nil, fmt.Errorf("create storage folder: %w", err)
	}
	return s, nil
}

// ServeHTTP routes by path: /storage/v1/b/…, /upload/storage/v1/b/…,
// /download/storage/v1/b/…, and /BUCKET/OBJECT of the XML API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.route(w, r); err != nil {
		writeError(w, err)
	}
}

func (s *Service) route(w http.ResponseWriter, r *http.Request) error {
	path := r.URL.EscapedPath()
	for _, api := range []struct {
		prefix string
		serve  func(http.ResponseWriter, *http.Request, []string) error
	}{
		{"/storage/v1/", s.metadata},
		{"/b/", s.short},
		{"/upload/storage/v1/", s.upload},
		{"/resumable/upload/storage/v1/", s.upload},
		{"/download/storage/v1/", s.download},
	} {
		if rest, ok := strings.CutPrefix(path, api.prefix); ok {
			parts, err := split(rest)
			if err != nil {
				return err
			}
			return api.serve(w, r, parts)
		}
	}
	bucket, object, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		return errNoMethod(r)
	}
	parts, err := split("b/" + bucket + "/o/" + strings.ReplaceAll(object, "/", "%2F"))
	if err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return errNoMethod(r)
	}
	return s.media(w, r, parts[1], parts[3])
}

// short serves /b/BUCKET/…, as clients without a version in their endpoint ask.
func (s *Service) short(w http.ResponseWriter, r *http.Request, parts []string) error {
	return s.metadata(w, r, append([]string{"b"}, parts...))
}

// metadata serves the JSON API proper. parts is ["b", BUCKET, "o", OBJECT, …].
func (s *Service) metadata(w http.ResponseWriter, r *http.Request, parts []string) error {
	switch {
	case len(parts) == 1 && parts[0] == "b":
		return s.buckets(w, r)
	case len(parts) == 2 && parts[0] == "b":
		return s.bucket(w, r, parts[1])
	case len(parts) == 3 && parts[0] == "b" && parts[2] == "o":
		switch r.Method {
		case http.MethodGet:
			return s.list(w, r, parts[1])
		case http.MethodPost:
			return s.insertEmpty(w, r, parts[1])
		}
		return errNoMethod(r)
	case len(parts) == 3 && parts[0] == "b" && parts[2] == "storageLayout":
		return s.layout(w, r, parts[1])
	case len(parts) == 3 && parts[0] == "b" && (parts[2] == "folders" || parts[2] == "managedFolders"):
		return s.folders(w, r, parts[1], parts[2])
	case len(parts) >= 3 && parts[0] == "b" && parts[2] == "iam":
		return s.policy(w, r, parts[1], parts[3:])
	case len(parts) == 4 && parts[2] == "o":
		return s.object(w, r, parts[1], parts[3])
	case len(parts) == 5 && parts[2] == "o" && parts[4] == "compose":
		return s.compose(w, r, parts[1], parts[3])
	case len(parts) == 9 && parts[2] == "o" && (parts[4] == "copyTo" || parts[4] == "rewriteTo"):
		return s.copy(w, r, objectID{parts[1], parts[3]}, objectID{parts[6], parts[8]}, parts[4] == "rewriteTo")
	}
	return errNoMethod(r)
}

func (s *Service) download(w http.ResponseWriter, r *http.Request, parts []string) error {
	if len(parts) != 4 || parts[0] != "b" || parts[2] != "o" || r.Method != http.MethodGet {
		return errNoMethod(r)
	}
	return s.media(w, r, parts[1], parts[3])
}

// require checks a permission on a bucket.
func (s *Service) require(r *http.Request, permission, bucket string) error {
	return s.auth.Require(r.Context(), permission, bucketResource(bucket))
}

// bucketResource is what a bucket is called in IAM.
func bucketResource(bucket string) string { return "projects/_/buckets/" + bucket }

// split cuts an escaped path at its slashes and unescapes the parts.
func split(path string) ([]string, error) {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		u, err := url.PathUnescape(p)
		if err != nil {
			return nil, invalid("The path is not well escaped: %v", err)
		}
		parts[i] = u
	}
	return parts, nil
}

// reasons are the words that Cloud Storage adds to each HTTP status.
var reasons = map[int]string{
	400: "invalid", 401: "required", 403: "forbidden", 404: "notFound", 405: "methodNotAllowed", 409: "conflict",
	412: "conditionNotMet", 413: "uploadTooLarge", 500: "backendError", 507: "insufficientStorage",
}

// apiError is an answer that is not a success.
type apiError struct {
	code    int
	message string
}

func (e *apiError) Error() string { return e.message }

// noMethod is the answer about a method that is not emulated.
type noMethod struct{ *apiError }

func (e noMethod) Unwrap() error { return e.apiError }

func invalid(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func errNoMethod(r *http.Request) error {
	return noMethod{&apiError{http.StatusNotFound, fmt.Sprintf("Cloud Storage has no method %s %s here.", r.Method, r.URL.Path)}}
}

func errNoObject(bucket, name string) error {
	return &apiError{http.StatusNotFound, fmt.Sprintf("No such object: %s/%s", bucket, name)}
}

func errNoBucket() error {
	return &apiError{http.StatusNotFound, "The specified bucket does not exist."}
}

func errCondition() error {
	return &apiError{http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold."}
}

// answerOf maps any error to an answer.
func answerOf(err error) *apiError {
	var api *apiError
	if errors.As(err, &api) {
		return api
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &apiError{http.StatusInsufficientStorage, "The disk of the data directory is full; nothing was stored. Make room and try again."}
	case errors.Is(err, fs.ErrNotExist):
		return &apiError{http.StatusNotFound, "Not found."}
	}
	switch st := status.Convert(err); st.Code() {
	case codes.PermissionDenied:
		return &apiError{http.StatusForbidden, st.Message()}
	case codes.Unauthenticated:
		return &apiError{http.StatusUnauthorized, st.Message()}
	case codes.InvalidArgument, codes.Unimplemented:
		return &apiError{http.StatusBadRequest, st.Message()}
	case codes.Aborted:
		return &apiError{http.StatusPreconditionFailed, st.Message()}
	}
	return &apiError{http.StatusInternalServerError, err.Error()}
}

func writeError(w http.ResponseWriter, err error) {
	e := answerOf(err)
	type item struct {
		Message string `json:"message"`
		Domain  string `json:"domain"`
		Reason  string `json:"reason"`
	}
	body := map[string]any{
		"code": e.code, "message": e.message,
		"errors": []item{{e.message, "global", reasons[e.code]}},
	}
	if errors.As(err, new(noMethod)) {
		body["details"] = []any{map[string]string{"reason": rest.NotEmulated}}
	}
	writeJSON(w, e.code, map[string]any{"error": body})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a client that hung up needs no answer
}

func notThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
