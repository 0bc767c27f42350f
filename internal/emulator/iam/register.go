package iam

import (
	"net/http"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"google.golang.org/grpc"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// Router takes handlers of REST-only methods; a pattern is that of
// http.ServeMux, with the API's host.
type Router interface {
	Handle(pattern string, h http.Handler)
}

// Register adds the identity APIs to a server.
func (a *Authority) Register(services grpc.ServiceRegistrar, routes Router) {
	// Both APIs have a signBlob at the same path; on the loopback address, where
	// the host does not tell them apart, the one that is not deprecated wins.
	credentialspb.RegisterIAMCredentialsServer(services, credentials{Authority: a})
	iam := adminpb.File_google_iam_admin_v1_iam_proto.Services().ByName("IAM")
	services.RegisterService(rest.Describe[adminpb.IAMServer](iam), &admin{Authority: a})

	for pattern, h := range map[string]http.HandlerFunc{
		"cloudresourcemanager.googleapis.com/v1/projects/{project}":  a.serveProject,
		"cloudresourcemanager.googleapis.com/v3/projects/{project}":  a.serveProject,
		"GET cloudresourcemanager.googleapis.com/v1/projects":        a.serveProjects,
		"GET cloudresourcemanager.googleapis.com/v3/projects":        a.serveProjects,
		"GET cloudresourcemanager.googleapis.com/v3/projects:search": a.serveProjects,

		"POST oauth2.googleapis.com/token":                         a.serveToken,
		"POST www.googleapis.com/oauth2/v4/token":                  a.serveToken,
		"oauth2.googleapis.com/tokeninfo":                          a.serveTokenInfo,
		"www.googleapis.com/oauth2/v3/tokeninfo":                   a.serveTokenInfo,
		"GET www.googleapis.com/oauth2/v3/certs":                   a.serveKeys,
		"GET www.googleapis.com/oauth2/v1/certs":                   a.serveCertificates,
		"GET accounts.google.com/.well-known/openid-configuration": a.serveConfiguration,
	} {
		routes.Handle(pattern, h)
	}
}
