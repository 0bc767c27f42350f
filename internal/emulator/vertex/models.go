package vertex

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/listing"
	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

const (
	modelCollection = "models"
	tableModels     = "vertex.models" // region/model/version, the version in 9 digits: a Model
	defaultAlias    = "default"
)

var (
	modelID = lazyregexp.New(`^[a-z_][a-z0-9_-]{0,62}$`)
	// versionAlias keeps aliases apart from version ids.
	versionAlias = lazyregexp.New(`^[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]$`)
)

// UploadModel registers a model, or a version of the parent model.
func (s *modelServer) UploadModel(ctx context.Context, req *pb.UploadModelRequest) (*longrunningpb.Operation, error) {
	at, err := s.parseLocation(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.models.upload", s.resource(at)); err != nil {
		return nil, err
	}
	if err := checkUpload(req).err(); err != nil {
		return nil, err
	}
	s.uploading.Lock()
	defer s.uploading.Unlock()
	n, versions, err := s.target(at, req)
	if err != nil {
		return nil, err
	}
	model := s.newVersion(n, versions, req.Model)
	if err := s.putVersions(n, append(versions, model)); err != nil {
		return nil, internal("store model", err)
	}
	return s.Ops.Done(ctx, s.full(n), &pb.UploadModelOperationMetadata{GenericMetadata: genericMetadata()},
		&pb.UploadModelResponse{Model: s.full(n), ModelVersionId: model.VersionId}, nil)
}

func checkUpload(req *pb.UploadModelRequest) violations {
	var v violations
	m := req.GetModel()
	if m == nil {
		v.add("model", "Required field is not set.")
		return v
	}
	checkDisplayName(&v, "model.display_name", m.DisplayName)
	checkLabels(&v, "model.labels", m.Labels)
	if m.ArtifactUri != "" && !bucketURI(m.ArtifactUri) {
		v.add("model.artifact_uri", "%q is not a Cloud Storage path gs://BUCKET/…", m.ArtifactUri)
	}
	if m.ContainerSpec != nil {
		if m.ContainerSpec.ImageUri == "" {
			v.add("model.container_spec.image_uri", "Required field is not set.")
		}
		checkEnv(&v, "model.container_spec.env", m.ContainerSpec.Env)
	}
	for _, alias := range m.VersionAliases {
		if !versionAlias.MatchString(alias) {
			v.add("model.version_aliases", "%q must have 2-128 letters, digits and hyphens, start with a lowercase letter and end with one or a digit.", alias)
		}
	}
	if req.ModelId != "" && !modelID.MatchString(req.ModelId) {
		v.add("model_id", "%q must have up to 63 of [a-z0-9_-] and not begin with a digit or hyphen.", req.ModelId)
	}
	if req.ModelId != "" && req.ParentModel != "" {
		v.add("model_id", "cannot be set together with parent_model.")
	}
	return v
}

// target finds the model to add a version to, or makes the name of a new one.
func (s *modelServer) target(at name, req *pb.UploadModelRequest) (name, []*pb.Model, error) {
	if req.ParentModel != "" {
		n, _, err := s.parseModel(req.ParentModel)
		if err != nil {
			return n, nil, err
		}
		versions, err := s.versions(n)
		return n, versions, err
	}
	n := name{at.region, modelCollection, req.ModelId}
	if n.id == "" {
		n.id = s.ids.next()
	}
	if versions, err := s.versions(n); err == nil && len(versions) > 0 {
		return n, nil, status.Errorf(codes.AlreadyExists, "The Model %q already exists: set parent_model to upload a version of it.", s.full(n))
	}
	return n, nil, nil
}

