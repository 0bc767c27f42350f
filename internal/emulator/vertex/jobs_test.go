package vertex

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestJobSucceeds(t *testing.T) {
	c := boot(t, t.TempDir())
	j := c.job("env")
	j.Labels = map[string]string{"run-id": "5-a"}
	j.JobSpec.BaseOutputDirectory = &pb.GcsDestination{OutputUriPrefix: "gs://data/runs/42"}
	container := j.JobSpec.WorkerPoolSpecs[0].GetContainerSpec()
	container.Env = append(container.Env,
		&pb.EnvVar{Name: "OUT", Value: "$(AIP_MODEL_DIR)m $$(OUT) $(NONE) $5"})
	container.Args = []string{"--out=$(AIP_MODEL_DIR)", "/gcs/data/x"}
	created := c.create(j)
	if !regexp.MustCompile(`^projects/`+number+`/locations/us-central1/customJobs/[0-9]{19}$`).MatchString(created.Name) ||
		created.State != pb.JobState_JOB_STATE_QUEUED || created.CreateTime == nil {
		t.Errorf("created %v", created)
	}
	done := c.wait(created.Name, pb.JobState_JOB_STATE_SUCCEEDED)
	if done.StartTime == nil || done.EndTime == nil || done.Error != nil || done.Labels["run-id"] != "5-a" {
		t.Errorf("%v", done)
	}
	id := created.Name[strings.LastIndexByte(created.Name, '/')+1:]
	lines := c.logs.lines("workerpool0-0")
	for _, want := range []string{
		"env AIP_MODEL_DIR=gs://data/runs/42/model/",
		"env AIP_CHECKPOINT_DIR=gs://data/runs/42/checkpoints/",
		"env AIP_TENSORBOARD_LOG_DIR=gs://data/runs/42/logs/",
		"env CLOUD_ML_PROJECT_ID=" + number,
		"env CLOUD_ML_JOB_ID=" + id,
		"env ACCOUNT=" + trainer,
		"env OUT=gs://data/runs/42/model/m $(OUT) $(NONE) $5",
		fmt.Sprintf(`args ["--out=gs://data/runs/42/model/" %q]`, filepath.Join(c.dir, "gcs/data/x")),
		"structured",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	checkClusterSpec(t, lines)
	if service := c.logs.lines("service"); !slices.Contains(service, "Job completed successfully.") {
		t.Errorf("service log %q", service)
	}
}

func checkClusterSpec(t *testing.T, lines []string) {
	t.Helper()
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, "env CLUSTER_SPEC="); ok {
			var spec struct {
				Cluster map[string][]string
				Task    struct {
					Type  string
					Index int
				}
				Job string
			}
			if err := json.Unmarshal([]byte(text), &spec); err != nil {
				t.Fatal(err)
			}
			if len(spec.Cluster["workerpool0"]) != 1 || spec.Task.Type != "workerpool0" || !json.Valid([]byte(spec.Job)) {
				t.Errorf("%s", text)
			}
			return
		}
	}
	t.Error("no CLUSTER_SPEC")
}

