package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/sampleuv"

	"github.com/kakehi/kakehi/internal/dataset"
)

const (
	subsample      = 0.8  // share of the rows that each round sees
	minChildWeight = 1    // least sum of second derivatives in a leaf
	minGain        = 1e-6 // a split must gain more
)

// model is a set of trees: tree i adds to the margin of class i mod classes.
type model struct {
	schema *dataset.Schema
	params params
	trees  []*tree
}

// tree is a regression tree; node 0 is the root. Rows whose value is less than
// the threshold go left, and missing values where missingLeft says.
type tree struct{ nodes []treeNode }

type treeNode struct {
	left, right, parent int32 // -1: none
	feature             int32
	missingLeft         bool
	threshold           float32
	weight              float32 // of the node, were it a leaf
	gain, hessian       float64
}

// booster is gradient boosting for multi-class log loss, by the second-order
// method of Chen and Guestrin (XGBoost, KDD 2016): exact greedy splits, with
// the better side of each split learned for missing values.
type booster struct {
	model   *model
	x       [][]float32 // by row
	label   []int
	classes int
	margins [][]float32 // by row and class: sums of leaves so far
	random  rand.Source
}

func newBooster(t *dataset.Table, p params) *booster {
	b := &booster{
		model: &model{schema: t.Schema, params: p}, classes: len(t.Schema.Classes),
		random: rand.NewPCG(uint64(p.Seed), 0),
	}
	for _, row := range t.Rows {
		b.x = append(b.x, narrow(row.X))
		b.label = append(b.label, row.Label)
		b.margins = append(b.margins, b.model.base())
	}
	return b
}

// train runs all rounds and calls progress after each.
func (b *booster) train(progress func(round int, loss float64)) *model {
	n := len(b.x)
	sample := make([]int, max(1, int(math.Round(subsample*float64(n)))))
	for round := 1; round <= b.model.params.Rounds; round++ {
		sampleuv.WithoutReplacement(sample, n, b.random)
		slices.Sort(sample)
		gradients := b.gradients()
		for class := range b.classes {
			g := &grower{x: b.x, d: gradients[class], params: b.model.params, tree: &tree{nodes: make([]treeNode, 1)}}
			g.grow(slices.Clone(sample), 0, -1, b.model.params.Depth)
			b.model.trees = append(b.model.trees, g.tree)
			for i := range b.margins {
				b.margins[i][class] += g.tree.leaf(b.x[i])
			}
		}
		progress(round, b.loss())
	}
	return b.model
}

// derivative is that of the loss by the margin of one row: first and second.
type derivative struct{ g, h float64 }

// gradients are the derivatives by class and row.
func (b *booster) gradients() [][]derivative {
	all := make([][]derivative, b.classes)
	for class := range all {
		all[class] = make([]derivative, len(b.x))
	}
	for i, m := range b.margins {
		logs := widen(m)
		total := floats.LogSumExp(logs)
		for class := range all {
			p := math.Exp(logs[class] - total)
			d := derivative{g: p, h: math.Max(2*p*(1-p), 1e-16)}
			if class == b.label[i] {
				d.g--
			}
			all[class][i] = d
		}
	}
	return all
}

// loss is the mean log loss over all rows.
func (b *booster) loss() float64 {
	sum := 0.0
	for i, m := range b.margins {
		logs := widen(m)
		sum += floats.LogSumExp(logs) - logs[b.label[i]]
	}
	return sum / float64(len(b.margins))
}

// grower grows one tree.
type grower struct {
	x      [][]float32
	d      []derivative
	params params
	tree   *tree
}

// grow fills node at, and appends all below it, from some rows. Siblings are
// neighbours: XGBoost before version 3 finds the right one next to the left.
func (g *grower) grow(rows []int, at, parent int32, depth int) {
	total := g.sum(rows)
	weight := -total.g / (total.h + g.params.L2) * g.params.LearningRate
	g.tree.nodes[at] = treeNode{left: -1, right: -1, parent: parent, weight: float32(weight), hessian: total.h}
	if depth == 0 {
		return
	}
	best := g.split(rows, total)
	if best.gain <= minGain {
		return
	}
	var left, right []int
	for _, row := range rows {
		if best.goesLeft(g.x[row][best.feature]) {
			left = append(left, row)
		} else {
			right = append(right, row)
		}
	}
	l := int32(len(g.tree.nodes))
	g.tree.nodes = append(g.tree.nodes, treeNode{}, treeNode{})
	n := &g.tree.nodes[at]
	n.left, n.right, n.gain = l, l+1, best.gain
	n.feature, n.threshold, n.missingLeft = int32(best.feature), best.threshold, best.missingLeft
	g.grow(left, l, at, depth-1)
	g.grow(right, l+1, at, depth-1)
}

// candidate is a possible split.
type candidate struct {
	feature     int
	threshold   float32
	missingLeft bool
	gain        float64
}

func (c *candidate) goesLeft(v float32) bool {
	if v != v {
		return c.missingLeft
	}
	return v < c.threshold
}

// split finds the best split of some rows: of equals the first by feature and
// threshold, so that the same rows give the same tree.
func (g *grower) split(rows []int, total derivative) candidate {
	best := candidate{}
	for feature := range g.x[rows[0]] {
		present := make([]int, 0, len(rows))
		for _, row := range rows {
			if v := g.x[row][feature]; v == v {
				present = append(present, row)
			}
		}
		slices.SortStableFunc(present, func(a, b int) int { return cmp.Compare(g.x[a][feature], g.x[b][feature]) })
		missing := total.minus(g.sum(present))
		anyMissing := len(present) < len(rows)
		var left derivative // of the present rows
		for i := 0; i+1 < len(present); i++ {
			left = left.plus(g.d[present[i]])
			low, high := g.x[present[i]][feature], g.x[present[i+1]][feature]
			if low == high {
				continue
			}
			c := candidate{feature: feature, threshold: between(low, high)}
			c.missingLeft, c.gain = g.gain(left, missing, total, anyMissing)
			if c.gain > best.gain {
				best = c
			}
		}
	}
	return best
}

// gain is that of sending left to the left, and the missing rows to the better
// side. Without any, missing values are sent to the heavier side.
func (g *grower) gain(left, missing, total derivative, anyMissing bool) (missingLeft bool, gain float64) {
	right := total.minus(left)
	if !anyMissing {
		return left.h > right.h, g.gainOf(left, right, total)
	}
	with := left.plus(missing)
	toLeft := g.gainOf(with, total.minus(with), total)
	toRight := g.gainOf(left, right, total)
	return toLeft > toRight, math.Max(toLeft, toRight)
}

func (g *grower) gainOf(left, right, total derivative) float64 {
	if left.h < minChildWeight || right.h < minChildWeight {
		return 0
	}
	score := func(d derivative) float64 { return d.g * d.g / (d.h + g.params.L2) }
	return score(left) + score(right) - score(total)
}

func (g *grower) sum(rows []int) derivative {
	var d derivative
	for _, row := range rows {
		d = d.plus(g.d[row])
	}
	return d
}

func (d derivative) plus(e derivative) derivative  { return derivative{d.g + e.g, d.h + e.h} }
func (d derivative) minus(e derivative) derivative { return derivative{d.g - e.g, d.h - e.h} }

// between is a threshold that parts low from high: half-way, if float32 has
// such a number.
func between(low, high float32) float32 {
	if mid := float32((float64(low) + float64(high)) / 2); mid > low {
		return mid
	}
	return high
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
