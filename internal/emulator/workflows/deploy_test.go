package workflows

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

var update = flag.Bool("update", false, "rewrite golden files")

const hello = `
main:
  steps:
    - out: {return: hello}
`

// TestDeployErrors deploys each testdata/deploy/*.yaml and compares the
// operation's error with the .out beside it.
func TestDeployErrors(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	files, err := filepath.Glob("testdata/deploy/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.tryDeploy(string(source))
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, want InvalidArgument", file, err)
		}
		got := status.Convert(err).Message() + "\n"
		golden := strings.TrimSuffix(file, ".yaml") + ".out"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	if _, err := c.wf.GetWorkflow(context.Background(), &workflowspb.GetWorkflowRequest{Name: wfName}); status.Code(err) != codes.NotFound {
		t.Errorf("a refused source was deployed: %v", err)
	}
}

func TestCreateWorkflowRefuses(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	many := map[string]string{}
	for i := range 21 {
		many[fmt.Sprintf("V%d", i)] = "x"
	}
	type req = workflowspb.CreateWorkflowRequest
	tests := []struct {
		name   string
		ctx    context.Context
		change func(*req)
		code   codes.Code
		want   string
	}{
		{"parent", nil, func(r *req) { r.Parent = "projects/p" }, codes.InvalidArgument, "does not match"},
		{"other project", nil, func(r *req) { r.Parent = "projects/other/locations/us-central1" }, codes.PermissionDenied, "other"},
		{"id", nil, func(r *req) { r.WorkflowId = "1st" }, codes.InvalidArgument, "start with a letter"},
		{"long id", nil, func(r *req) { r.WorkflowId = strings.Repeat("a", 65) }, codes.InvalidArgument, "1-64"},
		{"no workflow", nil, func(r *req) { r.Workflow = nil }, codes.InvalidArgument, "source_contents"},
		{"large source", nil, func(r *req) { setSource(r.Workflow, strings.Repeat("#", 131073)) }, codes.InvalidArgument, "131072"},
		{"label", nil, func(r *req) { r.Workflow.Labels = map[string]string{"Team": "ml"} }, codes.InvalidArgument, "Team"},
		{"description", nil, func(r *req) { r.Workflow.Description = strings.Repeat("x", 1001) }, codes.InvalidArgument, "1000"},
		{"env name", nil, func(r *req) { r.Workflow.UserEnvVars = map[string]string{"GOOGLE_X": "1"} }, codes.InvalidArgument, "GOOGLE"},
		{"env empty", nil, func(r *req) { r.Workflow.UserEnvVars = map[string]string{"": "1"} }, codes.InvalidArgument, "empty"},
		{"env count", nil, func(r *req) { r.Workflow.UserEnvVars = many }, codes.InvalidArgument, "21"},
		{"env size", nil, func(r *req) { r.Workflow.UserEnvVars = map[string]string{"A": strings.Repeat("x", 4097)} }, codes.InvalidArgument, "4096"},
		{"key", nil, func(r *req) { r.Workflow.CryptoKeyName = "my-key" }, codes.InvalidArgument, "cryptoKeys/KEY"},
		{"call log level", nil, func(r *req) { r.Workflow.CallLogLevel = 9 }, codes.InvalidArgument, "9 is not a level"},
		{"history level", nil, func(r *req) { r.Workflow.ExecutionHistoryLevel = 9 }, codes.InvalidArgument, "9 is not a level"},
		{"account", nil, func(r *req) { r.Workflow.ServiceAccount = "ghost@x.iam.gserviceaccount.com" }, codes.NotFound, "ghost"},
		{"permission", as("user:nobody@x"), func(*req) {}, codes.PermissionDenied, "workflows.workflows.create"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &req{Parent: parent, WorkflowId: "w", Workflow: &workflowspb.Workflow{}}
			setSource(r.Workflow, hello)
			tt.change(r)
			if tt.ctx == nil {
				tt.ctx = context.Background()
			}
			_, err := c.wf.CreateWorkflow(tt.ctx, r)
			if status.Code(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("%v, want %v with %q", err, tt.code, tt.want)
			}
		})
	}
}

