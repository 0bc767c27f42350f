//go:build unix

package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	runapi "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// jobClients are Google's clients of the jobs API.
type jobClients struct {
	*cloud
	jobs       *runapi.JobsClient
	executions *runapi.ExecutionsClient
	tasks      *runapi.TasksClient
}

func (c *cloud) withJobs() *jobClients {
	c.t.Helper()
	j := &jobClients{cloud: c}
	var errs [3]error
	j.jobs, errs[0] = runapi.NewJobsClient(c.t.Context(), option.WithGRPCConn(c.conn))
	j.executions, errs[1] = runapi.NewExecutionsClient(c.t.Context(), option.WithGRPCConn(c.conn))
	j.tasks, errs[2] = runapi.NewTasksClient(c.t.Context(), option.WithGRPCConn(c.conn))
	for _, err := range errs {
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return j
}

// newJobSpec is a job whose tasks do as planned.
func newJobSpec(plan string, count, retries int32, env ...string) *runpb.Job {
	container := newSpec("task "+plan, env...).Template.Containers[0]
	return &runpb.Job{Template: &runpb.ExecutionTemplate{TaskCount: count, Template: &runpb.TaskTemplate{
		Containers: []*runpb.Container{container}, Retries: &runpb.TaskTemplate_MaxRetries{MaxRetries: retries},
	}}}
}

func (j *jobClients) create(id string, job *runpb.Job) *runpb.Job {
	j.t.Helper()
	op, err := j.jobs.CreateJob(j.t.Context(), &runpb.CreateJobRequest{Parent: parent, JobId: id, Job: job})
	if err != nil {
		j.t.Fatal(err)
	}
	if job, err = op.Wait(j.t.Context()); err != nil {
		j.t.Fatal(err)
	}
	return job
}

// start begins an execution and returns the operation with what it says of it.
func (j *jobClients) start(id string, o *runpb.RunJobRequest_Overrides) (*runapi.RunJobOperation, *runpb.Execution) {
	j.t.Helper()
	op, err := j.jobs.RunJob(j.t.Context(), &runpb.RunJobRequest{Name: parent + "/jobs/" + id, Overrides: o})
	if err != nil {
		j.t.Fatal(err)
	}
	x, err := op.Metadata()
	if err != nil {
		j.t.Fatal(err)
	}
	return op, x
}

// run runs a job to its end; the error is the operation's.
func (j *jobClients) run(id string, o *runpb.RunJobRequest_Overrides) (*runpb.Execution, error) {
	j.t.Helper()
	op, x := j.start(id, o)
	if _, err := j.ops.Wait(j.t.Context(), op.Name()); err != nil {
		j.t.Fatal(err)
	}
	_, failure := op.Poll(j.t.Context())
	return j.execution(x.Name), failure
}

func (j *jobClients) execution(name string) *runpb.Execution {
	j.t.Helper()
	x, err := j.executions.GetExecution(j.t.Context(), &runpb.GetExecutionRequest{Name: name})
	if err != nil {
		j.t.Fatal(err)
	}
	return x
}

func (j *jobClients) job(id string) *runpb.Job {
	j.t.Helper()
	job, err := j.jobs.GetJob(j.t.Context(), &runpb.GetJobRequest{Name: parent + "/jobs/" + id})
	if err != nil {
		j.t.Fatal(err)
	}
	return job
}

// counts are those of an execution: succeeded, failed, cancelled, retried.
func counts(x *runpb.Execution) [4]int32 {
	return [4]int32{x.SucceededCount, x.FailedCount, x.CancelledCount, x.RetriedCount}
}

// lines returns what tasks wrote, sorted.
func (j *jobClients) lines() []string {
	var list []string
	for _, e := range j.logs.of("stdout") {
		list = append(list, e.GetTextPayload())
	}
	slices.Sort(list)
	return list
}

func TestJobs(t *testing.T) {
	j := newCloud(t, nil).withJobs()
	spec := newJobSpec("ok", 3, 0, "GREETING=hi")
	spec.Template.Parallelism = 2
	spec.Template.Template.Containers[0].Args = []string{"a"}
	job := j.create("train", spec)
	if task := job.Template.Template; task.Timeout.Seconds != 600 || task.ServiceAccount != number+"-compute@developer.gserviceaccount.com" ||
		task.Containers[0].Resources.Limits["memory"] != "512Mi" || job.TerminalCondition.State != runpb.Condition_CONDITION_SUCCEEDED || job.Creator != "developer@localhost" {
		t.Errorf("defaults: %v", job)
	}
	x, err := j.run("train", nil)
	if err != nil || counts(x) != [4]int32{3, 0, 0, 0} || x.Reconciling || x.StartTime == nil || x.CompletionTime == nil || x.Job != "train" || x.Parallelism != 2 {
		t.Fatalf("%v, %v", x, err)
	}
	if c := x.Conditions[0]; c.Type != completed || c.State != runpb.Condition_CONDITION_SUCCEEDED {
		t.Errorf("condition %v", c)
	}
	want := []string{
		`train ok/0 of 3, attempt 0, greeting hi, args ["a"]`, `train ok/1 of 3, attempt 0, greeting hi, args ["a"]`, `train ok/2 of 3, attempt 0, greeting hi, args ["a"]`,
	}
	if got := j.lines(); !slices.Equal(got, want) {
		t.Errorf("output %q", got)
	}
	entry := j.logs.of("stdout")[0]
	if entry.Resource.Type != "cloud_run_job" || entry.Resource.Labels["job_name"] != "train" || entry.Labels["run.googleapis.com/execution_name"] != lastSegment(x.Name) || entry.Labels["run.googleapis.com/task_index"] == "" {
		t.Errorf("log entry %v", entry)
	}
	after := j.job("train")
	if ref := after.LatestCreatedExecution; after.ExecutionCount != 1 || ref.Name != lastSegment(x.Name) || ref.CompletionStatus != runpb.ExecutionReference_EXECUTION_SUCCEEDED || ref.CompletionTime == nil {
		t.Errorf("after a run: %v", after)
	}
	if after.Etag != job.Etag {
		t.Error("a run changes the etag")
	}
	var tasks []string
	for it := j.tasks.ListTasks(t.Context(), &runpb.ListTasksRequest{Parent: x.Name}); ; {
		task, err := it.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, fmt.Sprint(task.Index, task.CompletionTime != nil, task.LastAttemptResult.GetExitCode()))
		if one, err := j.tasks.GetTask(t.Context(), &runpb.GetTaskRequest{Name: task.Name}); err != nil || one.Index != task.Index {
			t.Error(one, err)
		}
	}
	if want := []string{"0 true 0", "1 true 0", "2 true 0"}; !slices.Equal(tasks, want) {
		t.Errorf("tasks %q", tasks)
	}
	if page := j.executions.ListExecutions(t.Context(), &runpb.ListExecutionsRequest{Parent: parent + "/jobs/-"}); page != nil {
		if first, err := page.Next(); err != nil || first.Name != x.Name {
			t.Error(first, err)
		}
	}
	update := after
	update.Template.TaskCount = 1
	op, err := j.jobs.UpdateJob(t.Context(), &runpb.UpdateJobRequest{Job: update})
	if err != nil {
		t.Fatal(err)
	}
	if updated, err := op.Wait(t.Context()); err != nil || updated.Generation != 2 || updated.Template.TaskCount != 1 || updated.ExecutionCount != 1 {
		t.Error(updated, err)
	}
	if first, err := j.jobs.ListJobs(t.Context(), &runpb.ListJobsRequest{Parent: "projects/" + number + "/locations/-"}).Next(); err != nil || first.Name != job.Name {
		t.Error(first, err)
	}
	gone, err := j.jobs.DeleteJob(t.Context(), &runpb.DeleteJobRequest{Name: job.Name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.executions.GetExecution(t.Context(), &runpb.GetExecutionRequest{Name: x.Name}); status.Code(err) != codes.NotFound {
		t.Errorf("the execution of a deleted job: %v", err)
	}
}

// TestExecutions checks how executions end.
func TestExecutions(t *testing.T) {
	j := newCloud(t, nil).withJobs()
	for _, tt := range []struct {
		name, plan     string
		tasks, retries int32
		timeout        time.Duration
		counts         [4]int32
		message        string // of the operation's error
		lastAttempt    string // of the last task
	}{
		{"a retry helps", "flaky,ok", 2, 1, 0, [4]int32{2, 0, 0, 1}, "", ""},
		{"no retry is left", "ok,fail", 2, 2, 0, [4]int32{1, 1, 0, 2}, "1/2 tasks were a success", "exited with code 3"},
		{"too slow", "hang", 1, 1, 200 * time.Millisecond, [4]int32{0, 1, 0, 1}, "0/1 tasks", "longer than its timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := strings.ReplaceAll(tt.name, " ", "-")
			job := newJobSpec(tt.plan, tt.tasks, tt.retries)
			if tt.timeout > 0 {
				job.Template.Template.Timeout = durationpb.New(tt.timeout)
			}
			j.create(id, job)
			x, err := j.run(id, nil)
			if counts(x) != tt.counts {
				t.Errorf("counts %v, want %v", counts(x), tt.counts)
			}
			if (err == nil) != (tt.message == "") || err != nil && (status.Code(err) != codes.Aborted || !strings.Contains(err.Error(), tt.message)) {
				t.Errorf("the operation ends with %v", err)
			}
			last := fmt.Sprintf("%s/tasks/%s-task%d", x.Name, lastSegment(x.Name), tt.tasks-1)
			task, err := j.tasks.GetTask(t.Context(), &runpb.GetTaskRequest{Name: last})
			if err != nil || !strings.Contains(task.LastAttemptResult.GetStatus().GetMessage(), tt.lastAttempt) {
				t.Errorf("%v, %v", task, err)
			}
			wanted := runpb.ExecutionReference_EXECUTION_SUCCEEDED
			if tt.message != "" {
				wanted = runpb.ExecutionReference_EXECUTION_FAILED
			}
			if got := j.job(id).LatestCreatedExecution.CompletionStatus; got != wanted {
				t.Errorf("completion status %v", got)
			}
		})
	}
	t.Run("an image that is not there", func(t *testing.T) {
		job := newJobSpec("ok", 1, 3)
		job.Template.Template.Containers[0].Image = "ko.local/none@sha256:" + strings.Repeat("1", 64)
		j.create("imageless", job)
		if x, err := j.run("imageless", nil); err == nil || counts(x) != [4]int32{0, 1, 0, 0} {
			t.Errorf("%v, %v", x, err)
		}
	})
}

func TestOverrides(t *testing.T) {
	j := newCloud(t, nil).withJobs()
	j.create("job", newJobSpec("ok", 1, 0, "GREETING=one"))
	override := &runpb.RunJobRequest_Overrides{TaskCount: 2, ContainerOverrides: []*runpb.RunJobRequest_Overrides_ContainerOverride{{
		Args: []string{"x"}, Env: []*runpb.EnvVar{{Name: "GREETING", Values: &runpb.EnvVar_Value{Value: "two"}}},
	}}}
	if x, err := j.run("job", override); err != nil || x.TaskCount != 2 {
		t.Fatal(x, err)
	}
	if want := []string{`job ok/0 of 2, attempt 0, greeting two, args ["x"]`, `job ok/1 of 2, attempt 0, greeting two, args ["x"]`}; !slices.Equal(j.lines(), want) {
		t.Errorf("output %q", j.lines())
	}
	if job := j.job("job"); job.Template.TaskCount != 1 || job.Template.Template.Containers[0].Env[1].GetValue() != "one" {
		t.Errorf("an override changed the job: %v", job)
	}
	// It needs a permission of its own.
	const member = "serviceAccount:steps@kakehi-local.iam.gserviceaccount.com"
	policy := &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/run.jobsExecutor", Members: []string{member}}}}
	if _, err := j.jobs.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: parent + "/jobs/job", Policy: policy}); err != nil {
		t.Fatal(err)
	}
	call := func(o *runpb.RunJobRequest_Overrides) error {
		op, err := j.jobs.RunJob(as(t.Context(), member), &runpb.RunJobRequest{Name: parent + "/jobs/job", Overrides: o})
		if err == nil {
			_, err = j.ops.Wait(t.Context(), op.Name())
		}
		return err
	}
	if err := call(nil); err != nil {
		t.Error(err)
	}
	if err := call(override); status.Code(err) != codes.PermissionDenied {
		t.Errorf("with overrides: %v", err)
	}
}

