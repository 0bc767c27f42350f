package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/step/steptest"
)

// fakeIdentity sends every service to one server.
type fakeIdentity struct{ url string }

func (f fakeIdentity) IDToken(_ context.Context, audience string) (string, error) {
	if audience != f.url {
		return "", errors.New("wrong audience " + audience)
	}
	return "token", nil
}

func (f fakeIdentity) ServiceURL(context.Context, string) (string, error) { return f.url, nil }

// rows hold two classes; the model of testdata knows a, b and c.
const rows = "y,size,island\na,30,X\na,31,X\nb,39.5,Y\nb,39,Y\nc,48,X\nc,36,NA\n"

func call(t *testing.T, champion http.HandlerFunc, params map[string]any) (*steptest.Run, *steptest.Answer) {
	t.Helper()
	model, err := os.ReadFile("../../internal/serving/testdata/classifier.json")
	if err != nil {
		t.Fatal(err)
	}
	r := steptest.New(t)
	r.Put("gs://in/model/model.json", string(model))
	r.Put("gs://in/test", rows)
	e := evaluator{client: http.DefaultClient, identity: fakeIdentity{}}
	if champion != nil {
		server := httptest.NewServer(champion)
		t.Cleanup(server.Close)
		e.identity = fakeIdentity{server.URL}
	}
	schema := map[string]any{"label": "y", "classes": []any{"a", "b", "c"}, "features": []any{
		map[string]any{"name": "size"}, map[string]any{"name": "island", "categories": []any{"X", "Y", "Z"}}}}
	return r, r.Call(steptest.Task{
		Params: params, Handler: e.handler(),
		In: map[string]*executor.Artifact{
			"model": {Name: "model", URI: "gs://in/model"},
			"test":  {Name: "test", URI: "gs://in/test", Metadata: map[string]any{"schema": schema}},
		},
		Out: map[string]string{"metrics": "Metrics", "confusion": "ClassificationMetrics", "report": "Markdown"},
	})
}

// answer makes a champion that gives these labels, in turn.
func answer(t *testing.T, labels ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req struct{ Instances []map[string]any }
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/predict" || r.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("champion was asked %s %s: %v", r.Method, r.URL, err)
		}
		if len(req.Instances) == 6 {
			if diff := cmp.Diff(map[string]any{"size": 36.0, "island": nil}, req.Instances[5]); diff != "" {
				t.Error(diff)
			}
		}
		var predictions []map[string]any
		for _, l := range labels {
			predictions = append(predictions, map[string]any{"label": l})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"predictions": predictions})
	}
}

func TestWithoutChampion(t *testing.T) {
	r, a := call(t, nil, map[string]any{"min_accuracy": 0.5})
	// By hand: all right but the small c, which the model takes for a.
	want := map[string]any{"accuracy": 5.0 / 6, "champion_accuracy": -1.0, "passed": true}
	if diff := cmp.Diff(want, a.ParameterValues); diff != "" || a.Code != 200 {
		t.Fatalf("%d %s %s", a.Code, a.Body, diff)
	}
	if got := a.Artifact("metrics").Metadata; got["accuracy"] != 5.0/6 || got["test_rows"] != 6.0 {
		t.Errorf("metrics %v", got)
	}
	confusion, _ := json.Marshal(a.Artifact("confusion").Metadata["confusionMatrix"])
	if want := `{"annotationSpecs":[{"displayName":"a"},{"displayName":"b"},{"displayName":"c"}],"rows":[{"row":[2,0,0]},{"row":[0,2,0]},{"row":[1,0,1]}]}`; string(confusion) != want {
		t.Errorf("confusion %s", confusion)
	}
	report := r.Get("gs://b/report")
	for _, want := range []string{"# Evaluation: passed", "| candidate | 0.8333 | 5 | 6 |", "| c | 1.0000 | 0.5000 | 2 |", "| c | 1 | 0 | 1 |", "No champion: no champion was named."} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}

func TestChampion(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "text", code) }
	}
	for name, tt := range map[string]struct {
		champion http.HandlerFunc
		code     int
		accuracy float64
		passed   bool
		want     string // in the report, or in the error
	}{
		"better":         {answer(t, "a", "a", "b", "b", "c", "c"), 200, 1, false, "| champion | 1.0000 | 6 | 6 |"},
		"as good":        {answer(t, "b", "a", "b", "b", "c", "c"), 200, 5.0 / 6, true, "# Evaluation: passed"},
		"worse":          {answer(t, "b", "b", "a", "a", "c", "c"), 200, 2.0 / 6, true, "| champion | 0.3333 | 2 | 6 |"},
		"not there":      {status(404), 200, -1, true, "service penguins does not exist yet"},
		"other features": {status(400), 200, -1, true, "not comparable: the champion refused the rows: text"},
		"other classes":  {answer(t, "x", "x", "x", "x", "x", "x"), 200, -1, true, `it predicts class "x"`},
		"too few":        {answer(t, "a"), 200, -1, true, "1 predictions for 6 instances"},
		"denied":         {status(403), 403, 0, false, "grant roles/run.invoker"},
		"broken":         {status(500), 503, 0, false, "champion penguins answered 500"},
	} {
		t.Run(name, func(t *testing.T) {
			r, a := call(t, tt.champion, map[string]any{"champion": "penguins", "min_accuracy": 0.8})
			if a.Code != tt.code {
				t.Fatalf("%d %s", a.Code, a.Body)
			}
			text := a.Error.Message
			if a.Code == 200 {
				text = r.Get("gs://b/report")
				if a.ParameterValues["champion_accuracy"] != tt.accuracy || a.ParameterValues["passed"] != tt.passed {
					t.Errorf("%v, want %v %v", a.ParameterValues, tt.accuracy, tt.passed)
				}
			}
			if !strings.Contains(text, tt.want) {
				t.Errorf("%q lacks %q", text, tt.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	if _, a := call(t, nil, map[string]any{"champion": "../x"}); a.Code != 400 || !strings.Contains(a.Error.Message, "is not the name of a Cloud Run service") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	r, _ := call(t, nil, nil)
	r.Put("gs://in/model/model.json", `{"learner":{}}`)
	e := evaluator{}
	a := r.Call(steptest.Task{Handler: e.handler(), In: map[string]*executor.Artifact{
		"model": {URI: "gs://in/model"},
		"test": {URI: "gs://in/test", Metadata: map[string]any{"schema": map[string]any{"label": "y", "classes": []any{"a", "b", "c"},
			"features": []any{map[string]any{"name": "size"}}}}},
	}})
	if a.Code != 422 || !strings.Contains(a.Error.Message, "is this a model file of XGBoost?") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}
