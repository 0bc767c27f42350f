package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/dataset"
	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/serving"
)

// penguins are the real measurements, split as the pipeline does.
func penguins(t *testing.T) (train, test *dataset.Table) {
	t.Helper()
	schema := &dataset.Schema{
		Label: "species", Classes: []string{"Adelie", "Chinstrap", "Gentoo"},
		Features: []dataset.Feature{
			{Name: "bill_length_mm"}, {Name: "bill_depth_mm"}, {Name: "flipper_length_mm"}, {Name: "body_mass_g"},
			{Name: "island", Categories: []string{"Biscoe", "Dream", "Torgersen"}},
			{Name: "sex", Categories: []string{"female", "male"}},
		},
	}
	f, err := os.Open("../penguins.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, problems, err := dataset.Read(f, schema)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != 342 || len(problems) != 2 {
		t.Fatalf("%d rows and problems %v, want 342 and the 2 rows without measurements", len(table.Rows), problems)
	}
	train, test, err = table.Split(0.25, 42)
	if err != nil {
		t.Fatal(err)
	}
	return train, test
}

// job is the training job in a folder of its own.
type job struct {
	files executor.Files
	input map[string]any
}

const folder = "gs://b/penguins/x/train/"

func newJob(t *testing.T, table *dataset.Table, params map[string]any) *job {
	t.Helper()
	j := &job{files: executor.Files{Root: t.TempDir()}}
	if err := j.files.Create(&executor.Artifact{URI: "gs://b/train.csv"}, table.Write); err != nil {
		t.Fatal(err)
	}
	schema, err := table.Schema.ToMetadata()
	if err != nil {
		t.Fatal(err)
	}
	artifact := func(uri string, metadata map[string]any) any {
		return map[string]any{"artifacts": []any{map[string]any{"uri": uri, "metadata": metadata}}}
	}
	j.input = map[string]any{
		"inputs": map[string]any{
			"parameterValues": params,
			"artifacts":       map[string]any{"train": artifact("gs://b/train.csv", map[string]any{"schema": schema})},
		},
		"outputs": map[string]any{
			"artifacts":  map[string]any{"model": artifact(folder+"model", nil), "metrics": artifact(folder+"metrics", nil), "golden": artifact(folder+"golden", nil)},
			"outputFile": "/gcs/b/penguins/x/train/executor_output.json",
		},
	}
	return j
}

func (j *job) run(t *testing.T) (log string, err error) {
	t.Helper()
	body, err := json.Marshal(j.input)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = run([]string{"--executor_input=" + string(body)}, j.files, &out)
	return out.String(), err
}

func (j *job) read(t *testing.T, uri string) []byte {
	t.Helper()
	name, err := j.files.Path(uri)
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestTrain runs the job on the real measurements and measures the model on
// the rows held back.
func TestTrain(t *testing.T) {
	train, test := penguins(t)
	j := newJob(t, train, map[string]any{"l2": 0.01, "seed": 42})
	log, err := j.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "round 40 of 40") {
		t.Errorf("log: %s", log)
	}
	var out executor.Output
	if err := json.Unmarshal(j.read(t, folder+"executor_output.json"), &out); err != nil {
		t.Fatal(err)
	}
	metrics := out.Artifacts["metrics"].Artifacts[0].Metadata
	if metrics["train_rows"] != float64(len(train.Rows)) || metrics["train_accuracy"].(float64) < 0.98 {
		t.Errorf("metrics %v", metrics)
	}
	model, err := serving.ParseXGBoost(j.read(t, folder+"model/model.json"))
	if err != nil {
		t.Fatal(err)
	}
	scores := executor.NewClassification(test.Schema.Classes)
	p := make([]float64, 3)
	for _, row := range test.Rows {
		model.Score(row.X, p)
		best := 0
		for i := range p {
			if p[i] > p[best] {
				best = i
			}
		}
		scores.Add(row.Label, best)
	}
	t.Logf("held-out accuracy %s, confusion %v", scores, scores.Confusion)
	if scores.Accuracy() < 0.95 {
		t.Errorf("held-out accuracy %s, want 0.95 or more: %v", scores, scores.Confusion)
	}
}

