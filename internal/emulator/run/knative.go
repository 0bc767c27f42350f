package run

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// Knative is the knative-style v1 API that gcloud uses: services and revisions
// below /apis/serving.knative.dev/v1/namespaces/PROJECT and jobs below
// /apis/run.googleapis.com/v1, whose region is in the host
// (REGION-run.googleapis.com), and the list over regions and the IAM policies
// below /v1/projects/P/locations/L. The caller is in the request's context.
func (s *Service) Knative() http.Handler {
	k := knative{admin{s}}
	mux := http.NewServeMux()
	const namespace = "/apis/serving.knative.dev/v1/namespaces/{project}"
	mux.Handle("GET "+namespace+"/services", k.handler(k.listServices))
	mux.Handle("POST "+namespace+"/services", k.handler(k.createService))
	mux.Handle("GET "+namespace+"/services/{service}", k.handler(k.getService))
	mux.Handle("PUT "+namespace+"/services/{service}", k.handler(k.replaceService))
	mux.Handle("DELETE "+namespace+"/services/{service}", k.handler(k.deleteService))
	mux.Handle("GET "+namespace+"/revisions", k.handler(k.listRevisions))
	mux.Handle("GET "+namespace+"/revisions/{revision}", k.handler(k.getRevision))
	mux.Handle("DELETE "+namespace+"/revisions/{revision}", k.handler(k.deleteRevision))
	const location = "/v1/projects/{project}/locations/{location}"
	mux.Handle("GET "+location+"/services", k.handler(k.listServices))
	for _, method := range []string{"GET ", "POST "} {
		mux.Handle(method+location+"/services/{verb}", k.handler(k.policy("services", k.admin)))
		mux.Handle(method+location+"/jobs/{verb}", k.handler(k.policy("jobs", jobs{s})))
	}
	k.handleJobs(mux)
	mux.Handle("/", k.handler(func(r *http.Request) (any, error) { return nil, noPath(r) }))
	return mux
}

type knative struct{ admin }

// handler encodes what f returns, or its error in Google's envelope.
func (k knative) handler(f func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := f(r)
		if err != nil {
			rest.WriteError(w, err)
		} else if m, ok := answer.(proto.Message); ok {
			rest.WriteMessage(w, m)
		} else {
			rest.WriteJSON(w, http.StatusOK, answer)
		}
	})
}

// scope is the project and location of a request.
func (k knative) scope(r *http.Request) (serviceName, error) {
	location := r.PathValue("location")
	if location == "" {
		location = k.Region
		host, _, _ := strings.Cut(r.Host, ":")
		if region, _, ok := strings.Cut(host, "-run."); ok {
			location = region
		} else if host == "run.googleapis.com" && !isList(r) {
			return serviceName{}, status.Error(codes.NotFound, "Requested entity was not found. The host without a region only lists: call REGION-run.googleapis.com, which the argument location of a connector does.")
		}
	}
	n, err := k.parseParent("projects/" + r.PathValue("project") + "/locations/" + location)
	n.id = r.PathValue("service")
	return n, err
}

// isList says whether a request lists a collection.
func isList(r *http.Request) bool {
	collection := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	return r.Method == http.MethodGet && slices.Contains([]string{"services", "revisions", "jobs", "executions", "tasks"}, collection)
}

func (k knative) listServices(r *http.Request) (any, error) {
	n, err := k.scope(r)
	if err != nil {
		return nil, err
	}
	if err := k.Auth.Require(r.Context(), "run.services.list", n.parent()); err != nil {
		return nil, err
	}
	all, err := k.servicesIn(n)
	if err != nil {
		return nil, err
	}
	list := kServiceList{APIVersion: knativeVersion, Kind: "ServiceList", Items: []kService{}}
	for _, svc := range all {
		list.Items = append(list.Items, k.toKnative(svc))
	}
	return list, nil
}

func (k knative) getService(r *http.Request) (any, error) {
	n, err := k.scope(r)
	if err != nil {
		return nil, err
	}
	svc, err := k.GetService(r.Context(), &runpb.GetServiceRequest{Name: n.String()})
	if err != nil {
		return nil, err
	}
	return k.toKnative(svc), nil
}

func (k knative) createService(r *http.Request) (any, error) {
	n, err := k.scope(r)
	if err != nil {
		return nil, err
	}
	in, err := readKnative(r)
	if err != nil {
		return nil, err
	}
	n.id = in.Metadata.Name
	if err := k.Auth.Require(r.Context(), "run.services.create", n.parent()); err != nil {
		return nil, err
	}
	return k.put(r, n, func(old *runpb.Service) (*runpb.Service, error) {
		if old != nil {
			return nil, status.Errorf(codes.AlreadyExists, "Resource '%s' already exists.", n.id)
		}
		wanted, err := in.toService(nil)
		if err != nil {
			return nil, err
		}
		return newService(n, wanted)
	})
}

// knativeMask are the fields that a knative service states; those that it
// cannot state are kept when it replaces one.
var knativeMask = []string{
	"description", "labels", "annotations", "client", "client_version", "ingress", "launch_stage", "template",
	"traffic", "scaling", "invoker_iam_disabled", "default_uri_disabled", "custom_audiences",
}

func (k knative) replaceService(r *http.Request) (any, error) {
	n, err := k.scope(r)
	if err != nil {
		return nil, err
	}
	in, err := readKnative(r)
	if err != nil {
		return nil, err
	}
	if err := k.Auth.Require(r.Context(), "run.services.update", n.String()); err != nil {
		return nil, err
	}
	return k.put(r, n, func(old *runpb.Service) (*runpb.Service, error) {
		if old == nil {
			return nil, n.notFound()
		}
		if err := checkEtag(n, in.Metadata.ResourceVersion, old); err != nil {
			return nil, err
		}
		wanted, err := in.toService(old)
		if err != nil {
			return nil, err
		}
		return merge(old, wanted, &fieldmaskpb.FieldMask{Paths: knativeMask})
	})
}