func TestJobFails(t *testing.T) {
	c := boot(t, t.TempDir())
	tests := []struct {
		name   string
		change func(*pb.CustomJob)
		code   codes.Code
		want   []string
	}{
		{"exit", func(j *pb.CustomJob) { c.mode(j, "exit 3") }, codes.InvalidArgument, []string{
			"The replica workerpool0-0 exited with a non-zero status of 3. Termination reason: Error.",
			"\nlog:\nline 20\n", "line 29\nboom"}},
		{"memory", func(j *pb.CustomJob) { c.mode(j, "kill 9") }, codes.InvalidArgument, []string{
			"The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137."}},
		{"timeout", func(j *pb.CustomJob) {
			c.mode(j, "flood")
			j.JobSpec.Scheduling = &pb.Scheduling{Timeout: durationpb.New(300 * time.Millisecond)}
		}, codes.DeadlineExceeded, []string{"scheduling.timeout", "300ms", " was stopped.\nlog:\n"}},
		{"no image", func(j *pb.CustomJob) {
			j.JobSpec.WorkerPoolSpecs[0].GetContainerSpec().ImageUri = "us-docker.pkg.dev/p/r/train:1"
		}, codes.InvalidArgument, []string{"workerpool0-0 could not be started", "us-docker.pkg.dev/p/r/train:1"}},
		{"no retries", func(j *pb.CustomJob) {
			c.mode(j, "kill 6")
			j.JobSpec.Scheduling = &pb.Scheduling{DisableRetries: true}
		}, codes.InvalidArgument, []string{"non-zero status of 134"}},
		{"python package", func(j *pb.CustomJob) {
			j.JobSpec.WorkerPoolSpecs[0].Task = &pb.WorkerPoolSpec_PythonPackageSpec{PythonPackageSpec: &pb.PythonPackageSpec{
				ExecutorImageUri: "e", PackageUris: []string{"gs://b/p.tar.gz"}, PythonModule: "m"}}
		}, codes.InvalidArgument, []string{"python_package_spec"}},
		{"replicas beyond memory", func(j *pb.CustomJob) {
			j.JobSpec.WorkerPoolSpecs = append(j.JobSpec.WorkerPoolSpecs, c.pool("exit 0", math.MaxInt64))
		}, codes.InvalidArgument, []string{"more than the 64 replicas", "worker pool 1 has 9223372036854775807"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := c.job("")
			tt.change(j)
			done := c.wait(c.create(j).Name, pb.JobState_JOB_STATE_FAILED)
			if codes.Code(done.Error.GetCode()) != tt.code || done.EndTime == nil {
				t.Errorf("%v", done)
			}
			for _, want := range tt.want {
				if !strings.Contains(done.Error.GetMessage(), want) {
					t.Errorf("no %q in %q", want, done.Error.GetMessage())
				}
			}
		})
	}
	// The flood was cut, the failed job logged to the end.
	size := 0
	for _, line := range c.logs.lines("workerpool0-0") {
		size += len(line)
	}
	if size > logBytes+1<<20 {
		t.Errorf("%d bytes of log were kept", size)
	}
}

// mode sets what the program of the first pool does.
func (c *cloud) mode(j *pb.CustomJob, mode string) {
	container := j.JobSpec.WorkerPoolSpecs[0].GetContainerSpec()
	container.Env = []*pb.EnvVar{
		{Name: "TRAINER", Value: mode}, {Name: "COUNTER", Value: filepath.Join(c.t.TempDir(), "starts")},
		{Name: "GOTRACEBACK", Value: "crash"}, // lets a Go program die of SIGABRT
	}
}

// TestRestarts: a replica that a signal ended is started again.
func TestRestarts(t *testing.T) {
	c := boot(t, t.TempDir())
	tests := []struct {
		mode       string
		always     bool
		wholeJob   bool
		wantState  pb.JobState
		wantStarts int
	}{
		{"kill 6", false, false, pb.JobState_JOB_STATE_SUCCEEDED, 3},
		{"kill 6", true, false, pb.JobState_JOB_STATE_FAILED, 4},   // transient: 3 restarts
		{"kill 15", true, false, pb.JobState_JOB_STATE_FAILED, 24}, // 5 restarts in each of 4 attempts
		{"kill 6", true, true, pb.JobState_JOB_STATE_FAILED, 4},    // the whole job, 3 times
	}
	for _, tt := range tests {
		j := c.job("")
		c.mode(j, tt.mode)
		container := j.JobSpec.WorkerPoolSpecs[0].GetContainerSpec()
		if tt.always {
			container.Env = append(container.Env, &pb.EnvVar{Name: "ALWAYS", Value: "1"})
		}
		j.JobSpec.Scheduling = &pb.Scheduling{RestartJobOnWorkerRestart: tt.wholeJob}
		c.wait(c.create(j).Name, tt.wantState)
		starts, err := os.ReadFile(container.Env[1].Value)
		if err != nil || len(starts) != tt.wantStarts {
			t.Errorf("%+v: %d starts, %v", tt, len(starts), err)
		}
	}
}