func setSource(w *workflowspb.Workflow, source string) {
	w.SourceCode = &workflowspb.Workflow_SourceContents{SourceContents: source}
}

// TestActAs: deploying as a service account needs a permission on it.
func TestActAs(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.grant("user:eve@x", "roles/workflows.editor")
	w := &workflowspb.Workflow{ServiceAccount: runner}
	setSource(w, hello)
	_, err := c.wf.CreateWorkflow(as("user:eve@x"), &workflowspb.CreateWorkflowRequest{Parent: parent, WorkflowId: "w", Workflow: w})
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "iam.serviceAccounts.actAs") {
		t.Errorf("%v, want a denial of actAs", err)
	}
}

func TestRevisions(t *testing.T) {
	ctx := context.Background()
	c := boot(t, t.TempDir(), nil)
	first := c.deploy(hello, func(w *workflowspb.Workflow) { w.Labels = map[string]string{"team": "ml"} })
	if !regexp.MustCompile(`^000001-[0-9a-f]{3}$`).MatchString(first.RevisionId) || first.State != workflowspb.Workflow_ACTIVE {
		t.Errorf("%v", first)
	}
	if first.ServiceAccount != "projects/"+project+"/serviceAccounts/"+runner {
		t.Errorf("service account %s", first.ServiceAccount)
	}
	if _, err := c.tryDeploy(hello); status.Code(err) != codes.AlreadyExists {
		t.Errorf("second create: %v", err)
	}
	change := func(w *workflowspb.Workflow, paths ...string) *workflowspb.Workflow {
		t.Helper()
		w.Name = wfName
		op, err := c.wf.UpdateWorkflow(ctx, &workflowspb.UpdateWorkflowRequest{Workflow: w, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := op.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	described := change(&workflowspb.Workflow{Description: "greets"}, "description")
	if described.RevisionId != first.RevisionId || described.Labels["team"] != "ml" {
		t.Errorf("a description made a revision, or lost labels: %v", described)
	}
	other := &workflowspb.Workflow{}
	setSource(other, strings.Replace(hello, "hello", "bye", 1))
	second := change(other, "source_contents")
	if !strings.HasPrefix(second.RevisionId, "000002-") || second.Description != "greets" {
		t.Errorf("%v", second)
	}
	third := change(&workflowspb.Workflow{UserEnvVars: map[string]string{"A": "1"}}, "userEnvVars")
	if !strings.HasPrefix(third.RevisionId, "000003-") {
		t.Errorf("%v", third)
	}
	labelled := change(&workflowspb.Workflow{Labels: map[string]string{"tier": "dev", "other": "x"}}, "labels.tier", "labels.gone")
	if diff := cmp.Diff(map[string]string{"team": "ml", "tier": "dev"}, labelled.Labels); diff != "" || labelled.RevisionId != third.RevisionId {
		t.Errorf("one label: %s", diff)
	}
	for _, path := range []string{"name", "tags", "revision_id", "description.x", "nope"} {
		_, err := c.wf.UpdateWorkflow(ctx, &workflowspb.UpdateWorkflowRequest{
			Workflow: &workflowspb.Workflow{Name: wfName}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}}})
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), path) {
			t.Errorf("update of %s: %v", path, err)
		}
	}
	old, err := c.wf.GetWorkflow(ctx, &workflowspb.GetWorkflowRequest{Name: wfName, RevisionId: first.RevisionId})
	if err != nil || old.GetSourceContents() != hello || old.Description != "greets" {
		t.Errorf("old revision: %v, %v", old, err)
	}
	var ids []string
	for it := c.wf.ListWorkflowRevisions(ctx, &workflowspb.ListWorkflowRevisionsRequest{Name: wfName, PageSize: 2}); ; {
		w, err := it.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, w.RevisionId)
	}
	if diff := cmp.Diff([]string{third.RevisionId, second.RevisionId, first.RevisionId}, ids); diff != "" {
		t.Error(diff)
	}
}

