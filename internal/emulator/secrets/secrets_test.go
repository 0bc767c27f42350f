package secrets

import (
	"bytes"
	"context"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

const (
	project = "projects/kakehi-local"
	number  = "projects/123456789012"
	nobody  = "serviceAccount:trainer@kakehi-local.iam.gserviceaccount.com"
)

// boot serves Secret Manager over a data directory to Google's client.
func boot(t *testing.T, dir string) *secretmanager.Client {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	auth, err := iam.Open(db, "kakehi-local", "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		member := iam.Developer
		if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("x-member")) > 0 {
			member = md.Get("x-member")[0]
		}
		return h(iam.WithPrincipal(ctx, iam.Principal{Member: member}), req)
	}))
	New(Options{DB: db, Auth: auth, Project: "kakehi-local", Number: "123456789012"}).Register(server)
	l := bufconn.Listen(1 << 20)
	go func() { _ = server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	client, err := secretmanager.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); server.Stop() })
	return client
}

func as(member string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "x-member", member)
}

var automatic = &pb.Replication{Replication: &pb.Replication_Automatic_{Automatic: &pb.Replication_Automatic{}}}

// create makes a secret with versions.
func create(t *testing.T, c *secretmanager.Client, id string, data ...string) {
	t.Helper()
	if _, err := c.CreateSecret(t.Context(), &pb.CreateSecretRequest{Parent: project, SecretId: id, Secret: &pb.Secret{Replication: automatic, Labels: map[string]string{"team": id}}}); err != nil {
		t.Fatal(err)
	}
	for _, d := range data {
		if _, err := c.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: project + "/secrets/" + id, Payload: &pb.SecretPayload{Data: []byte(d)}}); err != nil {
			t.Fatal(err)
		}
	}
}

func access(c *secretmanager.Client, version string) (string, error) {
	r, err := c.AccessSecretVersion(context.Background(), &pb.AccessSecretVersionRequest{Name: project + "/secrets/key/versions/" + version})
	return string(r.GetPayload().GetData()), err
}

