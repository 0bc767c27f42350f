package serving

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// coldWindow is how long after the start of the process an arriving request is
// taken for one that waited for the start.
const coldWindow = 500 * time.Millisecond

// requestLog writes a structured log line for each request, in the form that
// Cloud Logging takes from standard output
// (cloud.google.com/logging/docs/structured-logging).
type requestLog struct {
	mu      sync.Mutex
	out     io.Writer
	project string
}

type logLine struct {
	Severity    string            `json:"severity"`
	Message     string            `json:"message"`
	HTTPRequest logRequest        `json:"httpRequest"`
	Model       string            `json:"model"`
	Rows        int               `json:"rows"`
	Labels      map[string]string `json:"logging.googleapis.com/labels,omitempty"`
	Trace       string            `json:"logging.googleapis.com/trace,omitempty"`
}

type logRequest struct {
	Method       string `json:"requestMethod"`
	URL          string `json:"requestUrl"`
	Status       int    `json:"status"`
	RequestSize  int64  `json:"requestSize,string"`
	ResponseSize int64  `json:"responseSize,string"`
	UserAgent    string `json:"userAgent,omitempty"`
	Latency      string `json:"latency"`
}

// logged runs a prediction handler, answers its error, and logs the request.
func (s *Server) logged(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter, *http.Request) (rows int, err error)) {
	began := time.Now()
	cold := !s.served.Swap(true) || began.Sub(s.opt.Started) < coldWindow
	rec := &recorder{ResponseWriter: w}
	var rows int
	var err error
	if allow(rec, r, http.MethodPost) {
		if rows, err = serve(rec, r); err != nil {
			s.fail(rec, err)
		}
	}
	line := logLine{
		Severity: severity(rec.status), Message: fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, rec.status),
		Model: s.opt.Name, Rows: rows, Trace: s.log.trace(r.Header),
		HTTPRequest: logRequest{
			Method: r.Method, URL: r.URL.RequestURI(), Status: rec.status, UserAgent: r.UserAgent(),
			RequestSize: max(0, r.ContentLength), ResponseSize: rec.size,
			Latency: fmt.Sprintf("%.6fs", time.Since(began).Seconds()),
		},
	}
	if err != nil {
		line.Message += ": " + excerptText(err.Error())
	}
	if cold {
		line.Labels = map[string]string{"kakehi.dev/cold": "true"}
	}
	s.log.write(line)
}

func (l *requestLog) write(line logLine) {
	if l.out == nil {
		return
	}
	body, err := json.Marshal(line)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.out.Write(append(body, '\n'))
}

// trace names the request's trace, from W3C's traceparent or Google's
// X-Cloud-Trace-Context.
func (l *requestLog) trace(h http.Header) string {
	id := ""
	if parts := strings.Split(h.Get("Traceparent"), "-"); len(parts) == 4 {
		id = parts[1]
	} else {
		id, _, _ = strings.Cut(h.Get("X-Cloud-Trace-Context"), "/")
	}
	if id == "" || l.project == "" {
		return id
	}
	return "projects/" + l.project + "/traces/" + id
}

func severity(status int) string {
	switch {
	case status >= 500:
		return "ERROR"
	case status >= 400:
		return "WARNING"
	}
	return "INFO"
}

func excerptText(text string) string {
	const most = 300
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// recorder remembers the status and size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	size   int64
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.size += int64(n)
	return n, err
}

// Unwrap lets http.MaxBytesReader and http.ResponseController reach the
// connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