func TestCancelAndDelete(t *testing.T) {
	ctx := context.Background()
	c := boot(t, t.TempDir(), func(o *Options) { o.MaxRunning = 1 })
	running := c.wait(c.create(c.job("sleep")).Name, pb.JobState_JOB_STATE_RUNNING)
	queued := c.create(c.job("sleep"))
	op, err := c.jobs.DeleteCustomJob(ctx, &pb.DeleteCustomJobRequest{Name: running.Name})
	if status.Code(err) != codes.FailedPrecondition {
		t.Errorf("delete of a running job: %v, %v", op, err)
	}
	for _, j := range []*pb.CustomJob{queued, running} {
		if err := c.jobs.CancelCustomJob(ctx, &pb.CancelCustomJobRequest{Name: j.Name}); err != nil {
			t.Fatal(err)
		}
		done := c.wait(j.Name, pb.JobState_JOB_STATE_CANCELLED)
		if codes.Code(done.Error.GetCode()) != codes.Canceled || done.EndTime == nil {
			t.Errorf("%v", done)
		}
	}
	if err := c.jobs.CancelCustomJob(ctx, &pb.CancelCustomJobRequest{Name: running.Name}); err != nil {
		t.Errorf("cancelling twice: %v", err)
	}
	if op, err = c.jobs.DeleteCustomJob(ctx, &pb.DeleteCustomJobRequest{Name: running.Name}); err != nil {
		t.Fatal(err)
	}
	if err := op.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.jobs.GetCustomJob(ctx, &pb.GetCustomJobRequest{Name: running.Name}); status.Code(err) != codes.NotFound {
		t.Errorf("after the deletion: %v", err)
	}
	// The place is free again.
	c.wait(c.create(c.job("env")).Name, pb.JobState_JOB_STATE_SUCCEEDED)
}

// TestRestartOfTheCloud: jobs that ran are run again, queued ones start, under
// their ids.
func TestRestartOfTheCloud(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, func(o *Options) { o.MaxRunning = 1 })
	counter := filepath.Join(dir, "starts")
	first := c.job("kill 9")
	container := first.JobSpec.WorkerPoolSpecs[0].GetContainerSpec()
	container.Env[0].Value = "sleep"
	container.Env = append(container.Env, &pb.EnvVar{Name: "COUNTER", Value: counter})
	running := c.wait(c.create(first).Name, pb.JobState_JOB_STATE_RUNNING)
	queued := c.create(c.job("env"))
	c.stop()

	c = boot(t, dir, func(o *Options) { o.MaxRunning = 2 })
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	c.wait(queued.Name, pb.JobState_JOB_STATE_SUCCEEDED)
	again := c.wait(running.Name, pb.JobState_JOB_STATE_RUNNING)
	if !again.StartTime.AsTime().Equal(running.StartTime.AsTime()) {
		t.Errorf("started at %v, then at %v", running.StartTime.AsTime(), again.StartTime.AsTime())
	}
	if err := c.jobs.CancelCustomJob(context.Background(), &pb.CancelCustomJobRequest{Name: running.Name}); err != nil {
		t.Fatal(err)
	}
	c.wait(running.Name, pb.JobState_JOB_STATE_CANCELLED)
}