func TestVersions(t *testing.T) {
	dir := t.TempDir()
	c := boot(t, dir)
	create(t, c, "key", "one", "two", "three")
	key := project + "/secrets/key"
	if _, err := c.DisableSecretVersion(t.Context(), &pb.DisableSecretVersionRequest{Name: key + "/versions/latest"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DestroySecretVersion(t.Context(), &pb.DestroySecretVersionRequest{Name: key + "/versions/1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateSecret(t.Context(), &pb.UpdateSecretRequest{
		Secret: &pb.Secret{Name: key, VersionAliases: map[string]int64{"stable": 2}}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"version_aliases"}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		version, want string
		code          codes.Code
	}{
		{"2", "two", codes.OK},
		{"stable", "two", codes.OK},
		{"3", "", codes.FailedPrecondition},
		{"latest", "", codes.FailedPrecondition},
		{"1", "", codes.FailedPrecondition},
		{"4", "", codes.NotFound},
		{"nothing", "", codes.NotFound},
	} {
		if got, err := access(c, tt.version); got != tt.want || status.Code(err) != tt.code {
			t.Errorf("version %s: %q, %v", tt.version, got, err)
		}
	}
	if _, err := c.EnableSecretVersion(t.Context(), &pb.EnableSecretVersionRequest{Name: key + "/versions/3", Etag: `"x"`}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("with a wrong etag: %v", err)
	}
	if _, err := c.EnableSecretVersion(t.Context(), &pb.EnableSecretVersionRequest{Name: key + "/versions/3"}); err != nil {
		t.Error(err)
	}
	if _, err := c.EnableSecretVersion(t.Context(), &pb.EnableSecretVersionRequest{Name: key + "/versions/1"}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("what is destroyed comes back: %v", err)
	}
	var states []string
	for it := c.ListSecretVersions(t.Context(), &pb.ListSecretVersionsRequest{Parent: key, Filter: "state!=DISABLED", PageSize: 2}); ; {
		v, err := it.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, strings.TrimPrefix(v.Name, number+"/secrets/key/versions/")+" "+v.State.String())
	}
	if got, want := strings.Join(states, ", "), "3 ENABLED, 2 ENABLED, 1 DESTROYED"; got != want {
		t.Errorf("versions %s, want %s", got, want)
	}
	if v, err := c.GetSecretVersion(t.Context(), &pb.GetSecretVersionRequest{Name: number + "/secrets/key/versions/latest"}); err != nil || v.Name != number+"/secrets/key/versions/3" {
		t.Errorf("%v, %v", v, err)
	}
}

func TestSecrets(t *testing.T) {
	c := boot(t, t.TempDir())
	create(t, c, "key", "data")
	create(t, c, "other")
	name := project + "/secrets/key"
	secret, err := c.GetSecret(t.Context(), &pb.GetSecretRequest{Name: name})
	if err != nil || secret.Name != number+"/secrets/key" || secret.Etag == "" {
		t.Fatal(secret, err)
	}
	update := func(s *pb.Secret, paths ...string) error {
		_, err := c.UpdateSecret(t.Context(), &pb.UpdateSecretRequest{Secret: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return err
	}
	if err := update(&pb.Secret{Name: name, Etag: secret.Etag, Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"x": "y"}}, "labels"); err != nil {
		t.Fatal(err)
	}
	changed, err := c.GetSecret(t.Context(), &pb.GetSecretRequest{Name: name})
	if err != nil || !maps.Equal(changed.Labels, map[string]string{"a": "b"}) || len(changed.Annotations) > 0 || changed.Etag == secret.Etag {
		t.Error(changed, err)
	}
	for _, tt := range []struct {
		what string
		err  error
		code codes.Code
	}{
		{"an old etag", update(&pb.Secret{Name: name, Etag: secret.Etag}, "labels"), codes.FailedPrecondition},
		{"no mask", update(&pb.Secret{Name: name}), codes.InvalidArgument},
		{"a field of the server", update(&pb.Secret{Name: name}, "create_time"), codes.InvalidArgument},
		{"a bad label", update(&pb.Secret{Name: name, Labels: map[string]string{"A": "b"}}, "labels"), codes.InvalidArgument},
		{"topics", update(&pb.Secret{Name: name, Topics: []*pb.Topic{{Name: "t"}}}, "topics"), codes.InvalidArgument},
		{"an alias of nothing", update(&pb.Secret{Name: name, VersionAliases: map[string]int64{"x": 7}}, "version_aliases"), codes.InvalidArgument},
		{"a secret that is not there", update(&pb.Secret{Name: name + "s"}, "labels"), codes.NotFound},
		{"a malformed name", update(&pb.Secret{Name: "key"}, "labels"), codes.InvalidArgument},
		{"another project", update(&pb.Secret{Name: "projects/x/secrets/key"}, "labels"), codes.PermissionDenied},
	} {
		if status.Code(tt.err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.what, tt.err, tt.code)
		}
	}
	page := c.ListSecrets(t.Context(), &pb.ListSecretsRequest{Parent: project, Filter: "labels.team=other"})
	if s, err := page.Next(); err != nil || s.Name != number+"/secrets/other" {
		t.Error(s, err)
	}
	if _, err := page.Next(); err != iterator.Done {
		t.Error("more than one secret has the label")
	}
	if err := c.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := access(c, "1"); status.Code(err) != codes.NotFound {
		t.Errorf("a deleted secret: %v", err)
	}
	create(t, c, "key")
	if _, err := access(c, "latest"); status.Code(err) != codes.NotFound {
		t.Errorf("a new secret has an old one's data: %v", err)
	}
}

func TestRefused(t *testing.T) {
	c := boot(t, t.TempDir())
	create(t, c, "key", "data")
	make := func(ctx context.Context, id string, s *pb.Secret) error {
		_, err := c.CreateSecret(ctx, &pb.CreateSecretRequest{Parent: project, SecretId: id, Secret: s})
		return err
	}
	add := func(p *pb.SecretPayload) error {
		_, err := c.AddSecretVersion(t.Context(), &pb.AddSecretVersionRequest{Parent: project + "/secrets/key", Payload: p})
		return err
	}
	wrong := int64(1)
	for _, tt := range []struct {
		what string
		err  error
		code codes.Code
	}{
		{"the same id", make(t.Context(), "key", &pb.Secret{Replication: automatic}), codes.AlreadyExists},
		{"no replication", make(t.Context(), "k", &pb.Secret{}), codes.InvalidArgument},
		{"a bad id", make(t.Context(), "a/b", &pb.Secret{Replication: automatic}), codes.InvalidArgument},
		{"no time to live", make(t.Context(), "k", &pb.Secret{Replication: automatic, Expiration: &pb.Secret_Ttl{Ttl: durationpb.New(-1)}}), codes.InvalidArgument},
		{"no role", make(as(nobody), "k", &pb.Secret{Replication: automatic}), codes.PermissionDenied},
		{"no data", add(&pb.SecretPayload{}), codes.InvalidArgument},
		{"too much data", add(&pb.SecretPayload{Data: bytes.Repeat([]byte("x"), maxPayload+1)}), codes.InvalidArgument},
		{"damaged data", add(&pb.SecretPayload{Data: []byte("x"), DataCrc32C: &wrong}), codes.InvalidArgument},
	} {
		if status.Code(tt.err) != tt.code {
			t.Errorf("%s: %v, want %v", tt.what, tt.err, tt.code)
		}
	}
}

// TestPolicy: a role on one secret opens that one alone.
func TestPolicy(t *testing.T) {
	c := boot(t, t.TempDir())
	create(t, c, "key", "data")
	create(t, c, "other", "data")
	read := func(id string) error {
		_, err := c.AccessSecretVersion(as(nobody), &pb.AccessSecretVersionRequest{Name: project + "/secrets/" + id + "/versions/latest"})
		return err
	}
	if err := read("key"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("without a role: %v", err)
	}
	key := project + "/secrets/key"
	if _, err := c.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: key, Policy: &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/secretmanager.secretAccessor", Members: []string{nobody}}}}}); err != nil {
		t.Fatal(err)
	}
	if err := read("key"); err != nil {
		t.Error(err)
	}
	if err := read("other"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another secret: %v", err)
	}
	r, err := c.TestIamPermissions(as(nobody), &iampb.TestIamPermissionsRequest{Resource: key, Permissions: []string{"secretmanager.versions.access", "secretmanager.versions.add"}})
	if err != nil || len(r.Permissions) != 1 {
		t.Error(r, err)
	}
	if p, err := c.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: key}); err != nil || len(p.Bindings) != 1 {
		t.Error(p, err)
	}
	if err := c.DeleteSecret(t.Context(), &pb.DeleteSecretRequest{Name: key}); err != nil {
		t.Fatal(err)
	}
	create(t, c, "key", "new")
	if err := read("key"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a new secret has an old one's policy: %v", err)
	}
}

