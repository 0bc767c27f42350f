package value

import (
	"maps"
	"strconv"
)

// Key is a key of a map: a string, or an integer, which is another key than
// the same digits as a string. It is comparable.
type Key struct {
	text  string
	num   int64
	isInt bool
}

// StringKey returns the key of a string.
func StringKey(s string) Key { return Key{text: s} }

// IntKey returns the key of an integer.
func IntKey(n int64) Key { return Key{num: n, isInt: true} }

// KeyOf returns v as a key; ok is false unless v is a String or an Int.
func KeyOf(v Value) (k Key, ok bool) {
	switch v := v.(type) {
	case String:
		return StringKey(string(v)), true
	case Int:
		return IntKey(int64(v)), true
	}
	return Key{}, false
}

// Value returns the key as a String or an Int.
func (k Key) Value() Value {
	if k.isInt {
		return Int(k.num)
	}
	return String(k.text)
}

// String returns the key as JSON writes it, without quotes.
func (k Key) String() string {
	if k.isInt {
		return strconv.FormatInt(k.num, 10)
	}
	return k.text
}

func (k Key) size() int {
	if k.isInt {
		return scalarSize
	}
	return scalarSize + len(k.text)
}

// Map maps keys to values, in the order in which the keys were first set. The
// zero Map is empty and ready.
type Map struct {
	entries []entry
	index   map[Key]int // of entries; nil while they are few
	size    int         // of keys and values together
	count   owners
}

type entry struct {
	key   Key
	value Value
}

// indexed is the number of entries from which a map keeps an index: below it a
// scan is as fast.
const indexed = 12

// NewMap returns an empty map.
func NewMap() *Map { return &Map{} }

// Size implements Value.
func (m *Map) Size() int { return scalarSize + m.size }

// Len returns the number of entries.
func (m *Map) Len() int { return len(m.entries) }

// Get returns the value of a string key.
func (m *Map) Get(key string) (Value, bool) { return m.Lookup(StringKey(key)) }

// Lookup returns the value of a key.
func (m *Map) Lookup(k Key) (Value, bool) {
	if i := m.find(k); i >= 0 {
		return m.entries[i].value, true
	}
	return nil, false
}

// Put sets a string key and returns m. It is for maps that are being built:
// no variable or container may hold m yet.
func (m *Map) Put(key string, v Value) *Map {
	m.set(StringKey(key), v)
	return m
}

// PutKey is [Map.Put] for any key.
func (m *Map) PutKey(k Key, v Value) *Map {
	m.set(k, v)
	return m
}

// All ranges over the entries in order.
func (m *Map) All() func(yield func(Key, Value) bool) {
	return func(yield func(Key, Value) bool) {
		for _, e := range m.entries {
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}

// Without returns a new map without key k.
func (m *Map) Without(k Key) *Map {
	out := &Map{entries: make([]entry, 0, len(m.entries))}
	for _, e := range m.entries {
		if e.key != k {
			out.set(e.key, e.value)
		}
	}
	return out
}

// Copy returns a map of its own with the same entries.
func (m *Map) Copy() *Map {
	out := &Map{entries: make([]entry, 0, len(m.entries)+1), index: maps.Clone(m.index), size: m.size}
	for _, e := range m.entries {
		Retain(e.value)
		out.entries = append(out.entries, e)
	}
	return out
}

func (m *Map) find(k Key) int {
	if m.index != nil {
		if i, ok := m.index[k]; ok {
			return i
		}
		return -1
	}
	for i := range m.entries {
		if m.entries[i].key == k {
			return i
		}
	}
	return -1
}

func (m *Map) set(k Key, v Value) {
	Retain(v)
	m.put(k, v)
}

// put is set for a value whose new owner is counted already.
func (m *Map) put(k Key, v Value) {
	if i := m.find(k); i >= 0 {
		m.size += v.Size() - m.entries[i].value.Size()
		m.entries[i].value = v
		return
	}
	m.size += k.size() + v.Size()
	m.entries = append(m.entries, entry{k, v})
	if m.index != nil {
		m.index[k] = len(m.entries) - 1
		return
	}
	if len(m.entries) >= indexed {
		m.index = make(map[Key]int, 2*len(m.entries))
		for i, e := range m.entries {
			m.index[e.key] = i
		}
	}
}

func (m *Map) equal(n *Map) bool {
	if len(m.entries) != len(n.entries) {
		return false
	}
	for _, e := range m.entries {
		v, ok := n.Lookup(e.key)
		if !ok || !Equal(e.value, v) {
			return false
		}
	}
	return true
}
