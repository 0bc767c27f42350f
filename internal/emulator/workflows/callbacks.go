package workflows

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/interp"
)

// host of the addresses of callbacks.
const host = "https://workflowexecutions.googleapis.com/v1/"

// callbackURL is the address of callback number n, the same in every life of
// the execution.
func (r *run) callbackURL(n int) string {
	execution, err := uuid.Parse(r.name.id)
	if err != nil {
		execution = uuid.NewSHA1(uuid.Nil, []byte(r.name.id))
	}
	id := uuid.NewSHA1(execution, []byte(strconv.Itoa(n)))
	return host + r.svc.executionName(r.name) + "/callbacks/" + id.String()
}

// callback is a callback endpoint as the REST API has it.
//
// Source: discovery document of workflowexecutions v1, Callback.
type callback struct {
	Name              string   `json:"name"`
	Method            string   `json:"method"`
	Waiters           int      `json:"waiters,omitempty,string"`
	AvailablePayloads []string `json:"availablePayloads,omitempty"`
}

// restListCallbacks lists the endpoints of an active execution by their ids. A
// payload is the body of a call; the service documents no form of it.
func (s *Service) restListCallbacks(req request) (any, error) {
	name, err := s.parseExecution(req.name)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(req.Context(), "workflows.callbacks.list", s.workflowName(name.workflow)); err != nil {
		return nil, err
	}
	if _, err := s.record(name); err != nil {
		return nil, err
	}
	size, err := intOf(req, "pageSize")
	if err != nil {
		return nil, err
	}
	q := listing.Query{Parent: req.name, PageToken: req.query["pageToken"], PageSize: size, Default: 100, Max: 100}
	page, next, err := listing.Page(s.callbacks(name), q, callback.fields)
	return struct {
		Callbacks     []callback `json:"callbacks,omitempty"`
		NextPageToken string     `json:"nextPageToken,omitempty"`
	}{page, next}, err
}

// callbacks are the endpoints of an execution that runs.
func (s *Service) callbacks(name executionName) []callback {
	live := s.live(name)
	if live == nil {
		return nil
	}
	var all []callback
	for _, p := range live.Callbacks() {
		c := callback{Name: s.executionName(name) + "/callback/" + p.ID, Method: p.Method, Waiters: p.Waiters}
		for _, call := range p.Stored {
			c.AvailablePayloads = append(c.AvailablePayloads, string(call.Body))
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b callback) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// fields are none: callbacks are neither filtered nor ordered.
func (callback) fields() listing.Fields {
	return func([]string) (any, bool) { return nil, false }
}

// live returns the engine's side of an execution that runs.
func (s *Service) live(name executionName) *interp.Execution {
	r := s.run(name)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live
}

// restSendCallback delivers a call of a callback endpoint. It answers 200 once
// the call is journaled, 429 while an earlier call waits to be consumed, and
// 404 when the execution has ended.
func (s *Service) restSendCallback(req request) (any, error) {
	name, err := s.parseExecution(req.name)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(req.Context(), "workflows.callbacks.send", s.workflowName(name.workflow)); err != nil {
		return nil, err
	}
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	live := s.live(name)
	if live == nil {
		return nil, notFound(s.executionName(name) + "/callbacks/" + req.id)
	}
	// A full disk refuses the call instead of keeping its caller waiting.
	if err := s.writer.request()(); err != nil {
		return nil, unwritten("deliver callback", err)
	}
	header := req.Header.Clone()
	header.Del("Authorization") // a workflow must not see its caller's token
	err = live.Callback(req.id, interp.CallbackRequest{
		Method: req.Method, URL: req.URL.RequestURI(), Query: req.URL.Query(), Header: header, Body: body,
	})
	switch {
	case errors.Is(err, interp.ErrCallbackNotFound):
		return nil, notFound(s.executionName(name) + "/callbacks/" + req.id)
	case errors.Is(err, interp.ErrCallbackBusy):
		return nil, status.Error(codes.ResourceExhausted, "A call of this callback was received already and not consumed yet.")
	case errors.Is(err, interp.ErrCallbackMethod):
		return nil, httpError{http.StatusMethodNotAllowed, "The callback was created for another HTTP method than " + req.Method + "."}
	case err != nil:
		return nil, internal("deliver callback", err)
	}
	return struct{}{}, nil
}