// TestExpiry: a secret whose time has come is gone.
func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := &pb.Secret{Name: number + "/secrets/key", Replication: automatic, Expiration: &pb.Secret_ExpireTime{}}
	old.Expiration.(*pb.Secret_ExpireTime).ExpireTime = timestamppb.New(time.Now().Add(-time.Second))
	err = db.Update(func(tx *store.Tx) error {
		if err := tx.PutProto(tableVersions, versionKey("key", 1), &pb.SecretVersion{}); err != nil {
			return err
		}
		return tx.PutProto(tableSecrets, "key", old)
	})
	if err != nil || db.Close() != nil {
		t.Fatal(err)
	}
	c := boot(t, dir)
	if _, err := c.GetSecret(t.Context(), &pb.GetSecretRequest{Name: project + "/secrets/key"}); status.Code(err) != codes.NotFound {
		t.Errorf("an expired secret: %v", err)
	}
	if _, err := c.ListSecrets(t.Context(), &pb.ListSecretsRequest{Parent: project}).Next(); err != iterator.Done {
		t.Errorf("an expired secret is listed: %v", err)
	}
	create(t, c, "key", "new")
	if got, err := access(c, "latest"); got != "new" {
		t.Errorf("%q, %v", got, err)
	}
	if v, err := c.GetSecretVersion(t.Context(), &pb.GetSecretVersionRequest{Name: project + "/secrets/key/versions/latest"}); err != nil || !strings.HasSuffix(v.Name, "/versions/1") {
		t.Error(v, err)
	}
}