// meet is the program of TestCluster: the chief listens on its address and
// waits for each other replica.
func meet() int {
	var spec struct {
		Cluster map[string][]string
		Task    struct {
			Type  string
			Index int
		}
	}
	if err := json.Unmarshal([]byte(os.Getenv("TF_CONFIG")), &spec); err != nil {
		fmt.Println(err)
		return 1
	}
	chief := spec.Cluster["chief"][0]
	if spec.Task.Type != "chief" {
		for range 200 {
			if conn, err := net.Dial("tcp", chief); err == nil {
				fmt.Fprintf(conn, "%s %d\n", spec.Task.Type, spec.Task.Index)
				conn.Close()
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Hour) // success is the chief's matter
	}
	l, err := net.Listen("tcp", chief)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for range 3 {
		conn, err := l.Accept()
		if err != nil {
			return 1
		}
		line, _ := bufio.NewReader(conn).ReadString('\n')
		fmt.Print("met ", line)
	}
	return 0
}

func TestCluster(t *testing.T) {
	c := boot(t, t.TempDir())
	j := c.job("cluster")
	j.JobSpec.WorkerPoolSpecs = append(j.JobSpec.WorkerPoolSpecs, c.pool("cluster", 2), &pb.WorkerPoolSpec{}, c.pool("cluster", 1))
	begun := time.Now()
	c.wait(c.create(j).Name, pb.JobState_JOB_STATE_SUCCEEDED)
	if took := time.Since(begun); took > stopGrace {
		t.Errorf("took %v", took)
	}
	met := c.logs.lines("workerpool0-0")
	slices.Sort(met)
	if want := []string{"met evaluator 0", "met worker 0", "met worker 1"}; !slices.Equal(met, want) {
		t.Errorf("%q", met)
	}
}

func TestListCustomJobs(t *testing.T) {
	c := boot(t, t.TempDir())
	names := map[string]string{}
	for i, mode := range []string{"env", "exit 1", "env"} {
		j := c.job(mode)
		j.DisplayName = fmt.Sprintf("train-%d", i)
		j.Labels = map[string]string{"kakehi-execution": "0f3a9c2e-1111-4222-8333-00000000000" + fmt.Sprint(i%2), "kakehi-task": "train"}
		name := c.create(j).Name
		names[name] = fmt.Sprint(i)
		if i == 1 {
			c.wait(name, pb.JobState_JOB_STATE_FAILED)
		} else {
			c.wait(name, pb.JobState_JOB_STATE_SUCCEEDED)
		}
	}
	tests := []struct{ filter, want string }{
		{"", "210"},
		{"labels.kakehi-execution=0f3a9c2e-1111-4222-8333-000000000000 AND labels.kakehi-task=train", "20"},
		{`labels.kakehi-execution="0f3a9c2e-1111-4222-8333-000000000001" AND labels.kakehi-task="train"`, "1"},
		{`state="JOB_STATE_SUCCEEDED" AND display_name:"train-*"`, "20"},
		{`NOT display_name="train-0"`, "21"},
		{`create_time>"2020-01-01T00:00:00Z"`, "210"},
		{`labels.gpu:*`, ""},
	}
	for _, tt := range tests {
		var got strings.Builder
		it := c.jobs.ListCustomJobs(context.Background(), &pb.ListCustomJobsRequest{Parent: parent, Filter: tt.filter, PageSize: 1})
		for {
			j, err := it.Next()
			if err == iterator.Done {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", tt.filter, err)
			}
			got.WriteString(names[j.Name])
		}
		if got.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.filter, got.String(), tt.want)
		}
	}
}

