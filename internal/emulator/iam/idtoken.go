package iam

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

const issuer = "https://accounts.google.com"

// idClaims are the claims of a Google-issued ID token:
// cloud.google.com/docs/authentication/token-types#id-contents.
type idClaims struct {
	jwt.RegisteredClaims
	AuthorizedParty string `json:"azp,omitempty"`
	Email           string `json:"email,omitempty"`
	EmailVerified   bool   `json:"email_verified,omitempty"`
}

// Warm starts to make the key that signs ID tokens, which takes a tenth of a
// second on the first start of a data directory, so that the first token need
// not wait for it.
func (a *Authority) Warm() { go func() { _, _ = a.signKey() }() }

// IDToken makes a signed OpenID Connect token for an account (its email, or a
// member such as serviceAccount:EMAIL), valid for one hour at one audience.
func (a *Authority) IDToken(_ context.Context, account, audience string) (string, error) {
	return a.idToken(memberOf(account), audience, true)
}

// developerSubject is the unique id of the developer.
const developerSubject = "100000000000000000000"

func (a *Authority) idToken(member, audience string, withEmail bool) (string, error) {
	if audience == "" {
		return "", status.Error(codes.InvalidArgument, "An ID token needs an audience.")
	}
	if err := a.usable(member); err != nil {
		return "", err
	}
	subject := developerSubject
	if s, err := a.Account(emailOf(member)); err == nil {
		subject = s.UniqueId
	}
	now := time.Now()
	claims := jwt.MapClaims{ // the library would write aud as a list, unlike Google
		"iss": issuer, "sub": subject, "aud": audience, "azp": subject,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	}
	if withEmail {
		claims["email"], claims["email_verified"] = emailOf(member), true
	}
	_, token, err := a.signClaims(claims)
	return token, err
}

// signClaims makes a JWT with this authority's key.
func (a *Authority) signClaims(claims jwt.Claims) (keyName, token string, err error) {
	key, err := a.signKey()
	if err != nil {
		return "", "", err
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	keyName = keyID(&key.PublicKey)
	t.Header["kid"] = keyName
	if token, err = t.SignedString(key); err != nil {
		return "", "", fmt.Errorf("sign a token: %w", err)
	}
	return keyName, token, nil
}

// VerifyID returns whom an ID token stands for. It must be signed by this
// authority, unexpired, and made for one of the audiences; otherwise it is
// Unauthenticated.
func (a *Authority) VerifyID(token string, audiences []string) (Principal, error) {
	if len(audiences) == 0 {
		return Principal{}, Unauthenticated()
	}
	claims, err := a.idClaims(token, jwt.WithAudience(audiences...))
	if err != nil {
		return Principal{}, Unauthenticated()
	}
	if claims.Subject == developerSubject {
		return Principal{Member: Developer}, nil
	}
	s, err := a.Account(claims.Subject)
	if err != nil || s.Disabled {
		return Principal{}, Unauthenticated()
	}
	return Principal{Member: "serviceAccount:" + s.Email}, nil
}

func (a *Authority) idClaims(token string, more ...jwt.ParserOption) (idClaims, error) {
	var claims idClaims
	if len(token) > maxJWT {
		return claims, errors.New("the token is too long")
	}
	key := func(*jwt.Token) (any, error) {
		key, err := a.signKey()
		if err != nil {
			return nil, err
		}
		return &key.PublicKey, nil
	}
	options := append(more, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	_, err := jwt.ParseWithClaims(token, &claims, key, options...)
	return claims, err
}

const maxJWT = 16 << 10 // bytes of a token that we look at

// loadSignKey reads the key of the ID tokens, or makes and stores it.
func (a *Authority) loadSignKey() (*rsa.PrivateKey, error) {
	var der []byte
	err := a.db.View(func(tx *store.Tx) (err error) {
		der, err = tx.Get(tableSecrets, "sign")
		return err
	})
	switch {
	case err == nil:
		key, err := x509.ParsePKCS1PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("the key of the ID tokens is damaged: %w", err)
		}
		return key, nil
	case !errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("read the key of the ID tokens: %w", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the key of the ID tokens: %w", err)
	}
	err = a.db.Update(func(tx *store.Tx) error {
		return tx.Put(tableSecrets, "sign", x509.MarshalPKCS1PrivateKey(key))
	})
	if err != nil {
		return nil, fmt.Errorf("store the key of the ID tokens: %w", err)
	}
	return key, nil
}

// keyID names a public key by its content.
func keyID(key *rsa.PublicKey) string {
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(key))
	return hex.EncodeToString(sum[:20])
}

// jwk is a public key in a JSON Web Key Set (RFC 7517).
type jwk struct {
	Kty string `json:"kty"`
	Alg string `json:"alg"`
	Use string `json:"use"`
	Kid string `json:"kid"`
	N   string `json:"n"`
	E   string `json:"e"`
}

func jwkOf(key *rsa.PublicKey) jwk {
	return jwk{
		Kty: "RSA", Alg: "RS256", Use: "sig", Kid: keyID(key),
		N: base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		E: base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
}
