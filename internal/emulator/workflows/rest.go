package workflows

import (
	"encoding/json"
	"net/http"
	"strings"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// RESTPatterns are the patterns, with the API's host, of the requests that
// belong to [Service.REST] and not to transcoding: the executions, whose REST
// form has fields and methods that the gRPC service lacks.
func RESTPatterns() []string {
	const workflow = "workflowexecutions.googleapis.com/v1/projects/{project}/locations/{location}/workflows/{workflow}"
	return []string{
		"POST " + workflow, // with a custom verb
		workflow + "/executions",
		workflow + "/executions/{rest...}",
	}
}

// REST returns the REST form of the Workflow Executions API, with the
// endpoints of callbacks, for any host. The caller is taken from the request's
// context, as in gRPC.
func (s *Service) REST() http.Handler {
	methods := s.methods()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := newRequest(r)
		h := methods[r.Method+" "+req.route]
		if h == nil {
			h = methods[req.route] // of any HTTP method
		}
		if h == nil {
			writeError(w, status.Errorf(codes.NotFound, "The requested URL %s %s was not found on this server.", r.Method, r.URL.Path))
			return
		}
		answer, err := h(req)
		if err != nil {
			writeError(w, err)
			return
		}
		rest.WriteJSON(w, http.StatusOK, answer)
	})
}

// request is a REST request of a resource.
type request struct {
	*http.Request
	name  string // of the resource, or of the parent of a collection
	id    string // of a callback
	route string // such as executions/*:cancel, below the workflow
}

type method func(request) (any, error)

// methods maps routes to methods.
//
// Source: discovery document of workflowexecutions v1. Sending a callback is
// not in it.
func (s *Service) methods() map[string]method {
	return map[string]method{
		"POST :triggerPubsubExecution":             s.restTrigger,
		"POST executions":                          s.restCreate,
		"GET executions":                           s.restList,
		"GET executions/*":                         s.restGet,
		"POST executions/*:cancel":                 s.restCancel,
		"GET executions/*:exportData":              s.restExport,
		"POST executions/*:deleteExecutionHistory": s.restDeleteHistory,
		"GET executions/*/stepEntries":             s.restListSteps,
		"GET executions/*/stepEntries/*":           s.restGetStep,
		"GET executions/*/callbacks":               s.restListCallbacks,
		"executions/*/callbacks/*":                 s.restSendCallback,
	}
}

// newRequest splits /v1/projects/P/locations/L/workflows/W/….
func newRequest(r *http.Request) request {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	path, verb, custom := strings.Cut(path, ":")
	parts := strings.Split(path, "/")
	var route []string
	for i := 6; i < len(parts); i++ {
		if i%2 == 0 {
			route = append(route, parts[i])
		} else {
			route = append(route, "*")
		}
	}
	req := request{Request: r, name: path, route: strings.Join(route, "/")}
	if custom {
		req.route += ":" + verb
	}
	switch {
	case len(parts)%2 == 1: // a collection
		req.name = strings.Join(parts[:len(parts)-1], "/")
	case len(parts) == 10: // below an execution
		req.name, req.id = strings.Join(parts[:8], "/"), parts[9]
	}
	return req
}

func (s *Service) restTrigger(req request) (any, error) {
	var push pubsubPush
	if err := decodeBody(req, &push); err != nil {
		return nil, err
	}
	rec, err := s.triggerPubsub(req.Context(), req.name, push)
	if err != nil {
		return nil, err
	}
	return rec.json()
}

func (s *Service) restCreate(req request) (any, error) {
	asked, err := decodeExecution(req)
	if err != nil {
		return nil, err
	}
	rec, err := s.create(req.Context(), req.name, asked)
	if err != nil {
		return nil, err
	}
	return rec.json()
}

func (s *Service) restGet(req request) (any, error) {
	view, err := viewOf(req)
	if err != nil {
		return nil, err
	}
	rec, err := s.get(req.Context(), req.name)
	if err != nil {
		return nil, err
	}
	if view == executionspb.ExecutionView_BASIC {
		rec = rec.basic()
	}
	return rec.json()
}

