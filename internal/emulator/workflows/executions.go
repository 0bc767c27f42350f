package workflows

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"math"
	"strconv"
	"time"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"github.com/google/uuid"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/value"
)

// CreateExecution starts an execution of the newest revision.
func (s *Service) CreateExecution(ctx context.Context, req *executionspb.CreateExecutionRequest) (*executionspb.Execution, error) {
	rec, err := s.create(ctx, req.GetParent(), record{pb: req.GetExecution()})
	return rec.pb, err
}

// GetExecution returns an execution; FULL is the default view.
func (s *Service) GetExecution(ctx context.Context, req *executionspb.GetExecutionRequest) (*executionspb.Execution, error) {
	rec, err := s.get(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	if req.GetView() == executionspb.ExecutionView_BASIC {
		rec = rec.basic()
	}
	return rec.pb, nil
}

// ListExecutions lists executions, the newest first; BASIC is the default view.
func (s *Service) ListExecutions(ctx context.Context, req *executionspb.ListExecutionsRequest) (*executionspb.ListExecutionsResponse, error) {
	page, next, err := s.list(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := &executionspb.ListExecutionsResponse{NextPageToken: next}
	for _, rec := range page {
		resp.Executions = append(resp.Executions, rec.pb)
	}
	return resp, nil
}

// CancelExecution cancels an execution and waits until it has stopped.
func (s *Service) CancelExecution(ctx context.Context, req *executionspb.CancelExecutionRequest) (*executionspb.Execution, error) {
	rec, err := s.cancel(ctx, req.GetName())
	return rec.pb, err
}

// create stores and starts an execution; asked holds what the caller set.
func (s *Service) create(ctx context.Context, parent string, asked record) (record, error) {
	name, err := s.parseWorkflow(parent)
	if err != nil {
		return record{}, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.executions.create", s.workflowName(name)); err != nil {
		return record{}, err
	}
	if err := s.checkExecution(asked.pb); err != nil {
		return record{}, err
	}
	s.deploying.RLock()
	defer s.deploying.RUnlock()
	w, err := s.workflow(name)
	if err != nil {
		return record{}, err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return record{}, internal("make an id", err)
	}
	rec := asked
	rec.name = executionName{name, id.String()}
	rec.created = time.Now()
	rec.pb = &executionspb.Execution{
		Name:               s.executionName(rec.name),
		Argument:           asked.pb.GetArgument(),
		CallLogLevel:       asked.pb.GetCallLogLevel(),
		WorkflowRevisionId: w.RevisionId,
		Labels:             maps.Clone(w.Labels),
	}
	if rec.pb.Labels == nil {
		rec.pb.Labels = map[string]string{}
	}
	maps.Copy(rec.pb.Labels, asked.pb.GetLabels())
	if err := s.quotas.checkLabels("execution.labels", rec.pb.Labels); err != nil {
		return record{}, err // with those of the workflow they are too many
	}
	revision, err := s.revisions.share(name, w.RevisionId, func() (*workflowspb.Workflow, error) { return w, nil })
	if err != nil {
		return record{}, err
	}
	return s.admit(s.newRun(rec, revision))
}

// checkExecution checks what the caller set.
func (s *Service) checkExecution(e *executionspb.Execution) error {
	if err := s.quotas.checkLabels("execution.labels", e.GetLabels()); err != nil {
		return err
	}
	if !known(e.GetCallLogLevel()) {
		return invalid("execution.call_log_level", "%d is not a level", e.GetCallLogLevel())
	}
	argument := e.GetArgument()
	if len(argument) > s.quotas.ArgumentBytes {
		return invalid("execution.argument", "has %d bytes; the limit is %d", len(argument), s.quotas.ArgumentBytes)
	}
	if argument == "" {
		return nil
	}
	if _, err := value.FromJSON([]byte(argument)); err != nil {
		return invalid("execution.argument", "is not JSON: %v", err)
	}
	return nil
}

func (s *Service) get(ctx context.Context, fullName string) (record, error) {
	name, err := s.parseExecution(fullName)
	if err != nil {
		return record{}, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.executions.get", s.workflowName(name.workflow)); err != nil {
		return record{}, err
	}
	return s.record(name)
}

func (s *Service) list(ctx context.Context, req *executionspb.ListExecutionsRequest) ([]record, string, error) {
	name, err := s.parseWorkflow(req.GetParent())
	if err != nil {
		return nil, "", err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.executions.list", s.workflowName(name)); err != nil {
		return nil, "", err
	}
	if _, err := s.workflow(name); err != nil {
		return nil, "", err
	}
	full := req.GetView() == executionspb.ExecutionView_FULL
	q := listing.Query{
		Parent: req.GetParent(), View: strconv.FormatBool(full), Filter: req.GetFilter(), OrderBy: req.GetOrderBy(),
		PageToken: req.GetPageToken(), PageSize: req.GetPageSize(), Default: 100, Max: 100,
		Orders: []string{"executionId", "state", "createTime", "startTime", "endTime", "duration", "workflowRevisionId"},
	}
	if !full {
		q.Max = 1000
	}
	search, err := q.Search(record{}.field)
	if err != nil {
		return nil, "", err
	}
	if search.Ordered() && !search.By("createTime desc") {
		return s.listOrdered(name, search, full)
	}
	return s.listNewest(name, search, full)
}

// listNewest reads no more than a page, and what the filter leaves out before
// its end.
func (s *Service) listNewest(w workflowName, search listing.Search, full bool) (page []record, next string, err error) {
	before := ""
	if search.After != "" {
		suffix, err := hex.DecodeString(search.After)
		if err != nil {
			return nil, "", invalid("page_token", "is not one that this method gave")
		}
		before = w.prefix() + string(suffix)
	}
	page, more, err := s.match(w, before, search, search.Size, full)
	if more && err == nil {
		last := page[len(page)-1]
		next = search.Token(hex.EncodeToString([]byte(last.key()[len(w.prefix()):])))
	}
	return page, next, err
}

// listOrdered reads all executions of a workflow, but holds only their BASIC
// view.
func (s *Service) listOrdered(w workflowName, search listing.Search, full bool) (page []record, next string, err error) {
	all, _, err := s.match(w, "", search, math.MaxInt, false)
	if err != nil {
		return nil, "", err
	}
	listing.Sort(search, all, record.fields)
	page, next, err = listing.Slice(search, all)
	for i := 0; full && err == nil && i < len(page); i++ {
		page[i], err = s.record(page[i].name)
	}
	return page, next, err
}

// match returns the newest executions that pass a filter, at most a number of
// them, and whether there are more.
func (s *Service) match(w workflowName, before string, search listing.Search, most int, full bool) (found []record, more bool, err error) {
	failed := s.scan(w, before, func(rec record) bool {
		var ok bool
		if ok, err = search.Match(rec.field); !ok || err != nil {
			return err == nil
		}
		if more = len(found) == most; more {
			return false
		}
		if !full {
			rec = rec.basic()
		}
		found = append(found, rec)
		return true
	})
	return found, more, cmp.Or(failed, err)
}

// cancel acknowledges a cancellation once a crash cannot undo it.
func (s *Service) cancel(ctx context.Context, fullName string) (record, error) {
	name, err := s.parseExecution(fullName)
	if err != nil {
		return record{}, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.executions.cancel", s.workflowName(name.workflow)); err != nil {
		return record{}, err
	}
	if r := s.run(name); r != nil {
		accepted, err := r.cancel()
		if err == nil && s.dequeue(r) {
			err = r.endQueued()
		}
		if err != nil {
			return record{}, unwritten("cancel execution", err)
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return record{}, status.FromContextError(ctx.Err()).Err()
		}
		if accepted {
			return r.snapshot(), nil
		}
	}
	rec, err := s.record(name)
	if err != nil {
		return record{}, err
	}
	return record{}, failedPrecondition(rec.pb.Name, "execution %s is not active: its state is %s", rec.pb.Name, rec.pb.State)
}

// basic leaves the fields of the BASIC view.
func (r record) basic() record {
	r.isBasic = true
	r.pb = &executionspb.Execution{
		Name: r.pb.Name, StartTime: r.pb.StartTime, EndTime: r.pb.EndTime,
		Duration: r.pb.Duration, State: r.pb.State, WorkflowRevisionId: r.pb.WorkflowRevisionId,
	}
	return r
}

// fields names the fields of filter and order_by; the service writes them in
// camel case.
func (r record) fields() listing.Fields {
	return r.field
}

func (r record) field(path []string) (any, bool) {
	if len(path) == 2 && (path[0] == "label" || path[0] == "labels") {
		v, ok := r.pb.GetLabels()[path[1]]
		return unset(v, !ok), true
	}
	if len(path) != 1 {
		return nil, false
	}
	switch path[0] {
	case "executionId":
		return r.name.id, true
	case "state":
		return r.pb.GetState().String(), true
	case "createTime":
		return r.created, true
	case "startTime":
		return timeValue(r.pb.GetStartTime()), true
	case "endTime":
		return timeValue(r.pb.GetEndTime()), true
	case "duration":
		return unset(r.pb.GetDuration().AsDuration(), r.pb.GetDuration() == nil), true
	case "workflowRevisionId":
		return r.pb.GetWorkflowRevisionId(), true
	case "stepName":
		var names []string
		for _, step := range r.pb.GetStatus().GetCurrentSteps() {
			names = append(names, step.Step)
		}
		return names, true
	case "label", "labels":
		return r.pb.GetLabels(), true
	case "disableConcurrencyQuotaOverflowBuffering":
		return r.noBacklog, true
	}
	return nil, false
}
