package iam

import (
	"io"
	"net/http"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// maxPolicy bounds the body of a policy request, in bytes.
const maxPolicy = 1 << 20

// serveProject is the part of the Resource Manager API
// (cloudresourcemanager.googleapis.com, v1 and v3) that concerns one project:
// its description and its policy.
func (a *Authority) serveProject(w http.ResponseWriter, r *http.Request) {
	id, verb, _ := strings.Cut(r.PathValue("project"), ":")
	out, err := a.projectMethod(r, "projects/"+id, verb)
	if err != nil {
		rest.WriteError(w, err)
		return
	}
	if m, ok := out.(proto.Message); ok {
		rest.WriteMessage(w, m)
		return
	}
	rest.WriteJSON(w, http.StatusOK, out)
}

func (a *Authority) projectMethod(r *http.Request, project, verb string) (any, error) {
	ctx := r.Context()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPolicy))
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "The request body broke off: %v", err)
	}
	switch r.Method + " " + verb {
	case "GET ":
		if err := a.requireProject(ctx, "resourcemanager.projects.get", project); err != nil {
			return nil, err
		}
		return a.describeProject(strings.HasPrefix(r.URL.Path, "/v3/")), nil
	case "POST getIamPolicy", "GET getIamPolicy":
		if err := a.requireProject(ctx, "resourcemanager.projects.getIamPolicy", project); err != nil {
			return nil, err
		}
		return a.Policy(project)
	case "POST setIamPolicy":
		if err := a.requireProject(ctx, "resourcemanager.projects.setIamPolicy", project); err != nil {
			return nil, err
		}
		var in iampb.SetIamPolicyRequest
		if err := rest.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		return a.SetPolicy(project, in.Policy)
	case "POST testIamPermissions":
		var in iampb.TestIamPermissionsRequest
		if err := rest.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		return &iampb.TestIamPermissionsResponse{Permissions: a.Granted(ctx, project, in.Permissions)}, nil
	}
	return nil, status.Errorf(codes.NotFound, "Resource Manager has no method %s %s here.", r.Method, r.URL.Path)
}

func (a *Authority) describeProject(v3 bool) map[string]string {
	if v3 {
		return map[string]string{"name": "projects/" + a.number, "projectId": a.project, "displayName": a.project, "state": "ACTIVE"}
	}
	return map[string]string{"projectNumber": a.number, "projectId": a.project, "name": a.project, "lifecycleState": "ACTIVE"}
}

func (a *Authority) serveProjects(w http.ResponseWriter, r *http.Request) {
	if err := a.Require(r.Context(), "resourcemanager.projects.get", a.projectResource()); err != nil {
		rest.WriteError(w, err)
		return
	}
	rest.WriteJSON(w, http.StatusOK, map[string]any{"projects": []any{a.describeProject(strings.HasPrefix(r.URL.Path, "/v3/"))}})
}
