//go:build unix

package run

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestKnativeJobs checks the v1 form of jobs: what one API writes the other
// reads.
func TestKnativeJobs(t *testing.T) {
	c := newCloud(t, nil)
	j := c.withJobs()
	base := knativeServer(t, c).URL + "/apis/run.googleapis.com/v1/namespaces/" + project
	in := map[string]any{
		"apiVersion": jobsVersion, "kind": "Job",
		"metadata": map[string]any{"name": "job", "labels": map[string]string{"a": "b"}, "annotations": map[string]string{annClient: "gcloud", annLaunchStage: "BETA"}},
		"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]string{annEnvironment: "gen2"}},
			"spec": map[string]any{"taskCount": 2, "parallelism": 1, "template": map[string]any{"spec": map[string]any{
				"maxRetries": 0, "timeoutSeconds": 60,
				"containers": []any{map[string]any{"image": image, "args": []string{"x"}, "env": []any{map[string]string{"name": "MODE", "value": "task ok,fail"}}}},
			}}},
		}},
	}
	var job kJob
	if code := knativeDo(t, http.MethodPost, base+"/jobs", in, &job); code != 200 {
		t.Fatal(code, job)
	}
	task := job.Spec.Template.Spec.Template.Spec
	if job.Metadata.Name != "job" || job.Metadata.Annotations[annLaunchStage] != "BETA" || job.Spec.Template.Spec.TaskCount != 2 || *task.MaxRetries != 0 || task.TimeoutSeconds != 60 ||
		job.Spec.Template.Metadata.Annotations[annEnvironment] != "gen2" || job.Status.Conditions[0].Type != ready || job.Status.Conditions[0].Status != "True" {
		t.Errorf("created %+v", job)
	}
	if v2 := j.job("job"); v2.Template.Parallelism != 1 || v2.Labels["a"] != "b" || v2.Client != "gcloud" {
		t.Errorf("in v2: %v", v2)
	}
	// It comes back as it was sent.
	job.Spec.Template.Spec.TaskCount = 1
	if code := knativeDo(t, http.MethodPut, base+"/jobs/job", job, &job); code != 200 || job.Metadata.Generation != 2 || job.Spec.Template.Spec.TaskCount != 1 {
		t.Error(code, job)
	}
	var x kExecution
	overrides := map[string]any{"overrides": map[string]any{"taskCount": 2, "timeoutSeconds": 30, "containerOverrides": []any{map[string]any{"clearArgs": true}}}}
	if code := knativeDo(t, http.MethodPost, base+"/jobs/job:run", overrides, &x); code != 200 || x.Kind != "Execution" || x.Metadata.Labels[jobLabel] != "job" {
		t.Fatal(code, x)
	}
	eventually(t, "the execution ends", func() bool {
		return knativeDo(t, http.MethodGet, base+"/executions/"+x.Metadata.Name, nil, &x) == 200 && x.Status.CompletionTime != ""
	})
	if done := x.Status.Conditions[0]; x.Status.SucceededCount != 1 || x.Status.FailedCount != 1 || done.Type != completed || done.Status != "False" || done.Reason != "NonZeroExitCode" {
		t.Errorf("execution %+v", x)
	}
	var tasks kList[kTask]
	knativeDo(t, http.MethodGet, base+"/tasks?labelSelector=run.googleapis.com/execution="+x.Metadata.Name, nil, &tasks)
	if len(tasks.Items) != 2 || tasks.Items[1].Status.LastAttemptResult.ExitCode != 3 || tasks.Items[1].Spec.Containers[0].Args != nil {
		t.Errorf("tasks %+v", tasks)
	}
	var one kTask
	if code := knativeDo(t, http.MethodGet, base+"/tasks/"+tasks.Items[1].Metadata.Name, nil, &one); code != 200 || one.Status.Index != 1 {
		t.Error(code, one)
	}
	for _, tt := range []struct {
		method, path string
		code         int
	}{
		{http.MethodGet, "/jobs", 200},
		{http.MethodGet, "/executions?labelSelector=run.googleapis.com/job%20=%20job", 200},
		{http.MethodGet, "/executions?labelSelector=colour=blue", 501},
		{http.MethodGet, "/jobs/none", 404},
		{http.MethodPost, "/jobs/job:jump", 404},
		{http.MethodPost, "/executions/" + x.Metadata.Name + ":cancel", 400},
		{http.MethodGet, "/executions/none", 404},
		{http.MethodGet, "/tasks/none", 404},
		{http.MethodDelete, "/executions/" + x.Metadata.Name, 200},
		{http.MethodDelete, "/jobs/job", 200},
		{http.MethodDelete, "/jobs/job", 404},
	} {
		var answer map[string]any
		if code := knativeDo(t, tt.method, base+tt.path, nil, &answer); code != tt.code {
			t.Errorf("%s %s: %d %v, want %d", tt.method, tt.path, code, answer, tt.code)
		}
	}
	in["spec"].(map[string]any)["colour"] = "blue"
	var refused map[string]any
	if code := knativeDo(t, http.MethodPost, base+"/jobs", in, &refused); code != 400 {
		t.Errorf("an unknown field: %d %v", code, refused)
	}
}

