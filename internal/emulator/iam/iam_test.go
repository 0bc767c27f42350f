package iam

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

const (
	project   = "projects/kakehi-local"
	workflows = "serviceAccount:workflows@kakehi-local.iam.gserviceaccount.com"
	stepsSA   = "serviceAccount:steps@kakehi-local.iam.gserviceaccount.com"
	trainer   = "serviceAccount:trainer@kakehi-local.iam.gserviceaccount.com"
	serving   = "serviceAccount:serving@kakehi-local.iam.gserviceaccount.com"
)

// open opens the identities of a data directory, which the test may reopen.
func open(t *testing.T, dir string) (*Authority, func()) {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(db, "kakehi-local", "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	return a, func() { db.Close() }
}

func fresh(t *testing.T) *Authority {
	a, done := open(t, t.TempDir())
	t.Cleanup(done)
	return a
}

func as(member string) context.Context {
	return WithPrincipal(context.Background(), Principal{Member: member})
}

func TestDefaultRoles(t *testing.T) {
	a := fresh(t)
	const loc = project + "/locations/us-central1"
	for _, tt := range []struct {
		member, permission, resource string
		want                         bool
	}{
		{Developer, "resourcemanager.projects.setIamPolicy", project, true},
		{workflows, "aiplatform.customJobs.create", loc, true},
		{workflows, "run.services.update", loc + "/services/s", true},
		{workflows, "run.services.setIamPolicy", loc + "/services/s", false},
		{workflows, "run.routes.invoke", loc + "/services/s", true},
		{workflows, "storage.objects.get", "projects/_/buckets/b/objects/o", true},
		{workflows, "storage.buckets.create", project, false},
		{workflows, "logging.logEntries.create", project, true},
		{workflows, "logging.logEntries.list", project, false},
		{workflows, "iam.serviceAccounts.actAs", "projects/-/serviceAccounts/trainer@kakehi-local.iam.gserviceaccount.com", true},
		{workflows, "workflows.executions.create", loc + "/workflows/w", true},
		{workflows, "workflows.workflows.update", loc + "/workflows/w", false},
		{workflows, "aiplatform.customJobs.create", "projects/123456789012/locations/us-central1", true},
		{workflows, "aiplatform.customJobs.create", "projects/other/locations/us-central1", false},
		{stepsSA, "logging.logEntries.list", project, true},
		{stepsSA, "run.services.get", loc + "/services/s", true},
		{stepsSA, "run.services.update", loc + "/services/s", false},
		{trainer, "storage.objects.create", "projects/_/buckets/b", true},
		{trainer, "run.routes.invoke", loc + "/services/s", false},
		{serving, "storage.objects.get", "projects/_/buckets/b", true},
		{serving, "storage.objects.create", "projects/_/buckets/b", false},
		{"serviceAccount:123456789012-compute@developer.gserviceaccount.com", "workflows.workflows.create", loc, true},
		{"serviceAccount:123456789012-compute@developer.gserviceaccount.com", "run.services.setIamPolicy", loc, false},
		{"", "storage.objects.get", "projects/_/buckets/b", false},
	} {
		if got := a.Allowed(tt.member, tt.permission, tt.resource); got != tt.want {
			t.Errorf("%s %s on %s: %v", tt.member, tt.permission, tt.resource, got)
		}
	}
}

func TestRequire(t *testing.T) {
	a := fresh(t)
	const service = project + "/locations/us-central1/services/s"
	if err := a.Require(context.Background(), "run.routes.invoke", service); status.Code(err) != codes.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
	err := a.Require(as(trainer), "run.routes.invoke", service)
	if want := "Permission 'run.routes.invoke' denied on resource '" + service + "' (or it may not exist)."; status.Code(err) != codes.PermissionDenied || status.Convert(err).Message() != want {
		t.Errorf("the trainer: %v", err)
	}
	set := func(members ...string) {
		t.Helper()
		if _, err := a.SetPolicy(service, &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/run.invoker", Members: members}}}); err != nil {
			t.Fatal(err)
		}
	}
	set(trainer)
	if err := a.Require(as(trainer), "run.routes.invoke", "projects/123456789012/locations/us-central1/services/s"); err != nil {
		t.Errorf("by its own policy: %v", err)
	}
	if a.Require(as(trainer), "run.routes.invoke", service+"2") == nil || a.Require(as(trainer), "run.services.get", service) == nil {
		t.Error("more than was given")
	}
	set("allAuthenticatedUsers")
	if a.Require(as(serving), "run.routes.invoke", service) != nil || a.Require(context.Background(), "run.routes.invoke", service) == nil {
		t.Error("allAuthenticatedUsers")
	}
	set("allUsers")
	if err := a.Require(context.Background(), "run.routes.invoke", service); err != nil {
		t.Errorf("allUsers: %v", err)
	}
	if err := a.DropPolicy(service); err != nil || a.Require(context.Background(), "run.routes.invoke", service) == nil {
		t.Errorf("after the service is gone: %v", err)
	}
}

func TestPolicies(t *testing.T) {
	a := fresh(t)
	p, err := a.Policy(project)
	if err != nil || len(p.Etag) == 0 {
		t.Fatalf("%v, %v", p, err)
	}
	p.Bindings = append(p.Bindings, &iampb.Binding{Role: "roles/pubsub.publisher", Members: []string{trainer, trainer}}, &iampb.Binding{Role: "roles/pubsub.publisher", Members: []string{serving}})
	got, err := a.SetPolicy(project, p)
	if err != nil {
		t.Fatal(err)
	}
	if b := got.Bindings[len(got.Bindings)-1]; len(b.Members) != 2 {
		t.Errorf("bindings are not merged: %v", b)
	}
	if _, err := a.SetPolicy(project, p); status.Code(err) != codes.Aborted {
		t.Errorf("an old etag: %v", err)
	}
	for want, b := range map[string]*iampb.Binding{
		"is not valid":   {Role: "run.invoker", Members: []string{trainer}},
		"Invalid member": {Role: "roles/run.invoker", Members: []string{"trainer@x"}},
		"does not exist": {Role: "roles/run.invoker", Members: []string{"serviceAccount:ghost@kakehi-local.iam.gserviceaccount.com"}},
	} {
		if _, err := a.SetPolicy(project, &iampb.Policy{Bindings: []*iampb.Binding{b}}); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	var many []string
	for i := range maxMembers + 1 {
		many = append(many, "user:u"+strings.Repeat("x", i%7)+"@example.com")
	}
	if _, err := a.SetPolicy(project, &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/viewer", Members: many}}}); err == nil {
		t.Error("a policy without bounds")
	}
}

// What the user removes stays removed: the defaults are given once.
func TestStateSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	a, done := open(t, dir)
	if _, err := a.SetPolicy(project, &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/owner", Members: []string{Developer}}}}); err != nil {
		t.Fatal(err)
	}
	access, _, err := a.accessToken(workflows, nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id, err := a.IDToken(t.Context(), stepsSA, "https://s.example")
	if err != nil {
		t.Fatal(err)
	}
	developer := a.DeveloperToken()
	done()

	a, done = open(t, dir)
	defer done()
	if a.Allowed(workflows, "aiplatform.customJobs.create", project) {
		t.Error("a removed role came back")
	}
	if p, err := a.VerifyAccess(access); err != nil || p.Member != workflows {
		t.Errorf("access token: %v, %v", p, err)
	}
	if p, err := a.VerifyID(id, []string{"https://other.example", "https://s.example"}); err != nil || p.Member != stepsSA {
		t.Errorf("ID token: %v, %v", p, err)
	}
	if p, err := a.VerifyAccess(developer); err != nil || p.Member != Developer || a.DeveloperToken() != developer {
		t.Errorf("developer's token: %v, %v", p, err)
	}
}

func TestTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, done := open(t, t.TempDir())
		defer done()
		access, err := a.AccessToken(t.Context(), "steps@kakehi-local.iam.gserviceaccount.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		id, err := a.IDToken(t.Context(), stepsSA, "aud")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if _, err := a.VerifyAccess(access); err != nil {
			t.Errorf("after 59 minutes: %v", err)
		}
		if _, err := a.VerifyID(id, []string{"aud"}); err != nil {
			t.Errorf("after 59 minutes: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := a.VerifyAccess(access); status.Code(err) != codes.Unauthenticated {
			t.Errorf("after an hour: %v", err)
		}
		if _, err := a.VerifyID(id, []string{"aud"}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("after an hour: %v", err)
		}
	})
}

