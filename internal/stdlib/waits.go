package stdlib

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// waiter looks at a resource and says whether it is done, and how it ended.
type waiter func(v *value.Map) (done bool, result value.Value, err error)

// locator says where a resource is read again; "" if it does not tell.
type locator func(call *methodCall, v *value.Map) string

// waits are the kinds of waiting of [discovery.Method].
var waits = map[string]struct {
	done waiter
	next locator
}{
	"operation":  {operationDone, operationURL},
	"status":     {statusDone, selfLink},
	"job":        {lifecycles["job"].ended, nameURL},
	"pipeline":   {lifecycles["pipeline"].ended, nameURL},
	"artifact":   {lifecycles["artifact"].ended, nameURL},
	"execution":  {lifecycles["execution"].ended, nameURL},
	"batch":      {lifecycles["batch"].ended, nameURL},
	"processor":  {lifecycles["processor"].ended, nameURL},
	"transcoder": {lifecycles["transcoder"].ended, nameURL},
	"ml":         {lifecycles["ml"].ended, func(call *methodCall, v *value.Map) string { return below(call, text(v, "jobId")) }},
	"bigquery":   {bigqueryDone, bigqueryURL},
	"dataflow":   {dataflowDone, dataflowURL},
	"knative":    {knativeDone, knativeURL},
}

// wait waits until the work is done that a method began with the answer v.
func (k *conversation) wait(call *methodCall, v value.Value) interp.Next {
	if call.Wait == "runs" {
		return k.waitForRuns(call, v)
	}
	kind := waits[call.Wait]
	n := k.poll(v, kind.done, func(v *value.Map) string { return kind.next(call, v) })
	if call.Wait != "dataflow" || !strings.HasSuffix(call.Name, ".launch") {
		return n
	}
	return then(n, func(job value.Value) interp.Next { return interp.Done(value.NewMap().Put("job", job)) })
}

// poll reads a resource again and again until it is done. Each poll counts as
// a step.
func (k *conversation) poll(v value.Value, done waiter, next func(*value.Map) string) interp.Next {
	m, ok := v.(*value.Map)
	if !ok {
		return interp.Fail(value.NewError("the API did not answer with a resource to wait for", value.ResponseTypeError))
	}
	finished, result, err := done(m)
	switch {
	case err != nil:
		return interp.Fail(err)
	case finished:
		return interp.Done(result)
	}
	target := next(m)
	if target == "" {
		return interp.Fail(value.NewError("the resource to wait for does not say where it is", value.ResponseTypeError))
	}
	return k.pause(k.polling.next(), func() interp.Next {
		if err := k.c.CountStep(); err != nil {
			return interp.Fail(err)
		}
		h := http.Header{"User-Agent": {userAgent}}
		return k.send(http.MethodGet, target, h, nil, func(v value.Value) interp.Next { return k.poll(v, done, next) })
	})
}

// waitForRuns waits for the runs of a transfer, one after the other, and
// returns the answer with their final forms.
func (k *conversation) waitForRuns(call *methodCall, v value.Value) interp.Next {
	m, _ := v.(*value.Map)
	if m == nil {
		m = value.NewMap()
	}
	runs, ok := field(m, "runs").(*value.List)
	if !ok {
		return interp.Done(m)
	}
	var finished []value.Value
	var one func() interp.Next
	one = func() interp.Next {
		if len(finished) == runs.Len() {
			return interp.Done(m.Copy().Put("runs", value.NewList(finished...)))
		}
		n := k.poll(runs.At(len(finished)), lifecycles["runs"].ended, func(v *value.Map) string { return nameURL(call, v) })
		return then(n, func(v value.Value) interp.Next {
			finished = append(finished, v)
			return one()
		})
	}
	return one()
}

// field returns a part of a resource, or null where there is none.
func field(v value.Value, path ...string) value.Value {
	for _, key := range path {
		m, ok := v.(*value.Map)
		if !ok {
			return value.Null{}
		}
		if v, ok = m.Get(key); !ok {
			return value.Null{}
		}
	}
	return v
}

// text returns a text in a resource, or "" where there is none.
func text(v value.Value, path ...string) string {
	s, _ := field(v, path...).(value.String)
	return string(s)
}

func operationError(message string, resource *value.Map) *value.Error {
	return value.NewError(message, value.OperationError).With("operation", resource)
}