// TestGcloudJobs drives gcloud run jobs.
func TestGcloudJobs(t *testing.T) {
	gcloud := gcloudFor(t, newCloud(t, nil))
	const region = " --region=us-central1"
	gcloud("run jobs create job --image=" + image + " --tasks=2 --max-retries=0 --set-env-vars=GREETING=hi --args=a" + region)
	gcloud("run jobs update job --update-env-vars=MODE=task --task-timeout=5m" + region)
	if got := gcloud("run jobs list --format=value(metadata.name)" + region); got != "job" {
		t.Errorf("jobs %q", got)
	}
	gcloud("run jobs execute job --wait --update-env-vars=MODE=task_ok --tasks=1" + region)
	executions := strings.Fields(gcloud("run jobs executions list --job=job --format=value(metadata.name)" + region))
	if len(executions) != 1 {
		t.Fatalf("executions %q", executions)
	}
	if got := gcloud("run jobs executions describe " + executions[0] + " --format=value(status.succeededCount)" + region); got != "1" {
		t.Errorf("succeeded %q", got)
	}
	if got := gcloud("run jobs executions tasks list --execution=" + executions[0] + " --format=value(metadata.name)" + region); got != executions[0]+"-task0" {
		t.Errorf("tasks %q", got)
	}
	gcloud("run jobs add-iam-policy-binding job --member=user:a@example.com --role=roles/run.invoker" + region)
	if got := gcloud("run jobs describe job --format=value(status.executionCount)" + region); got != "1" {
		t.Errorf("execution count %q", got)
	}
	gcloud("run jobs executions delete " + executions[0] + region)
	gcloud("run jobs delete job" + region)
	if got := gcloud("run jobs list --format=value(metadata.name)" + region); got != "" {
		t.Errorf("jobs %q", got)
	}
}

// gcloudFor runs gcloud against a cloud's v1 API, or skips the test.
func gcloudFor(t *testing.T, c *cloud) func(line string) string {
	t.Helper()
	if _, err := exec.LookPath("gcloud"); err != nil {
		t.Skip("gcloud is not installed")
	}
	if testing.Short() {
		t.Skip("gcloud takes a second for each command")
	}
	address := strings.TrimPrefix(knativeServer(t, c).URL, "http://")
	host, port, _ := strings.Cut(address, ":")
	environment := append(os.Environ(), "CLOUDSDK_CONFIG="+t.TempDir(), "CLOUDSDK_CORE_PROJECT="+project,
		"CLOUDSDK_CORE_DISABLE_PROMPTS=true", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true",
		"CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=true", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN=http://run.localhost/", "CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE=http://"+address+"/",
		"CLOUDSDK_PROXY_TYPE=http", "CLOUDSDK_PROXY_ADDRESS="+host, "CLOUDSDK_PROXY_PORT="+port)
	return func(line string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "gcloud", strings.Fields(line)...)
		cmd.Env = environment
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("gcloud %s: %v\n%s", line, err, stderr.String())
		}
		return strings.TrimSpace(stdout.String())
	}
}