func TestForgedTokens(t *testing.T) {
	a, other := fresh(t), fresh(t)
	id, err := a.IDToken(t.Context(), stepsSA, "aud")
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := other.IDToken(t.Context(), stepsSA, "aud")
	foreignAccess, _ := other.AccessToken(t.Context(), workflows, nil)
	claims := jwt.MapClaims{"iss": issuer, "aud": "aud", "sub": developerSubject, "email": "developer@localhost", "email_verified": true, "exp": time.Now().Add(time.Hour).Unix()}
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	hmac, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte("key"))
	parts := strings.Split(id, ".")
	for name, token := range map[string]string{
		"empty": "", "another authority's": foreign, "no algorithm": none, "HMAC": hmac, "cut": id[:len(id)-4],
		"another payload": parts[0] + "." + strings.Split(none, ".")[1] + "." + parts[2],
		"too long":        id + strings.Repeat("x", maxJWT), "an access token": foreignAccess,
	} {
		if p, err := a.VerifyID(token, []string{"aud"}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		if p, err := a.VerifyAccess(token); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s as access token: %v, %v", name, p, err)
		}
	}
	if _, err := a.VerifyAccess(id); status.Code(err) != codes.Unauthenticated {
		t.Errorf("an ID token as access token: %v", err)
	}
	if _, err := a.VerifyID(id, nil); err == nil {
		t.Error("an ID token for no audience")
	}
	if _, err := a.VerifyID(id, []string{"aud2"}); err == nil {
		t.Error("an ID token for another audience")
	}
}

