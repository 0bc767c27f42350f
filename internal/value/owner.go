package value

import "fmt"

// owners counts the holders of a container: none, one, or two and more. It
// never falls, so it may be too high, which costs a copy, but never too low.
type owners uint8

const shared owners = 2

// Retain notes that one more variable or container holds v. Whoever stores a
// value where [SetPath] may later reach it calls Retain once per store. On a
// frozen value it writes nothing, so constants can serve many executions.
func Retain(v Value) {
	switch v := v.(type) {
	case *List:
		if v.count < shared {
			v.count++
		}
	case *Map:
		if v.count < shared {
			v.count++
		}
	}
}

// Freeze marks v and all its parts as shared for good and returns v: it may
// then be read and stored by several executions at once.
func Freeze(v Value) Value {
	switch v := v.(type) {
	case *List:
		v.count, v.array = shared, nil
		for _, item := range v.items {
			Freeze(item)
		}
	case *Map:
		v.count = shared
		for _, e := range v.entries {
			Freeze(e.value)
		}
	}
	return v
}

// Clone returns a deep copy of v that nobody holds.
func Clone(v Value) Value {
	switch v := v.(type) {
	case *List:
		items := make([]Value, len(v.items))
		for i, item := range v.items {
			items[i] = Clone(item)
		}
		return NewList(items...)
	case *Map:
		out := &Map{entries: make([]entry, 0, len(v.entries))}
		for _, e := range v.entries {
			out.set(e.key, Clone(e.value))
		}
		return out
	}
	return v
}

// SetPath stores v at path[0], path[1], … below root, and returns the root
// that the variable must hold from then on: the same one where nobody else
// held a container on the way, else a copy. A missing last key of a map is
// added; every other part of the path must exist. The errors are KeyError,
// IndexError and TypeError.
func SetPath(root Value, path []Value, v Value) (Value, error) {
	// First of all, so that a container which takes itself for a part is seen
	// to be held twice, and copied.
	Retain(v)
	return setPath(root, path, v)
}

func setPath(root Value, path []Value, v Value) (Value, error) {
	if len(path) == 0 {
		return v, nil
	}
	switch c := root.(type) {
	case *Map:
		return c.setPath(path, v)
	case *List:
		return c.setPath(path, v)
	}
	return nil, Errorf(TypeError, "cannot assign to %s of a value of type %s: only a map or a list has parts", step(path[0]), Type(root))
}

func (m *Map) setPath(path []Value, v Value) (Value, error) {
	k, ok := KeyOf(path[0])
	if !ok {
		return nil, Errorf(TypeError, "a map key must be a string or an integer; got: %s", Type(path[0]))
	}
	old, ok := m.Lookup(k)
	if !ok && len(path) > 1 {
		return nil, Errorf(KeyError, "key not found: %s", k)
	}
	if m.count >= shared {
		m = m.Copy() // gives the old part one more owner, so it is copied too
	}
	if len(path) == 1 {
		m.put(k, v)
		return m, nil
	}
	before := old.Size()
	part, err := setPath(old, path[1:], v)
	if err != nil {
		return nil, err
	}
	m.size += part.Size() - before
	if part != old {
		m.entries[m.find(k)].value = part
		Retain(part)
	}
	return m, nil
}

func (l *List) setPath(path []Value, v Value) (Value, error) {
	i, err := l.index(path[0])
	if err != nil {
		return nil, err
	}
	if l.count >= shared || l.lent {
		l = l.copy()
	}
	old := l.items[i]
	before := old.Size()
	part, err := setPath(old, path[1:], v)
	if err != nil {
		return nil, err
	}
	l.size += part.Size() - before
	if part != old {
		l.items[i] = part
		if len(path) > 1 {
			Retain(part)
		}
	}
	return l, nil
}

func step(key Value) string {
	if s, ok := key.(String); ok {
		return fmt.Sprintf("member %q", string(s))
	}
	if i, ok := key.(Int); ok {
		return fmt.Sprintf("item %d", i)
	}
	return "a part"
}
