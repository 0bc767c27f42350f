package lint

import (
	"strings"

	"github.com/kakehi/kakehi/internal/workflow"
)

// longJobs are connectors whose work often takes longer than the 30 minutes
// that a connector waits by default: a service, and the end of its methods.
//
// Source: cloud.google.com/workflows/docs/connectors, as of 2026-04-10.
var longJobs = []struct{ service, method string }{
	{"googleapis.aiplatform.", ".batchPredictionJobs.create"},
	{"googleapis.aiplatform.", ".customJobs.create"},
	{"googleapis.aiplatform.", ".hyperparameterTuningJobs.create"},
	{"googleapis.aiplatform.", ".nasJobs.create"},
	{"googleapis.aiplatform.", ".pipelineJobs.create"},
	{"googleapis.aiplatform.", ".trainingPipelines.create"},
	{"googleapis.aiplatform.", ".tuningJobs.create"},
	{"googleapis.batch.", ".jobs.create"},
	{"googleapis.dataflow.", ".flexTemplates.launch"},
	{"googleapis.dataflow.", ".templates.create"},
	{"googleapis.dataflow.", ".templates.launch"},
	{"googleapis.ml.", ".jobs.create"},
	{"googleapis.run.", ".jobs.run"},
}

// longJob warns of a long job that would outlast its connector.
func (l *linter) longJob(c *workflow.Call) {
	long := false
	for _, j := range longJobs {
		long = long || strings.HasPrefix(c.Func, j.service) && strings.HasSuffix(c.Func, j.method)
	}
	if !long {
		return
	}
	switch params := argument(c, "connector_params").(type) {
	case *workflow.Expr:
		return // known at run time only
	case *workflow.Map:
		skip, _ := member(params, "skip_polling").(*workflow.Lit)
		if member(params, "timeout") != nil || skip != nil && skip.Value == true {
			return
		}
	}
	l.warn(c.At, "connector-timeout", "set connector_params: {timeout: …} in seconds, up to a year",
		"the connector waits 30 minutes by default; if the job takes longer, the step fails with TimeoutError while the job goes on")
}
