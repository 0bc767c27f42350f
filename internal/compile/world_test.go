package compile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/spec"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// object is decoded JSON.
type object = map[string]any

// A world is just enough of Google Cloud for compiled pipelines: it answers
// their requests, checks their credentials, and remembers both.
type world struct {
	t         *testing.T
	mu        sync.Mutex
	execution string
	objects   map[string][]byte // by bucket/name
	functions map[string]func(in object) (int, any)
	train     func(job object) (state, message string) // what becomes of a new job
	jobs      []object
	models    map[string]bool
	services  map[string]object
	// undeployable is a revision that does not come up.
	undeployable string
	// disturb may answer a request instead; nil, nil lets it pass.
	disturb func(r *http.Request) (*http.Response, error)
	clock   interp.Clock
	calls   []string // method and URL of each request
	logs    []object
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, execution: "0123456789abcdef", objects: map[string][]byte{}, functions: map[string]func(object) (int, any){},
		models: map[string]bool{}, services: map[string]object{},
		train: func(object) (string, string) { return "JOB_STATE_SUCCEEDED", "" },
		clock: interp.NewVirtualClock(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)),
	}
}

// run compiles a spec, prints and parses it, and runs the result.
func (w *world) run(specText, argument string) interp.Outcome {
	w.t.Helper()
	return w.start(specText, argument).Wait()
}

