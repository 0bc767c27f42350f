package serving

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Attributes that the trainer leaves in a model (Booster.set_attr), each a
// JSON text: the class names in the order of the outputs, and the values of
// each categorical feature in the order of their codes.
const (
	ClassesAttribute    = "kakehi.classes"
	CategoriesAttribute = "kakehi.categories"
)

// Bounds on what a model file may make the server allocate.
const (
	maxFeatures = 1 << 16
	maxClasses  = 1 << 12
	maxParallel = 1 << 16
)

// xgbModel is XGBoost's JSON model, as far as it matters to scoring. Its
// schema is doc/model.schema in the XGBoost sources; numbers of the parameter
// blocks are strings.
type xgbModel struct {
	Learner struct {
		Attributes      map[string]string `json:"attributes"`
		FeatureNames    []string          `json:"feature_names"`
		GradientBooster struct {
			Name  string `json:"name"`
			Model struct {
				Trees    []xgbTree `json:"trees"`
				TreeInfo []int     `json:"tree_info"`
				Param    struct {
					ParallelTrees string `json:"num_parallel_tree"`
				} `json:"gbtree_model_param"`
			} `json:"model"`
		} `json:"gradient_booster"`
		ModelParam struct {
			BaseScore  string `json:"base_score"`
			NumClass   string `json:"num_class"`
			NumFeature string `json:"num_feature"`
			NumTarget  string `json:"num_target"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
	} `json:"learner"`
	Version []int `json:"version"`
}

type xgbTree struct {
	LeftChildren       []int32   `json:"left_children"`
	RightChildren      []int32   `json:"right_children"`
	SplitIndices       []int32   `json:"split_indices"`
	SplitConditions    []float32 `json:"split_conditions"` // of a leaf: its value
	DefaultLeft        []flag    `json:"default_left"`
	SplitType          []int32   `json:"split_type"` // 1: categorical
	Categories         []int32   `json:"categories"`
	CategoriesNodes    []int32   `json:"categories_nodes"`
	CategoriesSegments []int32   `json:"categories_segments"`
	CategoriesSizes    []int32   `json:"categories_sizes"`
	Param              struct {
		LeafSize string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// flag is a boolean that older versions of XGBoost wrote as true and false,
// newer ones as 1 and 0.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "1", "true":
		*f = true
	case "0", "false":
		*f = false
	default:
		return fmt.Errorf("want 0, 1, true or false, got %s", text)
	}
	return nil
}

// objective says how margins become predictions, and how base_score, which is
// stored as a prediction, becomes a margin.
type objective struct {
	task       Task
	classIndex bool
	link       func(float32) float32 // base_score to margin; nil: the same
	output     func([]float32)       // margins to predictions in place; nil: the same
}

var objectives = map[string]objective{
	"binary:logistic":      {task: Binary, link: logit, output: sigmoids},
	"binary:logitraw":      {task: Regression}, // its base_score is a margin already
	"count:poisson":        {task: Regression, link: logf, output: exps},
	"multi:softmax":        {task: Multiclass, classIndex: true, output: softmax},
	"multi:softprob":       {task: Multiclass, output: softmax},
	"reg:absoluteerror":    {task: Regression},
	"reg:gamma":            {task: Regression, link: logf, output: exps},
	"reg:logistic":         {task: Regression, link: logit, output: sigmoids},
	"reg:squarederror":     {task: Regression},
	"reg:squaredlogerror":  {task: Regression},
	"reg:pseudohubererror": {task: Regression},
	"reg:tweedie":          {task: Regression, link: logf, output: exps},
}

// ParseXGBoost reads a model in XGBoost's JSON format (save_model to a name that
// ends in .json), with gbtree boosters. The predictor agrees with the interface
// of XGBoost that saved the model, float32 operations and missing values
// included: Booster.predict uses all trees, the scikit-learn interface those up
// to the best iteration, if training stopped early.
func ParseXGBoost(data []byte) (Predictor, error) {
	var m xgbModel
	if err := json.Unmarshal(withoutNaN(data), &m); err != nil {
		if format := otherFormat(data); format != "" {
			return nil, fmt.Errorf("it is %s, which is not supported; save the model in XGBoost's JSON format: save_model to a name that ends in .json", format)
		}
		return nil, fmt.Errorf("not an XGBoost JSON model: %w", err)
	}
	f, err := m.forest()
	if err != nil {
		return nil, fmt.Errorf("XGBoost JSON model: %w", err)
	}
	return f, nil
}

// otherFormat names the format of a file that is no JSON, "" if it is unknown.
func otherFormat(data []byte) string {
	for _, f := range []struct{ prefix, name string }{
		{"{L", "a model in XGBoost's UBJSON format"}, // an object whose first key has a 64-bit length
		{"binf", "a model in XGBoost's old binary format"},
		{"bs64", "a model in XGBoost's old binary format"},
		{"\x80", "a Python pickle"},
		{"tree\n", "a LightGBM model"},
	} {
		if bytes.HasPrefix(data, []byte(f.prefix)) {
			return f.name
		}
	}
	return ""
}

// noCondition stands for NaN, which is no JSON: XGBoost before version 3 writes
// it as the condition of categorical splits, which do not use it. Anywhere else
// it is refused.
const noCondition = math.MaxFloat32

func withoutNaN(data []byte) []byte {
	if !bytes.Contains(data, []byte("NaN")) {
		return data
	}
	out := make([]byte, 0, len(data)+len(data)/8)
	inText := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inText && c == '\\' && i+1 < len(data):
			out = append(out, c, data[i+1])
			i++
		case !inText && c == 'N' && bytes.HasPrefix(data[i:], []byte("NaN")):
			out = strconv.AppendFloat(out, noCondition, 'E', -1, 32)
			i += len("NaN") - 1
		default:
			inText = inText != (c == '"')
			out = append(out, c)
		}
	}
	return out
}

func (m *xgbModel) forest() (*forest, error) {
	l := &m.Learner
	if l.GradientBooster.Name == "" {
		return nil, errors.New("learner.gradient_booster.name is missing: is this a model file of XGBoost?")
	}
	if l.GradientBooster.Name != "gbtree" {
		return nil, fmt.Errorf("booster %q is not supported; train with booster=gbtree", l.GradientBooster.Name)
	}
	obj, ok := objectives[l.Objective.Name]
	if !ok {
		return nil, fmt.Errorf("objective %q is not supported; known: %s", l.Objective.Name, strings.Join(sortedKeys(objectives), ", "))
	}
	features, err1 := count("num_feature", l.ModelParam.NumFeature, 1, maxFeatures)
	classes, err2 := count("num_class", l.ModelParam.NumClass, 0, maxClasses)
	targets, err3 := count("num_target", orOne(l.ModelParam.NumTarget), 0, maxClasses)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if targets > 1 {
		return nil, fmt.Errorf("models of %d targets are not supported; train one model for each target", targets)
	}
	groups := max(1, classes)
	if (obj.task == Multiclass) != (classes > 1) {
		return nil, fmt.Errorf("objective %s does not go with num_class %d", l.Objective.Name, classes)
	}
	f := &forest{output: obj.output, info: Info{
		Platform: "xgboost_json", Task: obj.task, ClassIndex: obj.classIndex, Outputs: groups,
	}}
	if f.base, err1 = baseMargins(l.ModelParam.BaseScore, groups, obj); err1 != nil {
		return nil, err1
	}
	if err := m.describe(&f.info, features); err != nil {
		return nil, err
	}
	if err := m.stopEarly(groups); err != nil {
		return nil, err
	}
	return f, m.grow(f, features, groups)
}

// stopEarly drops the trees that XGBoost's scikit-learn interface does not use:
// those after the best iteration. It leaves an attribute of its own in a model.
func (m *xgbModel) stopEarly(groups int) error {
	best, stopped := m.Learner.Attributes["best_iteration"]
	if _, sklearn := m.Learner.Attributes["scikit_learn"]; !sklearn || !stopped {
		return nil
	}
	model := &m.Learner.GradientBooster.Model
	parallel, err := count("num_parallel_tree", orOne(model.Param.ParallelTrees), 0, maxParallel)
	if err != nil {
		return err
	}
	iteration, err := strconv.Atoi(best)
	perIteration := groups * max(1, parallel)
	if err != nil || iteration < 0 || iteration >= len(model.Trees)/perIteration {
		return fmt.Errorf("attribute best_iteration is %q, the model has %d iterations", best, len(model.Trees)/perIteration)
	}
	used := (iteration + 1) * perIteration
	model.Trees, model.TreeInfo = model.Trees[:used], model.TreeInfo[:min(used, len(model.TreeInfo))]
	return nil
}

// describe fills the names of features, categories and classes.
func (m *xgbModel) describe(info *Info, features int) error {
	names := m.Learner.FeatureNames
	if len(names) == 0 {
		names = featureNames(features)
	}
	if len(names) != features {
		return fmt.Errorf("%d feature_names for num_feature %d", len(names), features)
	}
	info.Features = make([]Feature, features)
	index := make(map[string]int, features)
	for i, name := range names {
		if _, twice := index[name]; twice {
			return fmt.Errorf("feature name %q is there twice", name)
		}
		info.Features[i].Name, index[name] = name, i
	}
	if text, ok := m.Learner.Attributes[CategoriesAttribute]; ok {
		var categories map[string][]string
		if err := json.Unmarshal([]byte(text), &categories); err != nil {
			return fmt.Errorf("attribute %s: %w", CategoriesAttribute, err)
		}
		for _, name := range sortedKeys(categories) {
			i, ok := index[name]
			if !ok {
				return fmt.Errorf("attribute %s names %q, which is no feature", CategoriesAttribute, name)
			}
			info.Features[i].Categories = categories[name]
		}
	}
	return m.nameClasses(info)
}

func (m *xgbModel) nameClasses(info *Info) error {
	text, ok := m.Learner.Attributes[ClassesAttribute]
	if !ok {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &info.Classes); err != nil {
		return fmt.Errorf("attribute %s: %w", ClassesAttribute, err)
	}
	want := map[Task]int{Binary: 2, Multiclass: info.Outputs}[info.Task]
	if len(info.Classes) != want {
		return fmt.Errorf("attribute %s has %d names, the model has %d classes", ClassesAttribute, len(info.Classes), want)
	}
	return nil
}

func (m *xgbModel) grow(f *forest, features, groups int) error {
	model := &m.Learner.GradientBooster.Model
	if len(model.TreeInfo) != len(model.Trees) {
		return fmt.Errorf("%d entries of tree_info for %d trees", len(model.TreeInfo), len(model.Trees))
	}
	for i := range model.Trees {
		if g := model.TreeInfo[i]; g < 0 || g >= groups {
			return fmt.Errorf("tree %d belongs to output %d of %d", i, g, groups)
		}
		if err := f.addTree(&model.Trees[i], model.TreeInfo[i], features); err != nil {
			return fmt.Errorf("tree %d: %w", i, err)
		}
	}
	return nil
}

// baseMargins reads base_score: one number, or since XGBoost 3 the text of a
// list with one number for each output. One number stands for all outputs.
func baseMargins(text string, groups int, obj objective) ([]float32, error) {
	list, isList := strings.CutPrefix(strings.TrimSpace(text), "[")
	list = strings.TrimSuffix(list, "]")
	parts := strings.Split(list, ",")
	if !isList && len(parts) != 1 || len(parts) != 1 && len(parts) != groups {
		return nil, fmt.Errorf("base_score %q has %d values for %d outputs", text, len(parts), groups)
	}
	margins := make([]float32, groups)
	for i := range margins {
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[min(i, len(parts)-1)]), 32)
		if err != nil || !isFinite(v) {
			return nil, fmt.Errorf("base_score %q is not a number", text)
		}
		margins[i] = float32(v)
		if obj.link != nil {
			margins[i] = obj.link(margins[i])
		}
		if !isFinite(float64(margins[i])) {
			return nil, fmt.Errorf("base_score %q is outside the range of the objective", text)
		}
	}
	return margins, nil
}

func count(name, text string, low, high int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("parameter %s is %q, want %d to %d", name, text, low, high)
	}
	return n, nil
}

// orOne is for parameters that older versions of XGBoost did not write.
func orOne(text string) string {
	if text == "" {
		return "1"
	}
	return text
}

// The functions below repeat XGBoost's float32 arithmetic. Go rounds the
// logarithm and the exponential right; the C library may be one unit off.

func logit(p float32) float32 { return -logf(1/p - 1) }

func logf(v float32) float32 { return float32(math.Log(float64(v))) }

func expf(v float32) float32 { return float32(math.Exp(float64(v))) }

func sigmoids(m []float32) {
	const most = 88.7 // expf overflows above
	for i, v := range m {
		m[i] = 1 / (expf(min(-v, most)) + 1)
	}
}

func exps(m []float32) {
	for i, v := range m {
		m[i] = expf(v)
	}
}

func softmax(m []float32) {
	top := m[0]
	for _, v := range m {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range m {
		m[i] = expf(v - top)
		sum += float64(m[i])
	}
	for i := range m {
		m[i] /= float32(sum)
	}
}
