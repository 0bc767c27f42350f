package workflows

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// The tables of the database.
const (
	tableWorkflows = "workflows"           // region/id: the newest state
	tableRevisions = "workflows.revisions" // region/id/revision: a snapshot
)

// CreateWorkflow deploys a new workflow. As the service does, it answers
// malformed requests at once and reports bad source and taken names in the
// operation.
func (s *Service) CreateWorkflow(ctx context.Context, req *workflowspb.CreateWorkflowRequest) (*longrunningpb.Operation, error) {
	loc, err := s.parseLocation(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.workflows.create", s.locationName(loc)); err != nil {
		return nil, err
	}
	if !workflowID.MatchString(req.GetWorkflowId()) {
		return nil, invalid("workflow_id", "must have 1-64 letters, digits, underscores and hyphens, start with a letter and end with a letter or digit; got %q", req.GetWorkflowId())
	}
	name := workflowName{loc, req.GetWorkflowId()}
	w := settable(req.GetWorkflow())
	w.Name = s.workflowName(name)
	if err := s.validate(w); err != nil {
		return nil, err
	}
	if err := s.actAs(ctx, w); err != nil {
		return nil, err
	}
	s.deploying.Lock()
	defer s.deploying.Unlock()
	refusal, err := s.deploy(name, nil, w)
	if err != nil {
		return nil, err
	}
	return s.operation(ctx, name, "create", w, refusal)
}

// UpdateWorkflow changes the fields of the mask, or all when there is none.
func (s *Service) UpdateWorkflow(ctx context.Context, req *workflowspb.UpdateWorkflowRequest) (*longrunningpb.Operation, error) {
	name, err := s.parseWorkflow(req.GetWorkflow().GetName())
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.workflows.update", s.workflowName(name)); err != nil {
		return nil, err
	}
	s.deploying.Lock()
	defer s.deploying.Unlock()
	old, err := s.workflow(name)
	if err != nil {
		return nil, err
	}
	w, err := merge(old, req.GetWorkflow(), req.GetUpdateMask().GetPaths())
	if err != nil {
		return nil, err
	}
	if err := s.validate(w); err != nil {
		return nil, err
	}
	if w.ServiceAccount != old.ServiceAccount {
		if err := s.actAs(ctx, w); err != nil {
			return nil, err
		}
	}
	refusal, err := s.deploy(name, old, w)
	if err != nil {
		return nil, err
	}
	return s.operation(ctx, name, "update", w, refusal)
}

