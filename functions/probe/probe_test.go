package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/serving"
	"github.com/kakehi/kakehi/internal/step/steptest"
)

type fakeIdentity struct{ audience string }

func (f fakeIdentity) IDToken(_ context.Context, audience string) (string, error) {
	if audience != f.audience {
		return "", errors.New("wrong audience " + audience)
	}
	return "token", nil
}

// modelServer serves the classifier, behind a check of the token.
func modelServer(t *testing.T, change func(http.Handler) http.Handler) string {
	t.Helper()
	p, err := serving.Loader{}.Load(t.Context(), "../../internal/serving/testdata/classifier.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := serving.NewServer(p, serving.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("%s without the token", r.URL)
		}
		s.ServeHTTP(w, r)
	}))
	if change != nil {
		h = change(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// golden has n rows; the prediction is that of XGBoost plus off.
func golden(n int, off float64) string {
	var b bytes.Buffer
	for range n {
		fmt.Fprintf(&b, `{"instance":{"size":39.5,"island":"Y"},"prediction":{"label":"b","probabilities":{"a":%.17g,"b":0.6848097443580627,"c":0.13826918601989746}}}`+"\n", 0.1769210547208786+off)
	}
	return b.String()
}

func TestProbe(t *testing.T) {
	starting := 3
	for name, tt := range map[string]struct {
		change func(http.Handler) http.Handler
		golden string
		params map[string]any
		code   int
		want   string
	}{
		"agrees":      {golden: golden(450, 0), code: 200},
		"tolerated":   {golden: golden(1, 5e-10), code: 200},
		"off":         {golden: golden(3, 1e-6), code: 422, want: "golden row 1: the prediction differs by 1e-06, more than 1e-09"},
		"looser":      {golden: golden(3, 1e-6), params: map[string]any{"tolerance": 1e-5}, code: 200},
		"other label": {golden: strings.Replace(golden(1, 0), `"label":"b"`, `"label":"a"`, 1), code: 422, want: "golden row 1: .label: want a, got b"},
		"refused":     {golden: `{"instance":[1],"prediction":1}`, code: 422, want: "the model has 2 features"},
		"no golden":   {code: 200},
		"empty":       {golden: "\n", code: 422, want: "has no rows"},
		"a CSV file":  {golden: "y,x\na,1\n", code: 422, want: "line 1: want a golden row as JSON"},
		"still starting": {golden: golden(1, 0), code: 200, change: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if starting--; starting > 0 {
					w.WriteHeader(503)
					return
				}
				h.ServeHTTP(w, r)
			})
		}},
		"never ready": {params: map[string]any{"timeout": 0.3}, code: 503, want: "is not ready after 0.3s; last answer: 500 Internal Server Error: sick", change: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "sick", 500) })
		}},
		"forbidden": {params: map[string]any{"timeout": 0.3}, code: 403, want: "grant roles/run.invoker", change: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) })
		}},
		"redirected": {params: map[string]any{"timeout": 0.3}, code: 503, want: "302 Found", change: func(http.Handler) http.Handler {
			return http.RedirectHandler("https://elsewhere.example/", http.StatusFound)
		}},
		"bad url":     {params: map[string]any{"url": "ftp://x"}, code: 400, want: `"ftp://x" is not an http(s) URL`},
		"bad timeout": {params: map[string]any{"timeout": -1}, code: 400, want: "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			r := steptest.New(t)
			url := modelServer(t, tt.change)
			task := steptest.Task{Params: map[string]any{"url": url + "/"}}
			audience := url + "/"
			if name == "agrees" {
				audience = "https://penguins-1.us-central1.run.app"
				task.Params["audience"] = audience
			}
			for k, v := range tt.params {
				task.Params[k] = v
			}
			if tt.golden != "" {
				r.Put("gs://b/golden", tt.golden)
				task.In = map[string]*executor.Artifact{"golden": {Name: "golden", URI: "gs://b/golden"}}
			}
			p := prober{identity: fakeIdentity{audience}, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
			task.Handler = p.handler()
			a := r.Call(task)
			if a.Code != tt.code || !strings.Contains(a.Error.Message, tt.want) {
				t.Errorf("%d %s, want %d %q", a.Code, a.Body, tt.code, tt.want)
			}
			if want := strings.Count(tt.golden, "{\"instance"); a.Code == 200 && a.ParameterValues["rows"] != float64(want) {
				t.Errorf("rows %v, want %d", a.ParameterValues["rows"], want)
			}
		})
	}
}
