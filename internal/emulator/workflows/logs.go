package workflows

import (
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	logtype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// The logs of Workflows.
//
// Source: cloud.google.com/workflows/docs/log-workflow; the payloads of the
// last two are google.cloud.workflows.type.ExecutionsSystemLog and
// EngineCallLog of the public API definitions.
const (
	logUser   = "Workflows"
	logSystem = "workflows.googleapis.com%2Fexecutions_system"
	logCalls  = "workflows.googleapis.com%2Fengine_call"

	typeSystem = "type.googleapis.com/google.cloud.workflows.type.ExecutionsSystemLog"
	typeCall   = "type.googleapis.com/google.cloud.workflows.type.EngineCallLog"
)

// log writes an entry with the labels of the execution.
func (r *run) log(name string, at time.Time, severity logtype.LogSeverity, entry *loggingpb.LogEntry) {
	if r.svc.opts.Logs == nil {
		return
	}
	entry.LogName = "projects/" + r.svc.opts.Project + "/logs/" + name
	entry.Timestamp = timestamppb.New(at)
	entry.Severity = severity
	entry.Resource = &monitoredres.MonitoredResource{
		Type: "workflows.googleapis.com/Workflow",
		Labels: map[string]string{
			"project_id": r.svc.opts.Project, "location": r.name.workflow.region, "workflow_id": r.name.workflow.id,
		},
	}
	entry.Labels = map[string]string{
		"workflows.googleapis.com/execution_id": r.name.id,
		"workflows.googleapis.com/revision_id":  r.revision.pb.RevisionId,
	}
	r.svc.opts.Logs.Write(entry)
}

// onLog takes what sys.log writes.
func (r *run) onLog(l interp.LogEntry) {
	if r.stopped() != nil {
		return
	}
	entry := &loggingpb.LogEntry{InsertId: l.InsertID}
	if l.JSON == nil {
		entry.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: l.Text}
	} else {
		setJSON(entry, l.JSON)
	}
	r.log(logUser, l.Time, logtype.LogSeverity(logtype.LogSeverity_value[l.Severity]), entry)
	r.feed.add(Event{Log: &l})
}

// setJSON sets the payload; only maps can be a jsonPayload, the rest is text.
func setJSON(entry *loggingpb.LogEntry, v value.Value) {
	text := value.MustJSON(v)
	payload := &structpb.Struct{}
	if _, ok := v.(*value.Map); ok && protojson.Unmarshal(text, payload) == nil {
		entry.Payload = &loggingpb.LogEntry_JsonPayload{JsonPayload: payload}
		return
	}
	entry.Payload = &loggingpb.LogEntry_TextPayload{TextPayload: string(text)}
}

// logState writes that the execution began or ended.
func (r *run) logState() {
	pb := r.snapshot().pb
	at := pb.StartTime.AsTime()
	severity := logtype.LogSeverity_INFO
	payload := value.NewMap().Put("@type", value.String(typeSystem))
	if isFinal(pb.State) {
		at = pb.EndTime.AsTime()
	}
	payload.Put("activityTime", value.String(at.Format(time.RFC3339Nano))).
		Put("state", value.String(pb.State.String()))
	switch pb.State {
	case executionspb.Execution_ACTIVE:
		payload.Put("start", value.NewMap().Put("argument", value.String(pb.Argument)))
	case executionspb.Execution_SUCCEEDED:
		payload.Put("success", value.NewMap().Put("result", value.String(pb.Result)))
	case executionspb.Execution_FAILED:
		severity = logtype.LogSeverity_ERROR
		payload.Put("failure", value.NewMap().
			Put("exception", value.String(pb.Error.GetPayload())).
			Put("source", value.String(pb.Error.GetContext())))
	}
	entry := &loggingpb.LogEntry{InsertId: r.name.id + "-" + pb.State.String()}
	setJSON(entry, payload)
	r.log(logSystem, at, severity, entry)
}

// callLogLevel is the execution's own, or else the workflow's; the two enums
// have the same values.
func (r *run) callLogLevel() executionspb.Execution_CallLogLevel {
	if level := r.rec.pb.CallLogLevel; level != executionspb.Execution_CALL_LOG_LEVEL_UNSPECIFIED {
		return level
	}
	return executionspb.Execution_CallLogLevel(r.revision.pb.CallLogLevel)
}

// callStates says which states of a call step are logged, and as what.
var callStates = map[interp.StepState]string{
	interp.StepRunning:   "BEGUN",
	interp.StepSucceeded: "SUCCEEDED",
	interp.StepFailed:    "EXCEPTION_RAISED",
}

// logCall writes the beginning or the end of a call step, if the call log
// level asks for it.
func (r *run) logCall(e interp.StepEvent) {
	level := r.callLogLevel()
	state, known := callStates[e.State]
	call := strings.HasSuffix(e.Type, "_CALL")
	all := level == executionspb.Execution_LOG_ALL_CALLS
	failed := level == executionspb.Execution_LOG_ERRORS_ONLY && e.State == interp.StepFailed
	if !known || !call || !all && !failed {
		return
	}
	payload := value.NewMap().Put("@type", value.String(typeCall)).
		Put("executionId", value.String(r.name.id)).
		Put("activityTime", value.String(e.Time.Format(time.RFC3339Nano))).
		Put("state", value.String(state)).
		Put("step", value.String(e.Step))
	severity := logtype.LogSeverity_INFO
	if e.State == interp.StepFailed {
		severity = logtype.LogSeverity_ERROR
		raised := value.NewMap().Put("origin", value.String(e.Routine))
		if e.Exception != nil {
			raised.Put("exception", value.String(value.MustJSON(e.Exception)))
		}
		payload.Put("exceptionRaised", raised)
	}
	entry := &loggingpb.LogEntry{InsertId: r.name.id + "-" + strconv.FormatInt(e.ID, 10) + "-" + state}
	setJSON(entry, payload)
	r.log(logCalls, e.Time, severity, entry)
}
