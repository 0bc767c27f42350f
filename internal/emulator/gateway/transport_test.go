package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"

	"github.com/kakehi/kakehi/internal/emulator/iam"
)

func testContext() context.Context { return context.Background() }

// addRole returns the project's policy with one more binding.
func addRole(t *testing.T, c *cloud, role, member string) *iampb.Policy {
	t.Helper()
	p, err := c.auth.Policy("projects/kakehi-local")
	if err != nil {
		t.Fatal(err)
	}
	p.Bindings = append(p.Bindings, &iampb.Binding{Role: role, Members: []string{member}})
	return p
}

func TestTransport(t *testing.T) {
	c := start(t, nil)
	client := &http.Client{Transport: c.Transport()}
	for _, tt := range []struct {
		method, target, token string
		code                  int
		body                  string
	}{
		{"GET", "https://run.googleapis.com/v2/" + place + "/services/s", c.token(t, steps), 200, "services/s"},
		{"GET", "https://run.googleapis.com/v2/" + place + "/services/s", "", 401, "UNAUTHENTICATED"},
		{"GET", "https://workflows.googleapis.com/v1/" + place + "/workflows/panic", c.token(t, steps), 500, "boom"},
		{"PUT", "https://s-1.us-central1.run.app/a%20b?c=d", "x", 200, "PUT s-1.us-central1.run.app /a%20b caller= auth=Bearer x body=payload"},
		{"HEAD", "https://s-1.us-central1.run.app/", "", 200, ""},
		{"POST", "https://bigquery.googleapis.com/bigquery/v2/projects/p/queries", c.token(t, steps), 501, "NOT_EMULATED"},
		{"GET", "https://run.googleapis.com/v9/nothing", c.token(t, steps), 404, "NOT_EMULATED"},
	} {
		// The caller of the workflow is not the caller of what the workflow calls.
		ctx := iam.WithPrincipal(t.Context(), iam.Principal{Member: iam.Developer})
		r, _ := http.NewRequestWithContext(ctx, tt.method, tt.target, strings.NewReader("payload"))
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		code, body := do(t, client, r)
		if code != tt.code || !strings.Contains(body, tt.body) || tt.method == "HEAD" && body != "" {
			t.Errorf("%s %s: %d %s", tt.method, tt.target, code, body)
		}
	}
	_, err := client.Get("https://example.com/")
	if err == nil || !strings.Contains(err.Error(), "--allow-host example.com") {
		t.Errorf("a foreign host: %v", err)
	}
}

func TestTransportReachesWhatIsAllowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "outside") }))
	defer other.Close()
	c := start(t, func(host string) bool { return host == "127.0.0.1" })
	r, _ := http.NewRequest("GET", other.URL, nil)
	if code, body := do(t, &http.Client{Transport: c.Transport()}, r); code != 200 || body != "outside" {
		t.Errorf("%d %s", code, body)
	}
}

func TestTransportStreams(t *testing.T) {
	c := start(t, nil)
	release, ended := make(chan struct{}), make(chan error, 1)
	c.HandleRunApp(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			w.WriteHeader(http.StatusEarlyHints)
			fmt.Fprint(w, "<b>one")
			w.(http.Flusher).Flush()
			<-release
			fmt.Fprint(w, "two")
		case "/upload":
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		case "/abort":
			fmt.Fprint(w, "part")
			panic(http.ErrAbortHandler)
		case "/drop":
			panic(http.ErrAbortHandler)
		case "/wait":
			<-r.Context().Done()
			ended <- r.Context().Err()
		case "/endless":
			w.WriteHeader(http.StatusOK)
			for {
				if _, err := w.Write([]byte("x")); err != nil {
					ended <- err
					return
				}
			}
		}
	}))
	client := &http.Client{Transport: c.Transport()}
	const host = "https://s-1.us-central1.run.app"

	resp, err := client.Get(host + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, part); err != nil || string(part) != "<b>one" || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%q, %v, %v", part, err, resp.Header)
	}
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "two" {
		t.Errorf("%q, %v", rest, err)
	}

	r, _ := http.NewRequest("POST", host+"/upload", io.LimitReader(zeros{}, 1<<20))
	if _, body := do(t, client, r); body != "1048576 <nil>" {
		t.Errorf("upload: %s", body)
	}

	if resp, err = client.Get(host + "/abort"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an answer that broke off: %v", err)
	}
	if _, err := client.Get(host + "/drop"); err == nil {
		t.Error("no answer, no error")
	}

	ctx, cancel := context.WithCancel(t.Context())
	r, _ = http.NewRequestWithContext(ctx, "GET", host+"/wait", nil)
	context.AfterFunc(ctx, func() {})
	go cancel()
	if _, err := client.Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler saw %v", err)
	}

	if resp, err = client.Get(host + "/endless"); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := <-ended; err == nil {
		t.Error("the handler writes to nobody")
	}
}
