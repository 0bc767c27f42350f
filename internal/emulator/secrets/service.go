// Package secrets is the Secret Manager of the embedded cloud. Secrets are kept
// in the data directory's database as they are: it guards them no better than
// it guards the rest of that directory.
package secrets

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// The tables of the database.
const (
	tableSecrets  = "secrets"          // id: a Secret
	tableVersions = "secrets.versions" // id/version in 9 digits: a SecretVersion
	tableData     = "secrets.data"     // the same key: the secret itself
)

// Auth checks callers and keeps the policies of secrets.
type Auth interface {
	Require(ctx context.Context, permission, resource string) error
	Granted(ctx context.Context, resource string, permissions []string) []string
	Policy(resource string) (*iampb.Policy, error)
	SetPolicy(resource string, p *iampb.Policy) (*iampb.Policy, error)
	DropPolicy(resource string) error
}

// Options are what a Service needs.
type Options struct {
	DB              *store.DB
	Auth            Auth
	Project, Number string
}

// Service serves Secret Manager.
type Service struct {
	pb.UnimplementedSecretManagerServiceServer
	Options
	mu sync.Mutex // held while a secret is read and changed
}

// New returns the service over a database.
func New(o Options) *Service { return &Service{Options: o} }

// Register registers the gRPC service.
func (s *Service) Register(r grpc.ServiceRegistrar) { pb.RegisterSecretManagerServiceServer(r, s) }

// name is a secret, or a version of one.
type name struct{ id, version string }

func (s *Service) project() string { return "projects/" + s.Project }

// resource is the name for permission checks and policies: by the project's id.
func (s *Service) resource(n name) string { return s.format(s.Project, n) }

// full is the name in answers, which have the project's number.
func (s *Service) full(n name) string { return s.format(s.Number, n) }

func (s *Service) format(project string, n name) string {
	text := "projects/" + project + "/secrets/" + n.id
	if n.version != "" {
		text += "/versions/" + n.version
	}
	return text
}

// parent checks that a name is this project's.
func (s *Service) parent(text string) error {
	_, err := s.parse(text, 2)
	return err
}

func (s *Service) secret(text string) (name, error) { return s.parse(text, 4) }

func (s *Service) version(text string) (name, error) { return s.parse(text, 6) }

// parse reads a name of n parts: projects/P[/secrets/S[/versions/V]].
func (s *Service) parse(text string, n int) (name, error) {
	parts := strings.Split(text, "/")
	for i, word := range []string{"projects", "", "secrets", "", "versions", ""}[:n] {
		if len(parts) != n || parts[i] == "" || word != "" && parts[i] != word {
			form := strings.Join([]string{"projects", "*", "secrets", "*", "versions", "*"}[:n], "/")
			return name{}, status.Errorf(codes.InvalidArgument, "The provided resource ID [%s] is not in the expected format [%s].", text, form)
		}
	}
	if parts[1] != s.Project && parts[1] != s.Number {
		return name{}, status.Errorf(codes.PermissionDenied, "Permission denied on resource project %s: this embedded cloud serves %s.", parts[1], s.Project)
	}
	parts = append(parts, "", "", "", "")
	return name{id: parts[3], version: parts[5]}, nil
}

// get reads a secret. One whose time has come is gone.
func (s *Service) get(tx *store.Tx, n name) (*pb.Secret, error) {
	secret := &pb.Secret{}
	err := tx.GetProto(tableSecrets, n.id, secret)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && expired(secret):
		return nil, status.Errorf(codes.NotFound, "Secret [%s] not found.", s.full(name{id: n.id}))
	case err != nil:
		return nil, err
	}
	return secret, nil
}

func expired(secret *pb.Secret) bool {
	at := secret.GetExpireTime()
	return at != nil && !at.AsTime().After(time.Now())
}

// view runs a transaction that reads.
func (s *Service) view(f func(tx *store.Tx) error) error { return s.answer(s.DB.View(f)) }

// update runs a transaction that writes.
func (s *Service) update(f func(tx *store.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(s.DB.Update(f))
}

func (s *Service) answer(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Errorf(codes.Internal, "Secret Manager: %v", err)
}

// etag is a sum of a message; it changes with it.
func etag(m proto.Message) string {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return ""
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	return fmt.Sprintf(`"%x"`, h.Sum64())
}

func checkEtag(given, stored string) error {
	if given != "" && given != stored {
		return status.Errorf(codes.FailedPrecondition, "The etag provided %s does not match the etag of the resource %s.", given, stored)
	}
	return nil
}

// violations are the faults of a request, told all at once.
type violations []*errdetails.BadRequest_FieldViolation

func (v *violations) add(field, format string, args ...any) {
	*v = append(*v, &errdetails.BadRequest_FieldViolation{Field: field, Description: fmt.Sprintf(format, args...)})
}

func (v violations) err() error {
	if len(v) == 0 {
		return nil
	}
	lines := make([]string, len(v))
	for i, f := range v {
		lines[i] = fmt.Sprintf("Field [%s] %s", f.Field, f.Description)
	}
	st := status.New(codes.InvalidArgument, strings.Join(lines, "\n"))
	if detailed, err := st.WithDetails(&errdetails.BadRequest{FieldViolations: v}); err == nil {
		st = detailed
	}
	return st.Err()
}

var (
	secretID = lazyregexp.New(`^[A-Za-z0-9_-]{1,255}$`)
	labelKey = lazyregexp.New(`^\p{Ll}[\p{Ll}\p{N}_-]{0,62}$`)
	labelVal = lazyregexp.New(`^[\p{Ll}\p{N}_-]{0,63}$`)
)
