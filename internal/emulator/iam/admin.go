package iam

import (
	"context"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"maps"
	"slices"
	"strings"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// admin is the IAM API (iam.googleapis.com): service accounts, their keys and
// policies, and the predefined roles.
type admin struct {
	adminpb.UnimplementedIAMServer
	*Authority
}

var accountID = lazyregexp.New(`^[a-z]([-a-z0-9]{4,28}[a-z0-9])$`)

func (s admin) CreateServiceAccount(ctx context.Context, r *adminpb.CreateServiceAccountRequest) (*adminpb.ServiceAccount, error) {
	if err := s.requireProject(ctx, "iam.serviceAccounts.create", r.Name); err != nil {
		return nil, err
	}
	if !accountID.MatchString(r.AccountId) {
		return nil, status.Errorf(codes.InvalidArgument, "Account ID %q is not valid: it has 6 to 30 lower-case letters, digits and dashes, and begins with a letter.", r.AccountId)
	}
	account := s.newAccount(s.email(r.AccountId), r.ServiceAccount.GetDisplayName())
	account.Description = r.ServiceAccount.GetDescription()
	if err := s.addAccount(account); err != nil {
		return nil, err
	}
	return s.Account(account.Email)
}

func (s admin) GetServiceAccount(ctx context.Context, r *adminpb.GetServiceAccountRequest) (*adminpb.ServiceAccount, error) {
	if err := s.Require(ctx, "iam.serviceAccounts.get", r.Name); err != nil {
		return nil, err
	}
	return s.Account(r.Name)
}

func (s admin) ListServiceAccounts(ctx context.Context, r *adminpb.ListServiceAccountsRequest) (*adminpb.ListServiceAccountsResponse, error) {
	if err := s.requireProject(ctx, "iam.serviceAccounts.list", r.Name); err != nil {
		return nil, err
	}
	all := s.sortedAccounts()
	from, _ := slices.BinarySearchFunc(all, r.PageToken, func(a *adminpb.ServiceAccount, token string) int { return strings.Compare(a.Email, token) })
	size := int(r.PageSize)
	if size <= 0 || size > 100 { // the API's largest page
		size = 100
	}
	to := min(from+size, len(all))
	out := &adminpb.ListServiceAccountsResponse{Accounts: all[from:to]}
	if to < len(all) {
		out.NextPageToken = all[to].Email
	}
	return out, nil
}

func (s admin) PatchServiceAccount(ctx context.Context, r *adminpb.PatchServiceAccountRequest) (*adminpb.ServiceAccount, error) {
	name := r.ServiceAccount.GetName()
	if err := s.Require(ctx, "iam.serviceAccounts.update", name); err != nil {
		return nil, err
	}
	return s.changeAccount(name, func(a *adminpb.ServiceAccount) error {
		for _, path := range r.UpdateMask.GetPaths() {
			switch path {
			case "display_name":
				a.DisplayName = r.ServiceAccount.DisplayName
			case "description":
				a.Description = r.ServiceAccount.Description
			default:
				return status.Errorf(codes.InvalidArgument, "Field %q of a service account cannot be updated.", path)
			}
		}
		return nil
	})
}

func (s admin) UpdateServiceAccount(ctx context.Context, r *adminpb.ServiceAccount) (*adminpb.ServiceAccount, error) {
	if err := s.Require(ctx, "iam.serviceAccounts.update", r.Name); err != nil {
		return nil, err
	}
	return s.changeAccount(r.Name, func(a *adminpb.ServiceAccount) error {
		a.DisplayName, a.Description = r.DisplayName, r.Description
		return nil
	})
}

func (s admin) DeleteServiceAccount(ctx context.Context, r *adminpb.DeleteServiceAccountRequest) (*emptypb.Empty, error) {
	if err := s.Require(ctx, "iam.serviceAccounts.delete", r.Name); err != nil {
		return nil, err
	}
	account, err := s.Account(r.Name)
	if err != nil {
		return nil, err
	}
	if err := s.removeAccount(r.Name); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.DropPolicy(account.Name)
}

func (s admin) EnableServiceAccount(ctx context.Context, r *adminpb.EnableServiceAccountRequest) (*emptypb.Empty, error) {
	return s.setDisabled(ctx, "iam.serviceAccounts.enable", r.Name, false)
}

func (s admin) DisableServiceAccount(ctx context.Context, r *adminpb.DisableServiceAccountRequest) (*emptypb.Empty, error) {
	return s.setDisabled(ctx, "iam.serviceAccounts.disable", r.Name, true)
}

func (s admin) setDisabled(ctx context.Context, permission, name string, disabled bool) (*emptypb.Empty, error) {
	if err := s.Require(ctx, permission, name); err != nil {
		return nil, err
	}
	_, err := s.changeAccount(name, func(a *adminpb.ServiceAccount) error { a.Disabled = disabled; return nil })
	return &emptypb.Empty{}, err
}

func (s admin) CreateServiceAccountKey(ctx context.Context, r *adminpb.CreateServiceAccountKeyRequest) (*adminpb.ServiceAccountKey, error) {
	if err := s.Require(ctx, "iam.serviceAccountKeys.create", r.Name); err != nil {
		return nil, err
	}
	account, err := s.Account(r.Name)
	if err != nil {
		return nil, err
	}
	if r.PrivateKeyType == adminpb.ServiceAccountPrivateKeyType_TYPE_PKCS12_FILE {
		return nil, status.Error(codes.Unimplemented, "Only keys of type TYPE_GOOGLE_CREDENTIALS_FILE are made here.")
	}
	k, file, err := s.addKey(account)
	if err != nil {
		return nil, err
	}
	out := keyMessage(account, k)
	out.PrivateKeyType = adminpb.ServiceAccountPrivateKeyType_TYPE_GOOGLE_CREDENTIALS_FILE
	out.PrivateKeyData = file
	return out, nil
}

func (s admin) ListServiceAccountKeys(ctx context.Context, r *adminpb.ListServiceAccountKeysRequest) (*adminpb.ListServiceAccountKeysResponse, error) {
	if err := s.Require(ctx, "iam.serviceAccountKeys.list", r.Name); err != nil {
		return nil, err
	}
	account, err := s.Account(r.Name)
	if err != nil {
		return nil, err
	}
	out := &adminpb.ListServiceAccountKeysResponse{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(s.keys)) {
		if k := s.keys[id]; k.Email == account.Email {
			out.Keys = append(out.Keys, keyMessage(account, k))
		}
	}
	return out, nil
}

func (s admin) GetServiceAccountKey(ctx context.Context, r *adminpb.GetServiceAccountKeyRequest) (*adminpb.ServiceAccountKey, error) {
	account, k, err := s.findKey(ctx, "iam.serviceAccountKeys.get", r.Name)
	if err != nil {
		return nil, err
	}
	return keyMessage(account, k), nil
}

func (s admin) DeleteServiceAccountKey(ctx context.Context, r *adminpb.DeleteServiceAccountKeyRequest) (*emptypb.Empty, error) {
	_, k, err := s.findKey(ctx, "iam.serviceAccountKeys.delete", r.Name)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.removeKey(k.ID)
}

func (s admin) EnableServiceAccountKey(ctx context.Context, r *adminpb.EnableServiceAccountKeyRequest) (*emptypb.Empty, error) {
	return s.setKeyDisabled(ctx, "iam.serviceAccountKeys.enable", r.Name, false)
}

func (s admin) DisableServiceAccountKey(ctx context.Context, r *adminpb.DisableServiceAccountKeyRequest) (*emptypb.Empty, error) {
	return s.setKeyDisabled(ctx, "iam.serviceAccountKeys.disable", r.Name, true)
}

func (s admin) setKeyDisabled(ctx context.Context, permission, name string, disabled bool) (*emptypb.Empty, error) {
	_, k, err := s.findKey(ctx, permission, name)
	if err != nil {
		return nil, err
	}
	k.Disabled = disabled
	return &emptypb.Empty{}, s.storeKey(k)
}

// findKey finds projects/P/serviceAccounts/A/keys/K for a caller that has the
// permission.
func (s admin) findKey(ctx context.Context, permission, name string) (*adminpb.ServiceAccount, accountKey, error) {
	accountName, id, ok := strings.Cut(name, "/keys/")
	if !ok {
		return nil, accountKey{}, status.Errorf(codes.InvalidArgument, "Invalid key name %q.", name)
	}
	if err := s.Require(ctx, permission, accountName); err != nil {
		return nil, accountKey{}, err
	}
	account, err := s.Account(accountName)
	if err != nil {
		return nil, accountKey{}, err
	}
	k, err := s.key(account.Email, id)
	return account, k, err
}

func keyMessage(account *adminpb.ServiceAccount, k accountKey) *adminpb.ServiceAccountKey {
	return &adminpb.ServiceAccountKey{
		Name:            account.Name + "/keys/" + k.ID,
		KeyAlgorithm:    adminpb.ServiceAccountKeyAlgorithm_KEY_ALG_RSA_2048,
		KeyOrigin:       adminpb.ServiceAccountKeyOrigin_GOOGLE_PROVIDED,
		KeyType:         adminpb.ListServiceAccountKeysRequest_USER_MANAGED,
		ValidAfterTime:  timestamppb.New(k.Created),
		ValidBeforeTime: timestamppb.New(k.Created.AddDate(10, 0, 0)),
		Disabled:        k.Disabled,
	}
}

func (s admin) GetIamPolicy(ctx context.Context, r *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	if err := s.requireAccount(ctx, "iam.serviceAccounts.getIamPolicy", r.Resource); err != nil {
		return nil, err
	}
	return s.Policy(r.Resource)
}

func (s admin) SetIamPolicy(ctx context.Context, r *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	if err := s.requireAccount(ctx, "iam.serviceAccounts.setIamPolicy", r.Resource); err != nil {
		return nil, err
	}
	return s.SetPolicy(r.Resource, r.Policy)
}

func (s admin) TestIamPermissions(ctx context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return &iampb.TestIamPermissionsResponse{Permissions: s.Granted(ctx, r.Resource, r.Permissions)}, nil
}

func (s admin) requireAccount(ctx context.Context, permission, resource string) error {
	if err := s.Require(ctx, permission, resource); err != nil {
		return err
	}
	_, err := s.Account(resource)
	return err
}

// requireProject checks a permission on a project, which must be ours.
func (a *Authority) requireProject(ctx context.Context, permission, project string) error {
	if a.Canonical(project) != a.projectResource() {
		return Denied(permission, project)
	}
	return a.Require(ctx, permission, project)
}

func (s admin) ListRoles(_ context.Context, r *adminpb.ListRolesRequest) (*adminpb.ListRolesResponse, error) {
	out := &adminpb.ListRolesResponse{}
	if r.Parent != "" {
		return out, nil // there are no custom roles
	}
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		out.Roles = append(out.Roles, s.roleMessage(name, r.View == adminpb.RoleView_FULL))
	}
	return out, nil
}

func (s admin) GetRole(_ context.Context, r *adminpb.GetRoleRequest) (*adminpb.Role, error) {
	if _, ok := s.roles[r.Name]; !ok {
		return nil, status.Errorf(codes.NotFound, "The role named %s was not found.", r.Name)
	}
	return s.roleMessage(r.Name, true), nil
}

func (s admin) roleMessage(name string, full bool) *adminpb.Role {
	out := &adminpb.Role{Name: name, Title: s.roles[name].Title, Stage: adminpb.Role_GA}
	if full {
		out.IncludedPermissions = s.roles[name].Permissions
	}
	return out
}
