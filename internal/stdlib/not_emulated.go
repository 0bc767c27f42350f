package stdlib

import (
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// notEmulatedReason is what the embedded cloud says of an API or method that it
// does not have, in a google.rpc.ErrorInfo.
const notEmulatedReason = "NOT_EMULATED"

// isNotEmulated reports whether an error is the embedded cloud's answer that it
// does not have what was called.
func isNotEmulated(e *value.Error) bool {
	details, ok := field(e.Payload, "body", "error", "details").(*value.List)
	if !ok {
		return false
	}
	for _, d := range details.Items() {
		if text(d, "reason") == notEmulatedReason {
			return true
		}
	}
	return false
}

// notEmulated is the error of a connector that has nobody to talk to. Its code
// is the one of HTTP for this, whatever the answer said: a missing API is not a
// missing resource.
func notEmulated(connector string, answer *value.Error) *value.Error {
	e := value.NewError(connector+" is not emulated here: give its calls answers in a file and name that with --stubs FILE", value.HTTPError).
		With("code", value.Int(501))
	if answer != nil {
		e.With("body", field(answer.Payload, "body"))
	}
	return e
}

// kubernetes are the helpers that talk to a cluster's control plane. There is
// no Kubernetes in the embedded cloud.
//
// Source: cloud.google.com/workflows/docs/reference/connectors/gke.
var kubernetes = []Entry{
	cluster("gke.await_job", `gke.await_job: {cluster_id: c, job_name: j}`, 2, "cluster_id", "job_name", "namespace", "project", "location", "query", "timeout", "polling_policy"),
	cluster("gke.create_job", `gke.create_job: {cluster_id: c, job: {}}`, 2, "cluster_id", "job", "namespace", "project", "location", "query", "timeout"),
	cluster("gke.delete_job", `gke.delete_job: {cluster_id: c, job_name: j}`, 2, "cluster_id", "job_name", "namespace", "project", "location", "query", "timeout"),
	cluster("gke.request", `gke.request: {cluster_id: c, path: /api/v1/pods}`, 2, "cluster_id", "path", "method", "project", "location", "timeout", "body", "headers", "query"),
}

func cluster(name, example string, required int, params ...string) Entry {
	return Entry{Name: name, Example: example, Func: interp.Func{
		Params: params, Required: required, Connector: true,
		Start: func(*interp.Context, []value.Value) interp.Next { return interp.Fail(notEmulated(name, nil)) },
	}}
}
