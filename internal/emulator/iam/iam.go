// Package iam is the identity of the embedded cloud: service accounts, role
// bindings, access and ID tokens, and the check that every call makes.
package iam

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Principal is who makes a call.
type Principal struct {
	// Member is the IAM form, such as
	// serviceAccount:x@p.iam.gserviceaccount.com or user:developer@localhost.
	Member string
}

type principalKey struct{}

// WithPrincipal returns a context that carries the caller.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// CallerOf returns the caller, if the call was authenticated.
func CallerOf(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}

// Unauthenticated is Google's answer to a call without valid credentials.
func Unauthenticated() error {
	return status.Error(codes.Unauthenticated, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.")
}

// Denied is Google's answer to a caller that lacks a permission.
func Denied(permission, resource string) error {
	return status.Error(codes.PermissionDenied, fmt.Sprintf("Permission '%s' denied on resource '%s' (or it may not exist).", permission, resource))
}
