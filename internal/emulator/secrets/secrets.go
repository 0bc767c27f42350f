package secrets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// CreateSecret makes a secret without versions.
func (s *Service) CreateSecret(ctx context.Context, req *pb.CreateSecretRequest) (*pb.Secret, error) {
	if err := s.parent(req.GetParent()); err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.secrets.create", s.project()); err != nil {
		return nil, err
	}
	var v violations
	if !secretID.MatchString(req.GetSecretId()) {
		v.add("secret_id", "must have 1-255 letters, digits, hyphens and underscores; got %q.", req.GetSecretId())
	}
	if req.GetSecret().GetReplication().GetReplication() == nil {
		v.add("secret.replication", "is required: automatic or userManaged.")
	}
	checkSecret(&v, req.GetSecret())
	if err := v.err(); err != nil {
		return nil, err
	}
	n := name{id: req.SecretId}
	secret := proto.CloneOf(req.Secret)
	secret.Name, secret.CreateTime, secret.Etag = s.full(n), timestamppb.Now(), ""
	setExpiry(secret)
	secret.Etag = etag(secret)
	err := s.update(func(tx *store.Tx) error {
		switch _, err := s.get(tx, n); status.Code(err) {
		case codes.NotFound:
		case codes.OK:
			return status.Errorf(codes.AlreadyExists, "Secret [%s] already exists.", s.full(n))
		default:
			return err
		}
		if err := remove(tx, n); err != nil { // of one that has expired
			return err
		}
		return tx.PutProto(tableSecrets, n.id, secret)
	})
	if err != nil {
		return nil, err
	}
	return secret, nil
}

// checkSecret checks what a caller can set.
func checkSecret(v *violations, secret *pb.Secret) {
	if len(secret.GetTopics()) > 0 || secret.GetRotation() != nil {
		v.add("secret.topics", "and rotation are not emulated: nothing would be published.")
	}
	if len(secret.GetLabels()) > 64 {
		v.add("secret.labels", "has %d entries; the limit is 64.", len(secret.Labels))
	}
	for _, key := range slices.Sorted(maps.Keys(secret.GetLabels())) {
		if !labelKey.MatchString(key) || !labelVal.MatchString(secret.Labels[key]) {
			v.add("secret.labels", "has %q: %q; both must have at most 63 lowercase letters, digits, hyphens and underscores, and the key begins with a letter.", key, secret.Labels[key])
		}
	}
	if at := secret.GetExpireTime(); at != nil && !at.AsTime().After(time.Now()) {
		v.add("secret.expire_time", "must be in the future.")
	}
	if ttl := secret.GetTtl(); ttl != nil && ttl.AsDuration() <= 0 {
		v.add("secret.ttl", "must be positive.")
	}
}

// setExpiry turns a time to live into a time.
func setExpiry(secret *pb.Secret) {
	if ttl := secret.GetTtl(); ttl != nil {
		secret.Expiration = &pb.Secret_ExpireTime{ExpireTime: timestamppb.New(time.Now().Add(ttl.AsDuration()))}
	}
}

// GetSecret returns what is known of a secret, without its data.
func (s *Service) GetSecret(ctx context.Context, req *pb.GetSecretRequest) (secret *pb.Secret, err error) {
	n, err := s.secret(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.secrets.get", s.resource(n)); err != nil {
		return nil, err
	}
	err = s.view(func(tx *store.Tx) (err error) {
		secret, err = s.get(tx, n)
		return err
	})
	return secret, err
}