// newVersion makes the next version. Its aliases leave the versions that had
// them; the first version is the default one.
func (s *modelServer) newVersion(n name, versions []*pb.Model, asked *pb.Model) *pb.Model {
	now := timestamppb.New(time.Now())
	m := proto.CloneOf(asked)
	m.Name, m.VersionId = s.full(n), "1"
	m.CreateTime, m.UpdateTime, m.VersionCreateTime, m.VersionUpdateTime = now, now, now, now
	m.SupportedDeploymentResourcesTypes = []pb.Model_DeploymentResourcesType{pb.Model_DEDICATED_RESOURCES}
	m.DeployedModels = nil
	if len(versions) == 0 {
		if !slices.Contains(m.VersionAliases, defaultAlias) {
			m.VersionAliases = append(m.VersionAliases, defaultAlias)
		}
		return m
	}
	newest := versions[len(versions)-1]
	m.VersionId = strconv.Itoa(versionNumber(newest.VersionId) + 1)
	m.CreateTime = versions[0].CreateTime
	for _, old := range versions {
		old.VersionAliases = slices.DeleteFunc(old.VersionAliases, func(alias string) bool {
			return slices.Contains(m.VersionAliases, alias)
		})
	}
	return m
}

func versionNumber(id string) int {
	n, _ := strconv.Atoi(id) // ids in the database are numbers
	return n
}

// GetModel returns a version: M is the default one, M@2 and M@alias others.
func (s *modelServer) GetModel(ctx context.Context, req *pb.GetModelRequest) (*pb.Model, error) {
	n, version, err := s.parseModel(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.models.get", s.resource(n)); err != nil {
		return nil, err
	}
	versions, err := s.versions(n)
	if err != nil {
		return nil, err
	}
	return s.find(n, versions, version)
}

// find returns a version by number or alias; "" is the default one.
func (s *modelServer) find(n name, versions []*pb.Model, version string) (*pb.Model, error) {
	if version == "" {
		version = defaultAlias
	}
	for _, m := range versions {
		if m.VersionId == version || slices.Contains(m.VersionAliases, version) {
			return m, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "The Model version %q was not found.", s.full(n)+"@"+version)
}

// parseModel reads a model's name with an optional @version.
func (s *modelServer) parseModel(text string) (n name, version string, err error) {
	text, version, _ = strings.Cut(text, "@")
	n, err = s.parse(text, modelCollection)
	return n, version, err
}

// ListModels lists the default version of each model, the newest model first.
func (s *modelServer) ListModels(ctx context.Context, req *pb.ListModelsRequest) (*pb.ListModelsResponse, error) {
	at, err := s.parseLocation(req.GetParent())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.models.list", s.resource(at)); err != nil {
		return nil, err
	}
	all, err := scan[pb.Model](s.core, tableModels, at.region+"/")
	if err != nil {
		return nil, internal("list models", err)
	}
	all = slices.DeleteFunc(all, func(m *pb.Model) bool { return !slices.Contains(m.VersionAliases, defaultAlias) })
	slices.SortStableFunc(all, func(a, b *pb.Model) int { return b.CreateTime.AsTime().Compare(a.CreateTime.AsTime()) })
	q := listing.Query{
		Parent: req.GetParent(), Filter: req.GetFilter(), OrderBy: req.GetOrderBy(),
		PageToken: req.GetPageToken(), PageSize: req.GetPageSize(), Default: 100, Max: 1000,
	}
	page, next, err := listing.Page(all, q, modelFields)
	return &pb.ListModelsResponse{Models: page, NextPageToken: next}, err
}

// ListModelVersions lists the versions of a model, the oldest first.
func (s *modelServer) ListModelVersions(ctx context.Context, req *pb.ListModelVersionsRequest) (*pb.ListModelVersionsResponse, error) {
	n, _, err := s.parseModel(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.models.list", s.resource(n)); err != nil {
		return nil, err
	}
	all, err := s.versions(n)
	if err != nil {
		return nil, err
	}
	q := listing.Query{
		Parent: req.GetName(), Filter: req.GetFilter(), OrderBy: req.GetOrderBy(),
		PageToken: req.GetPageToken(), PageSize: req.GetPageSize(), Default: 100, Max: 1000,
	}
	page, next, err := listing.Page(all, q, modelFields)
	return &pb.ListModelVersionsResponse{Models: page, NextPageToken: next}, err
}

