package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Split divides the rows at random into two tables, share of each class (to
// the nearest row, and at least one on either side) going to the second. The
// same rows, share and seed give the same split; rows keep their order.
func (t *Table) Split(share float64, seed int64) (first, second *Table, err error) {
	if !(share > 0 && share < 1) {
		return nil, nil, fmt.Errorf("share is %v, want a number between 0 and 1", share)
	}
	byClass := make([][]int, len(t.Schema.Classes))
	for i, row := range t.Rows {
		byClass[row.Label] = append(byClass[row.Label], i)
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	toSecond := make([]bool, len(t.Rows))
	for label, rows := range byClass {
		if len(rows) < 2 {
			return nil, nil, fmt.Errorf("class %s has %d rows, a split needs 2 or more", t.Schema.Classes[label], len(rows))
		}
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		n := min(max(1, int(math.Round(share*float64(len(rows))))), len(rows)-1)
		for _, i := range rows[:n] {
			toSecond[i] = true
		}
	}
	first, second = &Table{Schema: t.Schema}, &Table{Schema: t.Schema}
	for i, row := range t.Rows {
		if toSecond[i] {
			second.Rows = append(second.Rows, row)
		} else {
			first.Rows = append(first.Rows, row)
		}
	}
	return first, second, nil
}