// failed is the error of a resource whose field error says why.
func failed(message string, resource *value.Map) *value.Error {
	failure := field(resource, "error")
	if value.IsNull(failure) {
		return operationError(message, resource)
	}
	if s := text(failure, "message"); s != "" {
		message += ": " + s
	}
	return operationError(message, resource).With("error", failure)
}

// operationDone waits for a google.longrunning.Operation. The result is all of
// it, since official samples read its metadata.
func operationDone(op *value.Map) (bool, value.Value, error) {
	if field(op, "done") != value.Value(value.Bool(true)) {
		return false, nil, nil
	}
	if !value.IsNull(field(op, "error")) {
		return true, nil, failed("the operation failed", op)
	}
	return true, op, nil
}

func operationURL(call *methodCall, op *value.Map) string {
	name := text(op, "name")
	switch {
	case call.API.Poll == "":
		if link := selfLink(call, op); link != "" {
			return link
		}
		return nameURL(call, op)
	case name == "":
		return ""
	}
	return call.base + strings.Replace(call.API.Poll, "{name}", escapePath(name), 1)
}

// statusDone waits for an operation of Compute Engine, Kubernetes Engine or
// Cloud SQL.
func statusDone(op *value.Map) (bool, value.Value, error) {
	if text(op, "status") != "DONE" {
		return false, nil, nil
	}
	if !value.IsNull(field(op, "error")) {
		return true, nil, failed("the operation failed", op)
	}
	return true, op, nil
}

// selfLink is the URL that a resource gives for itself. The token goes to
// Google's APIs alone.
func selfLink(_ *methodCall, v *value.Map) string {
	link := text(v, "selfLink")
	if u, err := url.Parse(link); err != nil || !googleAPI(u) {
		return ""
	}
	return link
}

// nameURL is the URL of a resource that has its full name.
func nameURL(call *methodCall, v *value.Map) string {
	name := text(v, "name")
	if name == "" {
		return ""
	}
	return call.base + call.API.Version + "/" + escapePath(name)
}

// below is the URL of a resource in the collection that was posted to.
func below(call *methodCall, id string) string {
	if id == "" {
		return ""
	}
	collection, _, _ := strings.Cut(call.url, "?")
	return collection + "/" + url.PathEscape(id)
}

// lifecycle is how a resource's state goes on: while it is in no final state,
// the connector waits.
type lifecycle struct {
	path          []string
	done, failure []string // final states
	pending       []string // known other states
}

// lifecycles of the resources that connectors wait for. A test compares them
// with the states of the APIs. That jobs which were cancelled, expired or are
// being deleted count as failed is a choice.
var lifecycles = map[string]lifecycle{
	"job": states("state", "JOB_STATE_SUCCEEDED JOB_STATE_PARTIALLY_SUCCEEDED", "JOB_STATE_FAILED JOB_STATE_CANCELLED JOB_STATE_EXPIRED",
		"JOB_STATE_UNSPECIFIED JOB_STATE_QUEUED JOB_STATE_PENDING JOB_STATE_RUNNING JOB_STATE_CANCELLING JOB_STATE_PAUSED JOB_STATE_UPDATING"),
	"pipeline": states("state", "PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED PIPELINE_STATE_CANCELLED",
		"PIPELINE_STATE_UNSPECIFIED PIPELINE_STATE_QUEUED PIPELINE_STATE_PENDING PIPELINE_STATE_RUNNING PIPELINE_STATE_CANCELLING PIPELINE_STATE_PAUSED"),
	"artifact":   states("state", "LIVE STATE_UNSPECIFIED", "", "PENDING"),
	"execution":  states("state", "COMPLETE CACHED STATE_UNSPECIFIED", "FAILED CANCELLED", "NEW RUNNING"),
	"batch":      states("status.state", "SUCCEEDED", "FAILED CANCELLED DELETION_IN_PROGRESS", "STATE_UNSPECIFIED QUEUED SCHEDULED RUNNING CANCELLATION_IN_PROGRESS"),
	"processor":  states("state", "ENABLED DISABLED STATE_UNSPECIFIED", "FAILED", "CREATING ENABLING DISABLING DELETING"),
	"transcoder": states("state", "SUCCEEDED", "FAILED", "PROCESSING_STATE_UNSPECIFIED PENDING RUNNING"),
	"ml":         states("state", "SUCCEEDED", "FAILED CANCELLED", "STATE_UNSPECIFIED QUEUED PREPARING RUNNING CANCELLING"),
	"runs":       states("state", "SUCCEEDED", "FAILED CANCELLED", "TRANSFER_STATE_UNSPECIFIED PENDING RUNNING"),
	"dataflow": states("currentState", "JOB_STATE_DONE JOB_STATE_UPDATED JOB_STATE_DRAINED", "JOB_STATE_FAILED JOB_STATE_CANCELLED",
		"JOB_STATE_UNKNOWN JOB_STATE_STOPPED JOB_STATE_RUNNING JOB_STATE_DRAINING JOB_STATE_PENDING JOB_STATE_CANCELLING JOB_STATE_QUEUED JOB_STATE_RESOURCE_CLEANING_UP JOB_STATE_PAUSING JOB_STATE_PAUSED"),
}

