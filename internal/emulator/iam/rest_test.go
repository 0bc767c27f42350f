package iam

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2/google"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// server serves the identity APIs to one caller, as the gateway does.
func server(t *testing.T, a *Authority, member string) *httptest.Server {
	t.Helper()
	table, mux := &rest.Table{}, http.NewServeMux()
	a.Register(table, noHost{mux})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(WithPrincipal(r.Context(), Principal{Member: member}))
		if !table.Serve(w, r, "") {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

type noHost struct{ *http.ServeMux }

func (m noHost) Handle(pattern string, h http.Handler) {
	method, rest, ok := strings.Cut(pattern, " ")
	if !ok {
		method, rest = "", pattern
	}
	_, path, _ := strings.Cut(rest, "/")
	m.ServeMux.Handle(strings.TrimSpace(method+" /"+path), h)
}

func send(t *testing.T, s *httptest.Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(body, "grant_type") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, out
}

// What Terraform sends for google_project_iam_member.
func TestProjectPolicyOverREST(t *testing.T) {
	a := fresh(t)
	s := server(t, a, Developer)
	code, policy := send(t, s, "POST", "/v1/projects/kakehi-local:getIamPolicy", `{"options":{"requestedPolicyVersion":3}}`)
	if code != 200 || policy["etag"] == nil {
		t.Fatalf("%d %v", code, policy)
	}
	policy["bindings"] = append(policy["bindings"].([]any), map[string]any{"role": "roles/run.invoker", "members": []any{trainer}})
	body, _ := json.Marshal(map[string]any{"policy": policy, "updateMask": "bindings,etag,auditConfigs"})
	if code, out := send(t, s, "POST", "/v3/projects/123456789012:setIamPolicy", string(body)); code != 200 {
		t.Fatalf("%d %v", code, out)
	}
	if !a.Allowed(trainer, "run.routes.invoke", project) {
		t.Error("the role was not given")
	}
	if code, out := send(t, s, "POST", "/v1/projects/kakehi-local:setIamPolicy", string(body)); code != 409 {
		t.Errorf("an old etag: %d %v", code, out)
	}
	code, out := send(t, s, "POST", "/v1/projects/kakehi-local:testIamPermissions", `{"permissions":["run.routes.invoke"]}`)
	if code != 200 || len(out["permissions"].([]any)) != 1 {
		t.Errorf("%d %v", code, out)
	}
	if code, out := send(t, s, "GET", "/v1/projects/kakehi-local", ""); code != 200 || out["projectNumber"] != "123456789012" {
		t.Errorf("%d %v", code, out)
	}
	for path, want := range map[string]int{"/v1/projects/other": 403, "/v1/projects/kakehi-local:move": 404} {
		if code, out := send(t, s, "GET", path, ""); code != want {
			t.Errorf("%s: %d %v", path, code, out)
		}
	}
	if code, _ := send(t, server(t, a, trainer), "POST", "/v1/projects/kakehi-local:getIamPolicy", ""); code != 403 {
		t.Errorf("the trainer reads the policy: %d", code)
	}
	if code, out := send(t, s, "POST", "/v1/projects/kakehi-local/serviceAccounts", `{"accountId":"robot-one"}`); code != 200 || out["uniqueId"] == nil {
		t.Errorf("%d %v", code, out)
	}
}

// A key made here works with Google's own library.
func TestServiceAccountKey(t *testing.T) {
	a := fresh(t)
	s := server(t, a, Developer)
	a.SetTokenURI(s.URL + "/token")
	code, key := send(t, s, "POST", "/v1/"+project+"/serviceAccounts/"+emailOf(stepsSA)+"/keys", "{}")
	if code != 200 {
		t.Fatalf("%d %v", code, key)
	}
	file, err := base64.StdEncoding.DecodeString(key["privateKeyData"].(string))
	if err != nil {
		t.Fatal(err)
	}
	config, err := google.JWTConfigFromJSON(file, CloudPlatform)
	if err != nil {
		t.Fatal(err)
	}
	token, err := config.TokenSource(t.Context()).Token()
	if err != nil {
		t.Fatal(err)
	}
	if p, err := a.VerifyAccess(token.AccessToken); err != nil || p.Member != stepsSA {
		t.Errorf("%v, %v", p, err)
	}
	if token.Extra("id_token") == nil {
		t.Error("gcloud needs an id_token in the answer")
	}
	self, err := google.JWTAccessTokenSourceFromJSON(file, "https://run.googleapis.com/")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := self.Token()
	if err != nil {
		t.Fatal(err)
	}
	if p, err := a.VerifyAccess(signed.AccessToken); err != nil || p.Member != stepsSA {
		t.Errorf("a self-signed JWT: %v, %v", p, err)
	}
	config.PrivateKeyID = "another"
	if _, err := config.TokenSource(t.Context()).Token(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("an unknown key: %v", err)
	}
	name := key["name"].(string)
	if code, out := send(t, s, "GET", "/v1/"+project+"/serviceAccounts/"+emailOf(stepsSA)+"/keys", ""); code != 200 || len(out["keys"].([]any)) != 1 {
		t.Errorf("list: %d %v", code, out)
	}
	if code, out := send(t, s, "DELETE", "/v1/"+name, ""); code != 200 {
		t.Errorf("delete: %d %v", code, out)
	}
	if _, err := a.VerifyAccess(signed.AccessToken); err == nil {
		t.Error("a deleted key signs")
	}
}

func TestTokenEndpoints(t *testing.T) {
	a := fresh(t)
	s := server(t, a, Developer)
	for _, form := range []string{"grant_type=refresh_token&refresh_token=x", "grant_type=" + url.QueryEscape("urn:ietf:params:oauth:grant-type:jwt-bearer") + "&assertion=x.y.z"} {
		if code, out := send(t, s, "POST", "/token", form); code != 400 || out["error_description"] == "" {
			t.Errorf("%s: %d %v", form, code, out)
		}
	}
	token, _, err := a.accessToken(stepsSA, []string{"a", "b"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if code, out := send(t, s, "GET", "/tokeninfo?access_token="+token, ""); code != 200 || out["email"] != emailOf(stepsSA) || out["scope"] != "a b" {
		t.Errorf("%d %v", code, out)
	}
	if code, _ := send(t, s, "GET", "/tokeninfo?access_token=x", ""); code != 400 {
		t.Errorf("a bad token: %d", code)
	}
	id, err := a.IDToken(t.Context(), stepsSA, "https://a")
	if err != nil {
		t.Fatal(err)
	}
	if code, out := send(t, s, "GET", "/oauth2/v3/tokeninfo?id_token="+id, ""); code != 200 || out["aud"] != "https://a" {
		t.Errorf("%d %v", code, out)
	}
	// Anyone can check an ID token with the published key.
	_, keys := send(t, s, "GET", "/oauth2/v3/certs", "")
	_, certs := send(t, s, "GET", "/oauth2/v1/certs", "")
	kid := keys["keys"].([]any)[0].(map[string]any)["kid"].(string)
	public, err := jwt.ParseRSAPublicKeyFromPEM([]byte(certs[kid].(string)))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.Parse(id, func(t *jwt.Token) (any, error) { return public, nil }, jwt.WithIssuer(issuer))
	if err != nil || parsed.Header["kid"] != kid {
		t.Errorf("%v, %v", parsed, err)
	}
	if code, out := send(t, s, "GET", "/.well-known/openid-configuration", ""); code != 200 || out["issuer"] != issuer {
		t.Errorf("%d %v", code, out)
	}
}

func TestMetadataServer(t *testing.T) {
	a := fresh(t)
	h := a.MetadataHandler(emailOf(trainer))
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const base = "/computeMetadata/v1/"
	for path, want := range map[string]string{
		"project/project-id":                                       "kakehi-local",
		"project/numeric-project-id":                               "123456789012",
		"instance/region":                                          "projects/123456789012/regions/us-central1",
		"universe/universe-domain":                                 "googleapis.com",
		"instance/service-accounts/":                               "default/\ntrainer@kakehi-local.iam.gserviceaccount.com/\n",
		"instance/service-accounts/default/email":                  emailOf(trainer),
		"instance/service-accounts/default/scopes":                 CloudPlatform + "\n",
		"instance/service-accounts/default/aliases":                "default\n",
		"instance/service-accounts/" + emailOf(trainer) + "/email": emailOf(trainer),
	} {
		if w := get(base+path, "Metadata-Flavor", "Google"); w.Body.String() != want || w.Header().Get("Metadata-Flavor") != "Google" {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	w := get(base+"instance/service-accounts/default/token?scopes=a,b", "Metadata-Flavor", "Google")
	if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || token.ExpiresIn < 3500 {
		t.Fatalf("%v %s", err, w.Body)
	}
	if claims, err := a.accessClaims(token.AccessToken); err != nil || claims.Member != trainer || len(claims.Scopes) != 2 {
		t.Errorf("%v, %v", claims, err)
	}
	w = get(base+"instance/service-accounts/default/identity?audience=https://a&format=full", "Metadata-Flavor", "Google")
	if p, err := a.VerifyID(w.Body.String(), []string{"https://a"}); err != nil || p.Member != trainer {
		t.Errorf("%v, %v", p, err)
	}
	for path, want := range map[string]int{
		"instance/service-accounts/default/identity": 400, "instance/service-accounts/other/token": 404, "instance/disks": 404,
	} {
		if w := get(base+path, "Metadata-Flavor", "Google"); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := get(base + "instance/service-accounts/default/token"); w.Code != 403 {
		t.Errorf("without the header: %d", w.Code)
	}
	if w := get(base+"instance/service-accounts/default/token", "Metadata-Flavor", "Google", "X-Forwarded-For", "1.2.3.4"); w.Code != 403 {
		t.Errorf("forwarded: %d", w.Code)
	}
	if w := get("/"); w.Code != 200 || w.Header().Get("Metadata-Flavor") != "Google" {
		t.Errorf("the probe of client libraries: %d", w.Code)
	}
	h = a.MetadataHandler("ghost@kakehi-local.iam.gserviceaccount.com")
	if w := get(base+"instance/service-accounts/default/token", "Metadata-Flavor", "Google"); w.Code != 404 {
		t.Errorf("an account that is not there: %d", w.Code)
	}
}
