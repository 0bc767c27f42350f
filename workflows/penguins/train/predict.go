package main

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/kakehi/kakehi/internal/dataset"
)

// This is the trainer's own prediction, by its own trees: the golden rows come
// from it, so that they check the writing, the reading and the scoring of the
// model file.

// baseScore is the margin of every class before the first tree. It is
// XGBoost's default, and cancels out in the softmax.
const baseScore = 0.5

func (m *model) base() []float32 {
	margins := make([]float32, len(m.schema.Classes))
	for i := range margins {
		margins[i] = baseScore
	}
	return margins
}

func (t *tree) leaf(x []float32) float32 {
	n := &t.nodes[0]
	for n.left >= 0 {
		c := candidate{threshold: n.threshold, missingLeft: n.missingLeft}
		if c.goesLeft(x[n.feature]) {
			n = &t.nodes[n.left]
		} else {
			n = &t.nodes[n.right]
		}
	}
	return n.weight
}

// probabilities are those of each class, in XGBoost's float32 arithmetic.
func (m *model) probabilities(x []float32) []float32 {
	margins := m.base()
	for i, t := range m.trees {
		margins[i%len(margins)] += t.leaf(x)
	}
	top := margins[0]
	for _, v := range margins {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range margins {
		margins[i] = float32(math.Exp(float64(v - top)))
		sum += float64(margins[i])
	}
	for i := range margins {
		margins[i] /= float32(sum)
	}
	return margins
}

// measure returns the mean log loss and the accuracy on a table.
func (m *model) measure(t *dataset.Table) (loss, accuracy float64) {
	right := 0
	for _, row := range t.Rows {
		p := widen(m.probabilities(narrow(row.X)))
		if floats.MaxIdx(p) == row.Label {
			right++
		}
		loss -= math.Log(math.Max(p[row.Label], 1e-16))
	}
	n := float64(len(t.Rows))
	return loss / n, float64(right) / n
}