func TestCancelExecution(t *testing.T) {
	j := newCloud(t, nil).withJobs()
	job := newJobSpec("ok,hang", 4, 3)
	job.Template.Parallelism = 2
	j.create("job", job)
	run, x := j.start("job", nil)
	eventually(t, "a task has succeeded and two run", func() bool {
		now := j.execution(x.Name)
		return now.SucceededCount == 1 && now.RunningCount == 2
	})
	cancel, err := j.executions.CancelExecution(t.Context(), &runpb.CancelExecutionRequest{Name: x.Name})
	if err != nil {
		t.Fatal(err)
	}
	if x, err = cancel.Wait(t.Context()); err != nil || counts(x) != [4]int32{1, 0, 3, 0} || x.CompletionTime == nil || x.Conditions[0].GetExecutionReason() != runpb.Condition_CANCELLED {
		t.Errorf("%v, %v", x, err)
	}
	if _, err := run.Wait(t.Context()); status.Code(err) != codes.Canceled {
		t.Errorf("the run ends with %v", err)
	}
	if got := j.job("job").LatestCreatedExecution.CompletionStatus; got != runpb.ExecutionReference_EXECUTION_CANCELLED {
		t.Errorf("completion status %v", got)
	}
	if _, err := j.executions.CancelExecution(t.Context(), &runpb.CancelExecutionRequest{Name: x.Name}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("cancelled again: %v", err)
	}
	if op, err := j.executions.DeleteExecution(t.Context(), &runpb.DeleteExecutionRequest{Name: x.Name}); err != nil {
		t.Error(err)
	} else if _, err := op.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := j.tasks.ListTasks(t.Context(), &runpb.ListTasksRequest{Parent: x.Name}).Next(); err != iterator.Done {
		t.Errorf("the tasks of a deleted execution: %v", err)
	}
}

