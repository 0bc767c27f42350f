package run

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// edit makes the wanted service from the present one, which is nil if there is
// none. It may run more than once.
type edit func(old *runpb.Service) (*runpb.Service, error)

// change is the one way in which a service is created or updated: both codecs
// end here. It stores the wanted state and starts the reconciliation that op
// reports. With validateOnly it stores nothing and op is done.
func (s *Service) change(ctx context.Context, n serviceName, validateOnly bool, make edit) (*runpb.Service, *longrunningpb.Operation, error) {
	var next *runpb.Service
	if err := s.DB.View(func(tx *store.Tx) (err error) {
		next, err = s.plan(ctx, tx, n, make, false)
		return err
	}); err != nil {
		return nil, nil, err
	}
	account := next.Template.ServiceAccount
	if err := s.actAs(ctx, account); err != nil {
		return nil, nil, err
	}
	if validateOnly {
		op, err := doneOperation(next)
		return next, op, err
	}
	if err := s.DB.Update(func(tx *store.Tx) (err error) {
		next, err = s.plan(ctx, tx, n, make, true)
		if err == nil && next.Template.ServiceAccount != account {
			err = status.Errorf(codes.Aborted, "Conflict for resource '%s': it was changed at the same time.", n.id)
		}
		return err
	}); err != nil {
		return nil, nil, err
	}
	op, err := s.Ops.Start(n.parent(), next)
	if err == nil {
		err = s.setOperation(n, op.Name)
	}
	s.reconcileLater(next, op.GetName()) // what is stored is brought about in any case
	return next, op, err
}

// actAs sees that nobody runs code as a service account that they could not use
// themselves, or that does not exist.
func (s *Service) actAs(ctx context.Context, account string) error {
	const permission = "iam.serviceAccounts.actAs"
	resource := "projects/" + s.Project + "/serviceAccounts/" + account
	if err := s.Auth.Require(ctx, permission, resource); err != nil {
		return err
	}
	_, err := s.Auth.Account(account)
	if status.Code(err) == codes.NotFound {
		return iam.Denied(permission, resource)
	}
	return err
}

// doneOperation is the answer to a request that was only validated.
func doneOperation(m proto.Message) (*longrunningpb.Operation, error) {
	result, err := anypb.New(m)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", m, err)
	}
	return &longrunningpb.Operation{Done: true, Result: &longrunningpb.Operation_Response{Response: result}}, nil
}

// plan makes the wanted service, checks and completes it, and, if write is set,
// stores it with the revision that it needs.
func (s *Service) plan(ctx context.Context, tx *store.Tx, n serviceName, make edit, write bool) (*runpb.Service, error) {
	old, err := readService(tx, n)
	if err != nil {
		return nil, err
	}
	wanted, err := make(old)
	if err != nil {
		return nil, err
	}
	next := proto.CloneOf(wanted)
	s.setDefaults(next)
	if err := s.validate(n, next); err != nil {
		return nil, err
	}
	stampChange(ctx, old, next)
	next.Name, next.Uri, next.Urls = n.String(), s.url(n, ""), s.urls(n)
	rev, err := planRevision(tx, n, old, next)
	if err != nil || !write {
		return next, err
	}
	if rev != nil {
		next.LatestCreatedRevision = rev.Name
		if err := errors.Join(tx.PutProto(revisionsTable, rev.Name, rev), countRevision(tx, n)); err != nil {
			return nil, err
		}
	}
	return next, tx.PutProto(servicesTable, next.Name, next)
}

func (s *Service) urls(n serviceName) []string {
	urls := []string{s.url(n, "")}
	if u := s.hashURL(n, ""); u != "" {
		urls = append(urls, u)
	}
	return urls
}

// stampChange sets the output-only fields of a change that is about to be
// reconciled.
func stampChange(ctx context.Context, old, next *runpb.Service) {
	now := timestamppb.Now()
	caller, _ := iam.CallerOf(ctx)
	if old == nil {
		next.Uid, next.CreateTime, next.Creator = uuid.NewString(), now, email(caller)
	}
	next.Generation++
	next.UpdateTime, next.LastModifier = now, email(caller)
	next.Reconciling = true
	next.TerminalCondition = reconciling(ready, now)
	next.Conditions = []*runpb.Condition{reconciling(routesReady, now), reconciling(configurationsReady, now)}
	next.Etag = etagOf(next.Uid, next.Generation)
}

