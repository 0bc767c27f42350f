package pipeline

import "time"

// Names that expressions may use without a declaration, each with its type.
const (
	// Params holds the pipeline's parameters: params.NAME.
	Params = "params"
	// Event is the event that fired a [Trigger]; known only in Trigger.In.
	Event = "event"
	// Status is how the tasks ended, for OnExit tasks only: a struct with state
	// ("SUCCEEDED" or "FAILED") and error (null, or a struct with code and
	// message), the fields of KFP's PipelineTaskFinalStatus.
	Status = "status"
)

// Builtins are the names known everywhere in a pipeline.
var Builtins = map[string]Type{
	"bucket":    String, // the pipeline's bucket, without gs://
	"execution": String, // the execution id
	"project":   String, // the project id
	"location":  String, // the region
}

// DefaultItem is the item's name in the short form of foreach.
const DefaultItem = "item"

// DefaultRetry is what a retry that gives only its maximum gets.
var DefaultRetry = Retry{Backoff: time.Second, MaxBackoff: time.Minute, Multiplier: 2}

// ServeOutputs are the outputs of a [Serve] task: url is the service's URL,
// revision the Cloud Run revision that was deployed, model the resource name in
// the model registry, and decision is promoted or held. A candidate that is
// rolled back fails the task.
func ServeOutputs() []*Output {
	return append([]*Output{
		{Name: "url", Type: String},
		{Name: "revision", Type: String},
		{Name: "model", Type: String},
	}, RolloutOutputs()...)
}

// RolloutOutputs are the outputs of a [Rollout] that is a task of its own.
func RolloutOutputs() []*Output {
	return []*Output{{Name: "decision", Type: String}}
}

// Types returns the types in the order in which they are documented.
func Types() []Type {
	return []Type{String, Int, Double, Bool, List, Struct, Artifact, Dataset, Model, Metrics, ClassificationMetrics, HTML, Markdown}
}

// reserved holds the names that a task, an item or a parameter may not have,
// because an expression of Cloud Workflows would read them otherwise: its
// keywords, its standard library (stdlib/overview), its jump targets, and the
// names above.
var reserved = func() map[string]string {
	m := map[string]string{}
	add := func(why string, names ...string) {
		for _, n := range names {
			m[n] = why
		}
	}
	add("a keyword of expressions", "true", "false", "null", "and", "or", "not", "in")
	add("a function of Cloud Workflows", "default", "double", "get_type", "if", "int", "keys", "len", "string")
	add("a module of Cloud Workflows", "base64", "events", "experimental", "executions", "googleapis", "hash",
		"http", "json", "list", "map", "math", "retry", "sys", "text", "time", "uuid")
	add("a jump target of Cloud Workflows", "end", "break", "continue")
	add("the entry point of Cloud Workflows", "main")
	add("a built-in name", Params, Event, Status)
	for n := range Builtins {
		m[n] = "a built-in name"
	}
	return m
}()

// Reserved says why a task, an item or a parameter may not have a name; "" when
// it may.
func Reserved(name string) string { return reserved[name] }
