package secrets

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	pb "cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// maxPayload is the largest secret, in bytes.
const maxPayload = 64 << 10

func versionKey(id string, number int64) string { return fmt.Sprintf("%s/%09d", id, number) }

func checksum(data []byte) *int64 {
	sum := int64(crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	return &sum
}

// AddSecretVersion gives a secret a new version, which becomes the latest.
func (s *Service) AddSecretVersion(ctx context.Context, req *pb.AddSecretVersionRequest) (*pb.SecretVersion, error) {
	n, err := s.secret(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.versions.add", s.resource(n)); err != nil {
		return nil, err
	}
	var v violations
	payload := req.GetPayload()
	switch {
	case len(payload.GetData()) == 0:
		v.add("payload.data", "is required.")
	case len(payload.Data) > maxPayload:
		v.add("payload.data", "has %d bytes; the limit is %d.", len(payload.Data), maxPayload)
	case payload.DataCrc32C != nil && *payload.DataCrc32C != *checksum(payload.Data):
		v.add("payload.data_crc32c", "does not fit the data: it was damaged on the way.")
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	var version *pb.SecretVersion
	err = s.update(func(tx *store.Tx) error {
		secret, err := s.get(tx, n)
		if err != nil {
			return err
		}
		all, err := scan[pb.SecretVersion](tx, tableVersions, n.id+"/")
		if err != nil {
			return err
		}
		number := int64(len(all)) + 1 // none is ever removed alone
		version = &pb.SecretVersion{
			Name: s.full(name{n.id, strconv.FormatInt(number, 10)}), CreateTime: timestamppb.Now(), State: pb.SecretVersion_ENABLED,
			ReplicationStatus: replicationStatus(secret), ClientSpecifiedPayloadChecksum: payload.DataCrc32C != nil,
		}
		version.Etag = etag(version)
		if err := tx.Put(tableData, versionKey(n.id, number), payload.Data); err != nil {
			return err
		}
		return tx.PutProto(tableVersions, versionKey(n.id, number), version)
	})
	if err != nil {
		return nil, err
	}
	return version, nil
}

func replicationStatus(secret *pb.Secret) *pb.ReplicationStatus {
	managed := secret.GetReplication().GetUserManaged()
	if managed == nil {
		return &pb.ReplicationStatus{ReplicationStatus: &pb.ReplicationStatus_Automatic{Automatic: &pb.ReplicationStatus_AutomaticStatus{}}}
	}
	of := &pb.ReplicationStatus_UserManagedStatus{}
	for _, r := range managed.Replicas {
		of.Replicas = append(of.Replicas, &pb.ReplicationStatus_UserManagedStatus_ReplicaStatus{Location: r.Location})
	}
	return &pb.ReplicationStatus{ReplicationStatus: &pb.ReplicationStatus_UserManaged{UserManaged: of}}
}

// find reads a version by number or alias; latest is the newest one, whatever
// its state.
func (s *Service) find(tx *store.Tx, n name) (key string, v *pb.SecretVersion, err error) {
	secret, err := s.get(tx, n)
	if err != nil {
		return "", nil, err
	}
	missing := status.Errorf(codes.NotFound, "Secret Version [%s] not found.", s.full(n))
	number, err := strconv.ParseInt(n.version, 10, 64)
	alias, aliased := secret.VersionAliases[n.version]
	switch {
	case n.version == "latest":
		all, err := scan[pb.SecretVersion](tx, tableVersions, n.id+"/")
		if err != nil {
			return "", nil, err
		}
		number = int64(len(all))
	case aliased:
		number = alias
	case err != nil || number < 1:
		return "", nil, missing
	}
	v = &pb.SecretVersion{}
	key = versionKey(n.id, number)
	if err := tx.GetProto(tableVersions, key, v); errors.Is(err, store.ErrNotFound) {
		return "", nil, missing
	} else if err != nil {
		return "", nil, err
	}
	return key, v, nil
}

// AccessSecretVersion returns the data of a version.
func (s *Service) AccessSecretVersion(ctx context.Context, req *pb.AccessSecretVersionRequest) (*pb.AccessSecretVersionResponse, error) {
	n, err := s.version(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.versions.access", s.resource(n)); err != nil {
		return nil, err
	}
	out := &pb.AccessSecretVersionResponse{}
	err = s.view(func(tx *store.Tx) error {
		key, v, err := s.find(tx, n)
		if err != nil {
			return err
		}
		if v.State != pb.SecretVersion_ENABLED {
			return status.Errorf(codes.FailedPrecondition, "Secret Version [%s] is in %s state.", v.Name, v.State)
		}
		data, err := tx.Get(tableData, key)
		if err != nil {
			return err
		}
		out.Name = v.Name
		out.Payload = &pb.SecretPayload{Data: slices.Clone(data), DataCrc32C: checksum(data)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetSecretVersion returns what is known of a version, without its data.
func (s *Service) GetSecretVersion(ctx context.Context, req *pb.GetSecretVersionRequest) (v *pb.SecretVersion, err error) {
	n, err := s.version(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.versions.get", s.resource(n)); err != nil {
		return nil, err
	}
	err = s.view(func(tx *store.Tx) (err error) {
		_, v, err = s.find(tx, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// ListSecretVersions lists the versions of a secret, the newest first.
func (s *Service) ListSecretVersions(ctx context.Context, req *pb.ListSecretVersionsRequest) (*pb.ListSecretVersionsResponse, error) {
	n, err := s.secret(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.versions.list", s.resource(n)); err != nil {
		return nil, err
	}
	var all []*pb.SecretVersion
	err = s.view(func(tx *store.Tx) error {
		if _, err := s.get(tx, n); err != nil {
			return err
		}
		all, err = scan[pb.SecretVersion](tx, tableVersions, n.id+"/")
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	q := listing.Query{Parent: req.GetParent(), Filter: req.GetFilter(), PageToken: req.GetPageToken(), PageSize: req.GetPageSize(), Default: 25000, Max: 25000}
	page, next, err := listing.Page(all, q, func(v *pb.SecretVersion) listing.Fields {
		return func(path []string) (any, bool) {
			switch strings.Join(path, ".") {
			case "name":
				return v.Name, true
			case "state":
				return v.State.String(), true
			case "create_time", "createTime":
				return v.CreateTime.AsTime(), true
			}
			return nil, false
		}
	})
	return &pb.ListSecretVersionsResponse{Versions: page, NextPageToken: next, TotalSize: int32(len(all))}, err
}

// EnableSecretVersion makes a version accessible again.
func (s *Service) EnableSecretVersion(ctx context.Context, req *pb.EnableSecretVersionRequest) (*pb.SecretVersion, error) {
	return s.setState(ctx, "enable", req.GetName(), req.GetEtag(), pb.SecretVersion_ENABLED)
}

// DisableSecretVersion keeps a version from being accessed.
func (s *Service) DisableSecretVersion(ctx context.Context, req *pb.DisableSecretVersionRequest) (*pb.SecretVersion, error) {
	return s.setState(ctx, "disable", req.GetName(), req.GetEtag(), pb.SecretVersion_DISABLED)
}

// DestroySecretVersion removes the data of a version for good.
func (s *Service) DestroySecretVersion(ctx context.Context, req *pb.DestroySecretVersionRequest) (*pb.SecretVersion, error) {
	return s.setState(ctx, "destroy", req.GetName(), req.GetEtag(), pb.SecretVersion_DESTROYED)
}

func (s *Service) setState(ctx context.Context, verb, text, given string, to pb.SecretVersion_State) (v *pb.SecretVersion, err error) {
	n, err := s.version(text)
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "secretmanager.versions."+verb, s.resource(n)); err != nil {
		return nil, err
	}
	err = s.update(func(tx *store.Tx) error {
		var key string
		if key, v, err = s.find(tx, n); err != nil {
			return err
		}
		if err := checkEtag(given, v.Etag); err != nil {
			return err
		}
		if v.State == pb.SecretVersion_DESTROYED {
			return status.Errorf(codes.FailedPrecondition, "Secret Version [%s] is already destroyed.", v.Name)
		}
		v.State, v.Etag = to, ""
		if to == pb.SecretVersion_DESTROYED {
			v.DestroyTime = timestamppb.Now()
			if err := tx.Delete(tableData, key); err != nil {
				return err
			}
		}
		v.Etag = etag(v)
		return tx.PutProto(tableVersions, key, v)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}
