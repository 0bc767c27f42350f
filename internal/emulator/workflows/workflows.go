package workflows

import (
	"context"
	"errors"
	"slices"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// GetWorkflow returns the newest state of a workflow, or a revision of it with
// the workflow-wide fields of today.
func (s *Service) GetWorkflow(ctx context.Context, req *workflowspb.GetWorkflowRequest) (*workflowspb.Workflow, error) {
	name, err := s.parseWorkflow(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.workflows.get", s.workflowName(name)); err != nil {
		return nil, err
	}
	w, err := s.workflow(name)
	if err != nil || req.GetRevisionId() == "" {
		return w, err
	}
	revision, err := s.revision(name, req.GetRevisionId())
	if err != nil {
		return nil, err
	}
	return onto(revision, w), nil
}

// onto gives a revision the workflow-wide fields of w.
func onto(revision, w *workflowspb.Workflow) *workflowspb.Workflow {
	revision.Description, revision.Labels = w.Description, w.Labels
	revision.CreateTime, revision.UpdateTime = w.CreateTime, w.UpdateTime
	return revision
}

// revision reads a stored revision.
func (s *Service) revision(name workflowName, id string) (*workflowspb.Workflow, error) {
	w := &workflowspb.Workflow{}
	err := s.opts.DB.View(func(tx *store.Tx) error { return tx.GetProto(tableRevisions, name.prefix()+id, w) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(s.workflowName(name) + "@" + id)
	}
	if err != nil {
		return nil, internal("read revision", err)
	}
	return w, nil
}

// ListWorkflows lists the workflows of a location, or of all with "-".
func (s *Service) ListWorkflows(ctx context.Context, req *workflowspb.ListWorkflowsRequest) (*workflowspb.ListWorkflowsResponse, error) {
	loc, err := s.parseLocation(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.workflows.list", s.locationName(loc)); err != nil {
		return nil, err
	}
	prefix := loc.region + "/"
	if loc.region == "-" {
		prefix = ""
	}
	all, err := s.scanWorkflows(tableWorkflows, prefix)
	if err != nil {
		return nil, err
	}
	q := listing.Query{
		Parent: req.GetParent(), Filter: req.GetFilter(), OrderBy: req.GetOrderBy(),
		PageToken: req.GetPageToken(), PageSize: req.GetPageSize(), Default: 500, Max: 1000,
	}
	page, next, err := listing.Page(all, q, workflowFields)
	return &workflowspb.ListWorkflowsResponse{Workflows: page, NextPageToken: next}, err
}

// ListWorkflowRevisions lists revisions, the newest first.
func (s *Service) ListWorkflowRevisions(ctx context.Context, req *workflowspb.ListWorkflowRevisionsRequest) (*workflowspb.ListWorkflowRevisionsResponse, error) {
	name, err := s.parseWorkflow(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.workflows.listRevision", s.workflowName(name)); err != nil {
		return nil, err
	}
	w, err := s.workflow(name)
	if err != nil {
		return nil, err
	}
	all, err := s.scanWorkflows(tableRevisions, name.prefix())
	if err != nil {
		return nil, err
	}
	for _, revision := range all {
		onto(revision, w)
	}
	slices.Reverse(all)
	q := listing.Query{Parent: req.GetName(), PageToken: req.GetPageToken(), PageSize: req.GetPageSize(), Default: 20, Max: 100}
	page, next, err := listing.Page(all, q, workflowFields)
	return &workflowspb.ListWorkflowRevisionsResponse{Workflows: page, NextPageToken: next}, err
}

func (s *Service) scanWorkflows(table, prefix string) ([]*workflowspb.Workflow, error) {
	var all []*workflowspb.Workflow
	var damaged error
	err := s.opts.DB.View(func(tx *store.Tx) error {
		tx.Scan(table, prefix, func(_ string, v []byte) bool {
			w := &workflowspb.Workflow{}
			if damaged = proto.Unmarshal(v, w); damaged != nil {
				return false
			}
			all = append(all, w)
			return true
		})
		return damaged
	})
	if err != nil {
		return nil, internal("list workflows", err)
	}
	return all, nil
}

// workflowFields names the fields of filter and order_by.
func workflowFields(w *workflowspb.Workflow) listing.Fields {
	return func(path []string) (any, bool) {
		if len(path) == 2 && path[0] == "labels" {
			v, ok := w.GetLabels()[path[1]]
			return unset(v, !ok), true
		}
		if len(path) != 1 {
			return nil, false
		}
		switch snake(path[0]) {
		case "name":
			return w.GetName(), true
		case "description":
			return w.GetDescription(), true
		case "state":
			return w.GetState().String(), true
		case "revision_id":
			return w.GetRevisionId(), true
		case "service_account":
			return w.GetServiceAccount(), true
		case "create_time":
			return timeValue(w.GetCreateTime()), true
		case "update_time":
			return timeValue(w.GetUpdateTime()), true
		case "revision_create_time":
			return timeValue(w.GetRevisionCreateTime()), true
		case "labels":
			return w.GetLabels(), true
		case "crypto_key_name":
			return w.GetCryptoKeyName(), true
		case "call_log_level":
			return w.GetCallLogLevel().String(), true
		case "execution_history_level":
			return w.GetExecutionHistoryLevel().String(), true
		}
		return nil, false
	}
}

// unset returns nil, which no comparison but != matches, for an absent value.
func unset(v any, absent bool) any {
	if absent {
		return nil
	}
	return v
}

func timeValue(t *timestamppb.Timestamp) any {
	return unset(t.AsTime(), t == nil)
}