// TestGolden compares the trainer's own predictions with those of the model
// server that loads the file it wrote: equal to the last bit.
func TestGolden(t *testing.T) {
	train, _ := penguins(t)
	j := newJob(t, train, nil)
	if _, err := j.run(t); err != nil {
		t.Fatal(err)
	}
	model, err := serving.ParseXGBoost(j.read(t, folder+"model/model.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden, err := serving.ReadGolden(bytes.NewReader(j.read(t, folder+"golden")))
	if err != nil {
		t.Fatal(err)
	}
	if len(golden) < len(train.Rows)+50 {
		t.Errorf("only %d golden rows", len(golden))
	}
	for i, g := range golden {
		got, err := serving.Predict(t.Context(), model, json.RawMessage("["+string(g.Instance)+"]"))
		if err != nil {
			t.Fatalf("row %d %s: %v", i, g.Instance, err)
		}
		answer, err := json.Marshal(got[0])
		if err != nil {
			t.Fatal(err)
		}
		if d, err := serving.Difference(g.Prediction, answer); err != nil || d != 0 {
			t.Fatalf("row %d %s: %s, want %s (%v, %v)", i, g.Instance, answer, g.Prediction, d, err)
		}
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	train, _ := penguins(t)
	models := map[int64][]byte{}
	for _, seed := range []int64{1, 2} {
		for range 2 {
			j := newJob(t, train, map[string]any{"seed": seed, "rounds": 5})
			if _, err := j.run(t); err != nil {
				t.Fatal(err)
			}
			body := j.read(t, folder+"model/model.json")
			if before, ok := models[seed]; ok && !bytes.Equal(before, body) {
				t.Errorf("seed %d gave two models", seed)
			}
			models[seed] = body
		}
	}
	if bytes.Equal(models[1], models[2]) {
		t.Error("two seeds gave one model")
	}
}

func TestErrors(t *testing.T) {
	train, _ := penguins(t)
	for name, tt := range map[string]struct {
		params map[string]any
		change func(*job)
		want   string
	}{
		"rounds":        {params: map[string]any{"rounds": 0}, want: "rounds is 0, want 1 to 5000"},
		"type":          {params: map[string]any{"depth": "deep"}, want: `parameter depth: want int, got "deep"`},
		"misspelt":      {params: map[string]any{"round": 3}, want: `unknown parameter "round"; did you mean "rounds"?`},
		"no data":       {change: func(j *job) { _ = os.RemoveAll(j.files.Root) }, want: "artifact (gs://b/train.csv): no such file"},
		"not the table": {change: func(j *job) { writeTrain(j, "a,b\n1,2\n") }, want: `the header has no column "species"`},
		"garbage":       {change: func(j *job) { writeTrain(j, "\x00\xff") }, want: "the header has no column"},
		"bad row":       {change: func(j *job) { writeTrain(j, header+"Adelie,long,1,1,1,Biscoe,male\n") }, want: `line 2, bill_length_mm: "long" is not a number`},
		"no rows":       {change: func(j *job) { writeTrain(j, header) }, want: "has no rows"},
		"no schema": {change: func(j *job) {
			j.input["inputs"].(map[string]any)["artifacts"] = map[string]any{"train": map[string]any{"artifacts": []any{map[string]any{"uri": "gs://b/train.csv"}}}}
		}, want: "metadata has no schema"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, train, tt.params)
			if tt.change != nil {
				tt.change(j)
			}
			_, err := j.run(t)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to say %q", err, tt.want)
			}
			if _, err := os.Stat(filepath.Join(j.files.Root, "b/penguins/x/train/executor_output.json")); err == nil {
				t.Error("a failed job left an executor_output.json")
			}
		})
	}
}

const header = "species,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,island,sex\n"

func writeTrain(j *job, text string) {
	_ = os.WriteFile(filepath.Join(j.files.Root, "b/train.csv"), []byte(text), 0o644)
}

