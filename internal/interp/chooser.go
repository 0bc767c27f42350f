package interp

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/google/uuid"
)

// chooser makes the choices that the language leaves open. The zero chooser
// always takes the first, which is the oldest.
type chooser struct{ random *rand.PCG }

// newChooser returns the chooser of a seed. What it chooses depends on the seed
// and on stream alone.
func newChooser(seed int64, stream uint64) chooser {
	if seed == 0 {
		return chooser{}
	}
	return chooser{rand.NewPCG(uint64(seed), stream)}
}

// pick chooses one of n.
func (c chooser) pick(n int) int {
	if c.random == nil || n < 2 {
		return 0
	}
	return int(c.random.Uint64() % uint64(n))
}

// interrupts says whether t has to let others go first. Branches really run at
// the same time, and one step, or one item of an assignment, is all that is
// atomic: with a seed a branch may be interrupted before any of its steps.
func (x *Execution) interrupts(t *thread) bool {
	if x.order.random == nil || len(x.ready) == 0 {
		return false
	}
	f := t.top()
	return f.proc.sites[f.pc].begins && x.order.pick(2) == 1
}

// uuid makes a UUID. That of virtual time depends on the seed and its place in
// the journal, so that it needs no memory.
func (x *Execution) uuid() string {
	if !x.virtual {
		return uuid.NewString()
	}
	random := rand.NewPCG(uint64(x.seed), uint64(x.journal.seq))
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], random.Uint64())
	binary.BigEndian.PutUint64(id[8:], random.Uint64())
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 4122
	return id.String()
}