func TestCreateCustomJobRefuses(t *testing.T) {
	c := boot(t, t.TempDir())
	manyEnv := make([]*pb.EnvVar, 101)
	for i := range manyEnv {
		manyEnv[i] = &pb.EnvVar{Name: fmt.Sprintf("V%d", i)}
	}
	pool := func(j *pb.CustomJob) *pb.WorkerPoolSpec { return j.JobSpec.WorkerPoolSpecs[0] }
	tests := []struct {
		name   string
		change func(*pb.CustomJob)
		fields []string
	}{
		{"empty", func(j *pb.CustomJob) { *j = pb.CustomJob{} }, []string{"custom_job.display_name", "custom_job.job_spec"}},
		{"no pools", func(j *pb.CustomJob) { j.JobSpec.WorkerPoolSpecs = nil }, []string{"custom_job.job_spec.worker_pool_specs"}},
		{"first pool empty", func(j *pb.CustomJob) { j.JobSpec.WorkerPoolSpecs[0] = &pb.WorkerPoolSpec{} }, []string{
			"custom_job.job_spec.worker_pool_specs[0].replica_count", "custom_job.job_spec.worker_pool_specs[0].machine_spec.machine_type",
			"custom_job.job_spec.worker_pool_specs[0]"}},
		{"replicas", func(j *pb.CustomJob) { pool(j).ReplicaCount = 2 }, []string{"custom_job.job_spec.worker_pool_specs[0].replica_count"}},
		{"image", func(j *pb.CustomJob) { pool(j).GetContainerSpec().ImageUri = "" }, []string{"custom_job.job_spec.worker_pool_specs[0].container_spec.image_uri"}},
		{"env", func(j *pb.CustomJob) { pool(j).GetContainerSpec().Env = manyEnv }, []string{"custom_job.job_spec.worker_pool_specs[0].container_spec.env"}},
		{"env name", func(j *pb.CustomJob) { pool(j).GetContainerSpec().Env = []*pb.EnvVar{{Name: "a-b"}} }, []string{"custom_job.job_spec.worker_pool_specs[0].container_spec.env[0].name"}},
		{"accelerator", func(j *pb.CustomJob) { pool(j).MachineSpec.AcceleratorType = pb.AcceleratorType_NVIDIA_TESLA_T4 }, []string{"custom_job.job_spec.worker_pool_specs[0].machine_spec.accelerator_count"}},
		{"disk", func(j *pb.CustomJob) { pool(j).DiskSpec = &pb.DiskSpec{BootDiskSizeGb: 10} }, []string{"custom_job.job_spec.worker_pool_specs[0].disk_spec.boot_disk_size_gb"}},
		{"output", func(j *pb.CustomJob) { j.JobSpec.BaseOutputDirectory = &pb.GcsDestination{OutputUriPrefix: "/tmp"} }, []string{"custom_job.job_spec.base_output_directory.output_uri_prefix"}},
		{"timeout", func(j *pb.CustomJob) { j.JobSpec.Scheduling = &pb.Scheduling{Timeout: durationpb.New(-1)} }, []string{"custom_job.job_spec.scheduling.timeout"}},
		{"labels", func(j *pb.CustomJob) { j.Labels = map[string]string{"A": "b"} }, []string{"custom_job.labels"}},
		{"tensorboard", func(j *pb.CustomJob) { j.JobSpec.Tensorboard, j.JobSpec.ServiceAccount = "t", "" }, []string{"custom_job.job_spec.service_account"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := c.job("env")
			tt.change(j)
			_, err := c.jobs.CreateCustomJob(context.Background(), &pb.CreateCustomJobRequest{Parent: parent, CustomJob: j})
			var fields []string
			for _, d := range status.Convert(err).Details() {
				for _, v := range d.(*errdetails.BadRequest).FieldViolations {
					fields = append(fields, v.Field)
				}
			}
			if status.Code(err) != codes.InvalidArgument || !slices.Equal(fields, tt.fields) {
				t.Errorf("%v\nfields %q, want %q", err, fields, tt.fields)
			}
		})
	}
}

func TestJobPermissions(t *testing.T) {
	c := boot(t, t.TempDir())
	ctx := as("user:nobody@x")
	create := &pb.CreateCustomJobRequest{Parent: parent, CustomJob: c.job("env")}
	if _, err := c.jobs.CreateCustomJob(ctx, create); !denied(err, "aiplatform.customJobs.create") {
		t.Error(err)
	}
	c.grant("user:eve@x", "roles/aiplatform.user")
	if _, err := c.jobs.CreateCustomJob(as("user:eve@x"), create); !denied(err, "iam.serviceAccounts.actAs") {
		t.Error(err)
	}
	create.CustomJob.JobSpec.ServiceAccount = "ghost@x.iam.gserviceaccount.com"
	if _, err := c.jobs.CreateCustomJob(context.Background(), create); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
	name := c.create(c.job("env")).Name
	if _, err := c.jobs.GetCustomJob(ctx, &pb.GetCustomJobRequest{Name: name}); !denied(err, "aiplatform.customJobs.get") {
		t.Error(err)
	}
	if err := c.jobs.CancelCustomJob(ctx, &pb.CancelCustomJobRequest{Name: name}); !denied(err, "aiplatform.customJobs.cancel") {
		t.Error(err)
	}
	if _, err := c.jobs.DeleteCustomJob(ctx, &pb.DeleteCustomJobRequest{Name: name}); !denied(err, "aiplatform.customJobs.delete") {
		t.Error(err)
	}
	if _, err := c.jobs.ListCustomJobs(ctx, &pb.ListCustomJobsRequest{Parent: parent}).Next(); !denied(err, "aiplatform.customJobs.list") {
		t.Error(err)
	}
	if _, err := c.jobs.CreateBatchPredictionJob(context.Background(), &pb.CreateBatchPredictionJobRequest{Parent: parent, BatchPredictionJob: &pb.BatchPredictionJob{}}); status.Code(err) != codes.Unimplemented {
		t.Error(err)
	}
}

func denied(err error, permission string) bool {
	return status.Code(err) == codes.PermissionDenied && strings.Contains(err.Error(), permission)
}
