package rest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"cloud.google.com/go/workflows/apiv1/workflowspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// echo keeps the request that it gets and answers with what it is told.
type echo struct {
	workflowspb.UnimplementedWorkflowsServer
	got    proto.Message
	answer proto.Message
	err    error
}

func (e *echo) CreateWorkflow(_ context.Context, r *workflowspb.CreateWorkflowRequest) (*longrunningpb.Operation, error) {
	return reply[*longrunningpb.Operation](e, r)
}

func (e *echo) UpdateWorkflow(_ context.Context, r *workflowspb.UpdateWorkflowRequest) (*longrunningpb.Operation, error) {
	return reply[*longrunningpb.Operation](e, r)
}

func (e *echo) GetWorkflow(_ context.Context, r *workflowspb.GetWorkflowRequest) (*workflowspb.Workflow, error) {
	return reply[*workflowspb.Workflow](e, r)
}

func (e *echo) ListWorkflows(_ context.Context, r *workflowspb.ListWorkflowsRequest) (*workflowspb.ListWorkflowsResponse, error) {
	return reply[*workflowspb.ListWorkflowsResponse](e, r)
}

func (e *echo) DeleteWorkflow(_ context.Context, r *workflowspb.DeleteWorkflowRequest) (*longrunningpb.Operation, error) {
	return reply[*longrunningpb.Operation](e, r)
}

func reply[M proto.Message](e *echo, in proto.Message) (M, error) {
	e.got = in
	out, _ := e.answer.(M)
	return out, e.err
}

type endpoints struct {
	aiplatformpb.UnimplementedPredictionServiceServer
	got *aiplatformpb.RawPredictRequest
}

func (e *endpoints) RawPredict(_ context.Context, r *aiplatformpb.RawPredictRequest) (*httpbody.HttpBody, error) {
	e.got = r
	return &httpbody.HttpBody{ContentType: "text/plain", Data: []byte("raw")}, nil
}

func newTable(e *echo) *Table {
	t := &Table{}
	workflowspb.RegisterWorkflowsServer(t, e)
	runpb.RegisterServicesServer(t, runpb.UnimplementedServicesServer{})
	loggingpb.RegisterLoggingServiceV2Server(t, loggingpb.UnimplementedLoggingServiceV2Server{})
	return t
}

func call(t *Table, host, method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	if !t.Serve(w, httptest.NewRequest(method, target, strings.NewReader(body)), host) {
		w.WriteHeader(http.StatusNotFound)
	}
	return w
}

const parentName = "projects/p/locations/us-central1"