// modelFields names the fields of filter and order_by; model is the id.
func modelFields(m *pb.Model) listing.Fields {
	return func(path []string) (any, bool) {
		switch strings.Join(path, ".") {
		case "name":
			return m.Name, true
		case "model":
			return m.Name[strings.LastIndexByte(m.Name, '/')+1:], true
		case "display_name", "displayName":
			return m.DisplayName, true
		case "create_time", "createTime":
			return timeValue(m.CreateTime), true
		case "update_time", "updateTime":
			return timeValue(m.UpdateTime), true
		case "version_id", "versionId":
			return m.VersionId, true
		case "version_aliases", "versionAliases":
			return m.VersionAliases, true
		}
		return labelValue(m.Labels, path)
	}
}

// MergeVersionAliases gives aliases to a version, or takes those away that are
// written with a "-" before them. The default alias can only move.
func (s *modelServer) MergeVersionAliases(ctx context.Context, req *pb.MergeVersionAliasesRequest) (*pb.Model, error) {
	n, version, err := s.parseModel(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := s.Auth.Require(ctx, "aiplatform.models.update", s.resource(n)); err != nil {
		return nil, err
	}
	var v violations
	add, remove := map[string]bool{}, map[string]bool{}
	for _, alias := range req.GetVersionAliases() {
		text, taken := strings.CutPrefix(alias, "-")
		switch {
		case !versionAlias.MatchString(text):
			v.add("version_aliases", "%q is not an alias.", alias)
		case taken && text == defaultAlias:
			v.add("version_aliases", "the default alias cannot be removed: give it to another version.")
		case taken:
			remove[text] = true
		default:
			add[text] = true
		}
	}
	if err := v.err(); err != nil {
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
	for _, m := range versions {
		m.VersionAliases = slices.DeleteFunc(m.VersionAliases, func(a string) bool { return add[a] || m == model && remove[a] })
	}
	model.VersionAliases = append(model.VersionAliases, slices.Sorted(maps.Keys(add))...)
	model.VersionUpdateTime = timestamppb.New(time.Now())
	if err := s.putVersions(n, versions); err != nil {
		return nil, internal("store model", err)
	}
	return model, nil
}

// DeleteModel removes a model with all its versions.
func (s *modelServer) DeleteModel(ctx context.Context, req *pb.DeleteModelRequest) (*longrunningpb.Operation, error) {
	n, _, err := s.parseModel(req.GetName())
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
	err = s.DB.Update(func(tx *store.Tx) error {
		for _, m := range versions {
			if err := tx.Delete(tableModels, versionKey(n, m.VersionId)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, internal("delete model", err)
	}
	return s.Ops.Done(ctx, s.full(n), deleteMetadata(), &emptypb.Empty{}, nil)
}

// versions reads all versions of a model, the oldest first.
func (s *modelServer) versions(n name) ([]*pb.Model, error) {
	all, err := scan[pb.Model](s.core, tableModels, n.key()+"/")
	if err != nil {
		return nil, internal("read model", err)
	}
	if len(all) == 0 {
		return nil, status.Errorf(codes.NotFound, "The Model %q was not found.", s.full(n))
	}
	return all, nil
}

func (s *modelServer) putVersions(n name, versions []*pb.Model) error {
	return s.DB.Update(func(tx *store.Tx) error {
		for _, m := range versions {
			if err := tx.PutProto(tableModels, versionKey(n, m.VersionId), m); err != nil {
				return err
			}
		}
		return nil
	})
}

func versionKey(n name, version string) string {
	return fmt.Sprintf("%s/%09d", n.key(), versionNumber(version))
}