// TestTooManyWorkflows: the quota of the project is kept.
func TestTooManyWorkflows(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.svc.quotas.Workflows = 1
	c.deploy(hello)
	w := &workflowspb.Workflow{}
	setSource(w, hello)
	op, err := c.wf.CreateWorkflow(context.Background(), &workflowspb.CreateWorkflowRequest{Parent: parent, WorkflowId: "x", Workflow: w})
	if err == nil {
		_, err = op.Wait(context.Background())
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a second workflow: %v", err)
	}
}

// TestExecutionKeepsItsRevision: a new source does not touch what runs.
func TestExecutionKeepsItsRevision(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil)
	first := c.deploy(`
main:
  steps:
    - nap: {call: sys.sleep, args: {seconds: 0.2}}
    - out: {return: '${sys.get_env("GOOGLE_CLOUD_WORKFLOW_REVISION_ID")}'}
`)
	e := c.execute("")
	w := &workflowspb.Workflow{Name: wfName}
	setSource(w, hello)
	op, err := c.wf.UpdateWorkflow(context.Background(), &workflowspb.UpdateWorkflowRequest{Workflow: w, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"source_contents"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.crash()
	c = boot(t, dir, nil)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	if e = c.wait(e.Name, executionspb.Execution_SUCCEEDED); e.Result != `"`+first.RevisionId+`"` {
		t.Errorf("ran %s, want %s", e.Result, first.RevisionId)
	}
	if e = c.run(""); e.Result != `"hello"` {
		t.Errorf("a new execution gave %s", e.Result)
	}
}

func TestDeleteWorkflow(t *testing.T) {
	ctx := context.Background()
	c := boot(t, t.TempDir(), nil, func(o *Options) { o.MaxConcurrent = 1 })
	c.deploy(sleeper)
	running, queued := c.execute(""), c.execute("")
	op, err := c.wf.DeleteWorkflow(ctx, &workflowspb.DeleteWorkflowRequest{Name: wfName})
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*executionspb.Execution{running, queued} {
		if _, err := c.ex.GetExecution(ctx, &executionspb.GetExecutionRequest{Name: e.Name}); status.Code(err) != codes.NotFound {
			t.Errorf("execution after the deletion: %v", err)
		}
	}
	if w := c.deploy(hello); !strings.HasPrefix(w.RevisionId, "000001-") {
		t.Errorf("revision %s of a new workflow", w.RevisionId)
	}
	if e := c.run(""); e.State != executionspb.Execution_SUCCEEDED {
		t.Error(e)
	}
}

func TestListWorkflows(t *testing.T) {
	ctx := context.Background()
	c := boot(t, t.TempDir(), nil)
	for _, id := range []string{"alpha", "beta", "gamma"} {
		w := &workflowspb.Workflow{Labels: map[string]string{"first-letter": id[:1]}}
		setSource(w, hello)
		op, err := c.wf.CreateWorkflow(ctx, &workflowspb.CreateWorkflowRequest{Parent: parent, WorkflowId: id, Workflow: w})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ parent, filter, order, want string }{
		{parent, "", "", "alpha beta gamma"},
		{"projects/" + number + "/locations/us-central1", "", "", "alpha beta gamma"},
		{"projects/" + project + "/locations/-", "", "name desc", "gamma beta alpha"},
		{"projects/" + project + "/locations/europe-west1", "", "", ""},
		{parent, "labels.first-letter=b", "", "beta"},
		{parent, `state="ACTIVE" AND NOT labels.first-letter=b`, "", "alpha gamma"},
	}
	for _, tt := range tests {
		var ids []string
		for it := c.wf.ListWorkflows(ctx, &workflowspb.ListWorkflowsRequest{Parent: tt.parent, Filter: tt.filter, OrderBy: tt.order, PageSize: 2}); ; {
			w, err := it.Next()
			if err == iterator.Done {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, w.Name[strings.LastIndexByte(w.Name, '/')+1:])
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
}
