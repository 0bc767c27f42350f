package value

// List is a list of values. Make one with [NewList].
type List struct {
	items []Value
	size  int // of the items together
	count owners
	// Lists made by appending share an array as long as they only grow. Such a
	// list is copied before it, or a part of it, is changed in place: the
	// others have its items, too, without being counted as owners.
	array *array
	lent  bool
}

// array tells how much of an array is in use by the longest of the lists that
// share it.
type array struct{ used int }

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

// With returns a new list with v at its end. Appending to the list that it
// returned last costs nothing but the new item.
func (l *List) With(v Value) *List {
	Retain(v)
	a := l.array
	items := l.items
	if a == nil || a.used != len(items) || len(items) == cap(items) {
		a = &array{}
		items = make([]Value, len(l.items), max(4, len(l.items)+len(l.items)/2))
		copy(items, l.items)
	}
	a.used = len(items) + 1
	if l.count < shared { // others are copied anyhow; those that are frozen must not be written to
		l.lent = true
	}
	return &List{items: append(items, v), size: l.size + v.Size(), array: a, lent: true}
}

// WithFirst returns a new list with v at its start.
func (l *List) WithFirst(v Value) *List {
	Retain(v)
	if l.count < shared {
		l.lent = true
	}
	items := append(append(make([]Value, 0, len(l.items)+1), v), l.items...)
	return &List{items: items, size: l.size + v.Size(), lent: true}
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