func (w *world) start(specText, argument string) *interp.Execution {
	w.t.Helper()
	p, err := spec.Parse("pipeline.yaml", []byte(specText), spec.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := compile.Compile(p, compile.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	parsed, err := workflow.Parse("workflow.yaml", workflow.Format(f))
	if err != nil {
		w.t.Fatal(err)
	}
	if found := workflow.Check(parsed, workflow.CheckOptions{Functions: stdlib.Signature}); len(found) > 0 {
		w.t.Fatalf("would not be deployed:\n%s", found.Error())
	}
	program, err := interp.New(parsed, stdlib.Funcs())
	if err != nil {
		w.t.Fatal(err)
	}
	var arg value.Value
	if argument != "" {
		if arg, err = value.FromJSON([]byte(argument)); err != nil {
			w.t.Fatal(err)
		}
	}
	return program.Start(context.Background(), arg, interp.Config{
		HTTP: w, Tokens: tokens{}, Clock: w.clock,
		Env: map[string]string{
			"GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": w.execution, "GOOGLE_CLOUD_PROJECT_ID": "p", "GOOGLE_CLOUD_PROJECT_NUMBER": "12",
			"GOOGLE_CLOUD_LOCATION": "us-central1", "BUCKET": "bkt", "JOB_SERVICE_ACCOUNT": "trainer@p", "SERVING_SERVICE_ACCOUNT": "serving@p",
			"IMAGES": `{"ko://./fit":"ko.local/fit@sha256:1","functions":"f@sha256:2","modelserver":"m@sha256:3"}`,
		},
		Log: func(e interp.LogEntry) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if m, ok := value.ToGo(e.JSON).(object); ok {
				w.logs = append(w.logs, m)
			}
		},
	})
}

// tokens are those of the workflow's service account.
type tokens struct{}

func (tokens) AccessToken(context.Context, []string) (string, error) { return "access", nil }

func (tokens) IDToken(_ context.Context, audience string) (string, error) {
	return "id:" + audience, nil
}

// RoundTrip implements http.RoundTripper.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, r.Method+" "+r.URL.String())
	if w.disturb != nil {
		if response, err := w.disturb(r); response != nil || err != nil {
			return response, err
		}
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	host := r.URL.Host
	if service, ok := strings.CutSuffix(host, "-12.us-central1.run.app"); ok {
		if r.Header.Get("Authorization") != "Bearer id:https://"+host {
			return answer(401, object{}), nil
		}
		return w.function(service, body), nil
	}
	if strings.HasSuffix(host, ".googleapis.com") && r.Header.Get("Authorization") != "Bearer access" {
		return answer(401, failed(401, "no access token")), nil
	}
	switch host {
	case "storage.googleapis.com":
		return w.storage(r, body), nil
	case "us-central1-aiplatform.googleapis.com":
		return w.vertex(r, body), nil
	case "run.googleapis.com":
		return w.cloudRun(r, body), nil
	}
	return nil, fmt.Errorf("no host %s", host)
}

func readAll(t *testing.T, r *http.Request) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// answer is a JSON response.
func answer(code int, body any) *http.Response {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return respond(code, "application/json", text)
}

func respond(code int, kind string, body []byte) *http.Response {
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {kind}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// failed is the body of a Google API's error.
func failed(code int, message string) object {
	return object{"error": object{"code": code, "message": message}}
}

func decode(t *testing.T, text []byte) object {
	t.Helper()
	m := object{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Errorf("%v: %s", err, text)
	}
	return m
}

// at walks down decoded JSON.
func at(v any, path ...any) any {
	for _, key := range path {
		switch key := key.(type) {
		case string:
			m, _ := v.(object)
			v = m[key]
		case int:
			l, _ := v.([]any)
			if key >= len(l) {
				return nil
			}
			v = l[key]
		}
	}
	return v
}

func (w *world) function(service string, body []byte) *http.Response {
	f := w.functions[service]
	if f == nil {
		return answer(404, failed(404, "no service "+service))
	}
	code, result := f(decode(w.t, body))
	return answer(code, result)
}

// gives is a function that makes the artifacts it was asked for, which it
// stores, and these parameters.
func (w *world) gives(parameters object) func(object) (int, any) {
	return func(in object) (int, any) {
		artifacts, _ := at(in, "outputs", "artifacts").(object)
		for _, a := range artifacts {
			w.store(at(a, "artifacts", 0, "uri").(string), "content")
		}
		return 200, object{"parameterValues": parameters, "artifacts": artifacts}
	}
}

// given returns an input parameter of a function.
func given(in object, name string) any { return at(in, "inputs", "parameterValues", name) }

func refuses(code int, message string) func(object) (int, any) {
	return func(object) (int, any) { return code, failed(code, message) }
}

func (w *world) store(uri, content string) {
	w.objects[strings.TrimPrefix(strings.Replace(uri, "/gcs/", "gs://", 1), "gs://")] = []byte(content)
}

func (w *world) storage(r *http.Request, body []byte) *http.Response {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/upload"), "/") // "", storage, v1, b, BUCKET, o, NAME
	q := r.URL.Query()
	bucket, name := path[4], q.Get("name")
	if len(path) > 6 {
		name, _ = url.PathUnescape(path[6])
	}
	key := bucket + "/" + name
	content, found := w.objects[key]
	switch {
	case r.Method == "POST" && found && q.Get("ifGenerationMatch") == "0":
		return answer(412, failed(412, "it is there"))
	case r.Method == "POST":
		w.objects[key] = body
		return answer(200, object{"name": name})
	case name == "":
		items := []any{}
		for key := range w.objects {
			if strings.HasPrefix(key, bucket+"/"+q.Get("prefix")) {
				items = append(items, object{"name": key})
			}
		}
		return answer(200, object{"items": items})
	case !found:
		return answer(404, failed(404, "No such object: "+key))
	case r.Method == "DELETE":
		delete(w.objects, key)
		return answer(204, nil)
	case q.Get("alt") == "media":
		kind := "application/octet-stream"
		if strings.HasPrefix(name, "cache/") {
			kind = "application/json"
		}
		return respond(200, kind, content)
	}
	return answer(200, object{"name": name, "size": strconv.Itoa(len(content)), "generation": strconv.Itoa(len(content)), "md5Hash": "m"})
}

func (w *world) vertex(r *http.Request, body []byte) *http.Response {
	name := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case strings.HasSuffix(name, "/customJobs") && r.Method == "POST":
		return answer(200, w.createJob(decode(w.t, body)))
	case strings.HasSuffix(name, "/customJobs"):
		return answer(200, object{"customJobs": w.findJobs(r.URL.Query().Get("filter"))})
	case strings.Contains(name, "/customJobs/"):
		for _, job := range w.jobs {
			if job["name"] == name {
				return answer(200, job)
			}
		}
	case strings.HasSuffix(name, "models:upload"):
		return w.upload(name, decode(w.t, body))
	case w.models[name]:
		return answer(200, object{"name": strings.Split(name, "@")[0], "versionId": "1"})
	}
	return answer(404, failed(404, "no "+name))
}

func (w *world) createJob(job object) object {
	job["name"] = fmt.Sprintf("projects/p/locations/us-central1/customJobs/%d", len(w.jobs)+1)
	w.jobs = append(w.jobs, job)
	state, message := w.train(job)
	job["state"] = state
	if message != "" {
		job["error"] = object{"code": 3, "message": message}
	}
	return job
}

// findJobs applies a filter of labels joined by AND.
func (w *world) findJobs(filter string) []any {
	found := []any{}
	for _, job := range w.jobs {
		ok := true
		for _, term := range strings.Split(filter, " AND ") {
			key, want, _ := strings.Cut(strings.TrimPrefix(term, "labels."), "=")
			ok = ok && at(job, "labels", key) == strings.Trim(want, `"`)
		}
		if ok {
			found = append(found, job)
		}
	}
	return found
}

// executorInput is what a job's container was told.
func (w *world) executorInput(job object) object {
	args, _ := at(job, "jobSpec", "workerPoolSpecs", 0, "containerSpec", "args").([]any)
	for _, arg := range args {
		if text, ok := strings.CutPrefix(arg.(string), "--executor_input="); ok {
			return decode(w.t, []byte(text))
		}
	}
	w.t.Errorf("job without executor input: %v", args)
	return nil
}

func (w *world) upload(name string, body object) *http.Response {
	alias := at(body, "model", "versionAliases", 0).(string)
	id, _ := body["modelId"].(string)
	if parent, ok := body["parentModel"].(string); ok {
		id = parent[strings.LastIndex(parent, "/")+1:]
	}
	model := strings.Replace(name, "models:upload", "models/"+id, 1)
	w.models[model], w.models[model+"@"+alias] = true, true
	return answer(200, object{"name": "op", "done": true, "response": object{"model": model, "modelVersionId": "1"}})
}

// cloudRun keeps services whose revisions are ready at once. Their etag
// changes with every change.
func (w *world) cloudRun(r *http.Request, body []byte) *http.Response {
	name := strings.TrimPrefix(r.URL.Path, "/v2/")
	if r.Method == "POST" {
		name += "/" + r.URL.Query().Get("serviceId")
	}
	current := w.services[name]
	switch {
	case r.Method != "POST" && current == nil:
		return answer(404, failed(404, "no "+name))
	case r.Method == "GET":
		return answer(200, current)
	case r.Method == "DELETE":
		delete(w.services, name)
		return answer(200, object{"name": "op", "done": true})
	}
	change := decode(w.t, body)
	next := object{"name": name}
	for k, v := range current {
		next[k] = v
	}
	mask := slices.Collect(func(yield func(string) bool) {
		for k := range change {
			if r.Method == "POST" || slices.Contains(strings.Split(r.URL.Query().Get("updateMask"), ","), k) {
				yield(k)
			}
		}
	})
	for _, k := range mask {
		next[k] = change[k]
	}
	if r.Method == "PATCH" && change["etag"] != current["etag"] {
		return answer(409, failed(409, "the service changed meanwhile"))
	}
	if revision := at(change, "template", "revision"); revision != nil {
		next["latestReadyRevision"] = name + "/revisions/" + revision.(string)
	}
	w.checkTraffic(next["traffic"])
	if known, _ := at(next, "annotations", "kakehi.dev/revisions").(string); strings.Count(known, `"tag":"`) > 1 {
		w.t.Errorf("more than one revision is on trial: %s", known)
	}
	next["etag"] = fmt.Sprint(len(w.calls))
	w.services[name] = next
	if w.undeployable != "" && at(change, "template", "revision") == w.undeployable {
		return answer(200, object{"name": "op", "done": true, "error": object{"code": 9, "message": w.undeployable + " did not listen on PORT"}})
	}
	return answer(200, object{"name": "op", "done": true, "response": next})
}

// checkTraffic wants percentages that sum to 100, and no tag twice.
func (w *world) checkTraffic(traffic any) {
	sum, tags := 0.0, map[string]bool{}
	targets, _ := traffic.([]any)
	for _, target := range targets {
		percent, _ := at(target, "percent").(float64)
		sum += percent
		tag, _ := at(target, "tag").(string)
		if tags[tag] && tag != "" {
			w.t.Errorf("the tag %s is in the traffic twice: %v", tag, traffic)
		}
		tags[tag] = true
	}
	if sum != 100 {
		w.t.Errorf("the traffic sums to %v: %v", sum, traffic)
	}
}

// count counts the requests that begin with a method and a URL.
func (w *world) count(prefix string) int {
	n := 0
	for _, c := range w.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

// states lists what the log says of the tasks, sorted: task STATE.
func (w *world) states() []string {
	var list []string
	for _, l := range w.logs {
		if l["event"] == "task" && l["state"] != "RUNNING" {
			list = append(list, fmt.Sprintf("%v %v", l["task"], l["state"]))
		}
	}
	slices.Sort(list)
	return list
}

// result is the outcome as JSON: of the result, or of the error after "! ".
func result(o interp.Outcome) string {
	if o.State == interp.Succeeded {
		return string(value.MustJSON(o.Result))
	}
	return "! " + string(value.MustJSON(o.Err.Payload))
}
