package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/emulator"
	"github.com/kakehi/kakehi/internal/local"
	"github.com/kakehi/kakehi/internal/spec"
	"github.com/kakehi/kakehi/internal/workflow"
)

const (
	penguins = "../../workflows/penguins/pipeline.yaml"
	served   = "testdata/served.yaml"
)

// patience is how long a test waits for something that must come.
const patience = time.Minute

// cloud is an embedded cloud of this process.
type cloud struct{ *local.Cloud }

func openCloud(t *testing.T, dir string) *cloud {
	t.Helper()
	c, err := local.Open("127.0.0.1:0", emulator.Options{
		DataDir: dir, Problem: func(err error) { t.Errorf("the embedded cloud reports: %v", err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeCloud(t, c) })
	return &cloud{c}
}

func closeCloud(t *testing.T, c *local.Cloud) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Errorf("close the cloud: %v", err)
	}
	if left := leftovers(t, c.DataDir); len(left) > 0 {
		t.Errorf("containers are left behind in %s: %q", c.DataDir, left)
	}
}

// compiled reads and compiles a pipeline.
func compiled(t *testing.T, file string) local.Pipeline {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Parse(file, source, spec.Options{ReadFile: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate().Err(); err != nil {
		t.Fatal(err)
	}
	f, err := compile.Compile(p, compile.Options{File: path.Base(file), Source: source})
	if err != nil {
		t.Fatal(err)
	}
	return local.Pipeline{File: file, Pipeline: p, Workflow: workflow.Format(f)}
}

// deploy deploys a pipeline with all that it needs.
func (c *cloud) deploy(t *testing.T, p local.Pipeline) {
	t.Helper()
	if err := c.Deploy(t.Context(), p, t.Logf); err != nil {
		t.Fatal(err)
	}
}

// outcome is how an execution ended, and its tasks by name.
type outcome struct {
	*executionspb.Execution
	tasks map[string]task
}

// task is what a workflow logged last of a task.
type task struct{ Task, State, Because, Message string }

// execution is an execution that goes on.
type execution struct {
	*executionspb.Execution
	cloud *cloud
}

// start starts an execution of a deployed pipeline.
func (c *cloud) start(t *testing.T, pipeline string, params map[string]any) execution {
	t.Helper()
	argument, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.Client.Execute(t.Context(), pipeline, string(argument))
	if err != nil {
		t.Fatal(err)
	}
	return execution{x, c}
}

// end waits until an execution has ended.
func (x execution) end(t *testing.T) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended, err := x.cloud.Client.WaitExecution(ctx, x.Name, 10*time.Millisecond)
	if err != nil {
		t.Fatalf("execution %s: %v; tasks so far: %+v", x.Name, err, x.tasks(t))
	}
	return outcome{ended, x.tasks(t)}
}

// tasks reads the log of the workflow.
func (x execution) tasks(t *testing.T) map[string]task {
	t.Helper()
	query := map[string]any{
		"resourceNames": []string{"projects/" + x.cloud.Project}, "pageSize": 1000, "orderBy": "timestamp asc",
		"filter": `jsonPayload.event="task" AND labels."workflows.googleapis.com/execution_id"="` + path.Base(x.Name) + `"`,
	}
	var log struct {
		Entries []struct{ JSONPayload task }
	}
	call(t, http.MethodPost, x.cloud.Addr, "/v2/entries:list", query, &log)
	tasks := map[string]task{}
	for _, e := range log.Entries {
		tasks[e.JSONPayload.Task] = e.JSONPayload
	}
	return tasks
}

// run executes a deployed pipeline to its end.
func (c *cloud) run(t *testing.T, pipeline string, params map[string]any) outcome {
	t.Helper()
	return c.start(t, pipeline, params).end(t)
}

// succeeded fails the test unless the execution succeeded.
func (o outcome) succeeded(t *testing.T) {
	t.Helper()
	if o.State != executionspb.Execution_SUCCEEDED {
		t.Fatalf("execution %s: %s\n%s", o.State, o.Error.GetContext(), o.Error.GetPayload())
	}
}

// failed wants that the execution failed, says each of the texts, and ran its
// exit task after all.
func (o outcome) failed(t *testing.T, texts ...string) {
	t.Helper()
	o.says(t, texts...)
	if got := o.tasks["summary"]; got.State != "SUCCEEDED" && got.State != "CACHED" {
		t.Errorf("the exit task is %q: %s", got.State, got.Message)
	}
}

// says wants that the execution failed with an error that has each of the
// texts, in its payload, for programs, and in its context, for people.
func (o outcome) says(t *testing.T, texts ...string) {
	t.Helper()
	if o.State != executionspb.Execution_FAILED {
		t.Fatalf("execution %s, want FAILED; result %s", o.State, o.Result)
	}
	for _, text := range texts {
		if !strings.Contains(o.Error.GetPayload(), text) {
			t.Errorf("the error does not say %q: %s", text, o.Error.GetPayload())
		}
		if !strings.Contains(o.Error.GetContext(), text) {
			t.Errorf("the error's context does not say %q: %s", text, o.Error.GetContext())
		}
	}
}

// result decodes the outputs of an execution, which must have succeeded.
func (o outcome) result(t *testing.T, into any) {
	t.Helper()
	o.succeeded(t)
	if err := json.Unmarshal([]byte(o.Result), into); err != nil {
		t.Fatal(err)
	}
}

// service reads a Cloud Run service; nil if there is none.
func (c *cloud) service(t *testing.T, id string) *runpb.Service {
	t.Helper()
	s, err := c.Client.Service(t.Context(), id)
	if status.Code(err) == codes.NotFound {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// traffic lists the revisions of a service that get traffic, with the
// percentage: what is asked for, once it is also in force.
func (c *cloud) traffic(t *testing.T, id string) map[string]int32 {
	t.Helper()
	s := c.service(t, id)
	if s == nil {
		t.Fatalf("there is no service %s", id)
	}
	got, inForce := map[string]int32{}, map[string]int32{}
	for _, target := range s.Traffic {
		if target.Percent > 0 {
			got[target.Revision] += target.Percent
		}
	}
	for _, target := range s.TrafficStatuses {
		if target.Percent > 0 {
			inForce[target.Revision] += target.Percent
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(inForce) {
		t.Errorf("service %s: traffic is %v, but %v in force", id, got, inForce)
	}
	return got
}

// request sends JSON and returns the answer's status and body.
func request(ctx context.Context, method, address, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// call calls a REST API of a cloud as its developer, by the path of the method,
// and decodes the answer into answer unless that is nil.
func call(t *testing.T, method, addr, path string, body, answer any) {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	code, got, err := request(t.Context(), method, "http://"+addr+path, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, code, got)
	}
	if answer == nil {
		return
	}
	if err := json.NewDecoder(bytes.NewReader(got)).Decode(answer); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// job is a Vertex AI CustomJob.
type job struct {
	Name, State string
	Error       struct{ Message string }
}

// jobs lists the CustomJobs of a task of an execution.
func jobs(t *testing.T, addr, execution, task string) []job {
	t.Helper()
	filter := fmt.Sprintf("labels.kakehi-execution=%q AND labels.kakehi-task=%q", path.Base(execution), task)
	var list struct{ CustomJobs []job }
	call(t, http.MethodGet, addr, "/v1/"+location+"/customJobs?filter="+url.QueryEscape(filter), nil, &list)
	return list.CustomJobs
}

// location is where the embedded cloud has its resources.
var location = "projects/" + emulator.Defaults().Project + "/locations/" + emulator.Defaults().Region

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}
