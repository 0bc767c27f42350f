package secrets

import (
	"context"

	"cloud.google.com/go/iam/apiv1/iampb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// policied checks that a secret is there whose policy is asked for.
func (s *Service) policied(ctx context.Context, permission, resource string) (name, error) {
	n, err := s.secret(resource)
	if err != nil {
		return n, err
	}
	if permission != "" {
		if err := s.Auth.Require(ctx, permission, s.resource(n)); err != nil {
			return n, err
		}
	}
	return n, s.view(func(tx *store.Tx) error {
		_, err := s.get(tx, n)
		return err
	})
}

// GetIamPolicy returns the policy that is set on a secret.
func (s *Service) GetIamPolicy(ctx context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	n, err := s.policied(ctx, "secretmanager.secrets.getIamPolicy", req.GetResource())
	if err != nil {
		return nil, err
	}
	return s.Auth.Policy(s.resource(n))
}

// SetIamPolicy replaces the policy of a secret.
func (s *Service) SetIamPolicy(ctx context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	n, err := s.policied(ctx, "secretmanager.secrets.setIamPolicy", req.GetResource())
	if err != nil {
		return nil, err
	}
	return s.Auth.SetPolicy(s.resource(n), req.GetPolicy())
}

// TestIamPermissions returns those of the permissions that the caller has.
func (s *Service) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	n, err := s.policied(ctx, "", req.GetResource())
	if err != nil {
		return nil, err
	}
	return &iampb.TestIamPermissionsResponse{Permissions: s.Auth.Granted(ctx, s.resource(n), req.GetPermissions())}, nil
}