// TestDeleteRunningJob: what runs is stopped, and nothing of it is left.
func TestDeleteRunningJob(t *testing.T) {
	j := newCloud(t, nil).withJobs()
	j.create("job", newJobSpec("hang", 1, 0))
	run, x := j.start("job", nil)
	eventually(t, "the task runs", func() bool { return len(j.lines()) == 1 })
	op, err := j.jobs.DeleteJob(t.Context(), &runpb.DeleteJobRequest{Name: parent + "/jobs/job"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(t.Context()); status.Code(err) != codes.Canceled {
		t.Errorf("the run ends with %v", err)
	}
	left, err := j.cloud.run.executionsOf(parent + "/jobs/-")
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	_ = x
}

// TestRestartJob: after a restart, the tasks that had ended do not run again,
// and the others do; the operation ends as if nothing had been.
func TestRestartJob(t *testing.T) {
	dir, runs := t.TempDir(), t.TempDir()
	j := openCloud(t, dir, nil).withJobs()
	job := newJobSpec("ok,once,ok", 3, 0, "RUNS="+runs)
	job.Template.Parallelism = 3
	j.create("job", job)
	op, x := j.start("job", nil)
	eventually(t, "two tasks have ended and one runs", func() bool { return j.execution(x.Name).SucceededCount == 2 && len(ran(t, runs)) == 3 })
	j.stop()
	j = openCloud(t, dir, nil).withJobs()
	if _, err := j.ops.Wait(t.Context(), op.Name()); err != nil {
		t.Fatal(err)
	}
	if x := j.execution(x.Name); counts(x) != [4]int32{3, 0, 0, 0} || x.Conditions[0].State != runpb.Condition_CONDITION_SUCCEEDED {
		t.Errorf("%v", x)
	}
	if got, want := ran(t, runs), []string{"0 x", "1 xx", "2 x"}; !slices.Equal(got, want) {
		t.Errorf("runs %q, want %q", got, want)
	}
	if got, err := j.jobs.RunJobOperation(op.Name()).Wait(t.Context()); err != nil || got.SucceededCount != 3 {
		t.Errorf("the operation: %v, %v", got, err)
	}
}

// ran lists how often each task ran.
func ran(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f.Name()+" "+string(data))
	}
	return list
}

