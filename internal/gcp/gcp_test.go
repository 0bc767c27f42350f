package gcp

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	aiplatformpb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// cloud is the part of Google Cloud that these clients call. Operations are
// done at once.
type cloud struct {
	workflowspb.UnimplementedWorkflowsServer
	executionspb.UnimplementedExecutionsServer
	runpb.UnimplementedServicesServer
	aiplatformpb.UnimplementedJobServiceServer

	workflows map[string]*workflowspb.Workflow
	services  map[string]*runpb.Service
	jobs      []*aiplatformpb.CustomJob
	looks     int // at the execution
	calls     []string
}

func start(t *testing.T) (*cloud, *Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &cloud{workflows: map[string]*workflowspb.Workflow{}, services: map[string]*runpb.Service{}}
	s := grpc.NewServer()
	workflowspb.RegisterWorkflowsServer(s, g)
	executionspb.RegisterExecutionsServer(s, g)
	runpb.RegisterServicesServer(s, g)
	aiplatformpb.RegisterJobServiceServer(s, g)
	go func() { _ = s.Serve(l) }()
	c := New(Options{Endpoint: l.Addr().String(), Project: "p", Location: "l"})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
	})
	return g, c
}

func done(m proto.Message) (*longrunningpb.Operation, error) {
	body, err := anypb.New(m)
	return &longrunningpb.Operation{Name: "op", Done: true, Result: &longrunningpb.Operation_Response{Response: body}}, err
}

func (g *cloud) GetWorkflow(_ context.Context, r *workflowspb.GetWorkflowRequest) (*workflowspb.Workflow, error) {
	if w := g.workflows[r.Name]; w != nil {
		return w, nil
	}
	return nil, status.Error(codes.NotFound, "not there")
}

func (g *cloud) CreateWorkflow(_ context.Context, r *workflowspb.CreateWorkflowRequest) (*longrunningpb.Operation, error) {
	g.calls = append(g.calls, "create "+r.Parent+" "+r.WorkflowId)
	if r.Workflow.GetSourceContents() == "bad" {
		return nil, status.Error(codes.InvalidArgument, "main.yaml:1:1: parse error")
	}
	g.workflows[r.Parent+"/workflows/"+r.WorkflowId] = r.Workflow
	return done(r.Workflow)
}

func (g *cloud) UpdateWorkflow(_ context.Context, r *workflowspb.UpdateWorkflowRequest) (*longrunningpb.Operation, error) {
	g.calls = append(g.calls, "update "+r.Workflow.Name+" "+strings.Join(r.UpdateMask.Paths, ","))
	g.workflows[r.Workflow.Name] = r.Workflow
	return done(r.Workflow)
}

func (g *cloud) CreateExecution(_ context.Context, r *executionspb.CreateExecutionRequest) (*executionspb.Execution, error) {
	return &executionspb.Execution{Name: r.Parent + "/executions/1", Argument: r.Execution.Argument}, nil
}

func (g *cloud) GetExecution(_ context.Context, r *executionspb.GetExecutionRequest) (*executionspb.Execution, error) {
	g.looks++
	x := &executionspb.Execution{Name: r.Name, State: executionspb.Execution_ACTIVE}
	if g.looks >= 3 {
		x.State, x.Result = executionspb.Execution_SUCCEEDED, "42"
	}
	return x, nil
}

func (g *cloud) CancelExecution(_ context.Context, r *executionspb.CancelExecutionRequest) (*executionspb.Execution, error) {
	g.calls = append(g.calls, "cancel "+r.Name)
	return &executionspb.Execution{}, nil
}

func (g *cloud) GetService(_ context.Context, r *runpb.GetServiceRequest) (*runpb.Service, error) {
	if s := g.services[r.Name]; s != nil {
		return s, nil
	}
	return nil, status.Error(codes.NotFound, "not there")
}

func (g *cloud) CreateService(_ context.Context, r *runpb.CreateServiceRequest) (*longrunningpb.Operation, error) {
	g.calls = append(g.calls, "create "+r.Parent+" "+r.ServiceId)
	s := proto.Clone(r.Service).(*runpb.Service)
	s.Name, s.Etag = r.Parent+"/services/"+r.ServiceId, "1"
	g.services[s.Name] = s
	return done(s)
}

func (g *cloud) UpdateService(_ context.Context, r *runpb.UpdateServiceRequest) (*longrunningpb.Operation, error) {
	g.calls = append(g.calls, "update "+r.Service.Name+" "+strings.Join(r.UpdateMask.Paths, ","))
	if r.Service.Etag != "" && r.Service.Etag != g.services[r.Service.Name].Etag {
		return nil, status.Error(codes.Aborted, "etag")
	}
	return done(r.Service)
}

