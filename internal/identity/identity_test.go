package identity

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestMetadata(t *testing.T) {
	answers := map[string]string{
		"/steps/computeMetadata/v1/instance/service-accounts/default/token":                                                         `{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}`,
		"/steps/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience=https%3A%2F%2Fs-1.l.run.app%2Fx": "eyJ.a.b\n",
		"/steps/computeMetadata/v1/instance/region":                                                                                 "projects/123/regions/europe-west4",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.RequestURI()]
		if !ok || r.Header.Get("Metadata-Flavor") != "Google" {
			t.Errorf("asked %s", r.URL)
			w.WriteHeader(404)
		}
		w.Header().Set("Metadata-Flavor", "Google")
		_, _ = w.Write([]byte(text))
	}))
	defer server.Close()
	// The embedded cloud gives each process a server with a path of its own.
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(server.URL, "http://")+"/steps")

	var m Metadata
	if got, err := m.AccessToken(t.Context()); got != "ya29.x" || err != nil {
		t.Errorf("access token %q, %v", got, err)
	}
	if got, err := m.IDToken(t.Context(), "https://s-1.l.run.app/x"); got != "eyJ.a.b" || err != nil {
		t.Errorf("ID token %q, %v", got, err)
	}
	if got, err := m.ServiceURL(t.Context(), "penguins"); got != "https://penguins-123.europe-west4.run.app" || err != nil {
		t.Errorf("URL %q, %v", got, err)
	}
	for key := range answers {
		answers[key] = "garbage"
	}
	if _, err := m.AccessToken(t.Context()); err == nil {
		t.Error("garbage is a token")
	}
	if _, err := m.ServiceURL(t.Context(), "penguins"); err == nil {
		t.Error("garbage is a region")
	}
}
