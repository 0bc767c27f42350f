package interp

import (
	"fmt"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// builder writes the code of one proc.
type builder struct {
	c      *compiler
	proc   *proc
	scope  *scope
	node   *stepNode
	begins bool // the next operation begins node
	region int
	loop   *loopLabels
	temps  int // in use
	labels map[*workflow.Step]label
	jumps  []pendingJump
}

// label is the place of a step.
type label struct {
	pc    int
	scope *scope
}

// pendingJump is a jump to a step whose place is not known yet.
type pendingJump struct {
	op    *jumpOp
	from  *workflow.Step
	scope *scope
}

// loopLabels collects what leaves an iteration.
type loopLabels struct {
	again, out []*jumpOp
	noBreak    bool // a parallel loop
}

func newBuilder(c *compiler, p *proc, s *scope) *builder {
	return &builder{c: c, proc: p, scope: s, region: -1, labels: map[*workflow.Step]label{}}
}

func (b *builder) problemf(at diag.Pos, code, format string, args ...any) {
	b.c.problems.Errorf(at, code, format, args...)
}

func (b *builder) pc() int { return len(b.proc.code) }

func (b *builder) emit(o op, at diag.Pos) {
	b.proc.code = append(b.proc.code, o)
	b.proc.sites = append(b.proc.sites, site{at: at, node: b.node, begins: b.begins, region: b.region})
	b.begins = false
	b.proc.slots = max(b.proc.slots, b.scope.top)
}

func (b *builder) temp() int {
	b.temps++
	b.proc.temps = max(b.proc.temps, b.temps)
	return b.temps - 1
}

// within runs write with a new node of the step history as the current one.
func (b *builder) within(n *stepNode, write func()) {
	outer := b.node
	n.parent, n.scope = outer, b.scope
	if n.name == "" && outer != nil {
		n.name = outer.name
	}
	b.node, b.begins = n, true
	write()
	b.node, b.begins = outer, false
}

func newNode(kind, name string, at diag.Pos) *stepNode {
	return &stepNode{kind: kind, name: name, at: at, loop: -1, try: -1}
}

func (b *builder) steps(steps []*workflow.Step) {
	for _, s := range steps {
		b.step(s)
	}
}

func (b *builder) step(s *workflow.Step) {
	if s == nil {
		return
	}
	if s.Name != "" {
		b.labels[s] = label{b.pc(), b.scope}
	}
	b.temps = 0
	b.action(s)
	if s.Next != "" && s.Do != nil {
		b.jump(s, false)
	}
}

func (b *builder) action(s *workflow.Step) {
	node := func(kind string, write func()) { b.within(newNode(kind, s.Name, s.At), write) }
	switch do := s.Do.(type) {
	case nil:
		if s.Next != "" {
			node("STEP_GOTO", func() { b.jump(s, true) })
		}
	case *workflow.Assign:
		node("STEP_ASSIGN", func() { b.assign(do, s.At) })
	case *workflow.Call:
		node(b.callKind(do.Func), func() { b.callStep(do) })
	case *workflow.Switch:
		node("STEP_SWITCH", func() { b.switchStep(do, s.At) })
	case *workflow.For:
		node("STEP_FOR", func() { b.forStep(do) })
	case *workflow.Parallel:
		b.parallel(do, s)
	case *workflow.Try:
		node("STEP_TRY_RETRY_EXCEPT", func() { b.try(do, s.At) })
	case *workflow.Raise:
		node("STEP_RAISE", func() { b.emit(&raiseOp{value: b.value(do.Value)}, do.Value.Pos()) })
	case *workflow.Return:
		if b.scope.inBranch() {
			b.problemf(s.At, "return-in-branch", "a branch or parallel iteration cannot return")
		}
		node("STEP_RETURN", func() { b.emit(&returnOp{value: b.value(do.Value), counts: true}, do.Value.Pos()) })
	case *workflow.Steps:
		b.steps(do.Steps)
	default:
		panic(fmt.Sprintf("interp: unknown workflow.Action %T", do))
	}
}

func (b *builder) callKind(name string) string {
	if _, ok := b.c.subs[name]; ok {
		return "STEP_SUBWORKFLOW_CALL"
	}
	if fn, ok := b.c.library(name); ok && fn.Connector {
		return "STEP_CONNECTOR_CALL"
	}
	return "STEP_STD_LIB_CALL"
}

func (b *builder) assign(do *workflow.Assign, at diag.Pos) {
	if len(do.Items) == 0 {
		b.emit(countOp{}, at)
	}
	for i, item := range do.Items {
		root := rootOf(item.Target)
		if root == nil {
			b.problemf(item.At, "bad-target", "only a variable, or a part of one, can be assigned to")
			continue
		}
		ref, ok := b.target(root.Name, item.At)
		if !ok {
			continue
		}
		trees := []*tree{b.yaml(item.Value)}
		trees = append(trees, b.path(item.Target)...)
		nodes := b.lowerAll(trees)
		b.emit(&assignOp{ref: ref, value: nodes[0], path: nodes[1:], counts: i == 0}, item.At)
	}
}

// path returns the keys of a target, outermost first.
func (b *builder) path(target expr.Expr) []*tree {
	switch t := target.(type) {
	case *expr.Member:
		return append(b.path(t.X), b.literal(t.Name, t.At))
	case *expr.Index:
		return append(b.path(t.X), b.expr(t.Key))
	}
	return nil
}

// find resolves a variable for reading.
func (b *builder) find(name string) (varRef, bool) {
	ref, _, ok := b.scope.find(name)
	return ref, ok
}

// target resolves a variable for writing.
func (b *builder) target(name string, at diag.Pos) (varRef, bool) {
	ref, writable, ok := b.scope.find(name)
	switch {
	case !ok:
		b.problemf(at, "unknown-name", "symbol '%s' is neither a variable nor a sub-workflow name", name)
	case !writable:
		b.problemf(at, "not-shared", "variable '%s' belongs to the code around the parallel step and is not in its shared list", name)
		return varRef{}, false
	}
	return ref, ok
}

func (b *builder) switchStep(do *workflow.Switch, at diag.Pos) {
	b.emit(countOp{}, at)
	var ends []*jumpOp
	for i, arm := range do.Arms {
		test := &testOp{condition: b.value(arm.Condition)}
		b.emit(test, arm.At)
		n := newNode("STEP_CONDITION", "", arm.At)
		n.number = int64(i) + 1
		b.within(n, func() {
			b.begins = false
			b.step(arm.Body)
		})
		end := &jumpOp{clear: -1}
		b.emit(end, arm.At)
		ends = append(ends, end)
		test.otherwise = b.pc()
	}
	for _, end := range ends {
		end.target = b.pc()
	}
}

func (b *builder) source(in, rng workflow.Node) source {
	return source{in: b.value(in), rng: b.value(rng)}
}

func (b *builder) forStep(do *workflow.For) {
	id := b.proc.loops
	b.proc.loops++
	b.emit(&loopOp{id: id, source: b.source(do.In, do.Range)}, do.At)
	outer, outerLoop := b.scope, b.loop
	b.scope = newScope(outer, false)
	b.loop = &loopLabels{}
	it := &iterateOp{id: id, value: b.scope.declare(do.Value), index: -1, clear: b.scope.base}
	if do.Index != "" {
		it.index = b.scope.declare(do.Index)
	}
	b.scope.declareAssigned(do.Steps)
	again := b.pc()
	b.emit(it, do.At)
	n := newNode("STEP_FOR_ITERATION", "", do.At)
	n.loop = id
	b.within(n, func() {
		b.begins = false
		b.steps(do.Steps)
	})
	b.emit(&jumpOp{target: again, clear: -1}, do.At)
	it.end = b.pc()
	for _, j := range b.loop.again {
		j.target = again
	}
	for _, j := range b.loop.out {
		j.target, j.clear = it.end, it.clear
	}
	b.scope, b.loop = outer, outerLoop
}

// jump writes the jump of s to a step, or to end, break or continue.
func (b *builder) jump(s *workflow.Step, counts bool) {
	to, at := s.Next, s.NextAt
	j := &jumpOp{counts: counts, clear: -1}
	switch {
	case to == "end":
		b.emit(&returnOp{counts: counts}, at)
		return
	case to == "break" && b.loop != nil && !b.loop.noBreak:
		b.loop.out = append(b.loop.out, j)
	case to == "continue" && b.loop != nil:
		b.loop.again = append(b.loop.again, j)
	case to == "break" || to == "continue":
		b.problemf(at, "no-loop", "next: %s is only possible in a for loop", to)
	default:
		b.jumps = append(b.jumps, pendingJump{j, s, b.scope})
	}
	b.emit(j, at)
}

// finish ends the code and fills the jumps in.
func (b *builder) finish(at diag.Pos) {
	end := b.pc()
	b.emit(&returnOp{}, at)
	if b.loop != nil { // of a parallel loop: continue ends the iteration
		for _, j := range b.loop.again {
			j.target = end
		}
	}
	for _, j := range b.jumps {
		l, ok := b.labels[b.c.targets[j.from]]
		if !ok {
			b.problemf(j.from.NextAt, "unknown-step", "there is no step named '%s' here to jump to", j.from.Next)
			continue
		}
		j.op.target = l.pc
		if l.scope != j.scope {
			j.op.clear = l.scope.top
		}
	}
}