// DeleteWorkflow removes the workflow with its revisions and cancels and
// removes its executions.
func (s *Service) DeleteWorkflow(ctx context.Context, req *workflowspb.DeleteWorkflowRequest) (*longrunningpb.Operation, error) {
	name, err := s.parseWorkflow(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.opts.Auth.Require(ctx, "workflows.workflows.delete", s.workflowName(name)); err != nil {
		return nil, err
	}
	s.deploying.Lock()
	defer s.deploying.Unlock()
	if _, err := s.workflow(name); err != nil {
		return nil, err
	}
	if err := s.delete(name); err != nil {
		return nil, err
	}
	return s.operation(ctx, name, "delete", &emptypb.Empty{}, nil)
}

// deploy completes w and stores it; old is nil for a new workflow. What the
// service finds wrong is a refusal, which the operation tells.
func (s *Service) deploy(name workflowName, old, w *workflowspb.Workflow) (refusal, err error) {
	if old == nil {
		if _, err := s.workflow(name); err == nil {
			return status.Errorf(codes.AlreadyExists, "workflow %s already exists", s.workflowName(name)), nil
		}
		if refusal, err = s.checkCount(); refusal != nil || err != nil {
			return refusal, err
		}
	}
	now := timestamppb.New(time.Now())
	w.State = workflowspb.Workflow_ACTIVE
	w.UpdateTime = now
	changed := old == nil || makesRevision(old, w)
	if changed {
		if _, err := compile(w.GetSourceContents(), s.opts.Stubs); err != nil {
			return err, nil
		}
		w.RevisionId = nextRevision(old.GetRevisionId())
		w.RevisionCreateTime = now
	}
	if old == nil {
		w.CreateTime = now
	}
	err = s.opts.DB.Update(func(tx *store.Tx) error {
		if changed {
			if err := tx.PutProto(tableRevisions, name.prefix()+w.RevisionId, w); err != nil {
				return err
			}
		}
		return tx.PutProto(tableWorkflows, name.key(), w)
	})
	if err != nil {
		return nil, unwritten("store workflow", err)
	}
	return nil, nil
}

// checkCount refuses one workflow too many for the project.
func (s *Service) checkCount() (refusal, err error) {
	count := 0
	err = s.opts.DB.View(func(tx *store.Tx) error {
		tx.Scan(tableWorkflows, "", func(string, []byte) bool { count++; return true })
		return nil
	})
	switch {
	case err != nil:
		return nil, internal("count workflows", err)
	case count >= s.quotas.Workflows:
		return exceeded("workflows per project", s.quotas.Workflows), nil
	}
	return nil, nil
}

// makesRevision reports whether an update makes a new revision. Environment
// variables and the key belong to a revision, so they count although the
// field documentation names source and service account only.
func makesRevision(old, w *workflowspb.Workflow) bool {
	return old.GetSourceContents() != w.GetSourceContents() ||
		old.ServiceAccount != w.ServiceAccount ||
		old.CryptoKeyName != w.CryptoKeyName ||
		!maps.Equal(old.UserEnvVars, w.UserEnvVars)
}

// nextRevision counts on from a revision such as 000001-a4d.
func nextRevision(old string) string {
	ordinal, _, _ := strings.Cut(old, "-")
	n, _ := strconv.Atoi(ordinal) // "" counts from 0
	var random [2]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%06d-%03x", n+1, (int(random[0])<<8|int(random[1]))&0xfff)
}

// settable copies the fields that a caller may set. Tags are input only, and
// nothing in this cloud reads them, so they are accepted and dropped.
func settable(w *workflowspb.Workflow) *workflowspb.Workflow {
	out := &workflowspb.Workflow{}
	for _, path := range mutable {
		copyField(out, w, path)
	}
	return out
}

// mutable lists the fields of an update mask. The source is a oneof.
var mutable = []string{
	"description", "labels", "service_account", "source_contents", "crypto_key_name",
	"call_log_level", "user_env_vars", "execution_history_level",
}

// merge applies the fields that paths name to a copy of old.
func merge(old, change *workflowspb.Workflow, paths []string) (*workflowspb.Workflow, error) {
	if len(paths) == 0 || len(paths) == 1 && paths[0] == "*" {
		paths = mutable
	}
	w := proto.CloneOf(old)
	for _, path := range paths {
		field, key, one := strings.Cut(path, ".")
		field = snake(field)
		if one && copyEntry(w, change, field, strings.Trim(key, "`")) {
			continue // of a map, such as labels.env
		}
		if one || !copyField(w, change, field) {
			return nil, invalid("update_mask", "unknown or immutable field %q; fields that can change: %s", path, strings.Join(mutable, ", "))
		}
	}
	return w, nil
}

// snake turns the JSON form of a field name into the one of protobuf.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// copyField copies one mutable field and reports whether there is such a one.
func copyField(to, from *workflowspb.Workflow, field string) bool {
	for _, m := range mutable {
		if m != field {
			continue
		}
		dst, src := to.ProtoReflect(), from.ProtoReflect()
		fd := dst.Descriptor().Fields().ByTextName(field)
		if src.IsValid() && src.Has(fd) {
			dst.Set(fd, src.Get(fd))
		} else {
			dst.Clear(fd)
		}
		return true
	}
	return false
}

// copyEntry copies one entry of a map, and reports whether there is such a field.
func copyEntry(to, from *workflowspb.Workflow, field, key string) bool {
	var dst *map[string]string
	var src map[string]string
	switch field {
	case "labels":
		dst, src = &to.Labels, from.GetLabels()
	case "user_env_vars":
		dst, src = &to.UserEnvVars, from.GetUserEnvVars()
	default:
		return false
	}
	v, ok := src[key]
	if !ok {
		delete(*dst, key)
		return true
	}
	if *dst == nil {
		*dst = map[string]string{}
	}
	(*dst)[key] = v
	return true
}

// operation wraps the end of a change, or its refusal.
func (s *Service) operation(ctx context.Context, name workflowName, verb string, response proto.Message, refusal error) (*longrunningpb.Operation, error) {
	now := timestamppb.New(time.Now())
	metadata := &workflowspb.OperationMetadata{
		CreateTime: now, EndTime: now, Target: s.workflowName(name), Verb: verb, ApiVersion: "v1",
	}
	return s.opts.Ops.Done(ctx, s.locationName(name.location), metadata, response, refusal)
}

// workflow reads the newest state of a workflow.
func (s *Service) workflow(name workflowName) (*workflowspb.Workflow, error) {
	w := &workflowspb.Workflow{}
	err := s.opts.DB.View(func(tx *store.Tx) error { return tx.GetProto(tableWorkflows, name.key(), w) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(s.workflowName(name))
	}
	if err != nil {
		return nil, internal("read workflow", err)
	}
	return w, nil
}