// TestRestartCancelled: an execution whose end was acknowledged does not go on
// after a crash, and what is left of a deleted job goes.
func TestRestartCancelled(t *testing.T) {
	dir, runs := t.TempDir(), t.TempDir()
	j := openCloud(t, dir, nil).withJobs()
	j.create("job", newJobSpec("hang", 2, 0, "RUNS="+runs))
	j.create("other", newJobSpec("hang", 1, 0))
	_, x := j.start("job", nil)
	_, orphan := j.start("other", nil)
	eventually(t, "tasks run", func() bool { return len(ran(t, runs)) > 0 })
	j.stop()
	before := ran(t, runs)
	j = openCloud(t, dir, func(o *Options) {
		err := o.DB.Update(func(tx *store.Tx) error {
			if err := tx.Delete(jobsTable, parent+"/jobs/other"); err != nil {
				return err
			}
			var st runState
			if err := tx.GetJSON(runsTable, x.Name, &st); err != nil {
				return err
			}
			st.Cancelled = true
			return tx.PutJSON(runsTable, x.Name, st)
		})
		if err != nil {
			t.Fatal(err)
		}
	}).withJobs()
	eventually(t, "the execution has ended", func() bool { return j.execution(x.Name).CompletionTime != nil })
	if x := j.execution(x.Name); x.CancelledCount != 2 || x.Conditions[0].GetExecutionReason() != runpb.Condition_CANCELLED {
		t.Errorf("%v", x)
	}
	if got := ran(t, runs); !slices.Equal(got, before) {
		t.Errorf("it ran again: %q, before %q", got, before)
	}
	if _, err := j.executions.GetExecution(t.Context(), &runpb.GetExecutionRequest{Name: orphan.Name}); status.Code(err) != codes.NotFound {
		t.Errorf("what is left of a deleted job: %v", err)
	}
}

