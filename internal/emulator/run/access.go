package run

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/iam"
)

// The invoker check reads a token from the first of these headers that is set.
var tokenHeaders = []string{"X-Serverless-Authorization", "Authorization"}

// admit is the invoker check: 200, or 401 for a token that is not an ID token
// for this service, or 403 for a caller without run.routes.invoke, an
// unauthenticated one included (cloud.google.com/run/docs/troubleshooting).
func (s *Service) admit(r *http.Request, rt *route, tag string) (int, error) {
	const permission = "run.routes.invoke"
	resource := rt.name.String()
	if rt.open || s.Auth.Require(context.Background(), permission, resource) == nil {
		return http.StatusOK, nil
	}
	ctx := r.Context()
	if header, token := tokenOf(r.Header); header != "" {
		p, err := s.Auth.VerifyID(token, s.audiences(rt, tag))
		if status.Code(err) == codes.Unauthenticated {
			return http.StatusUnauthorized, nil
		}
		if err != nil {
			return 0, err
		}
		ctx = iam.WithPrincipal(ctx, p)
	}
	switch err := s.Auth.Require(ctx, permission, resource); status.Code(err) {
	case codes.OK:
		return http.StatusOK, nil
	case codes.PermissionDenied, codes.Unauthenticated:
		return http.StatusForbidden, nil
	default:
		return 0, err
	}
}

func (s *Service) audiences(rt *route, tag string) []string {
	if tag == "" {
		return rt.audiences
	}
	tagged := append([]string{}, rt.audiences...)
	tagged = append(tagged, s.url(rt.name, tag))
	if u := s.hashURL(rt.name, tag); u != "" {
		tagged = append(tagged, u)
	}
	return tagged
}

// tokenOf returns the bearer token and its header's name, which is empty if
// there is no token. Another scheme counts as a wrong token.
func tokenOf(h http.Header) (header, token string) {
	for _, header := range tokenHeaders {
		if value := h.Get(header); value != "" {
			scheme, token, _ := strings.Cut(value, " ")
			if !strings.EqualFold(scheme, "Bearer") {
				token = ""
			}
			return header, strings.TrimSpace(token)
		}
	}
	return "", ""
}

// removeSignature makes the token useless to the container, which is not to
// act as its callers; what the token says stays readable.
func removeSignature(h http.Header) {
	header, token := tokenOf(h)
	if parts := strings.Split(token, "."); len(parts) == 3 {
		h.Set(header, "Bearer "+parts[0]+"."+parts[1]+".SIGNATURE_REMOVED_BY_GOOGLE")
	}
}
