package workflows

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/emulator/iam"
)

// rest calls the REST form as the developer and decodes the answer.
func (c *cloud) rest(method, path, body string) (int, map[string]any) {
	return c.restAs(iam.Developer, method, path, body)
}

func (c *cloud) restAs(member, method, path, body string) (int, map[string]any) {
	c.t.Helper()
	mux := http.NewServeMux()
	for _, p := range RESTPatterns() {
		mux.Handle(p, c.svc.REST())
	}
	req := httptest.NewRequest(method, "https://workflowexecutions.googleapis.com/v1/"+path, strings.NewReader(body))
	req = req.WithContext(iam.WithPrincipal(req.Context(), iam.Principal{Member: member}))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	answer := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		c.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, answer
}

func message(answer map[string]any) string {
	e, _ := answer["error"].(map[string]any)
	return fmt.Sprint(e["status"], ": ", e["message"])
}

func TestRESTExecutions(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo)
	code, e := c.rest("POST", wfName+"/executions",
		`{"argument":"5","disableConcurrencyQuotaOverflowBuffering":false,"executionHistoryLevel":"EXECUTION_HISTORY_DETAILED","callLogLevel":"LOG_NONE"}`)
	if code != 200 || e["createTime"] == nil || e["state"] != "ACTIVE" || e["executionHistoryLevel"] != "EXECUTION_HISTORY_DETAILED" {
		t.Fatalf("%d %v", code, e)
	}
	name := e["name"].(string)
	c.wait(name, executionspb.Execution_SUCCEEDED)
	if code, e = c.rest("GET", name, ""); code != 200 || e["result"] != "5" || e["argument"] != "5" {
		t.Errorf("%d %v", code, e)
	}
	if code, e = c.rest("GET", name+"?view=BASIC", ""); code != 200 || e["result"] != nil || e["createTime"] != nil {
		t.Errorf("%d %v", code, e)
	}
	if code, e = c.rest("GET", name+"?$alt=json%3Benum-encoding%3Dint&prettyPrint=false", ""); code != 200 || e["state"] != 2.0 {
		t.Errorf("%d %v", code, e)
	}
	if code, e = c.rest("GET", wfName+"/executions?view=FULL&order_by=createTime+desc&filter=state%3DSUCCEEDED&pageSize=1", ""); code != 200 || len(e["executions"].([]any)) != 1 {
		t.Errorf("%d %v", code, e)
	}
	if code, e = c.rest("GET", name+":exportData", ""); code != 200 || !strings.Contains(fmt.Sprint(e["data"]), `"stepEntries":[`) {
		t.Errorf("%d %v", code, e)
	}
	if code, e = c.rest("POST", name+":deleteExecutionHistory", "{}"); code != 200 {
		t.Errorf("%d %v", code, e)
	}
	if code, e = c.rest("GET", name+"/stepEntries", ""); code != 200 || e["stepEntries"] != nil {
		t.Errorf("history is still there: %d %v", code, e)
	}
}

