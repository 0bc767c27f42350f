package interp

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/workflow"
)

// try compiles
//
//	block · attempt · body · jump end · [retry] · except | rethrow · end
//
// where the region from the attempt to the body's end has the retry, or what
// follows, as its handler.
func (b *builder) try(do *workflow.Try, at diag.Pos) {
	if do.Retry == nil && do.Except == nil {
		b.emit(countOp{}, at)
		b.within(newNode("STEP_TRY", "", at), func() {
			b.emit(countOp{}, at)
			b.step(do.Body)
		})
		return
	}
	id := len(b.proc.regions)
	b.proc.regions = append(b.proc.regions, region{})
	reg, outer := region{node: b.node, clear: b.scope.top}, b.region
	b.emit(&tryOp{region: id}, at)
	reg.body = b.pc()
	attempt := newNode("STEP_TRY", "", at)
	attempt.try = id
	b.within(attempt, func() {
		b.region = id
		b.emit(countOp{}, at)
		b.step(do.Body)
		b.region = outer
	})
	end := &jumpOp{clear: -1}
	b.emit(end, at)
	reg.handler = b.pc()
	if do.Retry != nil {
		n := newNode("STEP_RETRY", "", do.Retry.At)
		n.try = id
		b.within(n, func() { b.retry(do.Retry, id, reg.body) })
	}
	if do.Except != nil {
		b.within(newNode("STEP_EXCEPT", "", do.Except.At), func() { b.except(do.Except, id) })
	} else {
		b.emit(&rethrowOp{region: id}, at)
	}
	end.target = b.pc()
	b.proc.regions[id] = reg
}

// retry compiles a policy to one map, however it is written.
func (b *builder) retry(r *workflow.Retry, id, body int) {
	policy := r.Policy
	if policy == nil {
		var backoff workflow.Node
		if p := r.Backoff; p != nil {
			backoff = p.Policy
			if backoff == nil {
				backoff = mapOf(p.At, "initial_delay", p.InitialDelay, "max_delay", p.MaxDelay, "multiplier", p.Multiplier)
			}
		}
		policy = mapOf(r.At, "predicate", r.Predicate, "max_retries", r.MaxRetries, "backoff", backoff)
	}
	b.emit(&retryOp{region: id, policy: b.value(policy), again: &againOp{body: body}}, r.At)
}

// mapOf returns a map of names and nodes in turn, without those that are nil.
func mapOf(at diag.Pos, pairs ...any) *workflow.Map {
	m := &workflow.Map{At: at}
	for i := 0; i < len(pairs); i += 2 {
		if n, ok := pairs[i+1].(workflow.Node); ok {
			m.Entries = append(m.Entries, &workflow.Entry{Key: &workflow.Lit{At: at, Value: pairs[i]}, Value: n})
		}
	}
	return m
}

func (b *builder) except(e *workflow.Except, id int) {
	outer := b.scope
	b.scope = newScope(outer, false)
	b.node.scope = b.scope
	handle := &exceptOp{region: id, as: -1}
	if e.As != "" {
		handle.as = b.scope.declare(e.As)
	}
	b.scope.declareAssigned(e.Steps)
	b.emit(handle, e.At)
	b.steps(e.Steps)
	b.emit(&jumpOp{target: b.pc() + 1, clear: outer.top}, e.At)
	b.scope = outer
}

func (b *builder) parallel(do *workflow.Parallel, s *workflow.Step) {
	kind := "STEP_PARALLEL_BRANCH"
	if do.For != nil {
		kind = "STEP_PARALLEL_FOR"
	}
	b.within(newNode(kind, s.Name, s.At), func() {
		o := &parallelOp{limit: b.value(do.ConcurrencyLimit), index: -1}
		if do.For != nil {
			o.source = b.source(do.For.In, do.For.Range)
			b.parallelFor(do, o, s)
		}
		for _, branch := range do.Branches {
			child := b.branch(do.Shared)
			n := newNode("STEP_PARALLEL_BRANCH_ENTRY", branch.Name, branch.At)
			child.within(n, func() {
				n.scope = child.scope
				child.scope.declareAssigned(branch.Steps)
				child.steps(branch.Steps)
			})
			child.finish(branch.At)
			o.branches = append(o.branches, child.proc)
		}
		b.emit(o, s.At)
	})
}

func (b *builder) parallelFor(do *workflow.Parallel, o *parallelOp, s *workflow.Step) {
	child := b.branch(do.Shared)
	child.loop = &loopLabels{noBreak: true}
	o.value = child.scope.declare(do.For.Value)
	if do.For.Index != "" {
		o.index = child.scope.declare(do.For.Index)
	}
	n := newNode("STEP_FOR_ITERATION", s.Name, do.For.At)
	child.within(n, func() {
		child.scope.declareAssigned(do.For.Steps)
		child.steps(do.For.Steps)
	})
	child.finish(do.For.At)
	o.body = child.proc
}

// branch returns a builder for the code of a branch.
func (b *builder) branch(shared []string) *builder {
	s := newScope(b.scope, true)
	s.shared = make(map[string]bool, len(shared))
	for _, name := range shared {
		s.shared[name] = true
	}
	return newBuilder(b.c, &proc{name: b.proc.name}, s)
}

func (s *scope) inBranch() bool {
	for ; s != nil; s = s.parent {
		if s.boundary && s.parent != nil {
			return true
		}
	}
	return false
}