func email(p iam.Principal) string {
	_, address, _ := strings.Cut(p.Member, ":")
	return address
}

// etagOf depends on what callers change, not on the status: who reads a service
// while it is reconciled can still update it.
func etagOf(uid string, generation int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", uid, generation))
	return `"` + base64.RawStdEncoding.EncodeToString(sum[:12]) + `"`
}

// checkEtag is the optimistic lock: a caller that sends an etag must have seen
// the newest state.
func checkEtag(n serviceName, sent string, old *runpb.Service) error {
	if sent == "" || sent == old.Etag {
		return nil
	}
	return status.Errorf(codes.Aborted, "Conflict for resource '%s': version '%s' was specified but current version is '%s'.", n.id, sent, old.Etag)
}

// planRevision returns the revision that a change makes, or nil: one comes of a
// changed template only. A name that the caller gave may be used again for the
// very same configuration.
func planRevision(tx *store.Tx, n serviceName, old, next *runpb.Service) (*runpb.Revision, error) {
	if old != nil && proto.Equal(old.Template, next.Template) {
		return nil, nil
	}
	st, err := readState(tx, n)
	if err != nil {
		return nil, err
	}
	rev := newRevision(n, next, st.Revisions+1)
	existing, err := readRevision(tx, rev.Name)
	switch {
	case err != nil:
		return nil, err
	case existing == nil:
		return rev, nil
	case sameConfiguration(existing, rev):
		return existing, nil
	}
	return nil, status.Errorf(codes.AlreadyExists, "Revision named '%s' with different configuration already exists.", lastSegment(rev.Name))
}

// newRevision makes a revision of the service's template; number goes into a
// name that the caller left open.
func newRevision(n serviceName, svc *runpb.Service, number int) *runpb.Revision {
	t := proto.CloneOf(svc.Template)
	id := t.Revision
	if id == "" {
		id = fmt.Sprintf("%s-%05d-%s", n.id, number, randomSuffix())
	}
	now := svc.UpdateTime
	uid := uuid.NewString()
	rev := &runpb.Revision{
		Name: n.revision(id), Uid: uid, Generation: 1, Etag: etagOf(uid, 1),
		Labels: t.Labels, Annotations: t.Annotations, CreateTime: now, UpdateTime: now,
		LaunchStage: svc.LaunchStage, Service: n.String(), Creator: svc.LastModifier,
		Scaling: t.Scaling, VpcAccess: t.VpcAccess, Timeout: t.Timeout, ServiceAccount: t.ServiceAccount,
		MaxInstanceRequestConcurrency: t.MaxInstanceRequestConcurrency,
		Containers:                    t.Containers, Volumes: t.Volumes, ExecutionEnvironment: t.ExecutionEnvironment,
		EncryptionKey: t.EncryptionKey, EncryptionKeyRevocationAction: t.EncryptionKeyRevocationAction,
		EncryptionKeyShutdownDuration: t.EncryptionKeyShutdownDuration,
		SessionAffinity:               t.SessionAffinity, NodeSelector: t.NodeSelector,
		GpuZonalRedundancyDisabled: t.GpuZonalRedundancyDisabled,
		Reconciling:                true,
		Conditions:                 []*runpb.Condition{reconciling(ready, now), reconciling(containerHealthy, now)},
	}
	if t.HealthCheckDisabled {
		judge(rev, nil)
	}
	return rev
}

// sameConfiguration compares what a template sets.
func sameConfiguration(a, b *runpb.Revision) bool {
	a, b = proto.CloneOf(a), proto.CloneOf(b)
	for _, r := range []*runpb.Revision{a, b} {
		r.Uid, r.Etag, r.Creator, r.CreateTime, r.UpdateTime = "", "", "", nil, nil
		r.Conditions, r.Reconciling, r.ObservedGeneration, r.LaunchStage = nil, false, 0, 0
	}
	return proto.Equal(a, b)
}

// randomSuffix is three letters or digits without vowels, so that no word
// comes of them.
func randomSuffix() string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	b := make([]byte, 3)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
