package kfp

import "strings"

// maxNesting bounds how deep DAGs are nested: Cloud Workflows has calls of at
// most 20 workflows inside of each other, some of which a step takes.
const maxNesting = 16

// A nester finds how deep the DAGs of components are nested.
type nester struct {
	*checker
	height map[*Component]int // of the DAGs below; those above have 0
	above  []*Task            // the tasks that are being looked into
}

// nesting reports components that contain themselves, and DAGs nested too deep.
func (c *checker) nesting(root *Component) {
	n := &nester{checker: c, height: map[*Component]int{}}
	if n.of(root) <= maxNesting {
		return
	}
	var path []*Task
	for x := root; len(path) <= maxNesting; {
		t := n.tallest(x)
		path, x = append(path, t), t.Component
	}
	last := path[maxNesting]
	c.errorf(last.At, last.Name, "too-deep", "", "DAGs are nested more than %d deep: %s", maxNesting, names(path))
}

// of returns the height of a component, reporting the tasks that close a circle.
func (n *nester) of(x *Component) int {
	height := 0
	n.height[x] = 0
	for _, t := range x.DAG.Tasks {
		below := t.Component
		if below == nil || below.DAG == nil {
			continue
		}
		h, seen := n.height[below]
		switch {
		case seen && h == 0 && n.isAbove(below, x):
			n.errorf(t.Ref.At, t.Ref.Value, "recursion", "", "the component contains itself: %s", names(append(n.above, t)))
			continue
		case !seen:
			n.above = append(n.above, t)
			h = n.of(below)
			n.above = n.above[:len(n.above)-1]
		}
		height = max(height, h+1)
	}
	n.height[x] = height
	return height
}

func (n *nester) isAbove(below, x *Component) bool {
	for _, t := range n.above {
		if t.Component == below {
			return true
		}
	}
	return below == x
}

// tallest returns the task of x below which DAGs are nested deepest.
func (n *nester) tallest(x *Component) *Task {
	var best *Task
	height := -1
	for _, t := range x.DAG.Tasks {
		if t.Component != nil && t.Component.DAG != nil && n.height[t.Component] > height {
			best, height = t, n.height[t.Component]
		}
	}
	return best
}

// names lists the last tasks of a path.
func names(tasks []*Task) string {
	var list []string
	if more := len(tasks) - maxShown; more > 0 {
		list, tasks = append(list, "…"), tasks[more:]
	}
	for _, t := range tasks {
		list = append(list, t.Name)
	}
	return strings.Join(list, " → ")
}
