// Package identity gets what a process on Google Cloud knows of itself from
// the metadata server: tokens of its service account, project and region.
package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"

	"cloud.google.com/go/compute/metadata"
)

// Metadata is the metadata server that GCE_METADATA_HOST names, or the one of
// the machine.
type Metadata struct{}

// IDToken returns an OIDC token for audience, which is the root URL of the
// Cloud Run service to be called.
func (Metadata) IDToken(ctx context.Context, audience string) (string, error) {
	token, err := metadata.GetWithContext(ctx, "instance/service-accounts/default/identity?format=full&audience="+url.QueryEscape(audience))
	if err != nil {
		return "", fmt.Errorf("ID token for %s from the metadata server: %w", audience, err)
	}
	return strings.TrimSpace(token), nil
}

// AccessToken returns an OAuth2 access token for Google's APIs.
func (Metadata) AccessToken(ctx context.Context) (string, error) {
	text, err := metadata.GetWithContext(ctx, "instance/service-accounts/default/token")
	if err != nil {
		return "", fmt.Errorf("access token from the metadata server: %w", err)
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(text), &token); err != nil || token.AccessToken == "" {
		return "", fmt.Errorf("access token from the metadata server: the answer has no access_token")
	}
	return token.AccessToken, nil
}

// ServiceURL returns the URL of a Cloud Run service in this process's own
// project and region:
// cloud.google.com/run/docs/triggering/https-request, "deterministic URL".
func (Metadata) ServiceURL(ctx context.Context, service string) (string, error) {
	// The answer is projects/NUMBER/regions/REGION.
	text, err := metadata.GetWithContext(ctx, "instance/region")
	if err != nil {
		return "", fmt.Errorf("region from the metadata server: %w", err)
	}
	parts := strings.Split(strings.TrimSpace(text), "/")
	if len(parts) != 4 {
		return "", fmt.Errorf("region from the metadata server: %q is not projects/NUMBER/regions/REGION", text)
	}
	return fmt.Sprintf("https://%s-%s.%s.run.app", service, parts[1], path.Base(text)), nil
}