func (s *Service) restList(req request) (any, error) {
	view, err := viewOf(req)
	if err != nil {
		return nil, err
	}
	size, err := intOf(req, "pageSize")
	if err != nil {
		return nil, err
	}
	page, next, err := s.list(req.Context(), &executionspb.ListExecutionsRequest{
		Parent: req.name, View: view, PageSize: int32(size),
		PageToken: req.FormValue("pageToken"), Filter: req.FormValue("filter"), OrderBy: req.FormValue("orderBy"),
	})
	if err != nil {
		return nil, err
	}
	answer := struct {
		Executions    []any  `json:"executions,omitempty"`
		NextPageToken string `json:"nextPageToken,omitempty"`
	}{NextPageToken: next}
	for _, rec := range page {
		item, err := rec.json()
		if err != nil {
			return nil, err
		}
		answer.Executions = append(answer.Executions, item)
	}
	return answer, nil
}

func (s *Service) restCancel(req request) (any, error) {
	rec, err := s.cancel(req.Context(), req.name)
	if err != nil {
		return nil, err
	}
	return rec.json()
}

// restExport answers {data}: the execution with its step entries, as JSON.
// The service documents data as a string without its form; this is a choice.
func (s *Service) restExport(req request) (any, error) {
	rec, err := s.get(req.Context(), req.name)
	if err != nil {
		return nil, err
	}
	entries, err := s.stepEntries(rec.name)
	if err != nil {
		return nil, err
	}
	execution, err := rec.json()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any{"execution": execution, "stepEntries": entries})
	if err != nil {
		return nil, internal("export execution", err)
	}
	return map[string]string{"data": string(data)}, nil
}

// restDeleteHistory removes the step entries of an execution that has ended.
func (s *Service) restDeleteHistory(req request) (any, error) {
	name, err := s.parseExecution(req.name)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(req.Context(), "workflows.executions.deleteHistory", s.workflowName(name.workflow)); err != nil {
		return nil, err
	}
	rec, err := s.record(name)
	if err != nil {
		return nil, err
	}
	if !isFinal(rec.pb.State) {
		return nil, failedPrecondition(rec.pb.Name, "execution %s has not ended: its state is %s", rec.pb.Name, rec.pb.State)
	}
	if err := s.writer.request(write{table: tableSteps, key: name.key() + "/", all: true})(); err != nil {
		return nil, unwritten("delete history", err)
	}
	return struct{}{}, nil
}

func (s *Service) restListSteps(req request) (any, error) {
	all, err := s.stepsFor(req, "workflows.stepEntries.list")
	if err != nil {
		return nil, err
	}
	size, err := intOf(req, "pageSize")
	if err != nil {
		return nil, err
	}
	skip, err := intOf(req, "skip")
	if err != nil {
		return nil, err
	}
	q := listing.Query{
		Parent: req.name, Filter: req.FormValue("filter"), OrderBy: req.FormValue("orderBy"),
		PageToken: req.FormValue("pageToken"), PageSize: int32(size), Skip: int32(skip), Default: 1000, Max: 1000,
		Orders: []string{"entryId", "createTime", "updateTime", "routine", "step", "stepType", "state"},
	}
	search, err := q.Search(stepEntry{}.fields())
	if err != nil {
		return nil, err
	}
	if all, err = listing.Select(search, all, stepEntry.fields); err != nil {
		return nil, err
	}
	listing.Sort(search, all, stepEntry.fields)
	page, next, err := listing.Slice(search, all)
	return struct {
		StepEntries   []stepEntry `json:"stepEntries,omitempty"`
		NextPageToken string      `json:"nextPageToken,omitempty"`
		TotalSize     int         `json:"totalSize,omitempty"`
	}{page, next, len(all)}, err
}

func (s *Service) restGetStep(req request) (any, error) {
	all, err := s.stepsFor(req, "workflows.stepEntries.get")
	if err != nil {
		return nil, err
	}
	name := "/stepEntries/" + req.id
	for _, e := range all {
		if strings.HasSuffix(e.Name, name) {
			return e, nil
		}
	}
	return nil, notFound(req.name + name)
}

func (s *Service) stepsFor(req request, permission string) ([]stepEntry, error) {
	name, err := s.parseExecution(req.name)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(req.Context(), permission, s.workflowName(name.workflow)); err != nil {
		return nil, err
	}
	if _, err := s.record(name); err != nil {
		return nil, err
	}
	return s.stepEntries(name)
}
