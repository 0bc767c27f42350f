package iam

import (
	"context"
	"encoding/json"
	"time"

	"cloud.google.com/go/iam/credentials/apiv1/credentialspb"
	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// credentials is the Service Account Credentials API
// (iamcredentials.googleapis.com): tokens for whom the caller may impersonate.
type credentials struct {
	credentialspb.UnimplementedIAMCredentialsServer
	*Authority
}

func (s credentials) GenerateAccessToken(ctx context.Context, r *credentialspb.GenerateAccessTokenRequest) (*credentialspb.GenerateAccessTokenResponse, error) {
	member, err := s.impersonate(ctx, "iam.serviceAccounts.getAccessToken", r.Name, r.Delegates)
	if err != nil {
		return nil, err
	}
	if len(r.Scope) == 0 {
		return nil, status.Error(codes.InvalidArgument, "Request contains an invalid argument: scope is required.")
	}
	life := tokenLife
	if r.Lifetime != nil {
		life = r.Lifetime.AsDuration()
	}
	if life <= 0 || life > tokenLife {
		return nil, status.Errorf(codes.InvalidArgument, "Request contains an invalid argument: lifetime %v is not in (0, 1h].", life)
	}
	token, expiry, err := s.accessToken(member, r.Scope, life)
	if err != nil {
		return nil, err
	}
	return &credentialspb.GenerateAccessTokenResponse{AccessToken: token, ExpireTime: timestamppb.New(expiry)}, nil
}

func (s credentials) GenerateIdToken(ctx context.Context, r *credentialspb.GenerateIdTokenRequest) (*credentialspb.GenerateIdTokenResponse, error) {
	member, err := s.impersonate(ctx, "iam.serviceAccounts.getOpenIdToken", r.Name, r.Delegates)
	if err != nil {
		return nil, err
	}
	token, err := s.idToken(member, r.Audience, r.IncludeEmail)
	return &credentialspb.GenerateIdTokenResponse{Token: token}, err
}

func (s credentials) SignBlob(ctx context.Context, r *credentialspb.SignBlobRequest) (*credentialspb.SignBlobResponse, error) {
	if _, err := s.impersonate(ctx, "iam.serviceAccounts.signBlob", r.Name, r.Delegates); err != nil {
		return nil, err
	}
	id, signature, err := s.sign(r.Payload)
	return &credentialspb.SignBlobResponse{KeyId: id, SignedBlob: signature}, err
}

func (s credentials) SignJwt(ctx context.Context, r *credentialspb.SignJwtRequest) (*credentialspb.SignJwtResponse, error) {
	if _, err := s.impersonate(ctx, "iam.serviceAccounts.signJwt", r.Name, r.Delegates); err != nil {
		return nil, err
	}
	var claims jwt.MapClaims
	if err := json.Unmarshal([]byte(r.Payload), &claims); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "The payload is not a JSON object of claims: %v", err)
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp != nil && time.Until(exp.Time) > 12*time.Hour {
		return nil, status.Error(codes.InvalidArgument, "The exp claim must be a time at most 12 hours ahead.")
	}
	id, token, err := s.signClaims(claims)
	return &credentialspb.SignJwtResponse{KeyId: id, SignedJwt: token}, err
}

// impersonate returns the member of an account that the caller may use.
func (s credentials) impersonate(ctx context.Context, permission, name string, delegates []string) (string, error) {
	if err := s.Require(ctx, permission, name); err != nil {
		return "", err
	}
	if len(delegates) > 0 {
		return "", status.Error(codes.Unimplemented, "Chains of delegates are not part of this embedded cloud.")
	}
	account, err := s.Account(name)
	if err != nil {
		return "", err
	}
	return "serviceAccount:" + account.Email, nil
}
