package interp

import (
	"math"

	"github.com/kakehi/kakehi/internal/value"
)

// sequence is what a loop runs over: a list, or numbers from a start on.
type sequence struct {
	list   *value.List
	first  value.Value // Int or Double, without a list
	length int64
}

func (s sequence) at(i int64) value.Value {
	switch first := s.first.(type) {
	case value.Int:
		return first + value.Int(i)
	case value.Double:
		return first + value.Double(i)
	}
	return s.list.At(int(i))
}

// source is the list or range of a loop, not yet evaluated.
type source struct {
	in, rng node
}

func (s source) eval(f *frame) (sequence, error) {
	if s.in != nil {
		v, err := s.in.eval(f)
		if err != nil {
			return sequence{}, err
		}
		l, ok := v.(*value.List)
		if !ok {
			return sequence{}, value.Errorf(value.TypeError, "a for loop needs a list; got: %s", value.Type(v))
		}
		value.Retain(l)
		return sequence{list: l, length: int64(l.Len())}, nil
	}
	v, err := s.rng.eval(f)
	if err != nil {
		return sequence{}, err
	}
	l, ok := v.(*value.List)
	if !ok || l.Len() != 2 {
		return sequence{}, value.Errorf(value.TypeError, "a range needs a list of two numbers; got: %s", value.Type(v))
	}
	return rangeOf(l.At(0), l.At(1))
}

func rangeOf(first, last value.Value) (sequence, error) {
	if a, b, ok := ints(first, last); ok {
		switch {
		case b < a:
			return sequence{first: a}, nil
		case uint64(b)-uint64(a) >= maxRangeLength:
			return sequence{}, value.Errorf(value.ValueError, "the range from %d to %d is too long", a, b)
		}
		return sequence{first: a, length: int64(b-a) + 1}, nil
	}
	a, b, ok := numbers(first, last)
	if !ok {
		return sequence{}, value.Errorf(value.TypeError, "a range needs two numbers; got: %s and %s", value.Type(first), value.Type(last))
	}
	length := math.Floor(b-a) + 1
	switch {
	case math.IsNaN(length) || length > maxRangeLength:
		return sequence{}, value.Errorf(value.ValueError, "the range from %v to %v is too long", a, b)
	case length < 1:
		length = 0
	}
	return sequence{first: value.Double(a), length: int64(length)}, nil
}

// loop is the state of a for loop in a frame.
type loop struct {
	items sequence
	next  int64
}

// loopOp evaluates what a loop runs over.
type loopOp struct {
	id     int
	source source
}

func (o *loopOp) run(t *thread, f *frame) error {
	if err := t.run.countStep(); err != nil {
		return err
	}
	items, err := o.source.eval(f)
	if err != nil {
		return err
	}
	f.loops[o.id] = loop{items: items}
	return nil
}

// iterateOp begins the next iteration, or ends the loop.
type iterateOp struct {
	id           int
	value, index int // slots; index is -1 for none
	clear        int // the first slot of the loop's scope
	end          int
}

func (o *iterateOp) run(t *thread, f *frame) error {
	l := &f.loops[o.id]
	t.run.clear(f.env, o.clear)
	if l.next >= l.items.length {
		*l = loop{}
		f.pc = o.end
		return nil
	}
	if err := t.run.countStep(); err != nil {
		return err
	}
	i := l.next
	l.next++
	return t.run.storeIteration(f, l.items, i, o.value, o.index)
}

func (x *Execution) storeIteration(f *frame, items sequence, i int64, valueSlot, indexSlot int) error {
	if indexSlot >= 0 {
		if err := x.store(f, varRef{0, indexSlot}, value.Int(i)); err != nil {
			return err
		}
	}
	return x.store(f, varRef{0, valueSlot}, items.at(i))
}
