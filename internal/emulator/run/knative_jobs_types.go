package run

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/genproto/googleapis/api"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The types of the v1 API of jobs as JSON
// (cloud.google.com/run/docs/reference/rest/v1).

type kJob struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Metadata   kMeta       `json:"metadata"`
	Spec       kJobSpec    `json:"spec"`
	Status     *kJobStatus `json:"status,omitempty"` // output only
}

type kJobSpec struct {
	Template kExecutionTemplate `json:"template"`
}

type kExecutionTemplate struct {
	Metadata kMeta          `json:"metadata"`
	Spec     kExecutionSpec `json:"spec"`
}

type kExecutionSpec struct {
	Parallelism int32         `json:"parallelism,omitempty"`
	TaskCount   int32         `json:"taskCount,omitempty"`
	Template    kTaskTemplate `json:"template"`
}

type kTaskTemplate struct {
	Spec kTaskSpec `json:"spec"`
}

type kTaskSpec struct {
	Containers         []kContainer      `json:"containers,omitempty"`
	Volumes            []kVolume         `json:"volumes,omitempty"`
	MaxRetries         *int32            `json:"maxRetries,omitempty"`
	TimeoutSeconds     seconds64         `json:"timeoutSeconds,omitempty"`
	ServiceAccountName string            `json:"serviceAccountName,omitempty"`
	NodeSelector       map[string]string `json:"nodeSelector,omitempty"`
}

// seconds64 is an int64 of the API: JSON has it as a text, and callers may send
// a number.
type seconds64 int64

func (n seconds64) MarshalJSON() ([]byte, error) {
	return json.Marshal(strconv.FormatInt(int64(n), 10))
}

func (n *seconds64) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	if err != nil {
		return fmt.Errorf("timeoutSeconds: %s is no whole number", data)
	}
	*n = seconds64(v)
	return nil
}

type kJobStatus struct {
	ObservedGeneration     int64          `json:"observedGeneration,omitempty"`
	Conditions             []kCondition   `json:"conditions,omitempty"`
	ExecutionCount         int32          `json:"executionCount,omitempty"`
	LatestCreatedExecution *kExecutionRef `json:"latestCreatedExecution,omitempty"`
}

type kExecutionRef struct {
	Name                string `json:"name"`
	CreationTimestamp   string `json:"creationTimestamp,omitempty"`
	CompletionTimestamp string `json:"completionTimestamp,omitempty"`
	CompletionStatus    string `json:"completionStatus,omitempty"`
}

type kExecution struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Metadata   kMeta            `json:"metadata"`
	Spec       kExecutionSpec   `json:"spec"`
	Status     kExecutionStatus `json:"status"`
}

type kExecutionStatus struct {
	ObservedGeneration int64        `json:"observedGeneration,omitempty"`
	Conditions         []kCondition `json:"conditions,omitempty"`
	StartTime          string       `json:"startTime,omitempty"`
	CompletionTime     string       `json:"completionTime,omitempty"`
	RunningCount       int32        `json:"runningCount,omitempty"`
	SucceededCount     int32        `json:"succeededCount,omitempty"`
	FailedCount        int32        `json:"failedCount,omitempty"`
	CancelledCount     int32        `json:"cancelledCount,omitempty"`
	RetriedCount       int32        `json:"retriedCount,omitempty"`
	LogURI             string       `json:"logUri,omitempty"`
}

type kTask struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Metadata   kMeta       `json:"metadata"`
	Spec       kTaskSpec   `json:"spec"`
	Status     kTaskStatus `json:"status"`
}

type kTaskStatus struct {
	ObservedGeneration int64        `json:"observedGeneration,omitempty"`
	Conditions         []kCondition `json:"conditions,omitempty"`
	StartTime          string       `json:"startTime,omitempty"`
	CompletionTime     string       `json:"completionTime,omitempty"`
	Index              int32        `json:"index"`
	Retried            int32        `json:"retried,omitempty"`
	LastAttemptResult  *kAttempt    `json:"lastAttemptResult,omitempty"`
}

