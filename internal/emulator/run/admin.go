package run

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// admin is the Admin API v2.
type admin struct{ *Service }

var (
	_ runpb.ServicesServer  = admin{}
	_ runpb.RevisionsServer = admin{}
)

// CreateService creates a service; the operation ends when its first revision
// is ready or cannot be started.
func (a admin) CreateService(ctx context.Context, r *runpb.CreateServiceRequest) (*longrunningpb.Operation, error) {
	n, err := a.parseParent(r.Parent)
	if err != nil {
		return nil, err
	}
	n.id = r.ServiceId
	if err := a.Auth.Require(ctx, "run.services.create", n.parent()); err != nil {
		return nil, err
	}
	_, op, err := a.change(ctx, n, r.ValidateOnly, func(old *runpb.Service) (*runpb.Service, error) {
		if old != nil {
			return nil, status.Errorf(codes.AlreadyExists, "Resource '%s' already exists.", n.id)
		}
		return newService(n, r.Service)
	})
	return op, err
}

// newService takes what a caller sets of a service that does not exist yet.
func newService(n serviceName, wanted *runpb.Service) (*runpb.Service, error) {
	if !serviceID.MatchString(n.id) {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid service id %q: it must begin with a letter, hold lowercase letters, digits and hyphens, not end with a hyphen, and be shorter than 50 characters.", n.id)
	}
	if n.location == "-" {
		return nil, status.Error(codes.InvalidArgument, "The location '-' is for lists only.")
	}
	if wanted == nil {
		return nil, status.Error(codes.InvalidArgument, "The request has no service.")
	}
	return merge(&runpb.Service{}, wanted, nil)
}

