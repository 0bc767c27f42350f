package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/interp"
)

// echo returns its argument, sleeps if that asks for it, or fails.
const echo = `
main:
  params: [args]
  steps:
    - choose:
        switch:
          - condition: '${args == "fail"}'
            raise: {code: 7, message: asked for}
          - condition: '${args == "sleep"}'
            steps:
              - nap: {call: sys.sleep, args: {seconds: 3600}}
    - log: {call: sys.log, args: {json: {seen: '${args}'}, severity: NOTICE}}
    - out: {return: '${args}'}
`

func TestExecution(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	w := c.deploy(`
main:
  params: [args]
  steps:
    - add:
        assign: [{sum: '${args.a + args.b}'}]
    - out:
        return:
          sum: '${sum}'
          id: '${sys.get_env("GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID")}'
          account: '${sys.get_env("GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME")}'
          workflow: '${sys.get_env("GOOGLE_CLOUD_WORKFLOW_ID")}'
          project: '${sys.get_env("GOOGLE_CLOUD_PROJECT_ID")}'
          number: '${sys.get_env("GOOGLE_CLOUD_PROJECT_NUMBER")}'
          location: '${sys.get_env("GOOGLE_CLOUD_LOCATION")}'
          own: '${sys.get_env("BUCKET")}'
`, func(w *workflowspb.Workflow) {
		w.UserEnvVars = map[string]string{"BUCKET": "data"}
		w.Labels = map[string]string{"team": "ml", "tier": "dev"}
	})
	created, err := c.ex.CreateExecution(context.Background(), &executionspb.CreateExecutionRequest{
		Parent: wfName,
		Execution: &executionspb.Execution{
			Argument: `{"a":1,"b":2}`, Labels: map[string]string{"tier": "prod"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "projects/" + number + "/locations/us-central1/workflows/w/executions/"
	id, ok := strings.CutPrefix(created.Name, prefix)
	if !ok || created.State != executionspb.Execution_ACTIVE || created.StartTime == nil {
		t.Errorf("created: %v", created)
	}
	e := c.wait(created.Name, executionspb.Execution_SUCCEEDED)
	var result map[string]any
	if err := json.Unmarshal([]byte(e.Result), &result); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"sum": 3.0, "id": id, "account": runner, "workflow": "w", "project": project, "number": number,
		"location": "us-central1", "own": "data",
	}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Error(diff)
	}
	if e.WorkflowRevisionId != w.RevisionId || e.Labels["team"] != "ml" || e.Labels["tier"] != "prod" {
		t.Errorf("%v", e)
	}
	if e.EndTime == nil || e.Duration == nil || e.Argument != `{"a":1,"b":2}` {
		t.Errorf("%v", e)
	}
	if steps := e.Status.GetCurrentSteps(); len(steps) != 1 || steps[0].Step != "out" || steps[0].Routine != "main" {
		t.Errorf("last steps: %v", steps)
	}
	// By the project's id, too; and only the basic fields.
	basic, err := c.ex.GetExecution(context.Background(), &executionspb.GetExecutionRequest{
		Name: wfName + "/executions/" + id, View: executionspb.ExecutionView_BASIC,
	})
	if err != nil || basic.Argument != "" || basic.Result != "" || basic.Labels != nil || basic.WorkflowRevisionId == "" {
		t.Errorf("basic view: %v, %v", basic, err)
	}
}

func TestExecutionFails(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo)
	e := c.run(`"fail"`)
	if e.State != executionspb.Execution_FAILED || e.Result != "" {
		t.Fatal(e)
	}
	if e.Error.Payload != `{"code":7,"message":"asked for"}` || !strings.Contains(e.Error.Context, `in step "choose", routine "main", line: 8`) {
		t.Errorf("%v", e.Error)
	}
	if el := e.Error.StackTrace.GetElements(); len(el) != 1 || el[0].Step != "choose" || el[0].Position.GetLine() != 8 {
		t.Errorf("%v", el)
	}
}

func TestCreateExecutionRefuses(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo)
	type req = executionspb.CreateExecutionRequest
	tests := []struct {
		name   string
		ctx    context.Context
		change func(*req)
		code   codes.Code
		want   string
	}{
		{"no such workflow", nil, func(r *req) { r.Parent = parent + "/workflows/ghost" }, codes.NotFound, "ghost"},
		{"parent", nil, func(r *req) { r.Parent = "w" }, codes.InvalidArgument, "does not match"},
		{"argument", nil, func(r *req) { r.Execution.Argument = "{a}" }, codes.InvalidArgument, "is not JSON"},
		{"large argument", nil, func(r *req) { r.Execution.Argument = `"` + strings.Repeat("x", 32768) + `"` }, codes.InvalidArgument, "32768"},
		{"call log level", nil, func(r *req) { r.Execution.CallLogLevel = 9 }, codes.InvalidArgument, "9 is not a level"},
		{"label", nil, func(r *req) { r.Execution.Labels = map[string]string{"a": "B"} }, codes.InvalidArgument, "lowercase"},
		{"permission", as("user:nobody@x"), func(*req) {}, codes.PermissionDenied, "workflows.executions.create"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &req{Parent: wfName, Execution: &executionspb.Execution{}}
			tt.change(r)
			if tt.ctx == nil {
				tt.ctx = context.Background()
			}
			_, err := c.ex.CreateExecution(tt.ctx, r)
			if status.Code(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("%v, want %v with %q", err, tt.code, tt.want)
			}
		})
	}
	if _, err := c.ex.CreateExecution(context.Background(), &req{Parent: wfName}); err != nil {
		t.Errorf("no execution at all is fine, but: %v", err)
	}
}