func TestRESTRefuses(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo)
	name := c.run("1").Name
	sleeping := c.execute(`"sleep"`).Name
	tests := []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"POST", wfName + "/executions", `{"argument":`, 400, "Invalid JSON payload"},
		{"POST", wfName + "/executions", `{"argument":5}`, 400, "Invalid value at 'execution.argument' (TYPE_STRING), 5"},
		{"POST", wfName + "/executions", `{"arguments":"5"}`, 400, "Unknown name \"arguments\" at 'execution': Cannot find field."},
		{"POST", wfName + "/executions", `{"disableConcurrencyQuotaOverflowBuffering":"yes"}`, 400, "Invalid JSON payload"},
		{"POST", wfName + "/executions?argument=5", `{}`, 400, "Cannot bind query parameter"},
		{"GET", wfName + "/executions?pagesize=1", "", 400, "Unknown name \"pagesize\""},
		{"GET", wfName + "/executions?pageSize=1&pageSize=2", "", 400, "given 2 times"},
		{"GET", wfName + "/executions?pageSize=-1", "", 400, "negative"},
		{"GET", wfName + "/executions?orderBy=stepName", "", 400, "no field to order by"},
		{"GET", wfName + "/executions?filter=nope%3D1", "", 400, "unknown field \"nope\""},
		{"GET", wfName + "/executions?filter=createTime%3Eyesterday", "", 400, "not a time"},
		{"GET", wfName + "/executions?pageToken=x", "", 400, "page_token"},
		{"POST", wfName + "/executions", `{"executionHistoryLevel":"MUCH"}`, 400, "MUCH"},
		{"POST", wfName + "/executions", `[]`, 400, "Invalid JSON payload"},
		{"POST", wfName + "/executions", `{"argument":"` + strings.Repeat("x", 2<<20) + `"}`, 400, "payload size"},
		{"POST", parent + "/workflows/ghost/executions", `{}`, 404, "ghost"},
		{"GET", wfName + "/executions?pageSize=x", "", 400, "pageSize"},
		{"GET", wfName + "/executions?view=MOST", "", 400, "MOST"},
		{"GET", wfName + "/executions/ghost", "", 404, "ghost"},
		{"GET", name + "/stepEntries/99", "", 404, "stepEntries/99"},
		{"GET", name + "/stepEntries/one", "", 404, "stepEntries/one"},
		{"GET", name + "/stepEntries?filter=nope%3D1", "", 400, "nope"},
		{"GET", name + "/stepEntries?skip=-1", "", 400, "negative"},
		{"GET", name + "/stepEntries?orderBy=parent", "", 400, "no field to order by"},
		{"GET", name + "/nothing", "", 404, "not found"},
		{"POST", name + ":explode", "{}", 404, "not found"},
		{"POST", name + ":cancel", "{}", 400, "SUCCEEDED"},
		{"POST", sleeping + ":deleteExecutionHistory", "{}", 400, "has not ended"},
		{"POST", wfName + ":triggerPubsubExecution", `{"subscription":"projects/p/subscriptions/s"}`, 400, "message"},
		{"POST", name + "/callbacks/x", "{}", 404, "callbacks/x"},
	}
	for _, tt := range tests {
		code, answer := c.rest(tt.method, tt.path, tt.body)
		if code != tt.code || !strings.Contains(message(answer), tt.want) {
			t.Errorf("%s %s %.40s: %d %v, want %d with %q", tt.method, tt.path, tt.body, code, message(answer), tt.code, tt.want)
		}
	}
	details := func(method, path, body string) string {
		_, answer := c.rest(method, path, body)
		return fmt.Sprint(answer["error"].(map[string]any)["details"])
	}
	for _, tt := range []struct{ got, want string }{
		{details("GET", wfName+"/executions/ghost", ""), "resourceName:projects/" + number + "/locations/us-central1/workflows/w/executions/ghost"},
		{details("POST", name+":cancel", "{}"), "PreconditionFailure"},
		{details("POST", wfName+"/executions", `{"labels":{"A":"b"}}`), "field:execution.labels"},
	} {
		if !strings.Contains(tt.got, tt.want) {
			t.Errorf("details %s, want %s", tt.got, tt.want)
		}
	}
	for _, tt := range []struct{ method, path, permission string }{
		{"GET", name, "workflows.executions.get"},
		{"GET", name + ":exportData", "workflows.executions.get"},
		{"GET", name + "/stepEntries", "workflows.stepEntries.list"},
		{"GET", name + "/stepEntries/1", "workflows.stepEntries.get"},
		{"GET", name + "/callbacks", "workflows.callbacks.list"},
		{"GET", wfName + "/executions", "workflows.executions.list"},
		{"POST", wfName + "/executions", "workflows.executions.create"},
		{"POST", name + ":cancel", "workflows.executions.cancel"},
		{"POST", name + ":deleteExecutionHistory", "workflows.executions.cancel"},
		{"POST", name + "/callbacks/x", "workflows.callbacks.send"},
	} {
		if code, answer := c.restAs("user:nobody@x", tt.method, tt.path, "{}"); code != 403 || !strings.Contains(message(answer), tt.permission) {
			t.Errorf("%s %s by nobody: %d %v, want a denial of %s", tt.method, tt.path, code, message(answer), tt.permission)
		}
	}
}

