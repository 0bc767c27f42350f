package main

// api is a connector of Workflows: what its page says beyond the API's own
// document.
type api struct {
	name     string
	versions []string
	// region is the argument that chooses the host, if there is one.
	region string
	// regions says what that argument is: "required", "optional" where the
	// host without a region serves, too, or a region that is the default.
	regions string
	// waits maps the messages that a method answers with, without the prefix
	// of their package, to the kind of waiting; operations need no entry.
	waits map[string]string
	// more are parameters of methods that the document does not have.
	more map[string][]string
}

// connectors are those of
// docs.cloud.google.com/workflows/docs/reference/googleapis (2026-04-10). The
// pages name stable and beta versions (aiplatform v1beta1, compute beta,
// container v1beta1, documentai v1beta2 and v1beta3, workflows v1beta, …) and no
// alpha; that the same holds for each service is a choice. So is it that
// schedules, studies and trials of Vertex AI, which the page counts as
// long-running, are not waited for: they are done once they are there.
var connectors = []api{
	{name: "aiplatform", versions: []string{"v1", "v1beta1"}, region: "region", regions: "required", waits: map[string]string{
		"BatchPredictionJob": "job", "CustomJob": "job", "DataLabelingJob": "job", "HyperparameterTuningJob": "job", "NasJob": "job", "TuningJob": "job",
		"PipelineJob": "pipeline", "TrainingPipeline": "pipeline", "Artifact": "artifact", "Execution": "execution",
	}},
	{name: "batch", versions: []string{"v1"}, waits: map[string]string{"Job": "batch"}},
	{name: "bigquery", versions: []string{"v2"}, waits: map[string]string{"Job": "bigquery"}},
	{name: "bigquerydatatransfer", versions: []string{"v1"}, waits: map[string]string{"StartManualTransferRunsResponse": "runs", "ScheduleTransferRunsResponse": "runs"}},
	{name: "cloudbuild", versions: []string{"v1", "v2"}},
	{name: "cloudfunctions", versions: []string{"v1", "v2", "v2beta"}},
	{name: "cloudresourcemanager", versions: []string{"v1", "v1beta1", "v2", "v2beta1", "v3"}},
	{name: "cloudscheduler", versions: []string{"v1", "v1beta1"}},
	{name: "cloudtasks", versions: []string{"v2", "v2beta2", "v2beta3"}},
	{name: "compute", versions: []string{"beta", "v1"}},
	{name: "container", versions: []string{"v1", "v1beta1"}},
	{name: "dataflow", versions: []string{"v1b3"}, waits: map[string]string{"Job": "dataflow", "LaunchTemplateResponse": "dataflow", "LaunchFlexTemplateResponse": "dataflow"}},
	{name: "documentai", versions: []string{"v1", "v1beta2", "v1beta3"}, region: "location", regions: "us", waits: map[string]string{"Processor": "processor"}},
	{name: "firestore", versions: []string{"v1", "v1beta1", "v1beta2"}},
	{name: "forms", versions: []string{"v1"}},
	{name: "integrations", versions: []string{"v1"}, region: "region", regions: "required"},
	{name: "language", versions: []string{"v1", "v1beta1", "v1beta2", "v2"}},
	{name: "ml", versions: []string{"v1"}, waits: map[string]string{"Job": "ml"}},
	{name: "pubsub", versions: []string{"v1"}},
	{name: "run", versions: []string{"v1", "v2"}, region: "location", regions: "optional", waits: map[string]string{"Service": "knative", "Job": "knative", "Execution": "knative"}},
	{name: "secretmanager", versions: []string{"v1", "v1beta1", "v1beta2"}},
	{name: "sheets", versions: []string{"v4"}},
	{name: "spanner", versions: []string{"v1"}},
	{name: "sqladmin", versions: []string{"v1", "v1beta4"}},
	{name: "storage", versions: []string{"v1"}},
	{name: "storagetransfer", versions: []string{"v1"}},
	{name: "transcoder", versions: []string{"v1", "v1beta1"}, waits: map[string]string{"Job": "transcoder"}},
	{name: "translate", versions: []string{"v2", "v3", "v3beta1"}, more: map[string][]string{
		// The document has the body only; Google's sample
		// iterate_googleapis_translate has arguments.
		"translations.translate": {"format:string", "model:string", "q:string*", "source:string", "target:string"},
	}},
	{name: "workflowexecutions", versions: []string{"v1", "v1beta"}},
	{name: "workflows", versions: []string{"v1", "v1beta"}},
}
