package compile

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// task makes the steps of one task; the main one among them has its name. They
// set the variable of that name to a map of the task's outputs.
func (b *body) task(t *pipeline.Task, depth int) []*workflow.Step {
	b.now = t.Name
	var steps []*workflow.Step
	if t.ForEach != nil {
		steps = b.forEach(t, depth)
	} else {
		steps = b.guard(t, b.attempts(t, path{prefix: b.path, name: t.Name}, t.Name, depth))
	}
	if failures := b.caught[b.order.at[t.Name]]; failures != "" {
		b.uncertain[t.Name] = true
		var reset []*workflow.AssignItem
		if t.ForEach != nil { // it was begun
			reset = append(reset, set(ref(t.Name), lit(nil)))
		}
		steps = []*workflow.Step{b.catch(t.Name, steps, failures, reset...)}
	}
	for _, s := range steps {
		if s.Name == "" {
			s.Name = t.Name
		}
	}
	place(steps, t.At)
	return steps
}

// attempts makes the steps that run a task once, or again after a failure. The
// main step has no name yet.
func (b *body) attempts(t *pipeline.Task, at path, result string, depth int) []*workflow.Step {
	steps := b.once(t, at, result, depth)
	if t.Retry == nil || t.Retry.Max == 0 {
		return steps
	}
	return []*workflow.Step{{Do: &workflow.Try{
		Body: b.group(steps),
		Retry: &workflow.Retry{
			Predicate:  node(ref("retryable")),
			MaxRetries: lit(int64(t.Retry.Max)),
			Backoff: &workflow.Backoff{
				InitialDelay: lit(seconds(t.Retry.Backoff)),
				MaxDelay:     lit(seconds(t.Retry.MaxBackoff)),
				Multiplier:   lit(number(t.Retry.Multiplier)),
			},
		},
	}}}
}

// once makes the steps of one attempt.
func (b *body) once(t *pipeline.Task, at path, result string, depth int) []*workflow.Step {
	v := b.values()
	var s *workflow.Step
	switch k := t.Kind.(type) {
	case *pipeline.Function:
		s = b.function(t, k, at, result, v)
	case *pipeline.Job:
		s = b.job(t, k, at, result, v)
	case *pipeline.HTTP:
		s = b.http(t, k, at, result, v)
	case *pipeline.Serve:
		s = b.serve(k, at, result, v)
	case *pipeline.Rollout:
		s = b.rollout(k, at, result, v)
	case *pipeline.Sub:
		s = b.subPipeline(t, k, at, result, v, depth)
	case *pipeline.Approve:
		s = b.approve(t, k, at, result, v)
	}
	return append(v.steps(), s)
}

// guard runs steps only if what the task needs has run, and its condition
// holds. Otherwise its variable stays null.
func (b *body) guard(t *pipeline.Task, steps []*workflow.Step) []*workflow.Step {
	needs := b.mayBeNull(t)
	if len(needs) == 0 && t.When == nil {
		return steps
	}
	b.inherit(t, needs)
	if t.When == nil {
		return []*workflow.Step{choose("", arm(ran(needs), b.group(steps)), otherwise(b.skip(t, "SKIPPED_UPSTREAM")))}
	}
	v := b.values()
	arms := []*workflow.Arm{arm(v.expr(t.When), b.group(steps)), otherwise(b.skip(t, "NOT_TRIGGERED"))}
	before := v.steps()
	if len(needs) == 0 {
		return append(before, choose("", arms...))
	}
	upstream := arm(notRun(needs), b.skip(t, "SKIPPED_UPSTREAM"))
	if len(before) == 0 {
		return []*workflow.Step{choose("", append([]*workflow.Arm{upstream}, arms...)...)}
	}
	return []*workflow.Step{choose("", upstream, otherwise(b.group(append(before, choose("", arms...)))))}
}

// inherit notes that t may not run, and why: for its own condition, or because
// of a task that it needs.
func (b *body) inherit(t *pipeline.Task, needs []string) {
	conditional := t.When != nil && t.ForEach == nil
	for _, name := range needs {
		conditional = conditional || b.nullable[name]
		if b.uncertain[name] {
			b.uncertain[t.Name] = true
		}
	}
	if conditional {
		b.nullable[t.Name] = true
	}
}

// skip says in the log why a task did not run.
func (b *body) skip(t *pipeline.Task, state string) *workflow.Step {
	return call("", "log_task", fields{
		{"task", node(path{prefix: b.path, name: t.Name}.expr())},
		{"state", lit(state)},
	}, "")
}

// mayBeNull lists the tasks that t needs and that may not have run, without
// those that another one of them needs as well.
func (b *body) mayBeNull(t *pipeline.Task) []string {
	var needs []string
	for _, name := range t.Deps() {
		if _, ok := b.order.at[name]; ok && (b.nullable[name] || b.uncertain[name]) {
			needs = append(needs, name)
		}
	}
	var least []string
	for _, name := range needs {
		implied := false
		for _, other := range needs {
			implied = implied || b.order.less[b.order.at[name]][b.order.at[other]]
		}
		if !implied {
			least = append(least, name)
		}
	}
	return least
}

func ran(tasks []string) expr.Expr    { return compareNull(tasks, "!=", "and") }
func notRun(tasks []string) expr.Expr { return compareNull(tasks, "==", "or") }

func compareNull(tasks []string, op, chain string) expr.Expr {
	var xs []expr.Expr
	for _, name := range tasks {
		xs = append(xs, join(op, ref(name), null()))
	}
	return join(chain, xs...)
}