func (k knative) put(r *http.Request, n serviceName, make edit) (any, error) {
	svc, _, err := k.change(r.Context(), n, r.URL.Query().Get("dryRun") == "all", make)
	if err != nil {
		return nil, err
	}
	return k.toKnative(svc), nil
}

// readKnative reads a service. A field that this API does not know is an error:
// it would be lost.
func readKnative(r *http.Request) (*kService, error) {
	const most = 4 << 20
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, most))
	d.DisallowUnknownFields()
	in := &kService{}
	err := d.Decode(in)
	if err == nil && d.Decode(&struct{}{}) != io.EOF {
		err = errors.New("more than one JSON value")
	}
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid service: %v.", err)
	}
	return in, nil
}

func (k knative) deleteService(r *http.Request) (any, error) {
	n, err := k.scope(r)
	if err != nil {
		return nil, err
	}
	if _, err := k.DeleteService(r.Context(), &runpb.DeleteServiceRequest{Name: n.String()}); err != nil {
		return nil, err
	}
	return deleted(), nil
}

// deleted is Kubernetes' answer to a deletion.
func deleted() any {
	return map[string]string{"apiVersion": "v1", "kind": "Status", "status": "Success"}
}

// listRevisions knows the one selector that gcloud sends:
// serving.knative.dev/service = NAME.
func (k knative) listRevisions(r *http.Request) (any, error) {
	n, err := k.scope(r)
	if err != nil {
		return nil, err
	}
	n.id = "-"
	if selector := r.URL.Query().Get("labelSelector"); selector != "" {
		key, value, ok := strings.Cut(selector, "=")
		if !ok || strings.TrimSpace(key) != serviceLabel {
			return nil, status.Errorf(codes.Unimplemented, "labelSelector %q: the embedded Cloud Run knows %s=NAME.", selector, serviceLabel)
		}
		n.id = strings.TrimSpace(strings.TrimPrefix(value, "="))
	}
	if err := k.Auth.Require(r.Context(), "run.revisions.list", n.parent()); err != nil {
		return nil, err
	}
	all, err := k.revisionsOf(n)
	if err != nil {
		return nil, err
	}
	list := kRevisionList{APIVersion: knativeVersion, Kind: "RevisionList", Items: []kRevision{}}
	for _, rev := range all {
		list.Items = append(list.Items, k.revisionToKnative(rev))
	}
	return list, nil
}

// findRevision finds a revision by its short name, which is unique in a
// location: it begins with its service's.
func (k knative) findRevision(ctx context.Context, r *http.Request) (*runpb.Revision, error) {
	n, err := k.scope(r)
	if err != nil {
		return nil, err
	}
	n.id = "-"
	if err := k.Auth.Require(ctx, "run.revisions.get", n.parent()); err != nil {
		return nil, err
	}
	all, err := k.revisionsOf(n)
	if err != nil {
		return nil, err
	}
	for _, rev := range all {
		if lastSegment(rev.Name) == r.PathValue("revision") {
			return rev, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "Revision '%s' does not exist.", r.PathValue("revision"))
}

func (k knative) getRevision(r *http.Request) (any, error) {
	rev, err := k.findRevision(r.Context(), r)
	if err != nil {
		return nil, err
	}
	return k.revisionToKnative(rev), nil
}

func (k knative) deleteRevision(r *http.Request) (any, error) {
	rev, err := k.findRevision(r.Context(), r)
	if err != nil {
		return nil, err
	}
	if _, err := k.DeleteRevision(r.Context(), &runpb.DeleteRevisionRequest{Name: rev.Name}); err != nil {
		return nil, err
	}
	return deleted(), nil
}

// policies are the methods about the bindings on a resource.
type policies interface {
	GetIamPolicy(ctx context.Context, r *iampb.GetIamPolicyRequest) (*iampb.Policy, error)
	SetIamPolicy(ctx context.Context, r *iampb.SetIamPolicyRequest) (*iampb.Policy, error)
	TestIamPermissions(ctx context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error)
}

// policy serves COLLECTION/ID:verb.
func (k knative) policy(collection string, p policies) func(r *http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		n, err := k.scope(r)
		if err != nil {
			return nil, err
		}
		id, verb, _ := strings.Cut(r.PathValue("verb"), ":")
		resource := n.parent() + "/" + collection + "/" + id
		body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 1<<20))
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "Invalid request: %v.", err)
		}
		switch r.Method + " " + verb {
		case "GET getIamPolicy":
			return p.GetIamPolicy(r.Context(), &iampb.GetIamPolicyRequest{Resource: resource})
		case "POST setIamPolicy":
			in := &iampb.SetIamPolicyRequest{}
			if err := rest.Unmarshal(body, in); err != nil {
				return nil, err
			}
			in.Resource = resource
			return p.SetIamPolicy(r.Context(), in)
		case "POST testIamPermissions":
			in := &iampb.TestIamPermissionsRequest{}
			if err := rest.Unmarshal(body, in); err != nil {
				return nil, err
			}
			in.Resource = resource
			return p.TestIamPermissions(r.Context(), in)
		}
		return nil, noPath(r)
	}
}

func noPath(r *http.Request) error {
	return rest.Missing(codes.NotFound, "The embedded Cloud Run has no %s %s.", r.Method, r.URL.Path)
}
