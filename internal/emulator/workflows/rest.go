package workflows

import (
	"encoding/json"
	"net/http"
	"strings"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
		m, ok := methods[r.Method+" "+req.route]
		if !ok {
			m, ok = methods[req.route] // of any HTTP method
		}
		if !ok {
			writeError(w, status.Errorf(codes.NotFound, "The requested URL %s %s was not found on this server.", r.Method, r.URL.Path))
			return
		}
		var err error
		if !m.anyQuery {
			req.query, err = rest.Parameters(r.URL.Query(), m.query...)
		}
		var answer any
		if err == nil {
			answer, err = m.call(req)
		}
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
	id    string // of a callback or step entry
	route string // such as executions/*:cancel, below the workflow
	query map[string]string
}

type method struct {
	call     func(request) (any, error)
	query    []string // names of parameters
	anyQuery bool
}

// methods maps routes to methods.
//
// Source: discovery document of workflowexecutions v1. Sending a callback is
// not in it.
func (s *Service) methods() map[string]method {
	return map[string]method{
		"POST :triggerPubsubExecution":             {call: s.restTrigger, anyQuery: true},
		"POST executions":                          {call: s.restCreate},
		"GET executions":                           {call: s.restList, query: []string{"filter", "orderBy", "pageSize", "pageToken", "view"}},
		"GET executions/*":                         {call: s.restGet, query: []string{"view"}},
		"POST executions/*:cancel":                 {call: s.restCancel},
		"GET executions/*:exportData":              {call: s.restExport},
		"POST executions/*:deleteExecutionHistory": {call: s.restDeleteHistory},
		"GET executions/*/stepEntries":             {call: s.restListSteps, query: []string{"filter", "orderBy", "pageSize", "pageToken", "skip", "view"}},
		"GET executions/*/stepEntries/*":           {call: s.restGetStep, query: []string{"view"}},
		"GET executions/*/callbacks":               {call: s.restListCallbacks, query: []string{"pageSize", "pageToken"}},
		"executions/*/callbacks/*":                 {call: s.restSendCallback, anyQuery: true},
	}
}

// newRequest splits /v1/projects/P/locations/L/workflows/W/….
func newRequest(r *http.Request) request {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	verb := ""
	if i := strings.LastIndexByte(path, ':'); i > strings.LastIndexByte(path, '/') {
		path, verb = path[:i], path[i:]
	}
	parts := strings.Split(path, "/")
	var route []string
	for i := 6; i < len(parts); i++ {
		if i%2 == 0 {
			route = append(route, parts[i])
		} else {
			route = append(route, "*")
		}
	}
	req := request{Request: r, name: path, route: strings.Join(route, "/") + verb}
	switch {
	case len(parts)%2 == 1: // a collection
		req.name = strings.Join(parts[:len(parts)-1], "/")
	case len(parts) == 10: // below an execution
		req.name, req.id = strings.Join(parts[:8], "/"), parts[9]
	}
	return req
}

// answer is the REST form of an execution.
func (r request) answer(rec record, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return rec.json(rest.EnumNumbers(r.URL.Query()))
}

func (s *Service) restTrigger(req request) (any, error) {
	var push pubsubPush
	if err := decodeBody(req, &push); err != nil {
		return nil, err
	}
	if push.Mode == "" {
		push.Mode = req.URL.Query().Get("__GCP_CloudEventsMode") // so it is in the addresses to which Eventarc has messages pushed
	}
	return req.answer(s.triggerPubsub(req.Context(), req.name, push))
}

func (s *Service) restCreate(req request) (any, error) {
	asked, err := decodeExecution(req)
	if err != nil {
		return nil, err
	}
	return req.answer(s.create(req.Context(), req.name, asked))
}

func (s *Service) restGet(req request) (any, error) {
	view, err := viewOf(req)
	if err != nil {
		return nil, err
	}
	rec, err := s.get(req.Context(), req.name)
	if err == nil && view == executionspb.ExecutionView_BASIC {
		rec = rec.basic()
	}
	return req.answer(rec, err)
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
		Parent: req.name, View: view, PageSize: size,
		PageToken: req.query["pageToken"], Filter: req.query["filter"], OrderBy: req.query["orderBy"],
	})
	if err != nil {
		return nil, err
	}
	answer := struct {
		Executions    []any  `json:"executions,omitempty"`
		NextPageToken string `json:"nextPageToken,omitempty"`
	}{NextPageToken: next}
	for _, rec := range page {
		item, err := req.answer(rec, nil)
		if err != nil {
			return nil, err
		}
		answer.Executions = append(answer.Executions, item)
	}
	return answer, nil
}

func (s *Service) restCancel(req request) (any, error) {
	return req.answer(s.cancel(req.Context(), req.name))
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
	execution, err := rec.json(false)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(map[string]any{"execution": execution, "stepEntries": entries})
	if err != nil {
		return nil, internal("export execution", err)
	}
	return map[string]string{"data": string(data)}, nil
}

// restDeleteHistory removes the step entries of an execution that has ended. It
// has no permission of its own.
//
// Source: cloud.google.com/workflows/docs/audit-logging-workflow-executions.
func (s *Service) restDeleteHistory(req request) (any, error) {
	name, err := s.parseExecution(req.name)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(req.Context(), "workflows.executions.cancel", s.workflowName(name.workflow)); err != nil {
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
