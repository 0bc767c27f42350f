package compile

import "github.com/kakehi/kakehi/internal/pipeline"

// An order says which of a pipeline's tasks must be done before which others,
// directly or through others.
type order struct {
	tasks []*pipeline.Task // each after those before it
	at    map[string]int   // index in tasks
	less  [][]bool         // less[i][j]: task i must be done before task j
}

// newOrder sorts tasks; what they need beyond tasks is taken as done. A valid
// pipeline has no circles.
func newOrder(tasks []*pipeline.Task) *order {
	sorted, _ := pipeline.Order(tasks)
	o := &order{tasks: sorted, at: make(map[string]int, len(sorted)), less: make([][]bool, len(sorted))}
	for j, t := range sorted {
		o.at[t.Name] = j
		o.less[j] = make([]bool, len(sorted))
	}
	for j, t := range sorted {
		for _, name := range t.Deps() {
			i, ok := o.at[name]
			if !ok {
				continue
			}
			o.less[i][j] = true
			for k := range i {
				o.less[k][j] = o.less[k][j] || o.less[k][i]
			}
		}
	}
	return o
}

// all returns the indices of all tasks.
func (o *order) all() []int {
	set := make([]int, len(o.tasks))
	for i := range set {
		set[i] = i
	}
	return set
}

// before reports whether task i must be done before every task of set.
func (o *order) before(i int, set []int) bool {
	for _, j := range set {
		if !o.less[i][j] {
			return false
		}
	}
	return true
}

func (o *order) comparable(i, j int) bool { return o.less[i][j] || o.less[j][i] }

// parallel splits a set into parts none of which waits for another.
func (o *order) parallel(set []int) [][]int { return split(set, o.comparable) }

// series splits a set into parts, in order, each of whose tasks waits for
// every task of the parts before.
func (o *order) series(set []int) [][]int {
	return split(set, func(i, j int) bool { return !o.comparable(i, j) })
}

// sources splits off the tasks that wait for no other of the set.
func (o *order) sources(set []int) (first, rest []int) {
	for _, j := range set {
		free := true
		for _, i := range set {
			free = free && !o.less[i][j]
		}
		if free {
			first = append(first, j)
		} else {
			rest = append(rest, j)
		}
	}
	return first, rest
}

// split returns the connected components of a set under a symmetric relation,
// each sorted, by their first elements.
func split(set []int, related func(i, j int) bool) [][]int {
	part := make([]int, len(set)) // the part of set[n], or 0
	var parts [][]int
	for n := range set {
		if part[n] != 0 {
			continue
		}
		id := len(parts) + 1
		part[n] = id
		for queue := []int{n}; len(queue) > 0; queue = queue[1:] {
			for m := range set {
				if part[m] == 0 && related(set[queue[0]], set[m]) {
					part[m] = id
					queue = append(queue, m)
				}
			}
		}
		var members []int
		for m, p := range part {
			if p == id {
				members = append(members, set[m])
			}
		}
		parts = append(parts, members)
	}
	return parts
}