func TestStepEntries(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil)
	c.deploy(`
main:
  steps:
    - init: {assign: [{total: 0}]}
    - loop:
        for:
          value: v
          in: [1, 2]
          steps:
            - add: {assign: [{total: '${total + v}'}]}
    - out: {return: '${total}'}
`, func(w *workflowspb.Workflow) {
		w.ExecutionHistoryLevel = workflowspb.ExecutionHistoryLevel_EXECUTION_HISTORY_DETAILED
	})
	name := c.run("").Name
	c.stop()
	c = boot(t, dir, nil) // the history survives
	code, answer := c.rest("GET", name+"/stepEntries?filter=stepType%3DSTEP_ASSIGN&pageSize=2", "")
	entries, _ := answer["stepEntries"].([]any)
	if code != 200 || len(entries) != 2 || answer["nextPageToken"] == nil || answer["totalSize"] != 3.0 {
		t.Fatalf("%d %v", code, answer)
	}
	first := entries[0].(map[string]any)
	variables := first["variableData"].(map[string]any)["variables"].(map[string]any)
	if first["step"] != "init" || first["state"] != "STATE_SUCCEEDED" || first["routine"] != "main" ||
		fmt.Sprint(variables["total"]) != "0" {
		t.Errorf("%v", first)
	}
	code, one := c.rest("GET", strings.TrimPrefix(first["name"].(string), "/"), "")
	if code != 200 || one["entryId"] != first["entryId"] {
		t.Errorf("%d %v", code, one)
	}
	_, all := c.rest("GET", name+"/stepEntries", "")
	byID := map[string]map[string]any{}
	loops := 0
	for _, e := range all["stepEntries"].([]any) {
		e := e.(map[string]any)
		byID[e["entryId"].(string)] = e
		if e["stepType"] == "STEP_FOR_ITERATION" {
			loops++
			meta := e["stepEntryMetadata"].(map[string]any)
			if meta["progressType"] != "PROGRESS_TYPE_FOR" || meta["progressNumber"] != fmt.Sprint(loops) || meta["expectedIteration"] != "2" {
				t.Errorf("%v", e)
			}
		}
	}
	if loops != 2 || fmt.Sprint(all["totalSize"]) != fmt.Sprint(len(byID)) {
		t.Errorf("%d iterations of %v entries", loops, all["totalSize"])
	}
	for id, e := range byID {
		children, _ := e["navigationInfo"].(map[string]any)["children"].([]any)
		for _, child := range children {
			parent := byID[child.(string)]["navigationInfo"].(map[string]any)["parent"]
			if parent != id {
				t.Errorf("%s has child %s, whose parent is %v", id, child, parent)
			}
		}
	}
}

// TestStepProgress: what an iteration counts depends on what is around it, and
// only a detailed history tells how many there will be.
func TestStepProgress(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(`
main:
  steps:
    - all:
        parallel:
          for:
            value: v
            in: [1, 2, 3]
            steps:
              - each:
                  for:
                    value: w
                    in: [1]
                    steps:
                      - choose:
                          switch:
                            - condition: false
                              next: continue
                            - condition: true
                              assign: [{x: 1}]
    - both:
        parallel:
          branches:
            - l: {steps: [{a: {assign: [{y: 1}]}}]}
            - r: {steps: [{b: {assign: [{y: 1}]}}]}
    - attempt:
        try: {steps: [{c: {assign: [{z: 1}]}}]}
        except: {as: e, steps: []}
`)
	for _, level := range []string{"EXECUTION_HISTORY_BASIC", "EXECUTION_HISTORY_DETAILED"} {
		_, e := c.rest("POST", wfName+"/executions", `{"executionHistoryLevel":"`+level+`"}`)
		name := e["name"].(string)
		c.wait(name, executionspb.Execution_SUCCEEDED)
		_, all := c.rest("GET", name+"/stepEntries", "")
		seen := map[string]int{}
		for _, e := range all["stepEntries"].([]any) {
			e := e.(map[string]any)
			meta, _ := e["stepEntryMetadata"].(map[string]any)
			if meta["progressType"] == nil {
				continue
			}
			seen[fmt.Sprint(meta["progressType"], " of ", meta["expectedIteration"])]++
			if (meta["expectedIteration"] != nil || e["variableData"] != nil) && level == "EXECUTION_HISTORY_BASIC" {
				t.Errorf("a basic history has %v", e)
			}
		}
		of := func(n string) string {
			if level == "EXECUTION_HISTORY_BASIC" {
				return " of <nil>"
			}
			return " of " + n
		}
		want := map[string]int{
			"PROGRESS_TYPE_PARALLEL_FOR" + of("3"): 3, "PROGRESS_TYPE_FOR" + of("1"): 3,
			"PROGRESS_TYPE_SWITCH of <nil>": 3, "PROGRESS_TYPE_PARALLEL_BRANCH" + of("2"): 2, "PROGRESS_TYPE_RETRY of <nil>": 1,
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("%s: %s", level, diff)
		}
	}
}

func TestCallbacks(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir, nil)
	c.deploy(`
main:
  steps:
    - make: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: cb}
    - wait: {call: events.await_callback, args: {callback: '${cb}', timeout: 60}, result: got}
    - again: {call: events.await_callback, args: {callback: '${cb}', timeout: 60}, result: more}
    - out: {return: ['${got.http_request.body.n}', '${more.http_request.body.n}', '${"Authorization" in got.http_request.headers}']}
`)
	name := c.execute("").Name
	path := awaitCallback(c, name)
	if code, answer := c.restAs("user:nobody@x", "POST", path, `{}`); code != 403 || !strings.Contains(message(answer), "workflows.callbacks.send") {
		t.Errorf("%d %v", code, answer)
	}
	if code, answer := c.rest("GET", path, ""); code != 405 {
		t.Errorf("wrong method: %d %v", code, answer)
	}
	c.crash() // the endpoint survives
	c = boot(t, dir, nil)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	if again := awaitCallback(c, name); again != path {
		t.Errorf("the address changed from %s to %s", path, again)
	}
	for n := 1; n <= 2; n++ {
		deadline := time.Now().Add(patience)
		for {
			code, answer := c.rest("POST", path, fmt.Sprintf(`{"n":%d}`, n))
			if code == 200 {
				break
			}
			if code != 429 || time.Now().After(deadline) {
				t.Fatalf("call %d: %d %v", n, code, answer)
			}
		}
	}
	if e := c.wait(name, executionspb.Execution_SUCCEEDED); e.Result != "[1,2,false]" {
		t.Errorf("%v", e)
	}
	if code, _ := c.rest("POST", path, `{}`); code != 404 {
		t.Errorf("after the end: %d", code)
	}
}

