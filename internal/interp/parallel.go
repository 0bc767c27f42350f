package interp

import (
	"fmt"
	"strconv"

	"github.com/kakehi/kakehi/internal/value"
)

// parallelOp runs branches, or the iterations of a loop, at the same time.
type parallelOp struct {
	limit    node    // concurrency_limit, or nil
	branches []*proc // or
	body     *proc
	source   source // of the iterations of body
	// slots of the loop's variables in body; index is -1 for none
	value, index int
}

// parallel is a parallel step that is being run.
type parallel struct {
	op      *parallelOp
	parent  *thread
	items   sequence
	total   int64
	next    int64 // branch to start
	running int64
	ended   int64
	limit   int64
	failed  []branchError
}

type branchError struct {
	index int64
	err   *raised
}

func (o *parallelOp) run(t *thread, f *frame) error {
	x := t.run
	if err := x.countStep(); err != nil {
		return err
	}
	if limit := x.limits.ParallelDepth; t.nesting >= limit {
		return value.Errorf(value.ParallelNestingError, "parallel steps are nested deeper than %d", limit)
	}
	p := &parallel{op: o, parent: t, total: int64(len(o.branches)), limit: int64(x.limits.Concurrency)}
	if o.body != nil {
		var err error
		if p.items, err = o.source.eval(f); err != nil {
			return err
		}
		p.total = p.items.length
	}
	if o.limit != nil {
		v, err := o.limit.eval(f)
		if err != nil {
			return err
		}
		n, ok := v.(value.Int)
		if !ok || n < 1 {
			return value.Errorf(value.ValueError, "concurrency_limit must be a positive integer")
		}
		p.limit = int64(n)
	}
	if p.total == 0 {
		return nil
	}
	t.waiting = true
	if t.par != nil {
		x.running-- // but it still counts for the limit of its own step
	}
	x.parallels = append(x.parallels, p)
	x.startBranches()
	return nil
}

// startBranches starts what the limits let run, older parallel steps first.
func (x *Execution) startBranches() {
	for _, p := range x.parallels {
		for p.next < p.total && p.running < p.limit && x.running < x.limits.Concurrency && !x.over {
			p.start(x)
		}
	}
}

func (p *parallel) start(x *Execution) {
	i := p.next
	p.next++
	p.running++
	x.running++
	parent := p.parent
	around := parent.top()
	t := &thread{run: x, par: p, index: i, base: parent.base + len(parent.frames) - 1, nesting: parent.nesting + 1}
	t.name = strconv.FormatInt(i, 10)
	if parent.name != "" {
		t.name = parent.name + "." + t.name
	}
	body := p.op.body
	if body == nil {
		body = p.op.branches[i]
	}
	f := newFrame(t, body, around.env)
	t.frames = []*frame{f}
	err := x.countStep()
	if err == nil && p.op.body != nil {
		err = x.storeIteration(f, p.items, i, p.op.value, p.op.index)
	}
	if err != nil {
		t.throw(err)
		return
	}
	x.ready = append(x.ready, t)
}

// branchEnded takes note that a branch ended, and ends the step with the last.
func (p *parallel) branchEnded(t *thread, err *raised) {
	x := t.run
	p.running--
	p.ended++
	x.running--
	if err != nil {
		p.failed = append(p.failed, branchError{t.index, err})
		x.uncaught++
		if limit := x.limits.UncaughtExceptions; x.uncaught > limit {
			x.fail(t.raise(value.LimitError(fmt.Sprintf("more than %d uncaught exceptions in parallel steps", limit))))
			return
		}
	}
	if p.ended == p.total {
		p.end(x)
	}
	x.startBranches()
}

func (p *parallel) end(x *Execution) {
	for i, other := range x.parallels {
		if other == p {
			x.parallels = append(x.parallels[:i:i], x.parallels[i+1:]...)
			break
		}
	}
	t := p.parent
	t.waiting = false
	if t.par != nil {
		x.running++
	}
	if len(p.failed) > 0 {
		t.throw(p.unhandled())
	}
	if !t.ended && !t.waiting {
		x.ready = append(x.ready, t)
	}
}

// unhandled is the error of a parallel step with branches that failed.
func (p *parallel) unhandled() *value.Error {
	var branches []value.Value
	size := 0
	for _, b := range p.failed {
		if size > maxBranchErrors {
			break
		}
		payload := string(value.MustJSON(value.Printable(b.err.Payload)))
		branch := value.NewMap().
			Put("id", value.String(strconv.FormatInt(b.index, 10))).
			Put("error", value.NewMap().
				Put("context", value.String(b.err.context())).
				Put("payload", value.String(payload)))
		branches = append(branches, branch)
		size += branch.Size()
	}
	return value.NewError("UnhandledBranchError: One or more branches or iterations encountered an unhandled runtime error",
		value.UnhandledBranchError, value.RuntimeError).
		With("branches", value.NewList(branches...)).
		With("truncated", value.Bool(len(branches) < len(p.failed)))
}