type kAttempt struct {
	ExitCode int32   `json:"exitCode,omitempty"`
	Status   kRPCErr `json:"status"`
}

type kRPCErr struct {
	Code    int32  `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// toJob makes the v2 form.
func (k *kJob) toJob() (*runpb.Job, error) {
	v := &violations{}
	a := annotations{v: v, at: "metadata.annotations", left: maps.Clone(k.Metadata.Annotations)}
	job := &runpb.Job{
		Labels: userKeys(k.Metadata.Labels), Client: a.take(annClient), ClientVersion: a.take(annClientVersion),
		LaunchStage: api.LaunchStage(api.LaunchStage_value[a.take(annLaunchStage)]),
	}
	job.Annotations = a.rest(annOperation, annCreator, annModifier)
	t := k.Spec.Template
	at := annotations{v: v, at: "spec.template.metadata.annotations", left: maps.Clone(t.Metadata.Annotations)}
	environment := at.take(annEnvironment)
	job.Template = &runpb.ExecutionTemplate{
		Labels: userKeys(t.Metadata.Labels), Annotations: at.rest(annClient, annClientVersion, annOperation),
		Parallelism: t.Spec.Parallelism, TaskCount: t.Spec.TaskCount, Template: t.Spec.Template.Spec.toTask(v, environment),
	}
	return job, v.err()
}

func (k *kTaskSpec) toTask(v *violations, environment string) *runpb.TaskTemplate {
	const at = "spec.template.spec.template.spec"
	t := &runpb.TaskTemplate{
		ServiceAccount:       k.ServiceAccountName,
		ExecutionEnvironment: runpb.ExecutionEnvironment(runpb.ExecutionEnvironment_value["EXECUTION_ENVIRONMENT_"+strings.ToUpper(environment)]),
		Volumes:              toVolumes(v, at, k.Volumes), NodeSelector: toSelector(k.NodeSelector),
	}
	if k.MaxRetries != nil {
		t.Retries = &runpb.TaskTemplate_MaxRetries{MaxRetries: *k.MaxRetries}
	}
	if k.TimeoutSeconds != 0 {
		t.Timeout = durationpb.New(time.Duration(k.TimeoutSeconds) * time.Second)
	}
	for _, c := range k.Containers {
		program := c.toContainer(v, at+".containers[0]", false, false)
		program.StartupProbe, program.LivenessProbe, program.Ports = nil, nil, nil // a job serves nothing
		t.Containers = append(t.Containers, program)
	}
	return t
}

// jobMeta is the metadata of a job, execution or task.
func (s *Service) jobMeta(name, collection, uid, etag string, generation int64, created string, labels, annotations map[string]string) kMeta {
	n := s.stored(name)
	m := kMeta{
		Name: lastSegment(name), Namespace: s.Number, UID: uid, ResourceVersion: etag, Generation: generation, CreationTimestamp: created,
		SelfLink: "/apis/" + jobsVersion + "/namespaces/" + s.Number + "/" + collection + "/" + lastSegment(name),
		Labels:   with(labels, locationLabel, n.location), Annotations: annotations,
	}
	if n.execution != "" {
		m.Labels[jobLabel] = n.id
	}
	if n.task != "" {
		m.Labels[executionLabel] = n.execution
	}
	return m
}

func (s *Service) jobToKnative(job *runpb.Job) kJob {
	a := with(job.Annotations, annCreator, job.Creator)
	a[annModifier] = job.LastModifier
	for key, value := range map[string]string{annClient: job.Client, annClientVersion: job.ClientVersion, annLaunchStage: job.LaunchStage.String()} {
		if value != "" && value != "GA" {
			a[key] = value
		}
	}
	t := job.Template
	k := kJob{
		APIVersion: jobsVersion, Kind: "Job",
		Metadata: s.jobMeta(job.Name, "jobs", job.Uid, job.Etag, job.Generation, rfc3339(job.CreateTime), job.Labels, a),
		Spec: kJobSpec{Template: kExecutionTemplate{
			Metadata: kMeta{Labels: t.Labels, Annotations: environmentAnnotation(t.Annotations, t.Template.ExecutionEnvironment)},
			Spec:     executionSpec(t.Parallelism, t.TaskCount, t.Template),
		}},
		Status: &kJobStatus{
			ObservedGeneration: job.ObservedGeneration, ExecutionCount: job.ExecutionCount,
			Conditions: []kCondition{conditionToKnative(job.TerminalCondition)},
		},
	}
	if x := job.LatestCreatedExecution; x != nil {
		k.Status.LatestCreatedExecution = &kExecutionRef{
			Name: x.Name, CreationTimestamp: rfc3339(x.CreateTime), CompletionTimestamp: rfc3339(x.CompletionTime), CompletionStatus: x.CompletionStatus.String(),
		}
	}
	return k
}

func environmentAnnotation(own map[string]string, env runpb.ExecutionEnvironment) map[string]string {
	if gen, ok := strings.CutPrefix(env.String(), "EXECUTION_ENVIRONMENT_GEN"); ok {
		return with(own, annEnvironment, "gen"+gen)
	}
	return own
}

func executionSpec(parallelism, count int32, t *runpb.TaskTemplate) kExecutionSpec {
	return kExecutionSpec{Parallelism: parallelism, TaskCount: count, Template: kTaskTemplate{Spec: taskSpecOf(
		t.Containers, t.Volumes, t.GetMaxRetries(), t.Timeout, t.ServiceAccount, t.NodeSelector)}}
}

func taskSpecOf(containers []*runpb.Container, volumes []*runpb.Volume, retries int32, timeout *durationpb.Duration, account string, selector *runpb.NodeSelector) kTaskSpec {
	return kTaskSpec{
		Containers: containersToKnative(containers), Volumes: volumesToKnative(volumes), MaxRetries: &retries,
		TimeoutSeconds: seconds64(timeout.GetSeconds()), ServiceAccountName: account, NodeSelector: selectorToKnative(selector),
	}
}

func (s *Service) executionToKnative(x *runpb.Execution) kExecution {
	k := kExecution{
		APIVersion: jobsVersion, Kind: "Execution",
		Metadata: s.jobMeta(x.Name, "executions", x.Uid, x.Etag, x.Generation, rfc3339(x.CreateTime), x.Labels, with(x.Annotations, annCreator, x.Creator)),
		Spec:     executionSpec(x.Parallelism, x.TaskCount, x.Template),
		Status: kExecutionStatus{
			ObservedGeneration: x.ObservedGeneration, StartTime: rfc3339(x.StartTime), CompletionTime: rfc3339(x.CompletionTime),
			RunningCount: x.RunningCount, SucceededCount: x.SucceededCount, FailedCount: x.FailedCount,
			CancelledCount: x.CancelledCount, RetriedCount: x.RetriedCount, LogURI: x.LogUri,
		},
	}
	for _, c := range x.Conditions {
		k.Status.Conditions = append(k.Status.Conditions, conditionToKnative(c))
	}
	return k
}

func (s *Service) taskToKnative(t *runpb.Task) kTask {
	k := kTask{
		APIVersion: jobsVersion, Kind: "Task",
		Metadata: s.jobMeta(t.Name, "tasks", t.Uid, t.Etag, t.Generation, rfc3339(t.CreateTime), t.Labels, t.Annotations),
		Spec:     taskSpecOf(t.Containers, t.Volumes, t.MaxRetries, t.Timeout, t.ServiceAccount, t.NodeSelector),
		Status: kTaskStatus{
			ObservedGeneration: t.ObservedGeneration, StartTime: rfc3339(t.StartTime), CompletionTime: rfc3339(t.CompletionTime),
			Index: t.Index, Retried: t.Retried,
		},
	}
	for _, c := range t.Conditions {
		k.Status.Conditions = append(k.Status.Conditions, conditionToKnative(c))
	}
	if a := t.LastAttemptResult; a != nil {
		k.Status.LastAttemptResult = &kAttempt{ExitCode: a.ExitCode, Status: kRPCErr{Code: a.GetStatus().GetCode(), Message: a.GetStatus().GetMessage()}}
	}
	return k
}
