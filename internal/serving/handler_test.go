package serving

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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
		{"not an object", "POST", `[[1,1]]`, 400, "the request: want an object, got array"},
		{"null", "POST", `null`, 400, "at least one instance"},
		{"instances is no list", "POST", `{"instances":{"size":1}}`, 400, "at least one instance"},
		{"parameters is no object", "POST", `{"instances":[[1,1]],"parameters":[]}`, 400, "parameters: want an object, got array"},
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

// TestConcurrentRequests is for the race detector, and for answers that mix.
func TestConcurrentRequests(t *testing.T) {
	var log bytes.Buffer
	s := server(t, "classifier", Options{Log: &log})
	label := map[string]string{`[39.5,"Y"]`: `"label":"b"`, `[null,null]`: `"label":"a"`, `[45,null]`: `"label":"c"`}
	const each = 200
	var work sync.WaitGroup
	for instance, want := range label {
		for range 4 {
			work.Go(func() {
				for range each {
					w := ask(s, "POST", "/predict", `{"instances":[`+instance+`]}`)
					if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
						t.Errorf("%s: %d %s", instance, w.Code, w.Body)
						return
					}
				}
			})
		}
	}
	work.Wait()
	if lines := bytes.Count(log.Bytes(), []byte("\n")); lines != 4*each*len(label) {
		t.Errorf("%d log lines", lines)
	}
}

func TestContentEncoding(t *testing.T) {
	r := httptest.NewRequest("POST", "/predict", strings.NewReader("\x1f\x8b"))
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	server(t, "classifier", Options{}).ServeHTTP(w, r)
	if w.Code != http.StatusUnsupportedMediaType || !strings.Contains(w.Body.String(), "without Content-Encoding") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// wide is a model of many features.
type wide int

func (n wide) Info() Info {
	info := Info{Task: Regression, Outputs: 1}
	for _, name := range featureNames(int(n)) {
		info.Features = append(info.Features, Feature{Name: name})
	}
	return info
}

func (wide) Score(row, out []float64) { out[0] = row[0] }

// TestManyProblems sends what no answer can tell in full: to look for a hint for
// each of these names takes many minutes.
func TestManyProblems(t *testing.T) {
	const many = 100_000
	names, tensors := make([]string, many), make([]string, many)
	for i := range many {
		names[i], tensors[i] = fmt.Sprintf(`"k%06d":1`, i), fmt.Sprintf(`{"name":"k%06d"}`, i)
	}
	s, err := NewServer(wide(3000), Options{MaxBody: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{
		"/predict":               `{"instances":[{` + strings.Join(names, ",") + `}]}`,
		"/v2/models/model/infer": `{"inputs":[` + strings.Join(tensors, ",") + `]}`,
	} {
		w := ask(s, "POST", path, body)
		if got := strings.Count(w.Body.String(), "unknown"); w.Code != 400 || got != maxProblems {
			t.Errorf("%s: %d, %d problems, %.300s", path, w.Code, got, w.Body)
		}
	}
}

// TestNotFinite has a model that answers what JSON cannot say.
func TestNotFinite(t *testing.T) {
	const poisson = `{"learner":{"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[
	 {"left_children":[-1],"right_children":[-1],"split_indices":[0],"split_conditions":[1000],"default_left":[0]}]}},
	 "learner_model_param":{"base_score":"1","num_class":"0","num_feature":"1"},"objective":{"name":"count:poisson"}}}`
	p, err := ParseXGBoost([]byte(poisson))
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{
		"/predict":               `{"instances":[[1]]}`,
		"/v2/models/model/infer": `{"inputs":[{"name":"f0","shape":[1],"datatype":"FP32","data":[1]}]}`,
	} {
		if w := ask(s, "POST", path, body); w.Code != 500 || w.Body.String() != `{"error":"the model's answer is not a finite number: it answers +Inf to row 0"}`+"\n" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestLargeAnswers looks at how answers are written: the one to a request of
// 10 MB took more than a gigabyte, and Cloud Run gives 512 MiB.
func TestLargeAnswers(t *testing.T) {
	const rows = 50_000
	s := server(t, "classifier", Options{})
	for path, body := range map[string]string{
		"/predict":               `{"instances":[` + strings.Repeat(`[1,"Y"],`, rows-1) + `[1,"Y"]]}`,
		"/v2/models/model/infer": fmt.Sprintf(`{"inputs":[{"name":"x","shape":[%d,2],"datatype":"FP32","data":[%s1,1]}]}`, rows, strings.Repeat("1,1,", rows-1)),
	} {
		w := &sink{header: http.Header{}}
		s.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
		if w.status != 200 || w.size < rows*40 {
			t.Fatalf("%s: %d, %d bytes", path, w.status, w.size)
		}
		if w.longest > 64<<10 {
			t.Errorf("%s: %d bytes were written at once", path, w.longest)
		}
	}
}

// sink counts an answer.
type sink struct {
	header        http.Header
	status        int
	size, longest int
}

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }
func (s *sink) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.status = 200
	}
	s.size, s.longest = s.size+len(p), max(s.longest, len(p))
	return len(p), nil
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