func TestRequests(t *testing.T) {
	for _, tt := range []struct {
		name, method, target, body string
		want                       proto.Message
	}{
		{
			"a body field and a query field in camel case", "POST",
			"/v1/" + parentName + "/workflows?workflowId=w1&alt=json&prettyPrint=false&key=k&%24alt=json%3Benum-encoding%3Dint",
			`{"sourceContents":"main:","labels":{"a":"b"},"callLogLevel":"LOG_NONE"}`,
			&workflowspb.CreateWorkflowRequest{Parent: parentName, WorkflowId: "w1", Workflow: &workflowspb.Workflow{
				SourceCode:   &workflowspb.Workflow_SourceContents{SourceContents: "main:"},
				Labels:       map[string]string{"a": "b"},
				CallLogLevel: workflowspb.Workflow_LOG_NONE,
			}},
		},
		{
			"a query field in snake case, an enum by number, a field in snake case", "POST",
			"/v1/" + parentName + "/workflows?workflow_id=w1", `{"source_contents":"x","callLogLevel":3}`,
			&workflowspb.CreateWorkflowRequest{Parent: parentName, WorkflowId: "w1", Workflow: &workflowspb.Workflow{
				SourceCode:   &workflowspb.Workflow_SourceContents{SourceContents: "x"},
				CallLogLevel: workflowspb.Workflow_LOG_NONE,
			}},
		},
		{
			"a nested path variable beats the body; a mask in either case", "PATCH",
			"/v1/" + parentName + "/workflows/w1?updateMask=source_contents,serviceAccount", `{"name":"projects/other/locations/l/workflows/x","description":"d"}`,
			&workflowspb.UpdateWorkflowRequest{
				Workflow:   &workflowspb.Workflow{Name: parentName + "/workflows/w1", Description: "d"},
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"source_contents", "service_account"}},
			},
		},
		{
			"integers and plain text", "GET", "/v1/" + parentName + "/workflows?pageSize=5&filter=a%3D1&pageToken=x%2Fy", "",
			&workflowspb.ListWorkflowsRequest{Parent: parentName, PageSize: 5, Filter: "a=1", PageToken: "x/y"},
		},
		{
			"an escaped name, and a body that the method does not take", "DELETE", "/v1/" + parentName + "/workflows/a%20b", `{}`,
			&workflowspb.DeleteWorkflowRequest{Name: parentName + "/workflows/a b"},
		},
		{
			"no body where one is optional", "POST", "/v1/" + parentName + "/workflows?workflowId=w1", "",
			&workflowspb.CreateWorkflowRequest{Parent: parentName, WorkflowId: "w1", Workflow: &workflowspb.Workflow{}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &echo{answer: &longrunningpb.Operation{}}
			w := call(newTable(e), "", tt.method, tt.target, tt.body)
			if e.got == nil {
				t.Fatalf("not called: %d %s", w.Code, w.Body)
			}
			if d := cmp.Diff(tt.want, e.got, protocmp.Transform()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	const create = "/v1/" + parentName + "/workflows"
	for _, tt := range []struct {
		name, target, body string
		want               []string // parts of the message
	}{
		{"unknown query field", create + "?workflowID=x", "", []string{`Unknown name "workflowID": Cannot bind query parameter`}},
		{"bad mask", "/v1/" + parentName + "/workflows?validate=1", "", []string{"validate"}},
		{"unknown fields, all of them, with their paths", create, `{"sourceContent":"x","stateError":{"detail":1,"details":2}}`,
			[]string{`Unknown name "sourceContent" at 'workflow'`, `Unknown name "detail" at 'workflow.state_error'`, `Invalid value at 'workflow.state_error.details' (TYPE_STRING), 2`}},
		{"map value", create, `{"labels":{"a":1}}`, []string{`Invalid value at 'workflow.labels["a"]' (TYPE_STRING), 1`}},
		{"enum", create, `{"callLogLevel":"LOUD"}`, []string{`Invalid value at 'workflow.call_log_level' (type.googleapis.com/google.cloud.workflows.v1.Workflow.CallLogLevel), "LOUD"`}},
		{"list for a message", create, `[]`, []string{"Invalid value at 'workflow'"}},
		{"no JSON", create, `{"a":`, []string{"Invalid JSON payload received", "character"}},
		{"two values", create, `{} {}`, []string{"more after"}},
		{"field given twice", create, `{"name":"a","name":"b"}`, []string{"Invalid JSON payload received"}},
		{"time", create, `{"createTime":"yesterday"}`, []string{"Invalid JSON payload received"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &echo{}
			w := call(newTable(e), "", "POST", tt.target, tt.body)
			var got envelope
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if w.Code != 400 || got.Error.Code != 400 || got.Error.Status != "INVALID_ARGUMENT" || e.got != nil {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			for _, part := range tt.want {
				if !strings.Contains(got.Error.Message, part) {
					t.Errorf("message %q lacks %q", got.Error.Message, part)
				}
			}
		})
	}
	e := &echo{}
	w := call(newTable(e), "", "PATCH", "/v1/"+parentName+"/workflows/w?updateMask=a-b", "{}")
	if w.Code != 400 || !strings.Contains(w.Body.String(), "updateMask") {
		t.Errorf("a bad mask: %d %s", w.Code, w.Body)
	}
}

func TestResponses(t *testing.T) {
	e := &echo{answer: &workflowspb.Workflow{Name: "n", State: workflowspb.Workflow_ACTIVE}}
	table := newTable(e)
	w := call(table, "workflows.googleapis.com", "GET", "/v1/"+parentName+"/workflows/w", "")
	const want = "{\n  \"name\": \"n\",\n  \"state\": \"ACTIVE\"\n}\n"
	if w.Body.String() != want || w.Header().Get("Content-Type") != "application/json; charset=UTF-8" {
		t.Errorf("%s %s", w.Header(), w.Body)
	}
	w = call(table, "", "GET", "/v1/"+parentName+"/workflows/w?%24alt=json%3Benum-encoding%3Dint", "")
	if !strings.Contains(w.Body.String(), `"state": 1`) {
		t.Errorf("enums as numbers: %s", w.Body)
	}
	for target, host := range map[string]string{
		"/v1/" + parentName + "/workflows/w":   "run.googleapis.com", // another API's host
		"/v1/" + parentName + "/workflows/w/x": "",
		"/v2/" + parentName + "/workflows/w":   "",
		"/v1/" + parentName + "/workflows/":    "",
		"/":                                    "",
	} {
		if w := call(table, host, "GET", target, ""); w.Code != 404 {
			t.Errorf("%s%s: %d %s", host, target, w.Code, w.Body)
		}
	}
}

func TestErrors(t *testing.T) {
	st, err := status.New(codes.FailedPrecondition, "no").WithDetails(&annotations.Http{}, &workflowspb.OperationMetadata{Verb: "v"})
	if err != nil {
		t.Fatal(err)
	}
	p := st.Proto()
	p.Details = append(p.Details, &anypb.Any{TypeUrl: "type.googleapis.com/no.such.Type"})
	w := call(newTable(&echo{err: status.FromProto(p).Err()}), "", "GET", "/v1/"+parentName+"/workflows/w", "")
	var got, want any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(`{"error":{"code":400,"message":"no","status":"FAILED_PRECONDITION","details":[
		{"@type":"type.googleapis.com/google.api.Http"},
		{"@type":"type.googleapis.com/google.cloud.workflows.v1.OperationMetadata","verb":"v"},
		{"@type":"type.googleapis.com/no.such.Type"}]}}`), &want)
	if d := cmp.Diff(want, got); d != "" || w.Code != 400 {
		t.Errorf("%d\n%s", w.Code, d)
	}
	for err, code := range map[error]int{
		status.Error(codes.NotFound, "x"): 404, status.Error(codes.Aborted, "x"): 409, status.Error(codes.ResourceExhausted, "x"): 429,
		context.Canceled: 499, context.DeadlineExceeded: 504, io.EOF: 500, status.Error(codes.Unauthenticated, "x"): 401, status.Error(99, "x"): 500,
	} {
		w := httptest.NewRecorder()
		WriteError(w, err)
		if w.Code != code {
			t.Errorf("%v: %d, want %d", err, w.Code, code)
		}
		if code == 401 && w.Header().Get("WWW-Authenticate") == "" {
			t.Error("401 without WWW-Authenticate")
		}
	}
}

func TestRawBodies(t *testing.T) {
	e, table := &endpoints{}, &Table{}
	aiplatformpb.RegisterPredictionServiceServer(table, e)
	r := httptest.NewRequest("POST", "/v1/projects/p/locations/l/endpoints/e:rawPredict", strings.NewReader(`{"anything":[1,2]}`))
	w := httptest.NewRecorder()
	if !table.Serve(w, r, "aiplatform.googleapis.com") {
		t.Fatal("no route")
	}
	if w.Body.String() != "raw" || w.Header().Get("Content-Type") != "text/plain" {
		t.Errorf("%s %s", w.Header(), w.Body)
	}
	if e.got.Endpoint != "projects/p/locations/l/endpoints/e" || string(e.got.HttpBody.Data) != `{"anything":[1,2]}` {
		t.Errorf("got %v", e.got)
	}
	w = call(newTable(&echo{}), "", "POST", "/v2/entries:tail", "{}")
	if w.Code != 501 {
		t.Errorf("a streaming method: %d %s", w.Code, w.Body)
	}
}

// accounts is an old-style service, registered by Describe.
type accounts struct {
	adminpb.UnimplementedIAMServer
	got proto.Message
}

func (a *accounts) GetServiceAccount(_ context.Context, r *adminpb.GetServiceAccountRequest) (*adminpb.ServiceAccount, error) {
	a.got = r
	return &adminpb.ServiceAccount{Name: r.Name}, nil
}

func TestDescribe(t *testing.T) {
	a, table := &accounts{}, &Table{}
	var seen string
	table.Intercept = func(ctx context.Context, in any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		seen = info.FullMethod
		return h(ctx, in)
	}
	sd := Describe[adminpb.IAMServer](adminpb.File_google_iam_admin_v1_iam_proto.Services().ByName("IAM"))
	table.RegisterService(sd, a)
	grpc.NewServer().RegisterService(sd, a)
	w := call(table, "", "GET", "/v1/projects/-/serviceAccounts/a@b.c", "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"projects/-/serviceAccounts/a@b.c"`) || seen != "/google.iam.admin.v1.IAM/GetServiceAccount" {
		t.Errorf("%d %s %s", w.Code, w.Body, seen)
	}
	if w := call(table, "", "DELETE", "/v1/projects/-/serviceAccounts/a@b.c", ""); w.Code != 501 {
		t.Errorf("an unimplemented method: %d %s", w.Code, w.Body)
	}
}

func TestTemplates(t *testing.T) {
	for _, tt := range []struct{ template, path, field, want string }{
		{"/v1/{name=projects/*/logs/*}", "/v1/projects/p/logs/run.googleapis.com%2Frequests", "name", "projects/p/logs/run.googleapis.com%2Frequests"},
		{"/v1/{name}", "/v1/a%2Fb%20c", "name", "a/b c"},
		{"/v1/{name=operations/**}", "/v1/operations/a/b", "name", "operations/a/b"},
		{"/v1/{a=x/*}/{b}", "/v1/x/1/2", "b", "2"},
	} {
		parsed, err := parseTemplate(tt.template)
		if err != nil {
			t.Fatal(err)
		}
		path := strings.Split(tt.path[1:], "/")
		if !parsed.match(path) {
			t.Errorf("%s does not match %s", tt.template, tt.path)
			continue
		}
		for _, v := range parsed.vars {
			if got, err := parsed.value(v, path); v.field == tt.field && (got != tt.want || err != nil) {
				t.Errorf("%s of %s: %q, %v", tt.template, tt.path, got, err)
			}
		}
	}
	for _, bad := range []string{"v1", "/v1/{name", "/v1//x", "/v1/**/x"} {
		if _, err := parseTemplate(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// The more literal of two templates wins, whichever was added first.
func TestMostLiteralRouteWins(t *testing.T) {
	table := newTable(&echo{answer: &workflowspb.Workflow{}})
	err := table.Bind("google.cloud.workflows.v1.Workflows.ListWorkflows",
		&annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/v1/{parent=**}"}},
		&annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: "/v1/{parent=projects/*/locations/*}/workflows/special"}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/v1/projects/p/locations/l/workflows/w":       "GetWorkflow",
		"/v1/projects/p/locations/l/workflows/special": "ListWorkflows",
		"/v1/a/b": "ListWorkflows",
	} {
		m, ok := table.find("", "GET", path)
		if !ok || string(m.desc.Name()) != want {
			t.Errorf("%s: %v", path, ok)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add("POST", "/v1/"+parentName+"/workflows?workflowId=x", `{"labels":{"a":"b"},"createTime":"2026-01-01T00:00:00Z"}`)
	f.Add("PATCH", "/v1/"+parentName+"/workflows/w?updateMask=a.b_c", `{"stateError":{"details":1e999999999}}`)
	f.Add("GET", "/v1/"+parentName+"/workflows?pageSize=1e9&filter=%zz", "")
	f.Add("GET", "/v1/"+parentName+"/workflows/%2e%2e%2f:x", "[[[[")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://h"+target, strings.NewReader(body))
		if err != nil {
			return // no request that could arrive
		}
		e := &echo{answer: &longrunningpb.Operation{}}
		w := httptest.NewRecorder()
		if !newTable(e).Serve(w, r, "") {
			return
		}
		if w.Code == 500 || w.Code == 501 && e.got != nil || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