// awaitCallback waits until the execution waits for a callback, and returns
// the path to call.
func awaitCallback(c *cloud, name string) string {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		_, answer := c.rest("GET", name+"/callbacks", "")
		for _, item := range asList(answer["callbacks"]) {
			cb := item.(map[string]any)
			if cb["waiters"] == "1" && cb["method"] == "POST" {
				return strings.Replace(cb["name"].(string), "/callback/", "/callbacks/", 1)
			}
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatal("nobody waits for a callback")
	return ""
}

// TestListCallbacks: endpoints come by their ids, in pages, with what was sent
// and is not consumed.
func TestListCallbacks(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(`
main:
  steps:
    - make:
        for:
          value: v
          range: [1, 5]
          steps:
            - one: {call: events.create_callback_endpoint, args: {http_callback_method: PUT}}
    - nap: {call: sys.sleep, args: {seconds: 3600}}
`)
	name := c.execute("").Name
	c.awaitStep(name, "nap")
	var ids []string
	token, pages := "", 0
	for {
		code, answer := c.rest("GET", name+"/callbacks?pageSize=2&pageToken="+token, "")
		if code != 200 {
			t.Fatalf("%d %v", code, answer)
		}
		for _, item := range asList(answer["callbacks"]) {
			ids = append(ids, item.(map[string]any)["name"].(string))
		}
		pages++
		token, _ = answer["nextPageToken"].(string)
		if token == "" {
			break
		}
	}
	if len(ids) != 5 || pages != 3 || !slices.IsSorted(ids) {
		t.Errorf("%d pages: %q", pages, ids)
	}
	path := strings.Replace(ids[2], "/callback/", "/callbacks/", 1)
	if code, answer := c.rest("PUT", path, `{"n":1}`); code != 200 {
		t.Fatalf("%d %v", code, answer)
	}
	if code, answer := c.rest("PUT", path, `{"n":2}`); code != 429 {
		t.Errorf("a second call: %d %v", code, answer)
	}
	deadline := time.Now().Add(patience)
	for {
		_, answer := c.rest("GET", name+"/callbacks", "")
		third := asList(answer["callbacks"])[2].(map[string]any)
		if fmt.Sprint(third["availablePayloads"]) == `[{"n":1}]` {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v", third)
		}
	}
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func TestTriggerPubsub(t *testing.T) {
	c := boot(t, t.TempDir(), nil)
	c.deploy(echo)
	code, e := c.rest("POST", wfName+":triggerPubsubExecution", `{
		"GCPCloudEventsMode": "CUSTOM_PUBSUB_projects/p/topics/t",
		"subscription": "projects/p/subscriptions/s", "deliveryAttempt": 2,
		"message": {"data": "aGk=", "attributes": {"k": "v"}, "messageId": "77", "publishTime": "2026-01-01T00:00:00Z"}}`)
	if code != 200 {
		t.Fatalf("%d %v", code, e)
	}
	var event map[string]any
	done := c.wait(e["name"].(string), executionspb.Execution_SUCCEEDED)
	if err := json.Unmarshal([]byte(done.Result), &event); err != nil {
		t.Fatal(err)
	}
	data := event["data"].(map[string]any)["message"].(map[string]any)
	code, e = c.rest("POST", wfName+":triggerPubsubExecution?__GCP_CloudEventsMode=CUSTOM_PUBSUB_projects%2Fp%2Ftopics%2Fu",
		`{"subscription": "projects/p/subscriptions/s", "message": {"attributes": {"k": "v"}, "messageId": "78", "message_id": "78"}}`)
	if code != 200 || !strings.Contains(c.wait(e["name"].(string), executionspb.Execution_SUCCEEDED).Result, `"//pubsub.googleapis.com/projects/p/topics/u"`) {
		t.Errorf("mode in the query: %d %v", code, e)
	}
	if event["source"] != "//pubsub.googleapis.com/projects/p/topics/t" || event["id"] != "77" || data["data"] != "aGk=" {
		t.Errorf("%v", event)
	}
}
