package iam

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// Require returns nil if the caller in ctx has a permission, such as
// workflows.executions.create, on a resource, such as
// projects/P/locations/L/workflows/W: by the resource's own policy or by one
// above it, up to the project's. Otherwise its error is Denied, or
// Unauthenticated if there is no caller.
func (a *Authority) Require(ctx context.Context, permission, resource string) error {
	p, known := CallerOf(ctx)
	if a.Allowed(p.Member, permission, resource) {
		return nil
	}
	if !known {
		return Unauthenticated()
	}
	return Denied(permission, resource)
}

// Allowed reports whether a member has a permission on a resource. The empty
// member is a caller without credentials, who has what allUsers has.
func (a *Authority) Allowed(member, permission, resource string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for r := range a.ancestry(resource) {
		for _, b := range a.policies[r].GetBindings() {
			if a.roles[b.Role].has(permission) && bound(b.Members, member) {
				return true
			}
		}
	}
	return false
}

// Granted returns those of the permissions that the caller in ctx has.
func (a *Authority) Granted(ctx context.Context, resource string, permissions []string) []string {
	p, _ := CallerOf(ctx)
	return slices.DeleteFunc(slices.Clone(permissions), func(permission string) bool {
		return !a.Allowed(p.Member, permission, resource)
	})
}

func bound(members []string, member string) bool {
	return slices.ContainsFunc(members, func(m string) bool {
		return m == "allUsers" || member != "" && (m == "allAuthenticatedUsers" || strings.EqualFold(m, member))
	})
}

// ancestry yields a resource and those above it, whose policies it inherits.
// A Storage bucket (projects/_/buckets/B) belongs to the project, too; what is
// in another project has none.
func (a *Authority) ancestry(resource string) iter.Seq[string] {
	return func(yield func(string) bool) {
		project := a.projectResource()
		resource = a.Canonical(resource)
		if !strings.HasPrefix(resource+"/", project+"/") && !strings.HasPrefix(resource, "projects/_/buckets") {
			return
		}
		for r := resource; r != "" && r != project; r = parent(r) {
			if !yield(r) {
				return
			}
		}
		yield(project)
	}
}

// parent drops the last collection and id: projects/P/topics/T → projects/P.
func parent(resource string) string {
	for range 2 {
		i := strings.LastIndexByte(resource, '/')
		if i < 0 {
			return ""
		}
		resource = resource[:i]
	}
	return resource
}

// Canonical names a resource by the project's id where it is named by its
// number or, for a service account, by the wildcard "-".
func (a *Authority) Canonical(resource string) string {
	rest, ok := strings.CutPrefix(resource, "projects/")
	if !ok {
		return resource
	}
	id, rest, more := strings.Cut(rest, "/")
	if id == a.number || id == "-" {
		id = a.project
	}
	if !more {
		return "projects/" + id
	}
	return "projects/" + id + "/" + rest
}

// Policy returns the policy set on a resource itself; without one it is empty
// but has an etag.
func (a *Authority) Policy(resource string) (*iampb.Policy, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if p := a.policies[a.Canonical(resource)]; p != nil {
		return proto.Clone(p).(*iampb.Policy), nil
	}
	empty := &iampb.Policy{}
	empty.Etag = policyEtag(empty)
	return empty, nil
}

// SetPolicy replaces the policy of a resource and returns it as stored. If p
// has an etag that is no longer the policy's, it answers ABORTED.
func (a *Authority) SetPolicy(resource string, p *iampb.Policy) (*iampb.Policy, error) {
	if err := a.checkPolicy(p); err != nil {
		return nil, err
	}
	resource = a.Canonical(resource)
	next := &iampb.Policy{Version: max(p.GetVersion(), 1), Bindings: mergeBindings(p.GetBindings())}
	next.Etag = policyEtag(next)
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.policies[resource]
	if old == nil {
		old = &iampb.Policy{}
		old.Etag = policyEtag(old)
	}
	if len(p.GetEtag()) > 0 && string(p.Etag) != string(old.Etag) {
		return nil, status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	}
	err := a.db.Update(func(tx *store.Tx) error { return tx.PutProto(tablePolicies, resource, next) })
	if err != nil {
		return nil, fmt.Errorf("store the policy of %s: %w", resource, err)
	}
	a.policies[resource] = next
	return proto.Clone(next).(*iampb.Policy), nil
}

