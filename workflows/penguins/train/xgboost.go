package main

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/kakehi/kakehi/internal/serving"
)

// The structs below are XGBoost's JSON model, as doc/model.schema in its
// sources describes it. Numbers of the parameter blocks are strings there.

type xgbFile struct {
	Learner xgbLearner `json:"learner"`
	Version []int      `json:"version"`
}

type xgbLearner struct {
	Attributes      map[string]string `json:"attributes"`
	FeatureNames    []string          `json:"feature_names"`
	FeatureTypes    []string          `json:"feature_types"`
	GradientBooster xgbBooster        `json:"gradient_booster"`
	ModelParam      map[string]string `json:"learner_model_param"`
	Objective       xgbObjective      `json:"objective"`
}

type xgbObjective struct {
	Name  string            `json:"name"`
	Param map[string]string `json:"softmax_multiclass_param"`
}

type xgbBooster struct {
	Name  string `json:"name"`
	Model struct {
		Param           map[string]string `json:"gbtree_model_param"`
		IterationIndptr []int             `json:"iteration_indptr"`
		TreeInfo        []int             `json:"tree_info"`
		Trees           []xgbTree         `json:"trees"`
	} `json:"model"`
}

type xgbTree struct {
	ID                 int               `json:"id"`
	BaseWeights        []number          `json:"base_weights"`
	Categories         []int             `json:"categories"`
	CategoriesNodes    []int             `json:"categories_nodes"`
	CategoriesSegments []int             `json:"categories_segments"`
	CategoriesSizes    []int             `json:"categories_sizes"`
	DefaultLeft        []int             `json:"default_left"`
	LeftChildren       []int32           `json:"left_children"`
	LossChanges        []number          `json:"loss_changes"`
	Parents            []int32           `json:"parents"`
	RightChildren      []int32           `json:"right_children"`
	SplitConditions    []number          `json:"split_conditions"`
	SplitIndices       []int32           `json:"split_indices"`
	SplitType          []int             `json:"split_type"`
	SumHessian         []number          `json:"sum_hessian"`
	Param              map[string]string `json:"tree_param"`
}

// number is written with an exponent: XGBoost's parser takes a number without
// fraction or exponent for an integer, which a list of floats may not hold.
type number float32

// MarshalJSON implements json.Marshaler.
func (v number) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(v), 'E', -1, 32), nil
}

// xgboost is the model in XGBoost's form. The version is the one whose schema
// it follows; later ones read it.
func (m *model) xgboost() *xgbFile {
	classes, features := len(m.schema.Classes), len(m.schema.Features)
	f := &xgbFile{Version: []int{2, 1, 0}}
	l := &f.Learner
	l.Attributes = m.attributes()
	for _, feature := range m.schema.Features {
		kind := "float"
		if feature.Categories != nil {
			kind = "int"
		}
		l.FeatureNames, l.FeatureTypes = append(l.FeatureNames, feature.Name), append(l.FeatureTypes, kind)
	}
	l.ModelParam = map[string]string{
		"base_score": "5E-1", "boost_from_average": "1", "num_class": strconv.Itoa(classes),
		"num_feature": strconv.Itoa(features), "num_target": "1",
	}
	l.Objective = xgbObjective{Name: "multi:softprob", Param: map[string]string{"num_class": strconv.Itoa(classes)}}
	b := &l.GradientBooster
	b.Name = "gbtree"
	b.Model.Param = map[string]string{"num_parallel_tree": "1", "num_trees": strconv.Itoa(len(m.trees))}
	for i, t := range m.trees {
		if i%classes == 0 {
			b.Model.IterationIndptr = append(b.Model.IterationIndptr, i)
		}
		b.Model.TreeInfo = append(b.Model.TreeInfo, i%classes)
		b.Model.Trees = append(b.Model.Trees, t.xgboost(i, features))
	}
	b.Model.IterationIndptr = append(b.Model.IterationIndptr, len(m.trees))
	return f
}

// attributes carry the names that XGBoost has no place for.
func (m *model) attributes() map[string]string {
	categories := map[string][]string{}
	for _, f := range m.schema.Features {
		if f.Categories != nil {
			categories[f.Name] = f.Categories
		}
	}
	text := func(v any) string {
		body, err := json.Marshal(v)
		if err != nil { // strings always encode
			panic(err)
		}
		return string(body)
	}
	return map[string]string{
		serving.ClassesAttribute:    text(m.schema.Classes),
		serving.CategoriesAttribute: text(categories),
	}
}

func (t *tree) xgboost(id, features int) xgbTree {
	x := xgbTree{
		ID: id, Categories: []int{}, CategoriesNodes: []int{}, CategoriesSegments: []int{}, CategoriesSizes: []int{},
		Param: map[string]string{
			"num_deleted": "0", "num_feature": strconv.Itoa(features),
			"num_nodes": strconv.Itoa(len(t.nodes)), "size_leaf_vector": "1",
		},
	}
	for _, n := range t.nodes {
		condition, defaultLeft, parent := n.threshold, 0, n.parent
		if n.left < 0 {
			condition = n.weight
		}
		if n.missingLeft {
			defaultLeft = 1
		}
		if parent < 0 {
			parent = math.MaxInt32
		}
		x.BaseWeights = append(x.BaseWeights, number(n.weight))
		x.DefaultLeft = append(x.DefaultLeft, defaultLeft)
		x.LeftChildren = append(x.LeftChildren, n.left)
		x.LossChanges = append(x.LossChanges, number(n.gain))
		x.Parents = append(x.Parents, parent)
		x.RightChildren = append(x.RightChildren, n.right)
		x.SplitConditions = append(x.SplitConditions, number(condition))
		x.SplitIndices = append(x.SplitIndices, n.feature)
		x.SplitType = append(x.SplitType, 0)
		x.SumHessian = append(x.SumHessian, number(n.hessian))
	}
	return x
}
