package serving

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func model(t testing.TB, name string) Predictor {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseXGBoost(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestScore has the predictions of XGBoost 3.2, which trained both models.
func TestScore(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		model string
		row   []float64
		want  []float64
	}{
		{"classifier", []float64{39.5, 1}, []float64{0.1769210547208786, 0.6848097443580627, 0.13826918601989746}},
		{"classifier", []float64{45, nan}, []float64{0.19369257986545563, 0.24958327412605286, 0.5567241907119751}},
		{"classifier", []float64{nan, nan}, []float64{0.6072565913200378, 0.2471913993358612, 0.14555200934410095}},
		{"regressor", []float64{39.5, 1}, []float64{0.9621962308883667}},
		{"regressor", []float64{45, nan}, []float64{1.4661341905593872}},
		{"regressor", []float64{nan, nan}, []float64{0.45652467012405396}},
	} {
		p := model(t, tt.model)
		out := make([]float64, p.Info().Outputs)
		p.Score(tt.row, out)
		if diff := cmp.Diff(tt.want, out); diff != "" {
			t.Errorf("%s %v: %s", tt.model, tt.row, diff)
		}
	}
}

func TestInfo(t *testing.T) {
	want := Info{
		Platform: "xgboost_json", Task: Multiclass, Outputs: 3, Classes: []string{"a", "b", "c"},
		Features: []Feature{{Name: "size"}, {Name: "island", Categories: []string{"X", "Y", "Z"}}},
	}
	if diff := cmp.Diff(want, model(t, "classifier").Info()); diff != "" {
		t.Error(diff)
	}
	want = Info{Platform: "xgboost_json", Task: Regression, Outputs: 1, Features: []Feature{{Name: "f0"}, {Name: "f1"}}}
	if diff := cmp.Diff(want, model(t, "regressor").Info()); diff != "" {
		t.Error(diff)
	}
}

// TestHostileModels changes one thing of a good model.
func TestHostileModels(t *testing.T) {
	data, err := os.ReadFile("testdata/classifier.json")
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	learner := func(m object) object { return m["learner"].(object) }
	gbtree := func(m object) object { return learner(m)["gradient_booster"].(object)["model"].(object) }
	tree := func(m object) object { return gbtree(m)["trees"].([]any)[0].(object) }
	param := func(m object) object { return learner(m)["learner_model_param"].(object) }
	attr := func(m object) object { return learner(m)["attributes"].(object) }
	for name, tt := range map[string]struct {
		change func(object)
		want   string
	}{
		"other booster":       {func(m object) { learner(m)["gradient_booster"].(object)["name"] = "gblinear" }, `booster "gblinear" is not supported`},
		"no booster":          {func(m object) { delete(learner(m), "gradient_booster") }, "is this a model file of XGBoost?"},
		"unknown objective":   {func(m object) { learner(m)["objective"].(object)["name"] = "survival:aft" }, `objective "survival:aft" is not supported; known: binary:logistic`},
		"objective and count": {func(m object) { learner(m)["objective"].(object)["name"] = "binary:logistic" }, "does not go with num_class 3"},
		"huge num_feature":    {func(m object) { param(m)["num_feature"] = "2000000000" }, "num_feature is"},
		"huge num_class":      {func(m object) { param(m)["num_class"] = "2000000000" }, "num_class is"},
		"negative":            {func(m object) { param(m)["num_class"] = "-3" }, "num_class is"},
		"many targets":        {func(m object) { param(m)["num_target"] = "2" }, "models of 2 targets are not supported"},
		"best iteration":      {func(m object) { attr(m)["scikit_learn"], attr(m)["best_iteration"] = "{}", "2" }, `best_iteration is "2", the model has 2 iterations`},
		"best iteration text": {func(m object) { attr(m)["scikit_learn"], attr(m)["best_iteration"] = "{}", "-1" }, `best_iteration is "-1"`},
		"parallel trees": {func(m object) {
			attr(m)["scikit_learn"], attr(m)["best_iteration"] = "{}", "0"
			gbtree(m)["gbtree_model_param"] = object{"num_parallel_tree": "99999999999"}
		}, "num_parallel_tree is"},
		"base_score text":     {func(m object) { param(m)["base_score"] = "half" }, "is not a number"},
		"base_score length":   {func(m object) { param(m)["base_score"] = "[1,2]" }, "has 2 values for 3 outputs"},
		"base_score infinite": {func(m object) { param(m)["base_score"] = "Inf" }, "is not a number"},
		"names":               {func(m object) { learner(m)["feature_names"] = []any{"a"} }, "1 feature_names for num_feature 2"},
		"same names":          {func(m object) { learner(m)["feature_names"] = []any{"a", "a"} }, "is there twice"},
		"classes":             {func(m object) { attr(m)[ClassesAttribute] = `["a"]` }, "has 1 names, the model has 3 classes"},
		"classes text":        {func(m object) { attr(m)[ClassesAttribute] = `a` }, "attribute kakehi.classes"},
		"categories":          {func(m object) { attr(m)[CategoriesAttribute] = `{"colour":["x"]}` }, `names "colour", which is no feature`},
		"tree_info":           {func(m object) { gbtree(m)["tree_info"] = []any{} }, "0 entries of tree_info for 6 trees"},
		"group":               {func(m object) { gbtree(m)["tree_info"].([]any)[0] = 3 }, "tree 0 belongs to output 3 of 3"},
		"cycle":               {func(m object) { tree(m)["left_children"].([]any)[1] = 0 }, "node 0 is out of range or has two parents"},
		"two parents":         {func(m object) { tree(m)["left_children"].([]any)[0] = 2 }, "has two parents"},
		"child out of range":  {func(m object) { tree(m)["right_children"].([]any)[0] = 99 }, "node 99 is out of range"},
		"negative child":      {func(m object) { tree(m)["right_children"].([]any)[0] = -5 }, "node -5 is out of range"},
		"feature":             {func(m object) { tree(m)["split_indices"].([]any)[0] = 2 }, "splits on feature 2 of 2"},
		"short array":         {func(m object) { tree(m)["split_conditions"] = []any{1} }, "split_conditions has 1 entries"},
		"no nodes":            {func(m object) { tree(m)["left_children"] = []any{} }, "has no nodes"},
		"vector leaves":       {func(m object) { tree(m)["tree_param"].(object)["size_leaf_vector"] = "3" }, "multi-output trees"},
		"categorical":         {func(m object) { tree(m)["split_type"].([]any)[0] = 1 }, "categorical split without categories"},
		"category segments": {func(m object) {
			tree(m)["categories_nodes"], tree(m)["categories_segments"], tree(m)["categories_sizes"] = []any{0}, []any{0}, []any{9}
		}, "categories of node 0 are out of range"},
		"float in a list of ints": {func(m object) { tree(m)["left_children"].([]any)[0] = 1.5 }, "not an XGBoost JSON model"},
		"overflow":                {func(m object) { tree(m)["split_conditions"].([]any)[0] = 1e300 }, "not an XGBoost JSON model"},
	} {
		t.Run(name, func(t *testing.T) {
			var m object
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			tt.change(m)
			text, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseXGBoost(text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	for i := 0; i < len(data); i += 97 {
		if _, err := ParseXGBoost(data[:i]); err == nil {
			t.Errorf("the first %d bytes are a model", i)
		}
	}
}

// TestOtherFormats has the first bytes of what people take for a JSON model.
func TestOtherFormats(t *testing.T) {
	for data, want := range map[string]string{
		"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{": "it is a model in XGBoost's UBJSON format, which is not supported; save the model in XGBoost's JSON format",
		"binf\x00\x00\x00?":                          "old binary format",
		"\x80\x04\x95":                               "a Python pickle",
		"tree\nversion=v4\n":                         "a LightGBM model",
		"species,island\n":                           "not an XGBoost JSON model: invalid character 's'",
	} {
		if _, err := ParseXGBoost([]byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", data, err, want)
		}
	}
}

// TestEarlyStopping has two iterations of three trees: which ones count depends
// on the interface that saved the model.
func TestEarlyStopping(t *testing.T) {
	data, err := os.ReadFile("testdata/classifier.json")
	if err != nil {
		t.Fatal(err)
	}
	for attributes, want := range map[string]int{
		`"best_iteration":"0",`:                     6,
		`"scikit_learn":"{}",`:                      6,
		`"best_iteration":"0","scikit_learn":"{}",`: 3,
		`"best_iteration":"1","scikit_learn":"{}",`: 6,
	} {
		p, err := ParseXGBoost([]byte(strings.Replace(string(data), `"attributes":{`, `"attributes":{`+attributes, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(p.(*forest).roots); got != want {
			t.Errorf("%s: %d trees, want %d", attributes, got, want)
		}
	}
}

func TestNaNCondition(t *testing.T) {
	const text = `{"learner":{"attributes":{"note":"NaN \" NaN"},"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[
	 {"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[0,0,0],"split_conditions":[NaN,1,2],"default_left":[true,false,false],
	  "split_type":[TYPE,0,0],"categories":[1,3],"categories_nodes":[0],"categories_segments":[0],"categories_sizes":[2]}]}},
	 "learner_model_param":{"base_score":"0","num_class":"0","num_feature":"1"},"objective":{"name":"reg:squarederror"}}}`
	p, err := ParseXGBoost([]byte(strings.Replace(text, "TYPE", "1", 1)))
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[float64]float64{0: 1, 1: 2, 2: 1, 3: 2, 4: 1, -1: 1, 1 << 24: 1, 1e30: 1} {
		out := []float64{0}
		if p.Score([]float64{v}, out); out[0] != want {
			t.Errorf("category %v: %v, want %v", v, out[0], want)
		}
	}
	out := []float64{0}
	if p.Score([]float64{math.NaN()}, out); out[0] != 1 {
		t.Errorf("missing: %v, want 1 (default_left)", out[0])
	}
	if _, err := ParseXGBoost([]byte(strings.Replace(text, "TYPE", "0", 1))); err == nil || !strings.Contains(err.Error(), "its condition is not a number") {
		t.Errorf("error %v", err)
	}
}

func FuzzParseXGBoost(f *testing.F) {
	for _, name := range []string{"classifier", "regressor"} {
		data, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"learner":{"gradient_booster":{"name":"gbtree","model":{"trees":[{"left_children":[0],"right_children":[0],"split_indices":[0],"split_conditions":[NaN],"default_left":[1]}],"tree_info":[0]}},"learner_model_param":{"base_score":"[1E0]","num_class":"0","num_feature":"1"},"objective":{"name":"reg:squarederror"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseXGBoost(data)
		if err != nil {
			return
		}
		info := p.Info()
		row, out := make([]float64, len(info.Features)), make([]float64, info.Outputs)
		p.Score(row, out)
		row[0] = math.NaN()
		p.Score(row, out)
	})
}

func BenchmarkScore(b *testing.B) {
	p := model(b, "classifier")
	row, out := []float64{39.5, 1}, make([]float64, 3)
	for b.Loop() {
		p.Score(row, out)
	}
}