// ListSecrets lists the project's secrets, the newest first.
func (s *Service) ListSecrets(ctx context.Context, req *pb.ListSecretsRequest) (*pb.ListSecretsResponse, error) {
	if err := s.parent(req.GetParent()); err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.secrets.list", s.project()); err != nil {
		return nil, err
	}
	var all []*pb.Secret
	err := s.view(func(tx *store.Tx) (err error) {
		all, err = scan[pb.Secret](tx, tableSecrets, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, expired)
	slices.SortStableFunc(all, func(a, b *pb.Secret) int { return b.CreateTime.AsTime().Compare(a.CreateTime.AsTime()) })
	q := listing.Query{Parent: req.GetParent(), Filter: req.GetFilter(), PageToken: req.GetPageToken(), PageSize: req.GetPageSize(), Default: 25000, Max: 25000}
	page, next, err := listing.Page(all, q, secretFields)
	return &pb.ListSecretsResponse{Secrets: page, NextPageToken: next, TotalSize: int32(len(all))}, err
}

// message is a pointer to a protobuf message.
type message[T any] interface {
	*T
	proto.Message
}

// scan reads the messages of a table whose keys have a prefix.
func scan[T any, P message[T]](tx *store.Tx, table, prefix string) ([]P, error) {
	var all []P
	var failed error
	tx.Scan(table, prefix, func(key string, data []byte) bool {
		m := P(new(T))
		if err := proto.Unmarshal(data, m); err != nil {
			failed = fmt.Errorf("read %s %s: %w", table, key, err)
			return false
		}
		all = append(all, m)
		return true
	})
	return all, failed
}

func secretFields(secret *pb.Secret) listing.Fields {
	return func(path []string) (any, bool) {
		switch strings.Join(path, ".") {
		case "name":
			return secret.Name, true
		case "create_time", "createTime":
			return secret.CreateTime.AsTime(), true
		case "labels":
			return secret.Labels, true
		}
		if len(path) == 2 && path[0] == "labels" {
			if v, ok := secret.Labels[path[1]]; ok {
				return v, true
			}
			return nil, true
		}
		return nil, false
	}
}

// UpdateSecret changes the fields of the mask.
func (s *Service) UpdateSecret(ctx context.Context, req *pb.UpdateSecretRequest) (*pb.Secret, error) {
	n, err := s.secret(req.GetSecret().GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.secrets.update", s.resource(n)); err != nil {
		return nil, err
	}
	var v violations
	if len(req.GetUpdateMask().GetPaths()) == 0 {
		v.add("update_mask", "is required.")
	}
	checkSecret(&v, req.Secret)
	if err := v.err(); err != nil {
		return nil, err
	}
	var secret *pb.Secret
	err = s.update(func(tx *store.Tx) error {
		if secret, err = s.get(tx, n); err != nil {
			return err
		}
		if err := checkEtag(req.Secret.Etag, secret.Etag); err != nil {
			return err
		}
		for _, path := range req.UpdateMask.Paths {
			if err := setField(secret, req.Secret, path); err != nil {
				return err
			}
		}
		setExpiry(secret)
		if err := checkAliases(tx, n, secret.VersionAliases); err != nil {
			return err
		}
		secret.Etag = ""
		secret.Etag = etag(secret)
		return tx.PutProto(tableSecrets, n.id, secret)
	})
	if err != nil {
		return nil, err
	}
	return secret, nil
}

func setField(secret, asked *pb.Secret, path string) error {
	switch path {
	case "labels":
		secret.Labels = asked.Labels
	case "annotations":
		secret.Annotations = asked.Annotations
	case "version_aliases":
		secret.VersionAliases = asked.VersionAliases
	case "version_destroy_ttl":
		secret.VersionDestroyTtl = asked.VersionDestroyTtl
	case "expire_time", "ttl", "expiration":
		secret.Expiration = asked.Expiration
	case "topics", "rotation": // checkSecret lets none through
	default:
		return status.Errorf(codes.InvalidArgument, "Field [update_mask] has %q, which cannot be changed.", path)
	}
	return nil
}

// checkAliases checks that aliases name versions that are there.
func checkAliases(tx *store.Tx, n name, aliases map[string]int64) error {
	for _, alias := range slices.Sorted(maps.Keys(aliases)) {
		if _, err := tx.Get(tableVersions, versionKey(n.id, aliases[alias])); err != nil {
			return status.Errorf(codes.InvalidArgument, "Field [secret.version_aliases] has %q: there is no version %d.", alias, aliases[alias])
		}
	}
	return nil
}

// DeleteSecret removes a secret with all its versions.
func (s *Service) DeleteSecret(ctx context.Context, req *pb.DeleteSecretRequest) (*emptypb.Empty, error) {
	n, err := s.secret(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.secrets.delete", s.resource(n)); err != nil {
		return nil, err
	}
	err = s.update(func(tx *store.Tx) error {
		secret, err := s.get(tx, n)
		if err != nil {
			return err
		}
		if err := checkEtag(req.GetEtag(), secret.Etag); err != nil {
			return err
		}
		return remove(tx, n)
	})
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.answer(s.Auth.DropPolicy(s.resource(n)))
}

// remove deletes all there is of a secret.
func remove(tx *store.Tx, n name) error {
	var keys []string
	tx.Scan(tableVersions, n.id+"/", func(key string, _ []byte) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		for _, table := range []string{tableVersions, tableData} {
			if err := tx.Delete(table, key); err != nil {
				return err
			}
		}
	}
	return tx.Delete(tableSecrets, n.id)
}
