package run

import (
	"fmt"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/types/known/durationpb"
)

// What the cloud fills in, and its bounds
// (cloud.google.com/run/docs/create-jobs, cloud.google.com/run/quotas).
const (
	defaultRetries     = 3
	mostRetries        = 10
	defaultTaskTimeout = 10 * time.Minute
	mostTaskTimeout    = 168 * time.Hour
	mostTasks          = 10000
)

// reservedJobEnv is set by Cloud Run itself.
var reservedJobEnv = []string{"CLOUD_RUN_JOB", "CLOUD_RUN_EXECUTION", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_ATTEMPT", "CLOUD_RUN_TASK_COUNT"}

// mutableJob are the fields of a Job that a caller sets.
var mutableJob = []string{
	"labels", "annotations", "client", "client_version", "launch_stage", "binary_authorization", "template",
	"start_execution_token", "run_execution_token",
}

func (s *Service) setJobDefaults(job *runpb.Job) {
	if job.LaunchStage == api.LaunchStage_LAUNCH_STAGE_UNSPECIFIED {
		job.LaunchStage = api.LaunchStage_GA
	}
	t := job.Template
	if t == nil {
		return
	}
	if t.TaskCount == 0 {
		t.TaskCount = 1
	}
	task := t.Template
	if task == nil {
		return
	}
	if task.Retries == nil {
		task.Retries = &runpb.TaskTemplate_MaxRetries{MaxRetries: defaultRetries}
	}
	if task.Timeout == nil {
		task.Timeout = durationpb.New(defaultTaskTimeout)
	}
	if task.ServiceAccount == "" {
		task.ServiceAccount = s.Number + "-compute@developer.gserviceaccount.com"
	}
	for _, c := range task.Containers {
		setResourceDefaults(c)
	}
}

// validateJob checks a job with its defaults filled in.
func validateJob(job *runpb.Job) error {
	v := &violations{}
	checkKeys(v, "job.labels", job.Labels)
	checkKeys(v, "job.annotations", job.Annotations)
	if job.CreateExecution != nil {
		v.lacks("job.start_execution_token", "an execution that a deployment begins is")
	}
	if job.GetTemplate().GetTemplate() == nil {
		v.add("job.template.template", "required")
		return v.err()
	}
	t := job.Template
	checkKeys(v, "job.template.labels", t.Labels)
	checkKeys(v, "job.template.annotations", t.Annotations)
	if t.Parallelism < 0 {
		v.add("job.template.parallelism", "must not be negative")
	}
	checkTaskCount(v, "job.template.task_count", t.TaskCount)
	checkTask(v, "job.template.template", t.Template)
	return v.err()
}

func checkTaskCount(v *violations, field string, n int32) {
	if n < 1 || n > mostTasks {
		v.add(field, "must be between 1 and %d", mostTasks)
	}
}

func checkTaskTimeout(v *violations, field string, d *durationpb.Duration) {
	if d.AsDuration() <= 0 || d.AsDuration() > mostTaskTimeout {
		v.add(field, "must be more than 0 and at most %v", mostTaskTimeout)
	}
}

func checkTask(v *violations, at string, t *runpb.TaskTemplate) {
	if n := t.GetMaxRetries(); n < 0 || n > mostRetries {
		v.add(at+".max_retries", "must be between 0 and %d", mostRetries)
	}
	checkTaskTimeout(v, at+".timeout", t.Timeout)
	buckets := checkVolumes(v, at+".volumes", t.Volumes)
	switch len(t.Containers) {
	case 0:
		v.add(at+".containers", "one container is required")
	case 1:
		checkProgram(v, at+".containers[0]", t.Containers[0], buckets, reservedJobEnv)
	default:
		v.lacks(fmt.Sprintf("%s.containers[1]", at), "more than one container is")
	}
}
