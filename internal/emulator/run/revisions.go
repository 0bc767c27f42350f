package run

import (
	"context"
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// GetRevision returns one revision.
func (a admin) GetRevision(ctx context.Context, r *runpb.GetRevisionRequest) (*runpb.Revision, error) {
	n, id, err := a.parseRevision(r.Name)
	if err != nil {
		return nil, err
	}
	if err := a.Auth.Require(ctx, "run.revisions.get", n.String()); err != nil {
		return nil, err
	}
	return a.revision(n.revision(id))
}

// ListRevisions returns a service's revisions, newest first; service "-" stands
// for all of a location.
func (a admin) ListRevisions(ctx context.Context, r *runpb.ListRevisionsRequest) (*runpb.ListRevisionsResponse, error) {
	n, err := a.parseService(r.Parent)
	if err != nil {
		return nil, err
	}
	if err := a.Auth.Require(ctx, "run.revisions.list", n.parent()); err != nil {
		return nil, err
	}
	all, err := a.revisionsOf(n)
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, r.PageSize, r.PageToken, (*runpb.Revision).GetName)
	return &runpb.ListRevisionsResponse{Revisions: list, NextPageToken: next}, err
}

func (s *Service) revisionsOf(n serviceName) ([]*runpb.Revision, error) {
	prefix := n.String() + "/revisions/"
	if n.id == "-" {
		prefix = n.parent() + "/"
	}
	list, err := s.scanRevisions(prefix)
	slices.SortFunc(list, func(a, b *runpb.Revision) int {
		return newestFirst(a.CreateTime, b.CreateTime, a.Name, b.Name)
	})
	return list, err
}

// DeleteRevision removes a revision that no traffic target and no later
// deployment needs.
func (a admin) DeleteRevision(ctx context.Context, r *runpb.DeleteRevisionRequest) (*longrunningpb.Operation, error) {
	n, id, err := a.parseRevision(r.Name)
	if err != nil {
		return nil, err
	}
	if err := a.Auth.Require(ctx, "run.revisions.delete", n.String()); err != nil {
		return nil, err
	}
	var rev *runpb.Revision
	remove := func(tx *store.Tx) error {
		var err error
		if rev, err = removable(tx, n, id, r.Etag); err != nil || r.ValidateOnly {
			return err
		}
		return tx.Delete(revisionsTable, rev.Name)
	}
	if err := a.DB.Update(remove); err != nil {
		return nil, err
	}
	rev.DeleteTime = timestamppb.Now()
	if r.ValidateOnly {
		result, err := anypb.New(rev)
		return &longrunningpb.Operation{Done: true, Result: &longrunningpb.Operation_Response{Response: result}}, err
	}
	op, err := a.Ops.Start(n.parent(), rev)
	if err != nil {
		return nil, err
	}
	pools := a.takePools(func(revision string) bool { return revision == rev.Name })
	a.background(func() {
		stopPools(pools, stopGrace)
		_ = a.Ops.Finish(op.Name, rev, nil)
	})
	return op, nil
}

func removable(tx *store.Tx, n serviceName, id, etag string) (*runpb.Revision, error) {
	rev, err := readRevision(tx, n.revision(id))
	if err != nil {
		return nil, err
	}
	if rev == nil {
		return nil, status.Errorf(codes.NotFound, "Revision '%s' does not exist.", id)
	}
	if etag != "" && etag != rev.Etag {
		return nil, status.Errorf(codes.Aborted, "Conflict for resource '%s': version '%s' was specified but current version is '%s'.", id, etag, rev.Etag)
	}
	svc, err := readService(tx, n)
	if err != nil || svc == nil {
		return rev, err
	}
	if rev.Name == svc.LatestCreatedRevision {
		return nil, status.Errorf(codes.FailedPrecondition, "Revision '%s' is the latest created revision of service '%s' and cannot be deleted.", id, n.id)
	}
	for _, t := range svc.TrafficStatuses {
		if t.Revision == id {
			return nil, status.Errorf(codes.FailedPrecondition, "Revision '%s' is a traffic target of service '%s' and cannot be deleted.", id, n.id)
		}
	}
	return rev, nil
}
