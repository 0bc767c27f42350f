package operations

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Auth checks the caller of a request.
type Auth interface {
	Require(ctx context.Context, permission, resource string) error
}

// Server is the google.longrunning.Operations service that every API offers.
type Server struct {
	longrunningpb.UnimplementedOperationsServer
	store *Store
	auth  Auth
}

// NewServer returns the service over a store.
func NewServer(s *Store, auth Auth) *Server { return &Server{store: s, auth: auth} }

// Rules returns the HTTP routes of the methods, by method name, which the APIs'
// service configurations hold: operations below a location, and below the
// resources of Vertex AI, in the API versions that clients poll.
func Rules() map[string][]*annotations.HttpRule {
	rules := map[string][]*annotations.HttpRule{}
	get := func(method, path string) {
		rules[method] = append(rules[method], &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}})
	}
	post := func(method, path string) {
		rules[method] = append(rules[method], &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: path}, Body: "*"})
	}
	for _, version := range []string{"v1", "v1beta1", "v2"} {
		for _, parent := range []string{"projects/*/locations/*", "projects/*/locations/*/*/*", "projects/*/locations/*/*/*/*/*"} {
			name := "/" + version + "/{name=" + parent + "/operations/*}"
			get("GetOperation", name)
			get("ListOperations", "/"+version+"/{name="+parent+"}/operations")
			post("WaitOperation", name+":wait")
			post("CancelOperation", name+":cancel")
			rules["DeleteOperation"] = append(rules["DeleteOperation"], &annotations.HttpRule{Pattern: &annotations.HttpRule_Delete{Delete: name}})
		}
	}
	return rules
}

// GetOperation implements longrunningpb.OperationsServer.
func (s *Server) GetOperation(ctx context.Context, r *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	op, err := s.store.Get(r.Name)
	if err != nil {
		return nil, s.masked(ctx, r.Name, err)
	}
	return op, s.require(ctx, "get", op)
}

// WaitOperation implements longrunningpb.OperationsServer: it answers when the
// operation has ended or the time is over, whichever is first.
func (s *Server) WaitOperation(ctx context.Context, r *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	if _, err := s.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: r.Name}); err != nil {
		return nil, err
	}
	limit := time.Minute
	if r.Timeout != nil {
		limit = min(max(r.Timeout.AsDuration(), 0), time.Hour)
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.store.Wait(wait, r.Name)
}

// CancelOperation implements longrunningpb.OperationsServer.
func (s *Server) CancelOperation(ctx context.Context, r *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	op, err := s.store.Get(r.Name)
	if err != nil {
		return nil, s.masked(ctx, r.Name, err)
	}
	if err := s.require(ctx, "cancel", op); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.store.Cancel(r.Name)
}

// DeleteOperation implements longrunningpb.OperationsServer.
func (s *Server) DeleteOperation(ctx context.Context, r *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	op, err := s.store.Get(r.Name)
	if err != nil {
		return nil, s.masked(ctx, r.Name, err)
	}
	if err := s.require(ctx, "delete", op); err != nil {
		return nil, err
	}
	if !op.Done {
		return nil, status.Errorf(codes.FailedPrecondition, "Operation '%s' has not ended yet; cancel it first.", r.Name)
	}
	return &emptypb.Empty{}, s.store.db.Update(func(tx *store.Tx) error { return tx.Delete(table, r.Name) })
}

const maxPage = 1000

// ListOperations implements longrunningpb.OperationsServer. Its filter may be
// done=true or done=false.
func (s *Server) ListOperations(ctx context.Context, r *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	wanted, err := parseFilter(r.Filter)
	if err != nil {
		return nil, err
	}
	after, err := base64.RawURLEncoding.DecodeString(r.PageToken)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "page_token %q is not one that this method gave", r.PageToken)
	}
	size := int(r.PageSize)
	if size <= 0 || size > maxPage {
		size = maxPage
	}
	if err := s.auth.Require(ctx, "resourcemanager.projects.get", project(r.Name)); err != nil {
		return nil, err
	}
	out := &longrunningpb.ListOperationsResponse{}
	err = s.store.scan(r.Name, func(op *longrunningpb.Operation) bool {
		if op.Name <= string(after) || wanted != nil && op.Done != *wanted || s.require(ctx, "list", op) != nil {
			return true
		}
		if len(out.Operations) == size {
			out.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(out.Operations[size-1].Name))
			return false
		}
		out.Operations = append(out.Operations, op)
		return true
	})
	return out, err
}

func parseFilter(filter string) (*bool, error) {
	var yes, no = true, false
	switch strings.ToLower(strings.ReplaceAll(filter, " ", "")) {
	case "":
		return nil, nil
	case "done=true", "done:true", "done":
		return &yes, nil
	case "done=false", "done:false", "notdone", "-done":
		return &no, nil
	}
	return nil, status.Errorf(codes.InvalidArgument, "filter %q: only done=true and done=false are understood", filter)
}

// require checks a permission such as workflows.operations.get.
func (s *Server) require(ctx context.Context, verb string, op *longrunningpb.Operation) error {
	return s.auth.Require(ctx, service(op)+".operations."+verb, op.Name)
}

// masked keeps from callers who may see nothing here that an operation does not
// exist.
func (s *Server) masked(ctx context.Context, name string, missing error) error {
	if err := s.auth.Require(ctx, "resourcemanager.projects.get", project(name)); err != nil {
		return err
	}
	return missing
}

// service is the permission prefix of the API that an operation belongs to. It
// is part of the package of its metadata, such as google.cloud.run.v2.Service.
func service(op *longrunningpb.Operation) string {
	name := op.GetMetadata().GetTypeUrl()
	name = name[strings.LastIndexByte(name, '/')+1:]
	parts := strings.Split(name, ".")
	if len(parts) > 3 && parts[0] == "google" && parts[1] == "cloud" {
		if parts[2] == "functions" {
			return "cloudfunctions"
		}
		return parts[2]
	}
	return "resourcemanager"
}

func project(name string) string {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 {
		return name
	}
	return parts[0] + "/" + parts[1]
}
