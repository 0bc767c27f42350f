package compile

import (
	"slices"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Limits of Cloud Workflows on parallel steps.
const (
	maxBranches = 10
	maxParallel = 2 // nested parallel steps
)

// schedule makes the steps that run a set of tasks, each as soon as the
// language lets it, and each only if all that it needs succeeded. Whatever does
// not need a failed task runs all the same.
//
// Cloud Workflows has no futures, but sequences and parallel branches compose.
// So a set is taken apart into parts that are independent (branches) or wait
// for all before them (a sequence), as deep as that goes. What is left is
// N-shaped, such as a→c, b→c, b→d: there the tasks that wait for nothing run
// first, and the rest waits for all of them; if one of those fails, what does
// not need it goes on, and the error is raised at the end.
//
// depth is how many more parallel steps may be nested.
func (b *body) schedule(set []int, depth int) []*workflow.Step {
	if len(set) == 1 {
		return b.task(b.order.tasks[set[0]], depth)
	}
	if parts := b.order.parallel(set); len(parts) > 1 {
		return b.together(parts, depth)
	}
	if parts := b.order.series(set); len(parts) > 1 {
		var steps []*workflow.Step
		for _, part := range parts {
			steps = append(steps, b.schedule(part, depth)...)
		}
		return steps
	}
	first, rest := b.order.sources(set)
	failures := b.variable(b.names.unique("failures"), list())
	for _, i := range first {
		if !b.order.before(i, rest) {
			b.caught[i] = failures
		}
	}
	steps := b.schedule(first, depth)
	steps = append(steps, b.schedule(rest, depth)...)
	for _, i := range set {
		delete(b.uncertain, b.order.tasks[i].Name)
	}
	return append(steps, b.raiseFirst(failures))
}

// together runs independent parts at the same time; one after the other where
// no parallel step may be nested.
func (b *body) together(parts [][]int, depth int) []*workflow.Step {
	if depth == 0 {
		return b.oneByOne(parts)
	}
	groups := inGroups(parts, maxBranches)
	p := &workflow.Parallel{}
	for _, group := range groups {
		first := b.order.tasks[group[0][0]].Name
		branch := &workflow.Branch{Name: b.names.unique(first + "_branch")}
		if len(group) == 1 {
			branch.Steps = b.schedule(group[0], depth-1)
		} else {
			branch.Steps = b.together(group, depth-1)
		}
		p.Branches = append(p.Branches, branch)
	}
	step := &workflow.Step{Do: p}
	p.Shared = b.written(step)
	name := b.order.tasks[parts[0][0]].Name + "_and_" + b.order.tasks[parts[1][0]].Name
	if len(parts) > 2 {
		name = b.order.tasks[parts[0][0]].Name + "_and_others"
	}
	step.Name = b.names.unique(name)
	return []*workflow.Step{step}
}

// oneByOne runs independent parts in order, so that a failure of one does not
// keep the next from running. A part of one task is caught as the task, whose
// name its step keeps.
func (b *body) oneByOne(parts [][]int) []*workflow.Step {
	failures := b.variable(b.names.unique("failures"), list())
	var steps []*workflow.Step
	for _, part := range parts {
		t := b.order.tasks[part[0]]
		switch caught := b.caught[part[0]] != ""; {
		case len(part) > 1:
			steps = append(steps, b.catch(b.names.unique(t.Name+"_part"), b.schedule(part, 0), failures))
		case caught:
			steps = append(steps, b.schedule(part, 0)...)
		default:
			needs := slices.ContainsFunc(t.Deps(), func(name string) bool { return b.uncertain[name] })
			b.caught[part[0]] = failures
			steps = append(steps, b.schedule(part, 0)...)
			b.uncertain[t.Name] = needs // its own failure is raised below
		}
	}
	return append(steps, b.raiseFirst(failures))
}

// inGroups deals parts out to at most n groups of nearly equal size, in order.
func inGroups(parts [][]int, n int) [][][]int {
	n = min(n, len(parts))
	groups := make([][][]int, n)
	for i := range groups {
		groups[i] = parts[i*len(parts)/n : (i+1)*len(parts)/n]
	}
	return groups
}

// catch runs steps and keeps an error in the list failures.
func (b *body) catch(name string, steps []*workflow.Step, failures string, more ...*workflow.AssignItem) *workflow.Step {
	e := b.errorName()
	keep := set(ref(failures), node(fn("list.concat", ref(failures), ref(e))))
	return &workflow.Step{Name: name, Do: &workflow.Try{
		Body: b.group(steps),
		Except: &workflow.Except{As: e, Steps: []*workflow.Step{
			assign(b.names.unique(name+"_failed"), append([]*workflow.AssignItem{keep}, more...)...),
		}},
	}}
}

// raiseFirst ends a part of which some tasks may have failed.
func (b *body) raiseFirst(failures string) *workflow.Step {
	raise := &workflow.Step{Do: &workflow.Raise{Value: node(index(ref(failures), &expr.Literal{Value: int64(0)}))}}
	s := choose(b.names.unique("raise_"+failures), arm(join(">", fn("len", ref(failures)), &expr.Literal{Value: int64(0)}), raise))
	s.Comment = "What did not need the failed tasks has run."
	return s
}

// group makes one step without a name of several. The main step among them,
// which has no name yet, gets one.
func (b *body) group(steps []*workflow.Step) *workflow.Step {
	if len(steps) == 1 {
		one := *steps[0]
		one.Name = ""
		return &one
	}
	for _, s := range steps {
		if s.Name == "" {
			s.Name = b.names.unique("call_" + b.now)
		}
	}
	return &workflow.Step{Do: &workflow.Steps{Steps: steps}}
}

// written lists the body's variables that a step writes, in the order of their
// declaration: what a parallel step must share.
func (b *body) written(s *workflow.Step) []string {
	found := map[string]bool{}
	eachStep([]*workflow.Step{s}, func(s *workflow.Step) {
		switch a := s.Do.(type) {
		case *workflow.Assign:
			for _, item := range a.Items {
				found[root(item.Target)] = true
			}
		case *workflow.Call:
			found[a.Result] = true
		}
	})
	var names []string
	for _, v := range b.variables {
		if name := root(v.Target); found[name] {
			names = append(names, name)
		}
	}
	return names
}

// root is the variable that an assignment's target is part of.
func root(x expr.Expr) string {
	switch x := x.(type) {
	case *expr.Member:
		return root(x.X)
	case *expr.Index:
		return root(x.X)
	case *expr.Ident:
		return x.Name
	}
	return ""
}
