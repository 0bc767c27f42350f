package serving

import (
	"fmt"
	"slices"
	"sort"
)

// forest is a set of regression trees, flat in one slice so that a walk stays
// in few cache lines.
type forest struct {
	info   Info
	base   []float32 // margin of each output before any tree
	output func([]float32)
	nodes  []node
	roots  []root
	sets   [][]int32 // categories that go right, sorted
}

type root struct{ node, group int32 }

// node is a split or a leaf. The right child of a split is left+1.
type node struct {
	value       float32 // threshold of a split, value of a leaf
	feature     int32   // -1: a leaf
	left        int32
	set         int32 // index of a categorical split's set; -1: numeric
	missingLeft bool
}

// Info implements Predictor.
func (f *forest) Info() Info { return f.info }

// Score implements Predictor.
func (f *forest) Score(row, out []float64) {
	margins := f.Margins(row, make([]float32, len(f.base)))
	if f.output != nil {
		f.output(margins)
	}
	for i, v := range margins {
		out[i] = float64(v)
	}
}

// Margins writes the sums of the leaves, before the objective's function. The
// order of the float32 additions is XGBoost's, so the sums are equal to the
// last bit.
func (f *forest) Margins(row []float64, margins []float32) []float32 {
	copy(margins, f.base)
	for _, r := range f.roots {
		margins[r.group] += f.leaf(r.node, row)
	}
	return margins
}

func (f *forest) leaf(at int32, row []float64) float32 {
	for {
		n := &f.nodes[at]
		if n.feature < 0 {
			return n.value
		}
		v := float32(row[n.feature])
		goLeft := v < n.value
		switch {
		case v != v: // NaN: missing
			goLeft = n.missingLeft
		case n.set >= 0:
			goLeft = !f.inSet(n.set, v)
		}
		at = n.left
		if !goLeft {
			at++
		}
	}
}

// inSet tells whether a category goes right. What is no category (negative, or
// too great for a float32 to tell apart) is in no set, as in XGBoost.
func (f *forest) inSet(set int32, v float32) bool {
	const tooMany = 1 << 24
	if v < 0 || v >= tooMany {
		return false
	}
	_, found := slices.BinarySearch(f.sets[set], int32(v))
	return found
}

// addTree appends a tree, renumbered so that siblings are neighbours. It
// refuses whatever is not a tree: a node out of range, or reached twice.
func (f *forest) addTree(t *xgbTree, group, features int) error {
	size := len(t.LeftChildren)
	if size == 0 {
		return fmt.Errorf("has no nodes")
	}
	for name, n := range map[string]int{"right_children": len(t.RightChildren), "split_indices": len(t.SplitIndices),
		"split_conditions": len(t.SplitConditions), "default_left": len(t.DefaultLeft)} {
		if n != size {
			return fmt.Errorf("%s has %d entries, left_children %d", name, n, size)
		}
	}
	if s := t.Param.LeafSize; s != "" && s != "0" && s != "1" {
		return fmt.Errorf("leaves of %s values (multi-output trees) are not supported", s)
	}
	sets, err := f.addSets(t)
	if err != nil {
		return err
	}
	first := int32(len(f.nodes))
	f.roots = append(f.roots, root{first, int32(group)})
	f.nodes = append(f.nodes, node{})
	seen := make([]bool, size)
	type place struct{ from, to int32 }
	for todo := []place{{0, first}}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.from < 0 || int(p.from) >= size || seen[p.from] {
			return fmt.Errorf("node %d is out of range or has two parents", p.from)
		}
		seen[p.from] = true
		n, err := t.node(p.from, features, sets)
		if err != nil {
			return fmt.Errorf("node %d: %w", p.from, err)
		}
		if n.feature >= 0 {
			n.left = int32(len(f.nodes))
			f.nodes = append(f.nodes, node{}, node{})
			todo = append(todo, place{t.RightChildren[p.from], n.left + 1}, place{t.LeftChildren[p.from], n.left})
		}
		f.nodes[p.to] = n
	}
	return nil
}

func (t *xgbTree) node(i int32, features int, sets map[int32]int32) (node, error) {
	n := node{value: t.SplitConditions[i], feature: -1, set: -1}
	leaf := t.LeftChildren[i] == -1
	if categorical := int(i) < len(t.SplitType) && t.SplitType[i] == 1; categorical && !leaf {
		set, ok := sets[i]
		if !ok {
			return n, fmt.Errorf("is a categorical split without categories")
		}
		n.set = set
	} else if n.value == noCondition {
		return n, fmt.Errorf("its condition is not a number")
	}
	if leaf {
		return n, nil
	}
	n.feature, n.missingLeft = t.SplitIndices[i], bool(t.DefaultLeft[i])
	if n.feature < 0 || int(n.feature) >= features {
		return n, fmt.Errorf("splits on feature %d of %d", n.feature, features)
	}
	return n, nil
}

// addSets reads the category sets of a tree's categorical splits.
func (f *forest) addSets(t *xgbTree) (map[int32]int32, error) {
	if len(t.CategoriesNodes) == 0 {
		return nil, nil
	}
	if len(t.CategoriesSegments) != len(t.CategoriesNodes) || len(t.CategoriesSizes) != len(t.CategoriesNodes) {
		return nil, fmt.Errorf("categories_segments or categories_sizes do not match categories_nodes")
	}
	sets := make(map[int32]int32, len(t.CategoriesNodes))
	total := 0 // segments that overlap would need memory out of proportion
	for i, n := range t.CategoriesNodes {
		begin, size := int(t.CategoriesSegments[i]), int(t.CategoriesSizes[i])
		total += max(size, 0)
		if begin < 0 || size < 0 || begin+size > len(t.Categories) || total > len(t.Categories) {
			return nil, fmt.Errorf("categories of node %d are out of range", n)
		}
		set := slices.Clone(t.Categories[begin : begin+size])
		slices.Sort(set)
		sets[n] = int32(len(f.sets))
		f.sets = append(f.sets, set)
	}
	return sets, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