// TestXGBoostLoads gives the model to the real XGBoost, which must predict the
// same for every golden row.
func TestXGBoostLoads(t *testing.T) {
	python := os.Getenv("KAKEHI_PYTHON")
	if python == "" {
		t.Skip("set KAKEHI_PYTHON to a Python that has xgboost and numpy to compare with the real XGBoost")
	}
	if out, err := exec.Command(python, "-c", "import xgboost, numpy").CombinedOutput(); err != nil {
		t.Skipf("KAKEHI_PYTHON=%s has no xgboost and numpy: %v\n%s", python, err, out)
	}
	train, _ := penguins(t)
	j := newJob(t, train, nil)
	if _, err := j.run(t); err != nil {
		t.Fatal(err)
	}
	name, err := j.files.Path(folder)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", predictGolden, name)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	if strings.Contains(strings.ToLower(stderr.String()), "warning") {
		t.Errorf("XGBoost warns: %s", stderr.Bytes())
	}
	var got struct {
		Version       string
		Rounds        int
		Probabilities [][]float64
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	golden, err := serving.ReadGolden(bytes.NewReader(j.read(t, folder+"golden")))
	if err != nil {
		t.Fatal(err)
	}
	if got.Rounds != 40 || len(got.Probabilities) != len(golden) {
		t.Fatalf("XGBoost %s sees %d rounds, and predicts %d of %d rows", got.Version, got.Rounds, len(got.Probabilities), len(golden))
	}
	most := 0.0
	for i, g := range golden {
		var want goldenPrediction
		if err := json.Unmarshal(g.Prediction, &want); err != nil {
			t.Fatal(err)
		}
		for c, class := range train.Schema.Classes {
			most = math.Max(most, math.Abs(got.Probabilities[i][c]-want.Probabilities[class]))
		}
	}
	t.Logf("XGBoost %s: %d rows, greatest difference %g", got.Version, len(golden), most)
	if most > 1e-7 {
		t.Errorf("probabilities differ by up to %g", most)
	}
}

// predictGolden prints XGBoost's probabilities of the golden rows.
const predictGolden = `
import json, sys
import numpy as np
import xgboost as xgb
folder = sys.argv[1]
booster = xgb.Booster(model_file=folder + "/model/model.json")
categories = json.loads(booster.attr("kakehi.categories"))
def code(name, v):
    if v is None:
        return np.nan
    return categories[name].index(v) if name in categories else v
rows = [json.loads(line)["instance"] for line in open(folder + "/golden")]
x = np.array([[code(n, r[n]) for n in booster.feature_names] for r in rows], dtype=np.float64)
p = booster.predict(xgb.DMatrix(x, feature_names=booster.feature_names))
print(json.dumps({"version": xgb.__version__, "rounds": booster.num_boosted_rounds(), "probabilities": p.astype(np.float64).tolist()}))
`

// TestMissingSide learns which way a missing value goes.
func TestMissingSide(t *testing.T) {
	schema := &dataset.Schema{Label: "y", Classes: []string{"a", "b"}, Features: []dataset.Feature{{Name: "x"}, {Name: "z"}}}
	for _, like := range []string{"low", "high"} {
		var csv strings.Builder
		csv.WriteString("y,x,z\n")
		label := map[string]string{"low": "a", "high": "b"}[like]
		for range 20 {
			csv.WriteString("a,1,0\nb,2,0\n" + label + ",,0\n")
		}
		table, _, err := dataset.Read(strings.NewReader(csv.String()), schema)
		if err != nil {
			t.Fatal(err)
		}
		m := newBooster(table, params{L2: 1, Rounds: 10, Depth: 2, LearningRate: 0.5}).train(func(int, float64) {})
		got := m.predict([]float64{math.NaN(), 0})
		if diff := cmp.Diff(label, got.Label); diff != "" || got.Probabilities[label] < 0.9 {
			t.Errorf("missing like %s: %+v", like, got)
		}
	}
}