// DropPolicy forgets the policies of a deleted resource and of all below it.
func (a *Authority) DropPolicy(resource string) error {
	resource = a.Canonical(resource)
	a.mu.Lock()
	defer a.mu.Unlock()
	var gone []string
	for r := range a.policies {
		if r == resource || strings.HasPrefix(r, resource+"/") {
			gone = append(gone, r)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	err := a.db.Update(func(tx *store.Tx) error {
		for _, r := range gone {
			if err := tx.Delete(tablePolicies, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete the policy of %s: %w", resource, err)
	}
	for _, r := range gone {
		delete(a.policies, r)
	}
	return nil
}

// policyEtag is drawn from the content: a policy that was changed and changed
// back has not changed for a reader.
func policyEtag(p *iampb.Policy) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&iampb.Policy{Version: p.GetVersion(), Bindings: p.GetBindings()})
	if err != nil {
		panic(err) // a policy has only plain fields
	}
	sum := sha256.Sum256(data)
	return sum[:8]
}

// mergeBindings makes one binding per role, without repeated members.
func mergeBindings(in []*iampb.Binding) []*iampb.Binding {
	var out []*iampb.Binding
	for _, b := range in {
		i := slices.IndexFunc(out, func(o *iampb.Binding) bool { return o.Role == b.Role })
		if i < 0 {
			i = len(out)
			out = append(out, &iampb.Binding{Role: b.Role})
		}
		for _, m := range b.Members {
			if !slices.Contains(out[i].Members, m) {
				out[i].Members = append(out[i].Members, m)
			}
		}
	}
	return slices.DeleteFunc(out, func(b *iampb.Binding) bool { return len(b.Members) == 0 })
}

var (
	roleName   = lazyregexp.New(`^(projects/[a-z0-9-]+/|organizations/[0-9]+/)?roles/[a-zA-Z0-9_.]{1,64}$`)
	memberName = lazyregexp.New(`^(allUsers|allAuthenticatedUsers|(user|serviceAccount|group):[^\s@:]+@[^\s@:]+|domain:[^\s@:]+|(principal|principalSet)://\S+|project(Owner|Editor|Viewer):[a-z0-9-]+|deleted:\S+)$`)
)

const maxMembers = 1500 // cloud.google.com/iam/quotas, as of 2026-11

func (a *Authority) checkPolicy(p *iampb.Policy) error {
	members := 0
	for _, b := range p.GetBindings() {
		if !roleName.MatchString(b.Role) {
			return status.Errorf(codes.InvalidArgument, "Role %s is not valid: expected a name such as roles/run.invoker.", b.Role)
		}
		if b.Condition != nil {
			return status.Errorf(codes.Unimplemented, "The binding of %s has a condition; this embedded cloud does not evaluate IAM conditions.", b.Role)
		}
		for _, m := range b.Members {
			if err := a.checkMember(m); err != nil {
				return err
			}
		}
		if members += len(b.Members); members > maxMembers {
			return status.Errorf(codes.InvalidArgument, "The policy has more than %d members.", maxMembers)
		}
	}
	return nil
}

func (a *Authority) checkMember(m string) error {
	if !memberName.MatchString(m) {
		return status.Errorf(codes.InvalidArgument, "Invalid member %q: expected a form such as user:NAME@DOMAIN, serviceAccount:EMAIL, group:EMAIL, domain:DOMAIN, allUsers or allAuthenticatedUsers.", m)
	}
	email, ok := strings.CutPrefix(m, "serviceAccount:")
	if !ok || !strings.HasSuffix(email, "@"+a.project+".iam.gserviceaccount.com") {
		return nil
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.accounts[email] == nil {
		return status.Errorf(codes.InvalidArgument, "Service account %s does not exist.", email)
	}
	return nil
}
