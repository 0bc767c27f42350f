package split

import (
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/step/steptest"
)

const csv = "y,x\na,1\na,2\na,3\na,4\nb,5\nb,6\nb,7\nb,8\n"

func schema() map[string]any {
	return map[string]any{"schema": map[string]any{"label": "y", "classes": []any{"a", "b"}, "features": []any{map[string]any{"name": "x"}}}}
}

func TestSplit(t *testing.T) {
	call := func(text string, params, metadata map[string]any) (*steptest.Run, *steptest.Answer) {
		r := steptest.New(t)
		r.Put("gs://in/clean", text)
		return r, r.Call(steptest.Task{
			Params: params, In: map[string]*executor.Artifact{"data": {Name: "clean", URI: "gs://in/clean", Metadata: metadata}},
			Out: map[string]string{"train": "Dataset", "test": "Dataset"}, Handler: handler(),
		})
	}
	r, a := call(csv, nil, schema())
	if a.Code != 200 || a.ParameterValues["train_rows"] != 6.0 || a.ParameterValues["test_rows"] != 2.0 {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	test := r.Get("gs://b/test")
	if strings.Count(test, "a,") != 1 || strings.Count(test, "b,") != 1 {
		t.Errorf("test rows are not stratified: %q", test)
	}
	for _, line := range strings.Split(strings.TrimSpace(csv), "\n")[1:] {
		inTrain, inTest := strings.Contains(r.Get("gs://b/train"), line+"\n"), strings.Contains(test, line+"\n")
		if inTrain == inTest {
			t.Errorf("row %s: in train %v, in test %v", line, inTrain, inTest)
		}
	}
	if a.Artifact("test").Metadata["schema"] == nil {
		t.Error("the schema is lost")
	}
	if r2, _ := call(csv, map[string]any{"seed": 42.0, "test_share": 0.25}, schema()); r2.Get("gs://b/test") != test {
		t.Error("the default split is another one than that of seed 42")
	}
	for _, tt := range []struct {
		csv      string
		params   map[string]any
		metadata map[string]any
		code     int
		want     string
	}{
		{csv, map[string]any{"test_share": 1}, schema(), 422, "test_share is 1, want a number between 0 and 1"},
		{csv, map[string]any{"seed": "x"}, schema(), 400, "parameter seed"},
		{csv, nil, nil, 422, "artifact data (gs://in/clean): the dataset's metadata has no schema"},
		{"y,x\na,1\nb,2\n", nil, schema(), 422, "class a has 1 rows"},
		{"y,x\na,1\nb,two\n", nil, schema(), 422, `line 3, x: "two" is not a number`},
		{"y,x\n", nil, schema(), 422, "has no rows"},
	} {
		if _, a := call(tt.csv, tt.params, tt.metadata); a.Code != tt.code || !strings.Contains(a.Error.Message, tt.want) {
			t.Errorf("%d %s, want %d %q", a.Code, a.Body, tt.code, tt.want)
		}
	}
}
