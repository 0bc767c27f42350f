package run

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	jobsVersion    = "run.googleapis.com/v1"
	jobLabel       = runPrefix + "job"
	executionLabel = runPrefix + "execution"
)

// handleJobs adds the v1 API of jobs, which gcloud uses.
func (k knative) handleJobs(mux *http.ServeMux) {
	const namespace = "/apis/" + jobsVersion + "/namespaces/{project}"
	for pattern, f := range map[string]func(*http.Request) (any, error){
		"GET " + namespace + "/jobs":                      k.listJobs,
		"POST " + namespace + "/jobs":                     k.createJob,
		"GET " + namespace + "/jobs/{job}":                k.getJob,
		"PUT " + namespace + "/jobs/{job}":                k.replaceJob,
		"DELETE " + namespace + "/jobs/{job}":             k.deleteJob,
		"POST " + namespace + "/jobs/{job}":               k.runJob,
		"GET " + namespace + "/executions":                k.listExecutions,
		"GET " + namespace + "/executions/{execution}":    k.getExecution,
		"POST " + namespace + "/executions/{execution}":   k.cancelExecution,
		"DELETE " + namespace + "/executions/{execution}": k.deleteExecution,
		"GET " + namespace + "/tasks":                     k.listTasks,
		"GET " + namespace + "/tasks/{task}":              k.getTask,
	} {
		mux.Handle(pattern, k.handler(f))
	}
}

// jobScope is the job of a request, whose path may end in a verb.
func (k knative) jobScope(r *http.Request) (n jobName, verb string, err error) {
	n.serviceName, err = k.scope(r)
	n.id, verb, _ = strings.Cut(r.PathValue("job"), ":")
	return n, verb, err
}

// list is the v1 form of a list of any kind.
type kList[T any] struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   struct{} `json:"metadata"` // gcloud fails without it
	Items      []T      `json:"items"`
}

func listOf[M, T any](kind string, all []M, convert func(M) T) kList[T] {
	list := kList[T]{APIVersion: jobsVersion, Kind: kind, Items: []T{}}
	for _, m := range all {
		list.Items = append(list.Items, convert(m))
	}
	return list
}

func (k knative) listJobs(r *http.Request) (any, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return nil, err
	}
	if err := k.Auth.Require(r.Context(), "run.jobs.list", n.parent()); err != nil {
		return nil, err
	}
	all, err := k.jobsIn(n.parent())
	return listOf("JobList", all, k.jobToKnative), err
}

func (k knative) getJob(r *http.Request) (any, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return nil, err
	}
	job, err := jobs{k.Service}.GetJob(r.Context(), &runpb.GetJobRequest{Name: n.job()})
	if err != nil {
		return nil, err
	}
	return k.jobToKnative(job), nil
}

func (k knative) createJob(r *http.Request) (any, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return nil, err
	}
	in, err := readJSON[kJob](r)
	if err != nil {
		return nil, err
	}
	n.id = in.Metadata.Name
	if err := k.Auth.Require(r.Context(), "run.jobs.create", n.parent()); err != nil {
		return nil, err
	}
	return k.putKnativeJob(r, n, in, func(old, wanted *runpb.Job) (*runpb.Job, error) {
		if old != nil {
			return nil, status.Errorf(codes.AlreadyExists, "Resource '%s' already exists.", n.id)
		}
		return newJob(n, wanted)
	})
}

func (k knative) replaceJob(r *http.Request) (any, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return nil, err
	}
	in, err := readJSON[kJob](r)
	if err != nil {
		return nil, err
	}
	if err := k.Auth.Require(r.Context(), "run.jobs.update", n.String()); err != nil {
		return nil, err
	}
	return k.putKnativeJob(r, n, in, func(old, wanted *runpb.Job) (*runpb.Job, error) {
		if old == nil {
			return nil, n.notFound()
		}
		if err := checkJobEtag(n, in.Metadata.ResourceVersion, old.Etag); err != nil {
			return nil, err
		}
		return mergeFields(old, wanted, nil, mutableJob)
	})
}

func (k knative) putKnativeJob(r *http.Request, n jobName, in *kJob, make func(old, wanted *runpb.Job) (*runpb.Job, error)) (any, error) {
	wanted, err := in.toJob()
	if err != nil {
		return nil, err
	}
	job, err := k.putJob(r.Context(), n, r.URL.Query().Get("dryRun") == "all", func(old *runpb.Job) (*runpb.Job, error) { return make(old, wanted) })
	if err != nil {
		return nil, err
	}
	return k.jobToKnative(job), nil
}

// readJSON reads a body. A field that this API does not know is an error: it
// would be lost. No body is an empty one.
func readJSON[T any](r *http.Request) (*T, error) {
	const most = 4 << 20
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, most))
	d.DisallowUnknownFields()
	in := new(T)
	if err := d.Decode(in); err != nil && err != io.EOF {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid request: %v.", err)
	}
	return in, nil
}

func (k knative) deleteJob(r *http.Request) (any, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return nil, err
	}
	if _, err := (jobs{k.Service}).DeleteJob(r.Context(), &runpb.DeleteJobRequest{Name: n.job()}); err != nil {
		return nil, err
	}
	return deleted(), nil
}

// kRun is the body of a call of :run.
type kRun struct {
	Overrides *kOverrides `json:"overrides,omitempty"`
}

type kOverrides struct {
	ContainerOverrides []kContainerOverride `json:"containerOverrides,omitempty"`
	TaskCount          int32                `json:"taskCount,omitempty"`
	TimeoutSeconds     int32                `json:"timeoutSeconds,omitempty"`
}

