package vertex

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

const (
	outLines  = 10       // of stdout, shown in the error of a failed replica
	errLines  = 20       // of stderr
	tailWidth = 300      // bytes of such a line
	logBytes  = 16 << 20 // that one replica may write to Cloud Logging
)

// output carries what a replica writes to Cloud Logging, up to a limit, and
// keeps its end.
type output struct {
	job  *job
	task string // such as workerpool0-0
	left atomic.Int64
	// The ends are kept apart: the two streams arrive in no common order, and
	// much of one must not push out the other.
	out, err *runtime.Tail
}

func newOutput(j *job, task string) *output {
	o := &output{job: j, task: task, out: runtime.NewTail(outLines), err: runtime.NewTail(errLines)}
	o.left.Store(logBytes)
	return o
}

// writers are the container's stdout and stderr. As in the cloud, stderr
// arrives with severity ERROR.
func (o *output) writers() (stdout, stderr *runtime.Lines) {
	return runtime.NewLines(func(line string) { o.line(line, o.out, logtype.LogSeverity_INFO) }),
		runtime.NewLines(func(line string) { o.line(line, o.err, logtype.LogSeverity_ERROR) })
}

// end returns the last lines of stdout, then those of stderr.
func (o *output) end() []string { return append(o.out.Lines(), o.err.Lines()...) }

func (o *output) line(line string, tail *runtime.Tail, severity logtype.LogSeverity) {
	line = strings.ToValidUTF8(line, "�")
	short := line
	if len(short) > tailWidth {
		short = strings.ToValidUTF8(short[:tailWidth], "") + "…"
	}
	tail.Add(short)
	size := int64(len(line) + 1)
	switch left := o.left.Add(-size); {
	case left >= 0:
		o.job.write(o.task, line, severity)
	case left+size >= 0: // the first that is too much
		o.job.write(o.task, "Further output of this replica is not logged: it is more than 16 MiB.", logtype.LogSeverity_WARNING)
	}
}

// log writes a line of the service itself.
func (j *job) log(message string) { j.write("service", message, logtype.LogSeverity_INFO) }

// write makes a log entry of a line. A line that is a JSON object becomes the
// payload, its severity the entry's.
func (j *job) write(task, line string, severity logtype.LogSeverity) {
	if j.s.Logs == nil {
		return
	}
	payload := structured(line)
	if payload == nil {
		payload = &structpb.Struct{Fields: map[string]*structpb.Value{
			"message":   structpb.NewStringValue(line),
			"levelname": structpb.NewStringValue(severity.String()),
		}}
	} else if n, ok := logtype.LogSeverity_value[strings.ToUpper(payload.Fields["severity"].GetStringValue())]; ok {
		severity = logtype.LogSeverity(n)
	}
	j.s.Logs.Write(&loggingpb.LogEntry{
		LogName:   "projects/" + j.s.Project + "/logs/" + task,
		Timestamp: timestamppb.New(time.Now()),
		Severity:  severity,
		Resource: &monitoredres.MonitoredResource{Type: "ml_job", Labels: map[string]string{
			"project_id": j.s.Project, "job_id": j.name.id, "task_name": task,
		}},
		Labels: map[string]string{
			"ml.googleapis.com/job_id": j.name.id, "ml.googleapis.com/job_id/log_area": "root",
			"ml.googleapis.com/task_name": task,
		},
		Payload: &loggingpb.LogEntry_JsonPayload{JsonPayload: payload},
	})
}

// structured reads a line that is a JSON object with a message.
func structured(line string) *structpb.Struct {
	if !strings.HasPrefix(line, "{") || !json.Valid([]byte(line)) {
		return nil
	}
	payload := &structpb.Struct{}
	if protojson.Unmarshal([]byte(line), payload) != nil || payload.Fields["message"] == nil {
		return nil
	}
	return payload
}
