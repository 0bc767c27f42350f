package interp

import (
	"slices"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/value"
)

// stepNode is what the step history shows of the source: a step, or a block
// such as an iteration or the body of a try. Nodes form a tree per routine.
type stepNode struct {
	parent *stepNode
	kind   string // as StepEntry.stepType
	name   string // that of the nearest step with a name
	at     diag.Pos
	loop   int // whose iteration it is; -1 for none
	try    int // whose attempt it is; -1 for none
	number int64
	scope  *scope
}

func (n *stepNode) within(outer *stepNode) bool {
	for ; n != nil; n = n.parent {
		if n == outer {
			return true
		}
	}
	return false
}

// openEntry is a step entry that has begun and not ended.
type openEntry struct {
	id     int64
	parent int64
	node   *stepNode
	frame  *frame
	number int64
	of     int64 // that many there will be, if that is known
}

// traceSite opens and closes entries so that they fit the operation that is
// about to run.
func (t *thread) traceSite(f *frame) {
	s := f.site()
	for len(t.entries) > f.opened {
		top := t.entries[len(t.entries)-1]
		if s.node.within(top.node) && !(s.begins && s.node == top.node) {
			break
		}
		t.closeTop(StepSucceeded, nil)
	}
	var from *stepNode
	if len(t.entries) > f.opened {
		from = t.entries[len(t.entries)-1].node
	}
	t.open(f, s.node, from)
}

// open begins the entries from below outer down to n.
func (t *thread) open(f *frame, n, outer *stepNode) {
	if n == outer || n == nil {
		return
	}
	t.open(f, n.parent, outer)
	x := t.run
	x.lastEntry++
	e := openEntry{id: x.lastEntry, parent: t.openParent(), node: n, frame: f, number: n.number}
	switch {
	case n.loop >= 0:
		e.number, e.of = f.loops[n.loop].next, f.loops[n.loop].items.length
	case n.try >= 0:
		e.number = f.tries[n.try].retries + 1
	case t.par != nil && n.parent == nil:
		e.number, e.of = t.index+1, t.par.total
	}
	t.entries = append(t.entries, e)
	t.report(e, StepRunning, nil)
}

func (t *thread) openParent() int64 {
	for ; t != nil; t = t.par.parent {
		if len(t.entries) > 0 {
			return t.entries[len(t.entries)-1].id
		}
		if t.par == nil {
			break
		}
	}
	return 0
}

func (t *thread) report(e openEntry, state StepState, exception value.Value) {
	x := t.run
	event := StepEvent{
		ID: e.id, Parent: e.parent, Time: x.now(), Routine: e.frame.proc.name, Step: e.node.name, Type: e.node.kind,
		State: state, At: e.node.at, Thread: t.name, Iteration: e.number, Expected: e.of,
	}
	if exception != nil {
		event.Exception = value.Printable(exception)
	}
	if x.cfg.Variables && state != StepRunning {
		event.Variables = func() *value.Map { return variables(e.frame.env, e.node.scope) }
	}
	x.cfg.OnStep(event)
}

// variables returns the variables that are set in scope s and around it, in a
// form that JSON can write.
func variables(e *env, s *scope) *value.Map {
	out := value.NewMap()
	for ; s != nil && e != nil; s = s.parent {
		for _, name := range s.names {
			v := e.vars[s.slots[name]]
			if _, inner := out.Get(name); v == nil || inner {
				continue
			}
			out.Put(name, value.Printable(v))
		}
		if s.boundary {
			e = e.parent
		}
	}
	return out
}

func (t *thread) closeTop(state StepState, exception value.Value) {
	e := t.entries[len(t.entries)-1]
	t.entries = t.entries[:len(t.entries)-1]
	t.report(e, state, exception)
}

// closeEntries ends the entries above the first n.
func (t *thread) closeEntries(n int, state StepState, exception value.Value) {
	for len(t.entries) > n {
		t.closeTop(state, exception)
	}
}

// closeTo ends, as failed, the entries inside the block outer.
func (t *thread) closeTo(outer *stepNode, exception value.Value) {
	for n := len(t.entries); n > 0 && t.entries[n-1].node != outer; n-- {
		t.closeTop(StepFailed, exception)
	}
}

// closeAll ends every entry when the execution ends, branches first.
func (x *Execution) closeAll(end State, exception value.Value) {
	state := map[State]StepState{Succeeded: StepSucceeded, Failed: StepFailed, Cancelled: StepCancelled}[end]
	threads := append([]*thread(nil), x.ready...)
	for _, w := range x.waits {
		threads = append(threads, w.thread)
	}
	for _, p := range x.parallels {
		threads = append(threads, p.parent)
	}
	threads = append(threads, x.main)
	slices.SortStableFunc(threads, func(a, b *thread) int { return b.nesting - a.nesting })
	for _, t := range threads {
		t.closeEntries(0, state, exception)
	}
}
