// Package serving is the model server: it loads a trained model and answers
// predictions by the Vertex AI custom-container contract and by the Open
// Inference Protocol v2.
package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Predictor scores rows. It is safe for concurrent use.
type Predictor interface {
	Info() Info
	// Score writes the outputs of one row, whose values are in the order of
	// Info().Features with NaN for a missing one, to out, which has
	// Info().Outputs places.
	Score(row, out []float64)
}

// Task is what a model's outputs mean.
type Task string

// The tasks.
const (
	Regression Task = "regression" // one number
	Binary     Task = "binary"     // the probability of the second class
	Multiclass Task = "multiclass" // one probability for each class
)

// Info describes a model.
type Info struct {
	Platform string // such as xgboost_json
	Task     Task
	Features []Feature
	// Classes names the classes of a classifier in the order of its outputs;
	// nil when the model does not say.
	Classes []string
	Outputs int
	// ClassIndex is set when the model's framework answers the index of the
	// likeliest class instead of the probabilities (XGBoost's multi:softmax).
	ClassIndex bool
}

// Feature is one input of a model.
type Feature struct {
	Name string
	// Categories are the values of a categorical feature, which the model
	// knows by their index here; nil for a number.
	Categories []string
}

// Predict answers a JSON list of Vertex AI instances: each a list of values in
// the order of the model's features, or an object with every feature by name. A
// missing value is null. What is wrong with the instances is an *InputError.
//
// A prediction is {"label":CLASS,"probabilities":{CLASS:P,…}} for a classifier
// with known class names, else what the framework's own predict answers, a
// number or a list of numbers.
func Predict(ctx context.Context, model Predictor, instances json.RawMessage) ([]any, error) {
	info := model.Info()
	out, err := scoreInstances(ctx, model, &info, instances)
	if err != nil {
		return nil, err
	}
	predictions := make([]any, out.len())
	for i := range predictions {
		predictions[i] = info.prediction(out.row(i))
	}
	return predictions, nil
}

func scoreInstances(ctx context.Context, model Predictor, info *Info, instances json.RawMessage) (*rowBlock, error) {
	rows, err := newDecoder(info).instances(instances)
	if err != nil {
		return nil, err
	}
	return score(ctx, model, info, rows)
}

// score returns the model's outputs of every row. They are finite: JSON cannot
// say anything else.
func score(ctx context.Context, model Predictor, info *Info, rows *rowBlock) (*rowBlock, error) {
	const batch = 1024 // rows between looks at the context
	out := &rowBlock{width: info.Outputs, values: make([]float64, rows.len()*info.Outputs)}
	for i := range rows.len() {
		if i%batch == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		model.Score(rows.row(i), out.row(i))
		for _, v := range out.row(i) {
			if !isFinite(v) {
				return nil, fmt.Errorf("%w: it answers %v to row %d", errNotFinite, v, i)
			}
		}
	}
	return out, nil
}

var errNotFinite = errors.New("the model's answer is not a finite number")

// prediction is the JSON value of one prediction; see Predict.
func (info *Info) prediction(out []float64) any {
	if info.Classes == nil {
		switch {
		case info.ClassIndex:
			return likeliest(out)
		case len(out) == 1:
			return out[0]
		}
		return append([]float64(nil), out...)
	}
	p := info.probabilities(out)
	named := make(map[string]float64, len(p))
	for i, class := range info.Classes {
		named[class] = p[i]
	}
	return map[string]any{"label": info.Classes[likeliest(p)], "probabilities": named}
}

// probabilities are those of every class, also for a binary model.
func (info *Info) probabilities(out []float64) []float64 {
	if info.Task == Binary {
		return []float64{1 - out[0], out[0]}
	}
	return out
}

// likeliest is the index of the greatest value, the first of equals.
func likeliest(p []float64) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

// featureNames are XGBoost's default names f0, f1, ….
func featureNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "f" + strconv.Itoa(i)
	}
	return names
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
