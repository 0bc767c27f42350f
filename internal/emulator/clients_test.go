//go:build unix

package emulator_test

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	workflowsapi "cloud.google.com/go/workflows/apiv1"
	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionsapi "cloud.google.com/go/workflows/executions/apiv1"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	executionsbeta "cloud.google.com/go/workflows/executions/apiv1beta"
	betapb "cloud.google.com/go/workflows/executions/apiv1beta/executionspb"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	executionsrest "google.golang.org/api/workflowexecutions/v1"
	workflowsrest "google.golang.org/api/workflows/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const workflow = place + "/workflows/w"

const source = `
main:
  params: [args]
  steps:
    - make: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: cb}
    - wait: {call: events.await_callback, args: {callback: '${cb}', timeout: 3600}, result: got}
    - out: {return: '${args.greeting + ", " + got.http_request.body.name}'}
`

// TestClientLibraries deploys and executes with the clients of
// cloud.google.com/go, over gRPC and REST.
func TestClientLibraries(t *testing.T) {
	addr := strings.TrimPrefix(start(t).base, "http://")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	overGRPC := []option.ClientOption{
		option.WithEndpoint(addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
	}
	overREST := []option.ClientOption{option.WithEndpoint("http://" + addr), option.WithoutAuthentication()}

	executions, err := executionsapi.NewClient(ctx, overGRPC...)
	if err != nil {
		t.Fatal(err)
	}
	defer executions.Close()
	beta, err := executionsbeta.NewRESTClient(ctx, overREST...)
	if err != nil {
		t.Fatal(err)
	}
	defer beta.Close()
	for name, open := range map[string]func() (*workflowsapi.Client, error){
		"gRPC": func() (*workflowsapi.Client, error) { return workflowsapi.NewClient(ctx, overGRPC...) },
		"REST": func() (*workflowsapi.Client, error) { return workflowsapi.NewRESTClient(ctx, overREST...) },
	} {
		t.Run(name, func(t *testing.T) {
			client, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			testWorkflows(ctx, t, client)
			created, err := executions.CreateExecution(ctx, &executionspb.CreateExecutionRequest{
				Parent: workflow, Execution: &executionspb.Execution{Argument: `{"greeting":"hi"}`},
			})
			if err != nil {
				t.Fatal(err)
			}
			again, err := beta.GetExecution(ctx, &betapb.GetExecutionRequest{Name: created.Name})
			if err != nil || again.State != betapb.Execution_ACTIVE || again.Argument != created.Argument {
				t.Errorf("v1beta over REST: %v, %v", again, err)
			}
			op, err := client.DeleteWorkflow(ctx, &workflowspb.DeleteWorkflowRequest{Name: workflow})
			if err == nil {
				err = op.Wait(ctx)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// testWorkflows calls every method of Workflows but delete.
func testWorkflows(ctx context.Context, t *testing.T, client *workflowsapi.Client) {
	create, err := client.CreateWorkflow(ctx, &workflowspb.CreateWorkflowRequest{
		Parent: place, WorkflowId: "w",
		Workflow: &workflowspb.Workflow{
			Description: "greets", Labels: map[string]string{"team": "ml"}, UserEnvVars: map[string]string{"A": "1"},
			CallLogLevel:          workflowspb.Workflow_LOG_ERRORS_ONLY,
			ExecutionHistoryLevel: workflowspb.ExecutionHistoryLevel_EXECUTION_HISTORY_DETAILED,
			SourceCode:            &workflowspb.Workflow_SourceContents{SourceContents: source},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	first, err := create.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if meta, err := create.Metadata(); err != nil || meta.Verb != "create" || meta.Target != workflow || meta.EndTime == nil || meta.ApiVersion != "v1" {
		t.Errorf("metadata %v, %v", meta, err)
	}
	update, err := client.UpdateWorkflow(ctx, &workflowspb.UpdateWorkflowRequest{
		Workflow: &workflowspb.Workflow{
			Name: workflow, SourceCode: &workflowspb.Workflow_SourceContents{SourceContents: source + "# again\n"},
		},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"source_contents"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	second, err := update.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if second.RevisionId == first.RevisionId || second.Description != "greets" || second.Labels["team"] != "ml" ||
		second.UserEnvVars["A"] != "1" || second.CallLogLevel != workflowspb.Workflow_LOG_ERRORS_ONLY ||
		second.ExecutionHistoryLevel != workflowspb.ExecutionHistoryLevel_EXECUTION_HISTORY_DETAILED {
		t.Errorf("second revision %v", second)
	}
	old, err := client.GetWorkflow(ctx, &workflowspb.GetWorkflowRequest{Name: workflow, RevisionId: first.RevisionId})
	if err != nil || old.GetSourceContents() != source {
		t.Errorf("first revision %v, %v", old, err)
	}
	revisions := client.ListWorkflowRevisions(ctx, &workflowspb.ListWorkflowRevisionsRequest{Name: workflow, PageSize: 1})
	for _, want := range []string{second.RevisionId, first.RevisionId} {
		if w, err := revisions.Next(); err != nil || w.RevisionId != want {
			t.Errorf("revision %v, %v; want %s", w.GetRevisionId(), err, want)
		}
	}
	if _, err := revisions.Next(); !errors.Is(err, iterator.Done) {
		t.Errorf("after the last revision: %v", err)
	}
	listed := client.ListWorkflows(ctx, &workflowspb.ListWorkflowsRequest{Parent: place, Filter: `labels.team="ml"`, OrderBy: "name"})
	if w, err := listed.Next(); err != nil || w.Name != workflow {
		t.Errorf("list: %v, %v", w, err)
	}
}

// TestDiscoveryClients calls every method of the discovery documents.
func TestDiscoveryClients(t *testing.T) {
	addr := strings.TrimPrefix(start(t).base, "http://")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	options := []option.ClientOption{option.WithEndpoint("http://" + addr + "/"), option.WithoutAuthentication()}
	w, err := workflowsrest.NewService(ctx, options...)
	if err != nil {
		t.Fatal(err)
	}
	x, err := executionsrest.NewService(ctx, options...)
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, w)
	discoverExecutions(t, x.Projects.Locations.Workflows, addr)

	op, err := w.Projects.Locations.Workflows.Delete(workflow).Do()
	if err != nil || !op.Done || op.Error != nil {
		t.Errorf("delete: %v, %v", op, err)
	}
	_, err = x.Projects.Locations.Workflows.Executions.List(workflow).Do()
	var gone *googleapi.Error
	if !errors.As(err, &gone) || gone.Code != http.StatusNotFound || len(gone.Details) == 0 {
		t.Errorf("after the deletion: %#v", err)
	}
}

func deploy(t *testing.T, w *workflowsrest.Service) {
	t.Helper()
	location := w.Projects.Locations
	op, err := location.Workflows.Create(place, &workflowsrest.Workflow{SourceContents: source}).WorkflowId("w").Do()
	if err != nil || !op.Done || op.Error != nil {
		t.Fatalf("create: %v, %v", op, err)
	}
	if again, err := location.Operations.Get(op.Name).Do(); err != nil || !again.Done {
		t.Errorf("operation: %v, %v", again, err)
	}
	if list, err := location.Operations.List(place).Do(); err != nil || len(list.Operations) != 1 {
		t.Errorf("operations: %v, %v", list, err)
	}
	if _, err := location.Workflows.Patch(workflow, &workflowsrest.Workflow{Description: "greets"}).UpdateMask("description").Do(); err != nil {
		t.Error(err)
	}
	if got, err := location.Workflows.Get(workflow).Do(); err != nil || got.Description != "greets" || got.SourceContents != source || got.State != "ACTIVE" {
		t.Errorf("get: %v, %v", got, err)
	}
	if list, err := location.Workflows.List(place).PageSize(1).Do(); err != nil || len(list.Workflows) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
	if list, err := location.Workflows.ListRevisions(workflow).Do(); err != nil || len(list.Workflows) != 1 {
		t.Errorf("revisions: %v, %v", list, err)
	}
	if list, err := location.List("projects/kakehi-local").Do(); err != nil || len(list.Locations) != 1 {
		t.Errorf("locations: %v, %v", list, err)
	}
	if one, err := location.Get(place).Do(); err != nil || one.LocationId != "us-central1" {
		t.Errorf("location: %v, %v", one, err)
	}
	op, err = location.Workflows.Create(place, &workflowsrest.Workflow{SourceContents: "nonsense"}).WorkflowId("x").Do()
	if err != nil || op.Error == nil || op.Error.Code != 3 || !strings.Contains(op.Error.Message, "parse error") {
		t.Errorf("a bad source: %+v, %v", op, err)
	}
	if _, err := location.Operations.Delete(op.Name).Do(); err != nil {
		t.Error(err)
	}
}

// discoverExecutions lets one execution wait for a callback and end, and
// cancels another.
func discoverExecutions(t *testing.T, w *executionsrest.ProjectsLocationsWorkflowsService, addr string) {
	t.Helper()
	created, err := w.Executions.Create(workflow, &executionsrest.Execution{
		Argument: `{"greeting":"hi"}`, ExecutionHistoryLevel: "EXECUTION_HISTORY_DETAILED", CallLogLevel: "LOG_ALL_CALLS",
		Labels: map[string]string{"run": "one"}, DisableConcurrencyQuotaOverflowBuffering: true,
	}).Do()
	if err != nil || created.CreateTime == "" || created.CreateTime != created.StartTime || !created.DisableConcurrencyQuotaOverflowBuffering {
		t.Fatalf("create: %+v, %v", created, err)
	}
	callback := awaitCallback(t, w, created.Name)
	answer, err := http.Post("http://"+addr+"/v1/"+strings.Replace(callback, "/callback/", "/callbacks/", 1), "application/json", strings.NewReader(`{"name":"Ada"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	ended := awaitEnd(t, w, created.Name)
	if ended.State != "SUCCEEDED" || ended.Result != `"hi, Ada"` || ended.Duration == "" || ended.Labels["run"] != "one" {
		t.Errorf("ended: %+v", ended)
	}
	steps, err := w.Executions.StepEntries.List(created.Name).Filter(`stepType="STEP_STD_LIB_CALL"`).OrderBy("entryId desc").Skip(1).PageSize(1).Do()
	if err != nil || len(steps.StepEntries) != 1 || steps.TotalSize != 2 || steps.StepEntries[0].Step != "make" {
		t.Fatalf("steps: %+v, %v", steps, err)
	}
	one, err := w.Executions.StepEntries.Get(steps.StepEntries[0].Name).Do()
	if err != nil || one.EntryId != steps.StepEntries[0].EntryId || one.NavigationInfo.Next == 0 || one.VariableData == nil {
		t.Errorf("step: %+v, %v", one, err)
	}
	if data, err := w.Executions.ExportData(created.Name).Do(); err != nil || !strings.Contains(data.Data, `"hi, Ada`) {
		t.Errorf("export: %v, %v", data, err)
	}
	if _, err := w.Executions.DeleteExecutionHistory(created.Name, &executionsrest.DeleteExecutionHistoryRequest{}).Do(); err != nil {
		t.Error(err)
	}
	if steps, err = w.Executions.StepEntries.List(created.Name).Do(); err != nil || steps.TotalSize != 0 {
		t.Errorf("steps after their deletion: %+v, %v", steps, err)
	}
	pushed, err := w.TriggerPubsubExecution(workflow, &executionsrest.TriggerPubsubExecutionRequest{
		GCPCloudEventsMode: "CUSTOM_PUBSUB_projects/kakehi-local/topics/t", Subscription: "projects/kakehi-local/subscriptions/s",
		Message: &executionsrest.PubsubMessage{Data: "aGk=", MessageId: "1"},
	}).Do()
	if err != nil {
		t.Fatal(err)
	}
	awaitCallback(t, w, pushed.Name)
	if cancelled, err := w.Executions.Cancel(pushed.Name, &executionsrest.CancelExecutionRequest{}).Do(); err != nil || cancelled.State != "CANCELLED" || cancelled.Error == nil {
		t.Errorf("cancel: %+v, %v", cancelled, err)
	}
	list, err := w.Executions.List(workflow).Filter(`state="CANCELLED"`).OrderBy("createTime").View("FULL").Do()
	if err != nil || len(list.Executions) != 1 || path.Base(list.Executions[0].Name) != path.Base(pushed.Name) {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func awaitCallback(t *testing.T, w *executionsrest.ProjectsLocationsWorkflowsService, execution string) string {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(time.Millisecond) {
		list, err := w.Executions.Callbacks.List(execution).PageSize(10).Do()
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Callbacks) == 1 && list.Callbacks[0].Waiters == 1 && list.Callbacks[0].Method == "POST" {
			return list.Callbacks[0].Name
		}
	}
	t.Fatal("nobody waits for a callback")
	return ""
}

func awaitEnd(t *testing.T, w *executionsrest.ProjectsLocationsWorkflowsService, execution string) *executionsrest.Execution {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(time.Millisecond) {
		e, err := w.Executions.Get(execution).Do()
		if err != nil {
			t.Fatal(err)
		}
		if e.State != "ACTIVE" {
			return e
		}
	}
	t.Fatal("the execution does not end")
	return nil
}