func TestListExecutions(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo)
	number := map[string]string{}
	for i, argument := range []string{"0", `"fail"`, "2", `"sleep"`, "4"} {
		e := c.execute(argument)
		number[e.Name] = fmt.Sprint(i)
		if i != 3 {
			c.wait(e.Name)
		}
	}
	tests := []struct{ filter, order, want string }{
		{"", "", "43210"},
		{"", "startTime", "01234"},
		{"state=SUCCEEDED", "", "420"},
		{`state="FAILED" OR state="ACTIVE"`, "", "31"},
		{"NOT state=SUCCEEDED", "startTime desc", "31"},
		{"stepName=choose", "", "1"},
		{"endTime>2020-01-01 AND duration<10s", "", "4210"},
		{"executionId=nope", "", ""},
	}
	for _, tt := range tests {
		var got strings.Builder
		it := c.ex.ListExecutions(context.Background(), &executionspb.ListExecutionsRequest{
			Parent: wfName, Filter: tt.filter, OrderBy: tt.order, PageSize: 2,
		})
		for {
			e, err := it.Next()
			if err == iterator.Done {
				break
			}
			if err != nil {
				t.Fatalf("%+v: %v", tt, err)
			}
			if e.Argument != "" {
				t.Errorf("the default view has %v", e)
			}
			got.WriteString(number[e.Name])
		}
		if got.String() != tt.want {
			t.Errorf("%+v: %s", tt, got.String())
		}
	}
	it := c.ex.ListExecutions(context.Background(), &executionspb.ListExecutionsRequest{Parent: wfName, Filter: "nope=1"})
	if _, err := it.Next(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("bad filter: %v", err)
	}
}