func (g *cloud) ListCustomJobs(_ context.Context, r *aiplatformpb.ListCustomJobsRequest) (*aiplatformpb.ListCustomJobsResponse, error) {
	g.calls = append(g.calls, "list "+r.Parent+" "+r.Filter)
	return &aiplatformpb.ListCustomJobsResponse{CustomJobs: g.jobs}, nil
}

func (g *cloud) CancelCustomJob(_ context.Context, r *aiplatformpb.CancelCustomJobRequest) (*emptypb.Empty, error) {
	g.calls = append(g.calls, "cancel "+r.Name)
	if r.Name == "stuck" {
		return nil, status.Error(codes.FailedPrecondition, "no")
	}
	return &emptypb.Empty{}, nil
}

const parent = "projects/p/locations/l"

func TestDeployWorkflow(t *testing.T) {
	g, c := start(t)
	for _, source := range []string{"one", "two"} {
		w, err := c.DeployWorkflow(t.Context(), "w", &workflowspb.Workflow{SourceCode: &workflowspb.Workflow_SourceContents{SourceContents: source}})
		if err != nil || w.GetSourceContents() != source {
			t.Fatalf("%v %v", w, err)
		}
	}
	want := []string{"create " + parent + " w", "update " + parent + "/workflows/w source_contents,service_account,user_env_vars,labels,description,execution_history_level"}
	if diff := cmp.Diff(want, g.calls); diff != "" {
		t.Error(diff)
	}
	_, err := c.DeployWorkflow(t.Context(), "x", &workflowspb.Workflow{SourceCode: &workflowspb.Workflow_SourceContents{SourceContents: "bad"}})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "create workflow x: ") || !strings.Contains(err.Error(), "main.yaml:1:1: parse error") {
		t.Errorf("error %v", err)
	}
}

func TestExecute(t *testing.T) {
	g, c := start(t)
	x, err := c.Execute(t.Context(), "w", `{"a":1}`)
	if err != nil || x.Name != parent+"/workflows/w/executions/1" || x.Argument != `{"a":1}` {
		t.Fatalf("%v %v", x, err)
	}
	x, err = c.WaitExecution(t.Context(), x.Name, time.Millisecond)
	if err != nil || x.Result != "42" || g.looks != 3 {
		t.Errorf("%v %v after %d looks", x, err, g.looks)
	}
	if err := c.CancelExecution(t.Context(), x.Name); err != nil || g.calls[0] != "cancel "+x.Name {
		t.Errorf("%v %q", err, g.calls)
	}
	g.looks = -1000
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := c.WaitExecution(ctx, x.Name, time.Hour); err == nil {
		t.Error("waits for ever")
	}
}

func TestServices(t *testing.T) {
	g, c := start(t)
	for range 2 {
		if _, err := c.DeployService(t.Context(), "s", &runpb.Service{}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Service(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ShiftTraffic(t.Context(), s); err != nil {
		t.Error(err)
	}
	stale := proto.Clone(s).(*runpb.Service)
	stale.Etag = "0"
	if _, err := c.ShiftTraffic(t.Context(), stale); status.Code(err) != codes.Aborted {
		t.Errorf("a stale etag: %v", err)
	}
	name := parent + "/services/s"
	want := []string{"create " + parent + " s", "update " + name + " template", "update " + name + " traffic,annotations", "update " + name + " traffic,annotations"}
	if diff := cmp.Diff(want, g.calls); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Service(t.Context(), "absent"); status.Code(err) != codes.NotFound {
		t.Errorf("error %v", err)
	}
}

func TestCancelJobs(t *testing.T) {
	g, c := start(t)
	g.jobs = []*aiplatformpb.CustomJob{
		{Name: "running", State: aiplatformpb.JobState_JOB_STATE_RUNNING},
		{Name: "done", State: aiplatformpb.JobState_JOB_STATE_SUCCEEDED},
		{Name: "stuck", State: aiplatformpb.JobState_JOB_STATE_PENDING},
		{Name: "queued", State: aiplatformpb.JobState_JOB_STATE_QUEUED},
	}
	n, err := c.CancelJobs(t.Context(), "x1")
	if n != 2 || err == nil || !strings.Contains(err.Error(), "cancel job stuck") {
		t.Errorf("%d %v", n, err)
	}
	want := []string{`list ` + parent + ` labels.kakehi-execution="x1"`, "cancel running", "cancel stuck", "cancel queued"}
	if diff := cmp.Diff(want, g.calls); diff != "" {
		t.Error(diff)
	}
}