func TestServiceAccounts(t *testing.T) {
	a := fresh(t)
	api, ctx := admin{Authority: a}, as(Developer)
	made, err := api.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: project, AccountId: "robot-one", ServiceAccount: &adminpb.ServiceAccount{DisplayName: "Robot"}})
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != project+"/serviceAccounts/robot-one@kakehi-local.iam.gserviceaccount.com" || len(made.UniqueId) != 21 {
		t.Errorf("made %v", made)
	}
	if _, err := api.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: project, AccountId: "robot-one"}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("twice: %v", err)
	}
	if _, err := api.CreateServiceAccount(ctx, &adminpb.CreateServiceAccountRequest{Name: project, AccountId: "Robot"}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a bad id: %v", err)
	}
	if _, err := api.CreateServiceAccount(as(trainer), &adminpb.CreateServiceAccountRequest{Name: project, AccountId: "robot-two"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("by the trainer: %v", err)
	}
	for _, name := range []string{made.Name, "projects/-/serviceAccounts/" + made.Email, "projects/123456789012/serviceAccounts/" + made.UniqueId} {
		if got, err := api.GetServiceAccount(ctx, &adminpb.GetServiceAccountRequest{Name: name}); err != nil || got.Email != made.Email {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := api.GetServiceAccount(ctx, &adminpb.GetServiceAccountRequest{Name: "projects/-/serviceAccounts/ghost@x"}); status.Code(err) != codes.NotFound {
		t.Errorf("one that is not there: %v", err)
	}
	patched, err := api.PatchServiceAccount(ctx, &adminpb.PatchServiceAccountRequest{ServiceAccount: &adminpb.ServiceAccount{Name: made.Name, Description: "d", DisplayName: "x"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"description"}}})
	if err != nil || patched.Description != "d" || patched.DisplayName != "Robot" {
		t.Errorf("%v, %v", patched, err)
	}
	var names []string
	for page, token := 0, "-"; token != "" && page < 10; page++ {
		if token == "-" {
			token = ""
		}
		l, err := api.ListServiceAccounts(ctx, &adminpb.ListServiceAccountsRequest{Name: project, PageSize: 4, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range l.Accounts {
			names = append(names, s.Email)
		}
		token = l.NextPageToken
	}
	if len(names) != 6 {
		t.Errorf("list: %v", names)
	}
	member := "serviceAccount:" + made.Email
	token, err := a.AccessToken(ctx, member, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.DisableServiceAccount(ctx, &adminpb.DisableServiceAccountRequest{Name: made.Name}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.VerifyAccess(token); err == nil {
		t.Error("the token of a disabled account is good")
	}
	if _, err := a.AccessToken(ctx, member, nil); err == nil {
		t.Error("a token for a disabled account")
	}
	if _, err := api.EnableServiceAccount(ctx, &adminpb.EnableServiceAccountRequest{Name: made.Name}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.VerifyAccess(token); err != nil {
		t.Errorf("enabled again: %v", err)
	}
	if _, err := api.DeleteServiceAccount(ctx, &adminpb.DeleteServiceAccountRequest{Name: made.Name}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.VerifyAccess(token); err == nil {
		t.Error("the token of a deleted account is good")
	}
}

func TestImpersonation(t *testing.T) {
	a := fresh(t)
	api := credentials{Authority: a}
	name := "projects/-/serviceAccounts/" + emailOf(trainer)
	if _, err := api.GenerateAccessToken(as(stepsSA), &credentialspb.GenerateAccessTokenRequest{Name: name, Scope: []string{"s"}}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("without the role: %v", err)
	}
	if _, err := a.SetPolicy(name, &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/iam.serviceAccountTokenCreator", Members: []string{stepsSA}}}}); err != nil {
		t.Fatal(err)
	}
	out, err := api.GenerateAccessToken(as(stepsSA), &credentialspb.GenerateAccessTokenRequest{Name: name, Scope: []string{"s"}, Lifetime: durationpb.New(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := a.VerifyAccess(out.AccessToken); err != nil || p.Member != trainer || time.Until(out.ExpireTime.AsTime()) > time.Minute {
		t.Errorf("%v, %v, %v", p, err, out.ExpireTime)
	}
	if _, err := api.GenerateAccessToken(as(stepsSA), &credentialspb.GenerateAccessTokenRequest{Name: name, Scope: []string{"s"}, Lifetime: durationpb.New(2 * time.Hour)}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("two hours: %v", err)
	}
	id, err := api.GenerateIdToken(as(stepsSA), &credentialspb.GenerateIdTokenRequest{Name: name, Audience: "aud"})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := a.VerifyID(id.Token, []string{"aud"}); err != nil || p.Member != trainer {
		t.Errorf("an ID token without email: %v, %v", p, err)
	}
	if _, err := api.SignBlob(as(stepsSA), &credentialspb.SignBlobRequest{Name: name, Payload: []byte("x")}); err != nil {
		t.Error(err)
	}
	if out, err := api.SignJwt(as(stepsSA), &credentialspb.SignJwtRequest{Name: name, Payload: `{"a":1}`}); err != nil || strings.Count(out.SignedJwt, ".") != 2 {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := api.SignJwt(as(stepsSA), &credentialspb.SignJwtRequest{Name: name, Payload: `[]`}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a list of claims: %v", err)
	}
}

func TestRolesTable(t *testing.T) {
	roles, err := loadRoles()
	if err != nil || len(roles) < 40 {
		t.Fatalf("%d roles, %v", len(roles), err)
	}
	for name, r := range roles {
		if !roleName.MatchString(name) || r.Title == "" || len(r.Permissions) == 0 {
			t.Errorf("%s is not whole", name)
		}
	}
	out, err := admin{Authority: fresh(t)}.GetRole(as(Developer), &adminpb.GetRoleRequest{Name: "roles/run.invoker"})
	if err != nil || len(out.IncludedPermissions) != 2 {
		t.Errorf("%v, %v", out, err)
	}
}
