package serving

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

// Options are the settings of a server. The zero value serves Vertex AI's
// default routes.
type Options struct {
	Name         string // of the model, in /v2/models/NAME; default "model"
	Version      string // default "1"
	HealthRoute  string // default /health
	PredictRoute string // default /predict
	// MaxBody is the greatest request in bytes; default 10 MB, which is
	// Vertex AI's limit for dedicated endpoints (1.5 MB for shared ones).
	MaxBody int64
	Log     io.Writer // a JSON line for each request; nil: none
	Project string    // for the trace names in the log
	// Started is when the process started: the first request, and those that
	// waited for the start, are logged as cold.
	Started time.Time
}

// Server answers predictions of one model. It is an http.Handler.
type Server struct {
	model    Predictor
	info     Info
	opt      Options
	draining atomic.Bool
	served   atomic.Bool
	log      *requestLog
	v2       http.Handler
}

// NewServer returns a server for model.
func NewServer(model Predictor, opt Options) (*Server, error) {
	opt = opt.withDefaults()
	for name, route := range map[string]string{"health": opt.HealthRoute, "predict": opt.PredictRoute} {
		if !strings.HasPrefix(route, "/") || strings.ContainsAny(route, " ?#") {
			return nil, fmt.Errorf("%s route %q must begin with / and hold no space, ? or #", name, route)
		}
	}
	if opt.HealthRoute == opt.PredictRoute {
		return nil, fmt.Errorf("health and predict route are both %q", opt.HealthRoute)
	}
	s := &Server{model: model, info: model.Info(), opt: opt, log: &requestLog{out: opt.Log, project: opt.Project}}
	s.v2 = s.inferenceProtocol()
	return s, nil
}

func (o Options) withDefaults() Options {
	for field, value := range map[*string]string{&o.Name: "model", &o.Version: "1", &o.HealthRoute: "/health", &o.PredictRoute: "/predict"} {
		if *field == "" {
			*field = value
		}
	}
	if o.MaxBody == 0 {
		o.MaxBody = 10 << 20
	}
	return o
}

// Drain makes the health routes answer 503, so that no new traffic comes
// while the requests in flight end.
func (s *Server) Drain() { s.draining.Store(true) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case s.opt.HealthRoute:
		s.health(w, r)
	case s.opt.PredictRoute:
		s.logged(w, r, s.predict)
	default:
		s.v2.ServeHTTP(w, r)
	}
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if allow(w, r, http.MethodGet, http.MethodHead) && s.ready(w) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	}
}

// ready answers 503 while the server shuts down.
func (s *Server) ready(w http.ResponseWriter) bool {
	if s.draining.Load() {
		writeError(w, http.StatusServiceUnavailable, "the server is shutting down")
		return false
	}
	return true
}

type predictRequest struct {
	Instances  json.RawMessage            `json:"instances"`
	Parameters map[string]json.RawMessage `json:"parameters"`
}

func (s *Server) predict(w http.ResponseWriter, r *http.Request) (int, error) {
	var req predictRequest
	if err := s.decode(w, r, &req); err != nil {
		return 0, err
	}
	for _, name := range sortedKeys(req.Parameters) {
		return 0, invalid("parameters.%s: the model takes no parameters", name)
	}
	out, err := scoreInstances(r.Context(), s.model, &s.info, req.Instances)
	if err != nil {
		return 0, err
	}
	writeStream(w, func(b *bufio.Writer) {
		b.WriteString(`{"predictions":`)
		writeList(b, out.len(), func(i int) any { return s.info.prediction(out.row(i)) })
		b.WriteString("}\n")
	})
	return out.len(), nil
}

// errEncoded is a body in an encoding that the contract does not have.
var errEncoded = errors.New("send the body as it is, without Content-Encoding")

// decode reads a JSON body of bounded size into v.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, v any) error {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return errEncoded
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, s.opt.MaxBody))
	err := d.Decode(v)
	if err == nil {
		if _, tail := d.Token(); tail != io.EOF {
			err = errors.New("text after the JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, io.EOF):
		return invalid("the request has no body")
	case errors.As(err, &kind):
		return invalid("%s: want %s, got %s", cmp.Or(kind.Field, "the request"), jsonKind(kind.Type), kind.Value)
	}
	return invalid("the request is not valid JSON: %v", err)
}

// jsonKind names the JSON values that a Go type takes.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "a whole number"
	}
	return "an object"
}

// fail answers an error in the form of Vertex AI's prebuilt containers and of
// the Open Inference Protocol: {"error":"text"}.
func (s *Server) fail(w http.ResponseWriter, err error) {
	var input *InputError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &input):
		writeError(w, http.StatusBadRequest, input.Error())
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d bytes: send fewer instances", tooLarge.Limit))
	case errors.Is(err, errEncoded):
		writeError(w, http.StatusUnsupportedMediaType, err.Error())
	case errors.Is(err, errNotFinite):
		writeError(w, http.StatusInternalServerError, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		writeError(w, http.StatusServiceUnavailable, "the request was cancelled or timed out")
	default:
		writeError(w, http.StatusInternalServerError, "internal error")
	}
}

// allow answers 405 unless the method is one of those given.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	writeError(w, http.StatusMethodNotAllowed, fmt.Sprintf("method %s is not allowed; use %s", r.Method, methods[0]))
	return false
}

func writeError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// writeStream answers 200 with what write writes. The answer to a large request
// is many times larger, so it is never whole in memory.
func writeStream(w http.ResponseWriter, write func(*bufio.Writer)) {
	w.Header().Set("Content-Type", "application/json")
	b := bufio.NewWriterSize(w, 32<<10)
	write(b)
	_ = b.Flush() // it fails when the caller is gone
}

// writeList writes n values as a JSON list.
func writeList(b *bufio.Writer, n int, value func(i int) any) {
	b.WriteByte('[')
	for i := range n {
		body, err := json.Marshal(value(i))
		if i > 0 {
			b.WriteByte(',')
		}
		if _, gone := b.Write(body); err != nil || gone != nil {
			return
		}
	}
	b.WriteByte(']')
}
