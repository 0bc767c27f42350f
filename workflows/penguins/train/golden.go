package main

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/kakehi/kakehi/internal/dataset"
)

// goldenRow is a line of the golden file; see serving.Golden.
type goldenRow struct {
	Instance   map[string]any   `json:"instance"`
	Prediction goldenPrediction `json:"prediction"`
}

type goldenPrediction struct {
	Label         string             `json:"label"`
	Probabilities map[string]float64 `json:"probabilities"`
}

// golden are the rows that a server of this model must predict just so: the
// training rows, each feature missing, all missing, and for each threshold of
// the trees the border value itself and the next one below.
func (m *model) golden(t *dataset.Table) []goldenRow {
	rows := slices.Clone(t.Rows)
	sample := t.Rows[0]
	with := func(feature int, v float64) {
		x := slices.Clone(sample.X)
		x[feature] = v
		rows = append(rows, dataset.Row{X: x})
	}
	nothing := make([]float64, len(sample.X))
	for i, f := range m.schema.Features {
		nothing[i] = math.NaN()
		with(i, math.NaN())
		for code := range f.Categories {
			with(i, float64(code))
		}
	}
	rows = append(rows, dataset.Row{X: nothing})
	for i, b := range m.borders() {
		sample = t.Rows[i%len(t.Rows)]
		with(b.feature, float64(b.threshold))
		with(b.feature, float64(math.Nextafter32(b.threshold, float32(math.Inf(-1)))))
	}
	out := make([]goldenRow, len(rows))
	for i, row := range rows {
		out[i] = goldenRow{Instance: t.Instance(row), Prediction: m.predict(row.X)}
	}
	return out
}

// borders are the thresholds of numeric features, each once, in order.
func (m *model) borders() []candidate {
	var all []candidate
	for _, t := range m.trees {
		for _, n := range t.nodes {
			if n.left >= 0 && m.schema.Features[n.feature].Categories == nil {
				all = append(all, candidate{feature: int(n.feature), threshold: n.threshold})
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.feature, b.feature), cmp.Compare(a.threshold, b.threshold))
	})
	return slices.Compact(all)
}

func (m *model) predict(x []float64) goldenPrediction {
	p := widen(m.probabilities(narrow(x)))
	named := make(map[string]float64, len(p))
	for i, class := range m.schema.Classes {
		named[class] = p[i]
	}
	return goldenPrediction{Label: m.schema.Classes[floats.MaxIdx(p)], Probabilities: named}
}
