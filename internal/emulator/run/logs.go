package run

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

// ColdLabel is on the log entry of each request that waited for an instance to
// start.
const ColdLabel = "kakehi.dev/cold"

// logName is a log of Cloud Run: requests, stdout, stderr or varlog/system.
func (s *Service) logName(id string) string {
	return "projects/" + s.Project + "/logs/run.googleapis.com%2F" + strings.ReplaceAll(id, "/", "%2F")
}

// resource is the monitored resource of a revision, by short name.
func (n serviceName) resource(revision string) *monitoredres.MonitoredResource {
	return &monitoredres.MonitoredResource{
		Type: "cloud_run_revision",
		Labels: map[string]string{
			"project_id": n.project, "location": n.location,
			"service_name": n.id, "configuration_name": n.id, "revision_name": revision,
		},
	}
}

// log writes the request log.
func (x *exchange) log() {
	code := x.answer.status
	if code == 0 { // hijacked
		code = http.StatusSwitchingProtocols
	}
	r := x.request
	trace, _, _ := strings.Cut(x.trace, "/")
	entry := &loggingpb.LogEntry{
		LogName:   x.service.logName("requests"),
		Resource:  x.route.name.resource(x.revision),
		Timestamp: timestamppb.New(x.begun),
		Severity:  severityOf(code),
		Trace:     "projects/" + x.service.Project + "/traces/" + trace,
		HttpRequest: &ltype.HttpRequest{
			RequestMethod: r.Method, RequestUrl: "https://" + r.Host + r.URL.RequestURI(),
			RequestSize: max(0, r.ContentLength), Status: int32(code), ResponseSize: x.answer.size,
			UserAgent: r.UserAgent(), Referer: r.Referer(), RemoteIp: r.RemoteAddr, Protocol: r.Proto,
			Latency: durationpb.New(time.Since(x.begun)),
		},
	}
	if x.cold {
		entry.Labels = map[string]string{ColdLabel: "true"}
	}
	x.service.Logs.Write(entry)
}

func severityOf(code int) ltype.LogSeverity {
	switch {
	case code >= 500:
		return ltype.LogSeverity_ERROR
	case code >= 400:
		return ltype.LogSeverity_WARNING
	}
	return ltype.LogSeverity_INFO
}

// traceOf returns the request's trace context, TRACE/SPAN;o=0, or a new one.
func traceOf(r *http.Request) string {
	if t := r.Header.Get("X-Cloud-Trace-Context"); t != "" {
		return t
	}
	// traceparent: version-trace-span-flags (w3.org/TR/trace-context).
	if f := strings.Split(r.Header.Get("Traceparent"), "-"); len(f) == 4 && len(f[1]) == 32 {
		return f[1] + "/0;o=0"
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:]) + "/0;o=0"
}

// tailLines of an instance's output are told when it does not start.
const tailLines = 20

// output turns what an instance writes into log entries.
type output struct {
	stdout, stderr *runtime.Lines
	tail           *runtime.Tail
	system         func(text string)
}

func (s *Service) newOutput(of *monitoredres.MonitoredResource, labels map[string]string) *output {
	entry := func(log string) *loggingpb.LogEntry {
		return &loggingpb.LogEntry{LogName: s.logName(log), Resource: of, Timestamp: timestamppb.Now(), Labels: maps.Clone(labels)}
	}
	o := &output{tail: runtime.NewTail(tailLines)}
	line := func(log string) func(string) {
		return func(text string) {
			if strings.TrimSpace(text) == "" {
				return
			}
			o.tail.Add(text)
			e := entry(log)
			setPayload(e, text, s.Project)
			s.Logs.Write(e)
		}
	}
	o.stdout, o.stderr = runtime.NewLines(line("stdout")), runtime.NewLines(line("stderr"))
	o.system = func(text string) {
		e := entry("varlog/system")
		e.Severity = ltype.LogSeverity_WARNING
		e.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: text}
		s.Logs.Write(e)
	}
	return o
}

// close writes what has no line end yet, and how the container ended unless
// that is how one ends that was asked to.
func (o *output) close(exit runtime.Exit, asked bool) {
	_ = o.stdout.Close()
	_ = o.stderr.Close()
	const terminated = 128 + 15
	switch {
	case asked && (exit.Signal != "" || exit.Code == 0 || exit.Code == terminated):
	case exit.Signal != "":
		o.system(fmt.Sprintf("Container terminated on signal %d.", exit.Code-128))
	default:
		o.system(fmt.Sprintf("Container called exit(%d).", exit.Code))
	}
}

// setPayload makes a structured entry of a line that is a JSON object, with the
// special fields of cloud.google.com/logging/docs/structured-logging.
func setPayload(e *loggingpb.LogEntry, line, project string) {
	var fields map[string]any
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &fields) != nil {
		e.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: strings.ToValidUTF8(line, "\uFFFD")}
		return
	}
	if name, ok := fields["severity"].(string); ok {
		if v, ok := ltype.LogSeverity_value[strings.ToUpper(name)]; ok {
			e.Severity = ltype.LogSeverity(v)
			delete(fields, "severity")
		}
	}
	if trace, ok := fields["logging.googleapis.com/trace"].(string); ok {
		if !strings.Contains(trace, "/") {
			trace = "projects/" + project + "/traces/" + trace
		}
		e.Trace = trace
		delete(fields, "logging.googleapis.com/trace")
	}
	if labels, ok := fields["logging.googleapis.com/labels"].(map[string]any); ok {
		for k, v := range labels {
			e.Labels[k] = fmt.Sprint(v)
		}
		delete(fields, "logging.googleapis.com/labels")
	}
	payload, err := structpb.NewStruct(fields)
	if err != nil {
		e.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: strings.ToValidUTF8(line, "\uFFFD")}
		return
	}
	e.Payload = &loggingpb.LogEntry_JsonPayload{JsonPayload: payload}
}