// TestListTokens: a token goes on where the page before ended, also after a
// restart and with executions that came since, and only with its own query.
func TestListTokens(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil)
	c.deploy(echo)
	for range 5 {
		c.run("1")
	}
	for _, order := range []string{"", "createTime desc", "startTime desc"} {
		var names []string
		req := &executionspb.ListExecutionsRequest{Parent: wfName, PageSize: 2, OrderBy: order}
		for {
			page, err := c.svc.ListExecutions(developer(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Executions {
				names = append(names, e.Name)
			}
			if req.PageToken = page.NextPageToken; req.PageToken == "" {
				break
			}
			c.stop()
			c = boot(t, dir, nil)
			if order != "startTime desc" { // there, what is new moves the pages
				c.run("1")
			}
		}
		seen := map[string]bool{}
		for _, name := range names {
			seen[name] = true
		}
		if len(names) < 5 || len(seen) != len(names) {
			t.Errorf("order %q: %d executions, %d of them different", order, len(names), len(seen))
		}
	}
	page, err := c.svc.ListExecutions(developer(), &executionspb.ListExecutionsRequest{Parent: wfName, PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []*executionspb.ListExecutionsRequest{
		{Parent: wfName, Filter: "state=FAILED"}, {Parent: wfName, OrderBy: "state"}, {Parent: wfName, View: executionspb.ExecutionView_FULL},
	} {
		req.PageToken = page.NextPageToken
		if _, err := c.svc.ListExecutions(developer(), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", req, err)
		}
	}
}

// TestListFullInOrder: an order of one's own gives the FULL view, too.
func TestListFullInOrder(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo)
	for _, argument := range []string{"1", "2", "3"} {
		c.run(argument)
	}
	page, err := c.svc.ListExecutions(developer(), &executionspb.ListExecutionsRequest{
		Parent: wfName, OrderBy: "startTime", View: executionspb.ExecutionView_FULL, Filter: "state=SUCCEEDED",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, e := range page.Executions {
		got += e.Argument + e.Result
	}
	if got != "112233" {
		t.Errorf("got %s", got)
	}
}

func TestCancel(t *testing.T) {
	ctx := context.Background()
	c := boot(t, t.TempDir(), nil, func(o *Options) { o.MaxConcurrent = 1 })
	c.deploy(echo)
	running, queued := c.execute(`"sleep"`), c.execute("1")
	if queued.State != executionspb.Execution_QUEUED || queued.StartTime != nil {
		t.Errorf("%v", queued)
	}
	last := c.execute("2")
	e, err := c.ex.CancelExecution(ctx, &executionspb.CancelExecutionRequest{Name: queued.Name})
	if err != nil || e.State != executionspb.Execution_CANCELLED {
		t.Fatalf("%v, %v", e, err)
	}
	e, err = c.ex.CancelExecution(ctx, &executionspb.CancelExecutionRequest{Name: running.Name})
	if err != nil || e.State != executionspb.Execution_CANCELLED || e.Error == nil {
		t.Fatalf("%v, %v", e, err)
	}
	c.wait(last.Name, executionspb.Execution_SUCCEEDED)
	if _, err := c.ex.CancelExecution(ctx, &executionspb.CancelExecutionRequest{Name: last.Name}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("cancelling what has ended: %v", err)
	}
}

func TestBacklogIsFirstComeFirstServed(t *testing.T) {
	c := boot(t, t.TempDir(), nil, func(o *Options) { o.MaxConcurrent = 1 })
	c.deploy(echo)
	first := c.execute(`"sleep"`)
	var names []string
	for i := range 5 {
		names = append(names, c.execute(fmt.Sprint(i)).Name)
	}
	if _, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: first.Name}); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		e := c.wait(name, executionspb.Execution_SUCCEEDED)
		if i > 0 {
			before := c.wait(names[i-1], executionspb.Execution_SUCCEEDED)
			if e.StartTime.AsTime().Before(before.EndTime.AsTime()) {
				t.Errorf("execution %d began before the one ahead of it had ended", i)
			}
		}
	}
}

func TestWatch(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(`
main:
  steps:
    - log: {call: sys.log, args: {text: hello}}
    - nap: {call: sys.sleep, args: {seconds: 3600}}
`)
	name := c.execute("").Name
	events, stop, err := c.svc.Watch(name)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if e := <-events; e.Log == nil || e.Log.Text != "hello" {
		t.Errorf("first event %+v", e)
	}
	if _, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	if got := summary(events); got != "CANCELLED" {
		t.Errorf("then %q", got)
	}
	// After the end, the end is still there.
	events, stop, err = c.svc.Watch(name)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if got := summary(events); got != "CANCELLED" {
		t.Errorf("after the end: %q", got)
	}
	if _, _, err := c.svc.Watch(name + "0"); status.Code(err) != codes.NotFound {
		t.Errorf("watch of nothing: %v", err)
	}
}

// With step events, each step is told while the execution runs, and its end
// also afterwards.
func TestWatchSteps(t *testing.T) {
	c := boot(t, t.TempDir(), nil, func(o *Options) { o.StepEvents = true })
	c.deploy(`
main:
  steps:
    - nap: {call: sys.sleep, args: {seconds: 3600}}
`)
	name := c.execute("").Name
	events, stop, err := c.svc.Watch(name)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if e := <-events; e.Step == nil || e.Step.Step != "nap" || e.Step.State != interp.StepRunning {
		t.Errorf("first event %+v", e)
	}
	if _, err := c.ex.CancelExecution(context.Background(), &executionspb.CancelExecutionRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	if got := summary(events); got != "nap:STATE_CANCELLED CANCELLED" {
		t.Errorf("then %q", got)
	}
	events, stop, err = c.svc.Watch(name)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if got := summary(events); got != "nap:STATE_CANCELLED CANCELLED" {
		t.Errorf("after the end: %q", got)
	}
}

func summary(events <-chan Event) string {
	var seen []string
	for e := range events {
		switch {
		case e.Step != nil:
			seen = append(seen, e.Step.Step+":"+string(e.Step.State))
		case e.Log != nil:
			seen = append(seen, "log")
		default:
			seen = append(seen, e.Execution.State.String())
		}
	}
	return strings.Join(seen, " ")
}

func TestLogs(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo, func(w *workflowspb.Workflow) { w.CallLogLevel = workflowspb.Workflow_LOG_ALL_CALLS })
	e := c.run(`{"a":1}`)
	id := e.Name[strings.LastIndexByte(e.Name, '/')+1:]
	c.stop() // all is written
	var got []string
	for _, l := range c.logs.all() {
		if l.Resource.Type != "workflows.googleapis.com/Workflow" || l.Resource.Labels["workflow_id"] != "w" ||
			l.Labels["workflows.googleapis.com/execution_id"] != id {
			t.Errorf("%v", l)
		}
		log := l.LogName[strings.LastIndexByte(l.LogName, '/')+1:]
		what := l.GetJsonPayload().GetFields()["state"].GetStringValue()
		if what == "" {
			what = fmt.Sprint(l.GetJsonPayload().AsMap())
		}
		got = append(got, fmt.Sprintf("%s %v %s", log, l.Severity, what))
	}
	sort.Strings(got) // sys.log comes after the steps of the same instant
	want := []string{
		"Workflows NOTICE map[seen:map[a:1]]",
		"workflows.googleapis.com%2Fengine_call INFO BEGUN",
		"workflows.googleapis.com%2Fengine_call INFO SUCCEEDED",
		"workflows.googleapis.com%2Fexecutions_system INFO ACTIVE",
		"workflows.googleapis.com%2Fexecutions_system INFO SUCCEEDED",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
