package kfp

import (
	"strings"

	"github.com/kakehi/kakehi/internal/kfp/source"
)

// A field is one key of a message.
type field[T any] struct {
	name  string // in lowerCamelCase
	oneof string // of fields with the same word here only one may be given
	null  bool   // null is a value, and not the same as nothing
	read  func(r *reader, n *source.Node, to *T)
}

// A message is a map with known keys: a message of KFP's protocol buffers, or a
// map of a component.yaml.
type message[T any] struct {
	name   string // in messages to people
	fields []field[T]
}

// read reads n into to. It reports whether n is a map at all.
func (m *message[T]) read(r *reader, n *source.Node, to *T) bool {
	if n.Kind != source.Map {
		r.errorf(n, "wrong-type", "its keys are "+strings.Join(m.keys(), ", "), "%s is a map, not %s", m.name, n.Describe())
		return false
	}
	for i, p := range n.Fields {
		f := m.find(camel(p.Key.Value))
		switch {
		case f == nil:
			r.unknownKey(p.Key, m.name, m.keys())
		case p.Value.Is(source.Null) && !f.null:
		case f.oneof != "" && m.other(n.Fields[:i], f.oneof) != nil:
			other := m.other(n.Fields[:i], f.oneof)
			r.errorf(p.Key, "conflict", "keep one of them", "%s has both %s and %s", m.name, other.Value, p.Key.Value)
		case m.again(n.Fields[:i], f):
			r.errorf(p.Key, "duplicate-key", "keep one of them", "%s has %s in two spellings", m.name, f.name)
		default:
			f.read(r, p.Value, to)
		}
	}
	return true
}

func (m *message[T]) find(name string) *field[T] {
	for i := range m.fields {
		if m.fields[i].name == name {
			return &m.fields[i]
		}
	}
	return nil
}

func (m *message[T]) keys() []string {
	keys := make([]string, len(m.fields))
	for i, f := range m.fields {
		keys[i] = f.name
	}
	return keys
}

// other returns the key of a field of a group that is given before.
func (m *message[T]) other(before []source.Field, oneof string) *source.Node {
	for _, p := range before {
		if f := m.find(camel(p.Key.Value)); f != nil && f.oneof == oneof && !p.Value.Is(source.Null) {
			return p.Key
		}
	}
	return nil
}

// again reports whether a field is given before, in its other spelling.
func (m *message[T]) again(before []source.Field, f *field[T]) bool {
	if strings.IndexFunc(f.name, func(c rune) bool { return 'A' <= c && c <= 'Z' }) < 0 {
		return false
	}
	for _, p := range before {
		if camel(p.Key.Value) == f.name {
			return true
		}
	}
	return false
}

// unknownKey warns of a key that is not read.
func (r *reader) unknownKey(key *source.Node, owner string, known []string) {
	hint := didYouMean(key.Value, known)
	if hint == "" {
		hint = "it is not read"
	}
	r.warnf(key, "unknown-key", hint, "%s has no key %q", owner, key.Value)
}