func TestJobsRefuse(t *testing.T) {
	j := newCloud(t, nil).withJobs()
	j.create("job", newJobSpec("ok", 1, 0))
	create := func(id string, change func(*runpb.Job)) error {
		job := newJobSpec("ok", 1, 0)
		change(job)
		_, err := j.jobs.CreateJob(t.Context(), &runpb.CreateJobRequest{Parent: parent, JobId: id, Job: job})
		return err
	}
	task := func(change func(*runpb.TaskTemplate)) error {
		return create("new", func(job *runpb.Job) { change(job.Template.Template) })
	}
	run := func(ctx context.Context, o *runpb.RunJobRequest_Overrides) error {
		_, err := j.jobs.RunJob(ctx, &runpb.RunJobRequest{Name: parent + "/jobs/job", Overrides: o})
		return err
	}
	get := func(name string) error {
		_, err := j.jobs.GetJob(t.Context(), &runpb.GetJobRequest{Name: name})
		return err
	}
	none := func(*runpb.Job) {}
	const nobody = "user:nobody@example.com"
	for _, tt := range []struct {
		what string
		err  error
		code codes.Code
	}{
		{"an id that is taken", create("job", none), codes.AlreadyExists},
		{"a bad id", create("Job", none), codes.InvalidArgument},
		{"no template", create("new", func(job *runpb.Job) { job.Template = nil }), codes.InvalidArgument},
		{"too many tasks", create("new", func(job *runpb.Job) { job.Template.TaskCount = 10001 }), codes.InvalidArgument},
		{"a reserved label", create("new", func(job *runpb.Job) { job.Labels = map[string]string{"run.googleapis.com/x": ""} }), codes.InvalidArgument},
		{"an execution at once", create("new", func(job *runpb.Job) { job.CreateExecution = &runpb.Job_StartExecutionToken{StartExecutionToken: "x"} }), codes.Unimplemented},
		{"no container", task(func(t *runpb.TaskTemplate) { t.Containers = nil }), codes.InvalidArgument},
		{"two containers", task(func(t *runpb.TaskTemplate) { t.Containers = append(t.Containers, t.Containers[0]) }), codes.Unimplemented},
		{"no image", task(func(t *runpb.TaskTemplate) { t.Containers[0].Image = "" }), codes.InvalidArgument},
		{"no quantity", task(func(t *runpb.TaskTemplate) {
			t.Containers[0].Resources = &runpb.ResourceRequirements{Limits: map[string]string{"memory": "lots"}}
		}), codes.InvalidArgument},
		{"no such account", task(func(t *runpb.TaskTemplate) { t.ServiceAccount = "ghost@kakehi-local.iam.gserviceaccount.com" }), codes.PermissionDenied},
		{"a reserved variable", task(func(t *runpb.TaskTemplate) { t.Containers[0].Env[0].Name = "CLOUD_RUN_JOB" }), codes.InvalidArgument},
		{"too many retries", task(func(t *runpb.TaskTemplate) { t.Retries = &runpb.TaskTemplate_MaxRetries{MaxRetries: 11} }), codes.InvalidArgument},
		{"no time", task(func(t *runpb.TaskTemplate) { t.Timeout = durationpb.New(0) }), codes.InvalidArgument},
		{"too many tasks of a run", run(t.Context(), &runpb.RunJobRequest_Overrides{TaskCount: -1}), codes.InvalidArgument},
		{"a container that is not there", run(t.Context(), &runpb.RunJobRequest_Overrides{ContainerOverrides: []*runpb.RunJobRequest_Overrides_ContainerOverride{{Name: "x"}}}), codes.InvalidArgument},
		{"a run by nobody", run(as(t.Context(), nobody), nil), codes.PermissionDenied},
		{"a job that is not there", get(parent + "/jobs/none"), codes.NotFound},
		{"a malformed name", get(parent + "/jobs/a/b"), codes.InvalidArgument},
		{"another project", get("projects/other/locations/us-central1/jobs/job"), codes.PermissionDenied},
	} {
		if status.Code(tt.err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.what, tt.err, tt.code)
		}
	}
	_, err := j.jobs.UpdateJob(t.Context(), &runpb.UpdateJobRequest{Job: &runpb.Job{Name: parent + "/jobs/job", Etag: `"old"`, Template: newJobSpec("ok", 1, 0).Template}})
	if status.Code(err) != codes.Aborted {
		t.Errorf("an old etag: %v", err)
	}
	op, err := j.jobs.CreateJob(t.Context(), &runpb.CreateJobRequest{Parent: parent, JobId: "tried", Job: newJobSpec("ok", 1, 0), ValidateOnly: true})
	if err != nil || !op.Done() {
		t.Errorf("validate only: %v, %v", op, err)
	}
	if err := get(parent + "/jobs/tried"); status.Code(err) != codes.NotFound {
		t.Errorf("what was only validated: %v", err)
	}
	if _, err := j.jobs.UpdateJob(t.Context(), &runpb.UpdateJobRequest{Job: &runpb.Job{Name: parent + "/jobs/made", Template: newJobSpec("ok", 1, 0).Template}, AllowMissing: true}); err != nil || get(parent+"/jobs/made") != nil {
		t.Errorf("allow missing: %v", err)
	}
}
