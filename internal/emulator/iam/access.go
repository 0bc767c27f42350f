package iam

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	tokenLife = time.Hour
	// accessTokenPrefix is how Google's access tokens start; secret scanners
	// know it.
	accessTokenPrefix = "ya29.kakehi."
	// CloudPlatform is the scope of a token that was asked for without scopes.
	CloudPlatform = "https://www.googleapis.com/auth/cloud-platform"
)

// accessClaims is what an access token stands for.
type accessClaims struct {
	Member string   `json:"m"`
	Expiry int64    `json:"e"` // Unix seconds
	Scopes []string `json:"s,omitempty"`
}

// AccessToken makes an OAuth 2 access token for an account (its email, or a
// member such as serviceAccount:EMAIL); it is valid for one hour, also across a
// restart. No scopes means CloudPlatform.
//
// The token is its sealed claims, not a database entry: it is opaque to its
// holder, costs no disk write, and needs no cleaning up.
func (a *Authority) AccessToken(_ context.Context, account string, scopes []string) (string, error) {
	token, _, err := a.accessToken(memberOf(account), scopes, tokenLife)
	return token, err
}

func (a *Authority) accessToken(member string, scopes []string, life time.Duration) (string, time.Time, error) {
	if err := a.usable(member); err != nil {
		return "", time.Time{}, err
	}
	if len(scopes) == 0 {
		scopes = []string{CloudPlatform}
	}
	expiry := time.Now().Add(life).Truncate(time.Second)
	data, err := json.Marshal(accessClaims{Member: member, Expiry: expiry.Unix(), Scopes: scopes})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("make an access token: %w", err)
	}
	seal := a.sealer()
	nonce := make([]byte, seal.NonceSize(), seal.NonceSize()+len(data)+seal.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", time.Time{}, fmt.Errorf("make an access token: %w", err)
	}
	return accessTokenPrefix + base64.RawURLEncoding.EncodeToString(seal.Seal(nonce, nonce, data, nil)), expiry, nil
}

func (a *Authority) sealer() cipher.AEAD {
	block, err := aes.NewCipher(a.sealKey[:])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return seal
}

// VerifyAccess returns whom a bearer token of an API call stands for: an
// access token, or a JWT that a service account signed with its own key. Any
// other token, an ID token among them, is Unauthenticated.
func (a *Authority) VerifyAccess(token string) (Principal, error) {
	claims, err := a.accessClaims(token)
	return Principal{Member: claims.Member}, err
}

func (a *Authority) accessClaims(token string) (accessClaims, error) {
	if h, d := hashOf(token), hashOf(a.developer); subtle.ConstantTimeCompare(h[:], d[:]) == 1 {
		return accessClaims{Member: Developer, Expiry: time.Now().Add(tokenLife).Unix(), Scopes: []string{CloudPlatform}}, nil
	}
	var claims accessClaims
	if sealed, ok := strings.CutPrefix(token, accessTokenPrefix); ok {
		if !a.unseal(sealed, &claims) {
			return accessClaims{}, Unauthenticated()
		}
	} else {
		key, signed, err := a.verifyKeyJWT(token, nil)
		if err != nil || len(signed.Audience) != 1 || !isAPIAudience(signed.Audience[0]) {
			return accessClaims{}, Unauthenticated()
		}
		claims = accessClaims{Member: "serviceAccount:" + key.Email, Expiry: signed.ExpiresAt.Unix()}
	}
	if a.usable(claims.Member) != nil {
		return accessClaims{}, Unauthenticated()
	}
	return claims, nil
}

func (a *Authority) unseal(sealed string, claims *accessClaims) bool {
	data, err := base64.RawURLEncoding.DecodeString(sealed)
	seal := a.sealer()
	if err != nil || len(data) < seal.NonceSize() {
		return false
	}
	data, err = seal.Open(nil, data[:seal.NonceSize()], data[seal.NonceSize():], nil)
	if err != nil || json.Unmarshal(data, claims) != nil {
		return false
	}
	return time.Now().Unix() < claims.Expiry
}

// isAPIAudience says whether a self-signed JWT with this audience serves as an
// access token: google.aip.dev/auth/4111.
func isAPIAudience(audience string) bool {
	host, ok := strings.CutPrefix(audience, "https://")
	host, _, _ = strings.Cut(host, "/")
	return ok && strings.HasSuffix(host, ".googleapis.com")
}
