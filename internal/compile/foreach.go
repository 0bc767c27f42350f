package compile

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// forEach runs a task for each item of a list: in parallel, or in order where
// no parallel step may be nested. Each output becomes a list in the order of
// the items. Such a list begins as a copy of the items, which has the right
// length: the language cannot append by index.
func (b *body) forEach(t *pipeline.Task, depth int) []*workflow.Step {
	f := t.ForEach
	v := b.values()
	items := b.names.unique(t.Name + "_items")
	outputs := fields{}
	for _, o := range t.Out {
		outputs = append(outputs, field{o.Name, node(ref(items))})
	}
	begin := assign(b.names.unique(t.Name+"_begin"), set(ref(items), v.node(f.In)), set(ref(t.Name), outputs.node()))
	steps := append(v.steps(), begin)

	b.item = f
	iteration := b.iteration(t, max(depth-1, 0))
	b.item = nil
	loop := &workflow.For{Value: f.Item, Index: b.loopIndex(), In: node(ref(items)), Steps: iteration}
	if depth > 0 {
		p := &workflow.Parallel{Shared: []string{t.Name}, For: loop}
		if f.Parallelism > 0 {
			p.ConcurrencyLimit = lit(int64(f.Parallelism))
		}
		steps = append(steps, &workflow.Step{Do: p})
	} else {
		failures := b.variable(b.names.unique("failures"), list())
		loop.Steps = []*workflow.Step{b.catch(b.names.unique(t.Name+"_part"), iteration, failures)}
		steps = append(steps, &workflow.Step{Do: loop}, b.raiseFirst(failures))
	}
	if needs := b.mayBeNull(t); len(needs) > 0 {
		b.inherit(t, needs)
		return []*workflow.Step{choose("", arm(ran(needs), b.group(steps)), otherwise(b.skip(t, "SKIPPED_UPSTREAM")))}
	}
	return steps
}

// iteration makes the steps for one item.
func (b *body) iteration(t *pipeline.Task, depth int) []*workflow.Step {
	i := b.loopIndex()
	at := path{prefix: b.path, name: t.Name, index: i}
	result := b.names.unique(t.Name + "_outputs")
	run := b.attempts(t, at, result, depth)
	var keep, drop []*workflow.AssignItem
	for _, o := range t.Out {
		place := index(&expr.Member{X: ref(t.Name), Name: o.Name}, ref(i))
		keep = append(keep, set(place, node(&expr.Member{X: ref(result), Name: o.Name})))
		drop = append(drop, set(place, lit(nil)))
	}
	for _, s := range run {
		if s.Name == "" {
			s.Name = b.names.unique(t.Name + "_one")
		}
	}
	if len(keep) > 0 {
		run = append(run, b.assigns(t.Name+"_keep", keep)...)
	}
	if t.When == nil {
		return run
	}
	v := b.values()
	when := v.expr(t.When)
	skip := []*workflow.Step{call(b.names.unique(t.Name+"_skip"), "log_task", fields{
		{"task", node(at.expr())},
		{"state", lit("NOT_TRIGGERED")},
	}, "")}
	if len(drop) > 0 {
		skip = append(skip, b.assigns(t.Name+"_null", drop)...)
	}
	return append(v.steps(), choose(b.names.unique(t.Name+"_when"), arm(when, b.group(run)), otherwise(b.group(skip))))
}