func states(path, done, failure, pending string) lifecycle {
	return lifecycle{strings.Split(path, "."), strings.Fields(done), strings.Fields(failure), strings.Fields(pending)}
}

func (l lifecycle) ended(v *value.Map) (bool, value.Value, error) {
	state := text(v, l.path...)
	switch {
	case slices.Contains(l.done, state), state == "" && slices.Contains(l.done, "STATE_UNSPECIFIED"):
		return true, v, nil
	case slices.Contains(l.failure, state):
		return true, nil, failed("the job ended in state "+strings.TrimPrefix(strings.TrimPrefix(state, "JOB_STATE_"), "PIPELINE_STATE_"), v)
	}
	return false, nil, nil
}

func bigqueryDone(job *value.Map) (bool, value.Value, error) {
	if text(job, "status", "state") != "DONE" {
		return false, nil, nil
	}
	if failure := field(job, "status", "errorResult"); !value.IsNull(failure) {
		return true, nil, operationError(text(failure, "message"), job).With("error", failure)
	}
	return true, job, nil
}

func bigqueryURL(call *methodCall, job *value.Map) string {
	project, id := text(job, "jobReference", "projectId"), text(job, "jobReference", "jobId")
	if project == "" || id == "" {
		return ""
	}
	target := call.base + "projects/" + url.PathEscape(project) + "/jobs/" + url.PathEscape(id)
	if location := text(job, "jobReference", "location"); location != "" {
		target += "?location=" + url.QueryEscape(location)
	}
	return target
}

// dataflowJob is the job in the answer to a launch, or the answer itself.
func dataflowJob(v *value.Map) *value.Map {
	if job, ok := field(v, "job").(*value.Map); ok {
		return job
	}
	return v
}

func dataflowDone(v *value.Map) (bool, value.Value, error) {
	return lifecycles["dataflow"].ended(dataflowJob(v))
}

func dataflowURL(call *methodCall, v *value.Map) string {
	job := dataflowJob(v)
	project, location, id := text(job, "projectId"), text(job, "location"), text(job, "id")
	if project == "" || id == "" {
		return ""
	}
	target := call.base + call.API.Version + "/projects/" + url.PathEscape(project)
	if location != "" {
		target += "/locations/" + url.PathEscape(location)
	}
	return target + "/jobs/" + url.PathEscape(id)
}

// knativeDone waits for the condition of a resource in Kubernetes' form:
// Completed for an execution, else Ready.
func knativeDone(v *value.Map) (bool, value.Value, error) {
	kind := "Ready"
	if text(v, "kind") == "Execution" {
		kind = "Completed"
	}
	conditions, ok := field(v, "status", "conditions").(*value.List)
	if !ok {
		return false, nil, nil
	}
	for _, c := range conditions.Items() {
		if text(c, "type") != kind {
			continue
		}
		switch text(c, "status") {
		case "True":
			return true, v, nil
		case "False":
			return true, nil, operationError(text(c, "message"), v).With("error", c)
		}
	}
	return false, nil, nil
}

// knativeURL is where a resource is that was created in a collection, replaced
// in its place, or, as an execution, begun by a job.
func knativeURL(call *methodCall, v *value.Map) string {
	id := text(v, "metadata", "name")
	target, _, _ := strings.Cut(call.url, "?")
	switch {
	case call.Verb == http.MethodPut || id == "":
		return target
	case strings.HasSuffix(target, ":run"):
		namespace, _, _ := strings.Cut(target, "/jobs/")
		return namespace + "/executions/" + url.PathEscape(id)
	}
	return below(call, id)
}