// UpdateService changes the fields of the mask, or all; see Service.change for
// what becomes of it.
func (a admin) UpdateService(ctx context.Context, r *runpb.UpdateServiceRequest) (*longrunningpb.Operation, error) {
	n, err := a.parseService(r.GetService().GetName())
	if err != nil {
		return nil, err
	}
	if err := a.Auth.Require(ctx, "run.services.update", n.String()); err != nil {
		return nil, err
	}
	if _, err := a.service(n); status.Code(err) == codes.NotFound && r.AllowMissing {
		if err := a.Auth.Require(ctx, "run.services.create", n.parent()); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	_, op, err := a.change(ctx, n, r.ValidateOnly, func(old *runpb.Service) (*runpb.Service, error) {
		if old == nil {
			return newService(n, r.Service)
		}
		if err := checkEtag(n, r.Service.Etag, old); err != nil {
			return nil, err
		}
		return merge(old, r.Service, r.UpdateMask)
	})
	return op, err
}

// GetService returns one service.
func (a admin) GetService(ctx context.Context, r *runpb.GetServiceRequest) (*runpb.Service, error) {
	n, err := a.parseService(r.Name)
	if err != nil {
		return nil, err
	}
	if err := a.Auth.Require(ctx, "run.services.get", n.String()); err != nil {
		return nil, err
	}
	return a.service(n)
}

// ListServices returns a location's services, newest first; location "-" stands
// for all.
func (a admin) ListServices(ctx context.Context, r *runpb.ListServicesRequest) (*runpb.ListServicesResponse, error) {
	n, err := a.parseParent(r.Parent)
	if err != nil {
		return nil, err
	}
	if err := a.Auth.Require(ctx, "run.services.list", n.parent()); err != nil {
		return nil, err
	}
	all, err := a.servicesIn(n)
	if err != nil {
		return nil, err
	}
	list, next, err := page(all, r.PageSize, r.PageToken, (*runpb.Service).GetName)
	return &runpb.ListServicesResponse{Services: list, NextPageToken: next}, err
}

func (s *Service) servicesIn(n serviceName) ([]*runpb.Service, error) {
	prefix := n.parent() + "/"
	if n.location == "-" {
		prefix = "projects/" + n.project + "/"
	}
	list, err := s.scanServices(prefix)
	slices.SortFunc(list, func(a, b *runpb.Service) int {
		return newestFirst(a.CreateTime, b.CreateTime, a.Name, b.Name)
	})
	return list, err
}

func newestFirst(a, b *timestamppb.Timestamp, nameA, nameB string) int {
	return cmp.Or(b.AsTime().Compare(a.AsTime()), strings.Compare(nameB, nameA))
}

// page cuts one page out of a list; a token names the first element of the
// next.
func page[T any](all []T, size int32, token string, name func(T) string) ([]T, string, error) {
	const most = 1000
	from := 0
	if token != "" {
		first, err := base64.RawURLEncoding.DecodeString(token)
		from = slices.IndexFunc(all, func(e T) bool { return name(e) == string(first) })
		if err != nil || from < 0 {
			return nil, "", status.Errorf(codes.InvalidArgument, "Invalid page_token %q.", token)
		}
	}
	if size < 0 {
		return nil, "", status.Error(codes.InvalidArgument, "page_size must not be negative.")
	}
	if size == 0 || size > most {
		size = most
	}
	to := min(from+int(size), len(all))
	if to == len(all) {
		return all[from:], "", nil
	}
	return all[from:to], base64.RawURLEncoding.EncodeToString([]byte(name(all[to]))), nil
}

// DeleteService stops and removes a service with its revisions.
func (a admin) DeleteService(ctx context.Context, r *runpb.DeleteServiceRequest) (*longrunningpb.Operation, error) {
	n, err := a.parseService(r.Name)
	if err != nil {
		return nil, err
	}
	if err := a.Auth.Require(ctx, "run.services.delete", n.String()); err != nil {
		return nil, err
	}
	return a.delete(n, r.Etag, r.ValidateOnly)
}

func (s *Service) delete(n serviceName, etag string, validateOnly bool) (*longrunningpb.Operation, error) {
	svc, err := s.service(n)
	if err != nil {
		return nil, err
	}
	if err := checkEtag(n, etag, svc); err != nil {
		return nil, err
	}
	svc.DeleteTime = timestamppb.Now()
	if validateOnly {
		return doneOperation(svc)
	}
	if err := s.DB.Update(func(tx *store.Tx) error {
		current, err := readService(tx, n)
		if err != nil {
			return err
		}
		if current == nil {
			return n.notFound()
		}
		if err := checkEtag(n, etag, current); err != nil {
			return err
		}
		s.routes.remove(n)
		return deleteAll(tx, n)
	}); err != nil {
		return nil, err
	}
	if err := s.Auth.DropPolicy(n.String()); err != nil {
		return nil, err
	}
	op, err := s.Ops.Start(n.parent(), svc)
	if err != nil {
		return nil, err
	}
	pools := s.takePools(func(revision string) bool { return strings.HasPrefix(revision, n.String()+"/revisions/") })
	s.background(func() {
		stopPools(pools, stopGrace)
		_ = s.Ops.Finish(op.Name, svc, nil)
	})
	return op, nil
}

// GetIamPolicy returns the bindings on a service itself.
func (a admin) GetIamPolicy(ctx context.Context, r *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	n, err := a.authorized(ctx, r.Resource, "run.services.getIamPolicy")
	if err != nil {
		return nil, err
	}
	return a.Auth.Policy(n.String())
}

// SetIamPolicy replaces the bindings on a service.
func (a admin) SetIamPolicy(ctx context.Context, r *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	n, err := a.authorized(ctx, r.Resource, "run.services.setIamPolicy")
	if err != nil {
		return nil, err
	}
	if r.Policy == nil {
		return nil, status.Error(codes.InvalidArgument, "The request has no policy.")
	}
	return a.Auth.SetPolicy(n.String(), r.Policy)
}

// authorized checks a permission on a service that exists.
func (a admin) authorized(ctx context.Context, resource, permission string) (serviceName, error) {
	n, err := a.parseService(resource)
	if err != nil {
		return n, err
	}
	if err := a.Auth.Require(ctx, permission, n.String()); err != nil {
		return n, err
	}
	_, err = a.service(n)
	return n, err
}

// TestIamPermissions returns those of the permissions that the caller has.
func (a admin) TestIamPermissions(ctx context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	n, err := a.parseService(r.Resource)
	if err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: a.Auth.Granted(ctx, n.String(), r.Permissions)}, nil
}
