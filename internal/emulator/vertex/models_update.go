package vertex

import (
	"context"
	"slices"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// UpdateModel changes the display name, description and labels of a model, or,
// with a version in its name, the version_description and labels of that.
func (s *modelServer) UpdateModel(ctx context.Context, req *pb.UpdateModelRequest) (*pb.Model, error) {
	asked := req.GetModel()
	n, version, err := s.parseModel(asked.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.models.update", s.resource(n)); err != nil {
		return nil, err
	}
	if version == "-" { // the model, in so many words
		version = ""
	}
	paths, err := modelPaths(req, version != "")
	if err != nil {
		return nil, err
	}
	s.uploading.Lock()
	defer s.uploading.Unlock()
	versions, err := s.versions(n)
	if err != nil {
		return nil, err
	}
	model, err := s.find(n, versions, version)
	if err != nil {
		return nil, err
	}
	changed := versions
	if version != "" {
		changed = []*pb.Model{model}
	}
	now := timestamppb.New(time.Now())
	for _, m := range changed {
		setFields(m, asked, paths)
		m.UpdateTime = now
		if version != "" {
			m.VersionUpdateTime = now
		}
	}
	if err := s.putVersions(n, changed); err != nil {
		return nil, internal("store model", err)
	}
	return model, nil
}

// modelPaths returns the fields that a request changes.
func modelPaths(req *pb.UpdateModelRequest, ofVersion bool) ([]string, error) {
	allowed := []string{"display_name", "description", "labels"}
	if ofVersion {
		allowed = []string{"version_description", "labels"}
	}
	var v violations
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		v.add("update_mask", "Required field is not set.")
	}
	for _, path := range paths {
		if !slices.Contains(allowed, path) {
			v.add("update_mask", "%q is not one of the fields that can be changed here: %q.", path, allowed)
		}
	}
	if slices.Contains(paths, "display_name") {
		checkDisplayName(&v, "model.display_name", req.Model.DisplayName)
	}
	checkLabels(&v, "model.labels", req.Model.Labels)
	return paths, v.err()
}

func setFields(m, asked *pb.Model, paths []string) {
	for _, path := range paths {
		switch path {
		case "display_name":
			m.DisplayName = asked.DisplayName
		case "description":
			m.Description = asked.Description
		case "version_description":
			m.VersionDescription = asked.VersionDescription
		case "labels":
			m.Labels = asked.Labels
		}
	}
}

// DeleteModelVersion removes a version that is not the default one.
func (s *modelServer) DeleteModelVersion(ctx context.Context, req *pb.DeleteModelVersionRequest) (*longrunningpb.Operation, error) {
	n, version, err := s.parseModel(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.models.delete", s.resource(n)); err != nil {
		return nil, err
	}
	s.uploading.Lock()
	defer s.uploading.Unlock()
	versions, err := s.versions(n)
	if err != nil {
		return nil, err
	}
	model, err := s.find(n, versions, version)
	if err != nil {
		return nil, err
	}
	if slices.Contains(model.VersionAliases, defaultAlias) {
		return nil, status.Errorf(codes.FailedPrecondition, "Version %s of the Model %q is the default one: give that alias to another version, or delete the model.", model.VersionId, s.full(n))
	}
	err = s.DB.Update(func(tx *store.Tx) error { return tx.Delete(tableModels, versionKey(n, model.VersionId)) })
	if err != nil {
		return nil, internal("delete model version", err)
	}
	return s.Ops.Done(ctx, s.full(n), deleteMetadata(), &emptypb.Empty{}, nil)
}
