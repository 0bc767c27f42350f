package iam

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// metadataScopes are the scopes of a token that was asked for without any.
var metadataScopes = []string{CloudPlatform}

// MetadataHandler is the metadata server of a workload that runs as an account
// (its email, or a member), as the client libraries know it:
// cloud.google.com/run/docs/container-contract#metadata-server.
func (a *Authority) MetadataHandler(account string) http.Handler {
	m := metadata{a, memberOf(account)}
	return http.HandlerFunc(m.serve)
}

type metadata struct {
	a      *Authority
	member string
}

func (m metadata) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Metadata-Flavor", "Google")
	w.Header().Set("Server", "Metadata Server for VM")
	// A page in a browser cannot send this header unasked, nor can a forwarded
	// request reach us: so tokens stay on this machine.
	if r.Header.Get("Metadata-Flavor") != "Google" && r.URL.Path != "/" {
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
		return
	}
	if r.Header.Get("X-Forwarded-For") != "" {
		http.Error(w, "X-Forwarded-For header is not allowed.", http.StatusForbidden)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/computeMetadata/v1/")
	switch {
	case r.URL.Path == "/":
		m.text(w, "computeMetadata/\n")
	case !ok || r.Method != http.MethodGet:
		http.NotFound(w, r)
	case strings.HasPrefix(path, "instance/service-accounts/"):
		m.account(w, r, strings.TrimPrefix(path, "instance/service-accounts/"))
	default:
		m.value(w, r, path)
	}
}

func (m metadata) value(w http.ResponseWriter, r *http.Request, path string) {
	region := m.a.Region
	values := map[string]string{
		"project/project-id":         m.a.project,
		"project/numeric-project-id": m.a.number,
		"instance/region":            "projects/" + m.a.number + "/regions/" + region,
		"instance/zone":              "projects/" + m.a.number + "/zones/" + region + "-1",
		"instance/id":                "0",
		"universe/universe-domain":   "googleapis.com",
		"universe/universe_domain":   "googleapis.com",
	}
	if v, ok := values[path]; ok {
		m.text(w, v)
		return
	}
	http.NotFound(w, r)
}

// account serves what is below service-accounts/: the list, and an account's
// email, scopes, token and identity.
func (m metadata) account(w http.ResponseWriter, r *http.Request, path string) {
	email := emailOf(m.member)
	if path == "" {
		m.text(w, "default/\n"+email+"/\n")
		return
	}
	name, item, _ := strings.Cut(path, "/")
	if name != "default" && name != email {
		http.NotFound(w, r)
		return
	}
	switch item {
	case "":
		if r.URL.Query().Get("recursive") == "true" {
			rest.WriteJSON(w, http.StatusOK, map[string]any{"aliases": []string{"default"}, "email": email, "scopes": metadataScopes})
			return
		}
		m.text(w, "aliases\nemail\nidentity\nscopes\ntoken\n")
	case "aliases":
		m.text(w, "default\n")
	case "email":
		m.text(w, email)
	case "scopes":
		m.text(w, strings.Join(metadataScopes, "\n")+"\n")
	case "token":
		m.token(w, r.URL.Query())
	case "identity":
		m.identity(w, r.URL.Query())
	default:
		http.NotFound(w, r)
	}
}

func (m metadata) token(w http.ResponseWriter, q url.Values) {
	scopes := strings.FieldsFunc(q.Get("scopes"), func(c rune) bool { return c == ',' || c == ' ' })
	token, expiry, err := m.a.accessToken(m.member, slices.Clip(scopes), tokenLife)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	rest.WriteJSON(w, http.StatusOK, map[string]any{
		"access_token": token, "expires_in": int(time.Until(expiry).Seconds()), "token_type": "Bearer",
	})
}

func (m metadata) identity(w http.ResponseWriter, q url.Values) {
	audience := q.Get("audience")
	if audience == "" {
		http.Error(w, "non-empty audience parameter required", http.StatusBadRequest)
		return
	}
	token, err := m.a.idToken(m.member, audience, true)
	if err != nil {
		http.Error(w, fmt.Sprintf("no identity token: %v", err), http.StatusNotFound)
		return
	}
	m.text(w, token)
}

func (m metadata) text(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "application/text")
	w.Header().Set("Content-Length", strconv.Itoa(len(s)))
	_, _ = w.Write([]byte(s)) // a client that hung up needs no answer
}
