package iam

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// oauthError answers as an OAuth 2 server does (RFC 6749, section 5.2).
func oauthError(w http.ResponseWriter, code, description string) {
	rest.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// serveToken exchanges the assertion that a service account signed with its key
// for an access token or, if it names a target_audience, an ID token.
func (a *Authority) serveToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 2*maxJWT)
	if grant := r.PostFormValue("grant_type"); grant != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		oauthError(w, "unsupported_grant_type", "Invalid grant_type: "+grant+": only urn:ietf:params:oauth:grant-type:jwt-bearer is served here")
		return
	}
	a.mu.RLock()
	audiences := []string{googleTokenURI, a.tokenURI}
	a.mu.RUnlock()
	key, claims, err := a.verifyKeyJWT(r.PostFormValue("assertion"), audiences)
	if err != nil {
		oauthError(w, "invalid_grant", "Invalid JWT Signature: "+err.Error())
		return
	}
	member := "serviceAccount:" + key.Email
	out := map[string]any{}
	if claims.TargetAudience == "" {
		token, _, err := a.accessToken(member, strings.Fields(claims.Scope), tokenLife)
		if err != nil {
			oauthError(w, "invalid_grant", err.Error())
			return
		}
		out["access_token"], out["expires_in"], out["token_type"] = token, int(tokenLife.Seconds()), "Bearer"
	}
	// gcloud reads an ID token from this answer even if it did not ask for one.
	audience := claims.TargetAudience
	if audience == "" {
		audience = key.Email
	}
	if out["id_token"], err = a.idToken(member, audience, true); err != nil {
		oauthError(w, "invalid_grant", err.Error())
		return
	}
	rest.WriteJSON(w, http.StatusOK, out)
}

// serveTokenInfo tells what a token stands for.
func (a *Authority) serveTokenInfo(w http.ResponseWriter, r *http.Request) {
	if token := r.FormValue("id_token"); token != "" {
		claims, err := a.idClaims(token)
		if err != nil {
			oauthError(w, "invalid_token", "Invalid Value")
			return
		}
		rest.WriteJSON(w, http.StatusOK, map[string]string{
			"iss": claims.Issuer, "sub": claims.Subject, "azp": claims.AuthorizedParty, "aud": claims.Audience[0],
			"email": claims.Email, "email_verified": strconv.FormatBool(claims.EmailVerified),
			"iat": unix(claims.IssuedAt.Time), "exp": unix(claims.ExpiresAt.Time), "alg": "RS256", "typ": "JWT",
		})
		return
	}
	claims, err := a.accessClaims(r.FormValue("access_token"))
	if err != nil {
		oauthError(w, "invalid_token", "Invalid Value")
		return
	}
	subject := developerSubject
	if s, err := a.Account(emailOf(claims.Member)); err == nil {
		subject = s.UniqueId
	}
	rest.WriteJSON(w, http.StatusOK, map[string]string{
		"azp": subject, "aud": subject, "sub": subject, "scope": strings.Join(claims.Scopes, " "),
		"exp": strconv.FormatInt(claims.Expiry, 10), "expires_in": strconv.FormatInt(claims.Expiry-time.Now().Unix(), 10),
		"email": emailOf(claims.Member), "email_verified": "true", "access_type": "online",
	})
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// serveKeys publishes the key of the ID tokens as a JSON Web Key Set.
func (a *Authority) serveKeys(w http.ResponseWriter, _ *http.Request) {
	key, err := a.signKey()
	if err != nil {
		rest.WriteError(w, err)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	rest.WriteJSON(w, http.StatusOK, map[string][]jwk{"keys": {jwkOf(&key.PublicKey)}})
}

// serveCertificates publishes the same key as Python's google-auth wants it: a
// certificate by its key id.
func (a *Authority) serveCertificates(w http.ResponseWriter, _ *http.Request) {
	key, err := a.signKey()
	if err != nil {
		rest.WriteError(w, err)
		return
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "federated-signon.system.gserviceaccount.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(0, 0, 14),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		rest.WriteError(w, err)
		return
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	w.Header().Set("Cache-Control", "public, max-age=3600")
	rest.WriteJSON(w, http.StatusOK, map[string]string{keyID(&key.PublicKey): string(text)})
}

// serveConfiguration is the OpenID Connect discovery document.
func (a *Authority) serveConfiguration(w http.ResponseWriter, _ *http.Request) {
	rest.WriteJSON(w, http.StatusOK, map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                "https://accounts.google.com/o/oauth2/v2/auth",
		"token_endpoint":                        googleTokenURI,
		"jwks_uri":                              "https://www.googleapis.com/oauth2/v3/certs",
		"response_types_supported":              []string{"code", "id_token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "email"},
		"claims_supported":                      []string{"aud", "azp", "email", "email_verified", "exp", "iat", "iss", "sub"},
		"grant_types_supported":                 []string{"urn:ietf:params:oauth:grant-type:jwt-bearer"},
	})
}
