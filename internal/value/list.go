package value

// List is a list of values. Make one with [NewList].
type List struct {
	items []Value
	size  int // of the items together
	count owners
}

// NewList returns a list of items, which it keeps.
func NewList(items ...Value) *List {
	l := &List{items: items}
	for _, v := range items {
		l.size += v.Size()
		Retain(v)
	}
	return l
}

// Size implements Value.
func (l *List) Size() int { return scalarSize + l.size }

// Len returns the number of items.
func (l *List) Len() int { return len(l.items) }

// At returns item i, which must exist.
func (l *List) At(i int) Value { return l.items[i] }

// Items returns the items, which must not be changed.
func (l *List) Items() []Value { return l.items }

// With returns a new list with v at its end.
func (l *List) With(v Value) *List {
	items := make([]Value, 0, len(l.items)+1)
	return NewList(append(append(items, l.items...), v)...)
}

// copy returns a list of its own with the same items, which gain an owner.
func (l *List) copy() *List {
	return NewList(append([]Value(nil), l.items...)...)
}

func (l *List) equal(m *List) bool {
	if len(l.items) != len(m.items) {
		return false
	}
	for i, v := range l.items {
		if !Equal(v, m.items[i]) {
			return false
		}
	}
	return true
}