type kContainerOverride struct {
	Name      string   `json:"name,omitempty"`
	Args      []string `json:"args,omitempty"`
	Env       []kEnv   `json:"env,omitempty"`
	ClearArgs bool     `json:"clearArgs,omitempty"`
}

func (o *kOverrides) toOverrides() *runpb.RunJobRequest_Overrides {
	if o == nil {
		return nil
	}
	out := &runpb.RunJobRequest_Overrides{TaskCount: o.TaskCount}
	if o.TimeoutSeconds != 0 {
		out.Timeout = durationpb.New(seconds(o.TimeoutSeconds))
	}
	for _, c := range o.ContainerOverrides {
		to := &runpb.RunJobRequest_Overrides_ContainerOverride{Name: c.Name, Args: c.Args, ClearArgs: c.ClearArgs}
		for _, e := range c.Env {
			to.Env = append(to.Env, &runpb.EnvVar{Name: e.Name, Values: &runpb.EnvVar_Value{Value: e.Value}})
		}
		out.ContainerOverrides = append(out.ContainerOverrides, to)
	}
	return out
}

func (k knative) runJob(r *http.Request) (any, error) {
	n, verb, err := k.jobScope(r)
	if err != nil {
		return nil, err
	}
	if verb != "run" {
		return nil, noPath(r)
	}
	in, err := readJSON[kRun](r)
	if err != nil {
		return nil, err
	}
	x, _, err := k.begin(r.Context(), n, "", in.Overrides.toOverrides(), false)
	if err != nil {
		return nil, err
	}
	return k.executionToKnative(x), nil
}

// selected lists what labelSelector asks for: KEY=VALUE of the job and
// execution labels, with commas between.
func selected(r *http.Request) (job, execution string, err error) {
	job, execution = "-", "-"
	selector := r.URL.Query().Get("labelSelector")
	for pair := range strings.SplitSeq(selector, ",") {
		key, value, _ := strings.Cut(pair, "=")
		value = strings.TrimSpace(strings.TrimPrefix(value, "="))
		switch strings.TrimSpace(key) {
		case "":
		case jobLabel:
			job = value
		case executionLabel:
			execution = value
		default:
			return "", "", status.Errorf(codes.Unimplemented, "labelSelector %q: the embedded Cloud Run knows %s=NAME and %s=NAME.", selector, jobLabel, executionLabel)
		}
	}
	return job, execution, nil
}

func (k knative) listExecutions(r *http.Request) (any, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return nil, err
	}
	if n.id, _, err = selected(r); err != nil {
		return nil, err
	}
	if err := k.Auth.Require(r.Context(), "run.executions.list", n.parent()); err != nil {
		return nil, err
	}
	all, err := k.executionsOf(n.String())
	return listOf("ExecutionList", all, k.executionToKnative), err
}

// anyExecution finds an execution by its short name, which v1 has alone.
func (k knative) anyExecution(ctx context.Context, r *http.Request, permission string) (jobName, *runpb.Execution, string, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return n, nil, "", err
	}
	id, verb, _ := strings.Cut(r.PathValue("execution"), ":")
	n.id, n.execution = "-", id
	if err := k.Auth.Require(ctx, permission, n.parent()); err != nil {
		return n, nil, "", err
	}
	n.execution = ""
	all, err := k.executionsOf(n.String())
	if err != nil {
		return n, nil, "", err
	}
	for _, x := range all {
		if lastSegment(x.Name) == id {
			return k.stored(x.Name), x, verb, nil
		}
	}
	n.execution = id
	return n, nil, "", n.notFound()
}

func (k knative) getExecution(r *http.Request) (any, error) {
	_, x, _, err := k.anyExecution(r.Context(), r, "run.executions.get")
	if err != nil {
		return nil, err
	}
	return k.executionToKnative(x), nil
}

func (k knative) cancelExecution(r *http.Request) (any, error) {
	n, _, verb, err := k.anyExecution(r.Context(), r, "run.executions.cancel")
	if err != nil {
		return nil, err
	}
	if verb != "cancel" {
		return nil, noPath(r)
	}
	if _, err := k.Service.cancelExecution(n); err != nil {
		return nil, err
	}
	x, err := k.execution(n)
	if err != nil {
		return nil, err
	}
	return k.executionToKnative(x), nil
}

func (k knative) deleteExecution(r *http.Request) (any, error) {
	n, _, _, err := k.anyExecution(r.Context(), r, "run.executions.delete")
	if err != nil {
		return nil, err
	}
	if _, err := (jobs{k.Service}).DeleteExecution(r.Context(), &runpb.DeleteExecutionRequest{Name: n.String()}); err != nil {
		return nil, err
	}
	return deleted(), nil
}

func (k knative) tasksIn(r *http.Request, permission string) ([]*runpb.Task, jobName, error) {
	n, _, err := k.jobScope(r)
	if err != nil {
		return nil, n, err
	}
	if n.id, n.execution, err = selected(r); err != nil {
		return nil, n, err
	}
	if err := k.Auth.Require(r.Context(), permission, n.parent()); err != nil {
		return nil, n, err
	}
	all, err := k.tasksOf(n.String())
	return all, n, err
}

func (k knative) listTasks(r *http.Request) (any, error) {
	all, _, err := k.tasksIn(r, "run.tasks.list")
	return listOf("TaskList", all, k.taskToKnative), err
}

func (k knative) getTask(r *http.Request) (any, error) {
	all, n, err := k.tasksIn(r, "run.tasks.get")
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if lastSegment(t.Name) == r.PathValue("task") {
			return k.taskToKnative(t), nil
		}
	}
	n.task = r.PathValue("task")
	return nil, n.notFound()
}
