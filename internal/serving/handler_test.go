package serving

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func server(t testing.TB, name string, opt Options) *Server {
	t.Helper()
	s, err := NewServer(model(t, name), opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

func TestPredict(t *testing.T) {
	const (
		first   = `{"label":"b","probabilities":{"a":0.1769210547208786,"b":0.6848097443580627,"c":0.13826918601989746}}`
		missing = `{"label":"a","probabilities":{"a":0.6072565913200378,"b":0.2471913993358612,"c":0.14555200934410095}}`
	)
	for _, tt := range []struct{ name, model, body, want string }{
		{"list", "classifier", `{"instances":[[39.5,1]]}`, first},
		{"category by name", "classifier", `{"instances":[[39.5,"Y"]]}`, first},
		{"object", "classifier", `{"instances":[{"island":"Y","size":39.5}],"parameters":{}}`, first},
		{"order is kept", "classifier", `{"instances":[[null,null],{"size":39.5,"island":1}]}`, missing + "," + first},
		{"missing values", "classifier", `{"instances":[["NaN",null]],"parameters":null}`, missing},
		{"regression", "regressor", `{"instances":[[39.5,1],{"f0":null,"f1":null}]}`, `0.9621962308883667,0.45652467012405396`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(server(t, tt.model, Options{}), "POST", "/predict", tt.body)
			if want := `{"predictions":[` + tt.want + "]}\n"; w.Code != 200 || w.Body.String() != want {
				t.Errorf("%d %s, want %s", w.Code, w.Body, want)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
		})
	}
}

func TestPredictErrors(t *testing.T) {
	many := `{"instances":[` + strings.Repeat(`[1],`, 500) + `[1]]}`
	for _, tt := range []struct {
		name, method, body string
		code               int
		want               string
	}{
		{"position in a list", "POST", `{"instances":[[1,1],[1,"Q"]]}`, 400, `instances[1][1]: unknown category "Q"; known: X, Y, Z`},
		{"position in an object", "POST", `{"instances":[{"size":"big","island":null}]}`, 400, `instances[0].size: want a number or null, got "big"`},
		{"misspelt", "POST", `{"instances":[{"siez":1,"island":null}]}`, 400, `instances[0]: unknown feature "siez"; did you mean "size"?; instances[0].size: is absent; send null for a missing value`},
		{"too few", "POST", `{"instances":[[1]]}`, 400, "instances[0]: 1 values, the model has 2 features (size, island)"},
		{"all at once, within bounds", "POST", many, 400, "instances[9]: 1 values, the model has 2 features (size, island); and perhaps more"},
		{"not a row", "POST", `{"instances":[7]}`, 400, "instances[0]: want a list of 2 values or an object of features, got 7"},
		{"no rows", "POST", `{"instances":[]}`, 400, "at least one instance"},
		{"no instances", "POST", `{"instance":[[1,1]]}`, 400, "at least one instance"},
		{"boolean", "POST", `{"instances":[[true,1]]}`, 400, "want a number or null, got true"},
		{"nested", "POST", `{"instances":[[[1],1]]}`, 400, "want a number or null, got [1]"},
		{"category code", "POST", `{"instances":[[1,3]]}`, 400, "3 is no code of a category: want 0 to 2"},
		{"half a code", "POST", `{"instances":[[1,0.5]]}`, 400, "0.5 is no code of a category"},
		{"too great", "POST", `{"instances":[[1e39,1]]}`, 400, "1e39 is too great for a 32-bit number"},
		{"far too great", "POST", `{"instances":[[1e999,1]]}`, 400, "want a number"},
		{"parameters", "POST", `{"instances":[[1,1]],"parameters":{"temperature":1}}`, 400, "parameters.temperature: the model takes no parameters"},
		{"not JSON", "POST", `{"instances":`, 400, "not valid JSON"},
		{"tail", "POST", `{"instances":[[1,1]]} x`, 400, "not valid JSON"},
		{"empty", "POST", ``, 400, "has no body"},
		{"deep", "POST", `{"instances":` + strings.Repeat("[", 1500), 400, "not valid JSON"},
		{"too large", "POST", `{"instances":[[` + strings.Repeat(" ", 3000) + `1,1]]}`, 413, "larger than 2048 bytes"},
		{"method", "GET", ``, 405, "method GET is not allowed; use POST"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := server(t, "classifier", Options{MaxBody: 2048})
			w := ask(s, tt.method, "/predict", tt.body)
			var e struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != tt.code || !strings.Contains(e.Error, tt.want) {
				t.Errorf("%d %s (%v), want %d %q", w.Code, w.Body, err, tt.code, tt.want)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	s := server(t, "classifier", Options{HealthRoute: "/v1/models/m", PredictRoute: "/v1/endpoints/e/deployedModels/d:predict"})
	if w := ask(s, "GET", "/v1/models/m", ""); w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}
	if w := ask(s, "POST", "/v1/endpoints/e/deployedModels/d:predict", `{"instances":[[1,1]]}`); w.Code != 200 {
		t.Errorf("predict: %d %s", w.Code, w.Body)
	}
	if w := ask(s, "POST", "/predict", `{"instances":[[1,1]]}`); w.Code != 404 || !strings.Contains(w.Body.String(), "deployedModels/d:predict") {
		t.Errorf("other route: %d %s", w.Code, w.Body)
	}
	for _, opt := range []Options{{HealthRoute: "health"}, {PredictRoute: "/a b"}, {HealthRoute: "/x", PredictRoute: "/x"}} {
		if _, err := NewServer(model(t, "classifier"), opt); err == nil {
			t.Errorf("%+v: no error", opt)
		}
	}
}

func TestHealthTellsTheTruth(t *testing.T) {
	s := server(t, "classifier", Options{})
	for _, path := range []string{"/health", "/v2/health/ready", "/v2/models/model/ready"} {
		if w := ask(s, "GET", path, ""); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	s.Drain()
	for _, path := range []string{"/health", "/v2/health/ready", "/v2/models/model/ready"} {
		if w := ask(s, "GET", path, ""); w.Code != 503 {
			t.Errorf("%s while draining: %d", path, w.Code)
		}
	}
	if w := ask(s, "GET", "/v2/health/live", ""); w.Code != 200 {
		t.Errorf("live: %d", w.Code)
	}
	if w := ask(s, "POST", "/predict", `{"instances":[[1,1]]}`); w.Code != 200 {
		t.Errorf("a request that still comes: %d", w.Code)
	}
}

func TestLog(t *testing.T) {
	var log bytes.Buffer
	s := server(t, "classifier", Options{Name: "penguins", Log: &log, Project: "p", Started: time.Now().Add(-time.Hour)})
	h := http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	for _, body := range []string{`{"instances":[[1,1],[2,1]]}`, `{"instances":[[1]]}`} {
		r := httptest.NewRequest("POST", "/predict", strings.NewReader(body))
		r.Header = h
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask(s, "GET", "/health", "")
	var lines []logLine
	for d := json.NewDecoder(&log); ; {
		var l logLine
		if err := d.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if l.HTTPRequest.Latency == "" || l.HTTPRequest.ResponseSize == 0 || l.HTTPRequest.RequestSize == 0 {
			t.Errorf("request %+v", l.HTTPRequest)
		}
		l.HTTPRequest = logRequest{Status: l.HTTPRequest.Status}
		lines = append(lines, l)
	}
	const trace = "projects/p/traces/0af7651916cd43dd8448eb211c80319c"
	want := []logLine{
		{Severity: "INFO", Message: "POST /predict 200", Model: "penguins", Rows: 2, Trace: trace, HTTPRequest: logRequest{Status: 200}, Labels: map[string]string{"kakehi.dev/cold": "true"}},
		{Severity: "WARNING", Message: "POST /predict 400: instances[0]: 1 values, the model has 2 features (size, island)", Model: "penguins", Trace: trace, HTTPRequest: logRequest{Status: 400}},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func FuzzPredict(f *testing.F) {
	f.Add(`{"instances":[[39.5,"Y"],{"size":null,"island":"NaN"}],"parameters":{}}`, true)
	f.Add(`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`, false)
	f.Add(`{"inputs":[{"name":"size","shape":[2],"datatype":"FP64","data":[1,[2]]},{"name":"island","shape":[2,1],"datatype":"BYTES","data":["X",null]}]}`, false)
	s := server(f, "classifier", Options{MaxBody: 1 << 16})
	f.Fuzz(func(t *testing.T, body string, vertex bool) {
		path := "/v2/models/model/infer"
		if vertex {
			path = "/predict"
		}
		w := ask(s, "POST", path, body)
		if w.Code != 200 && w.Code != 400 && w.Code != 413 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
