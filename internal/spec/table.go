package spec

import (
	"strings"
	"unicode"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// A field is one key of a map of the spec. Parser and schema are made from the
// same fields, so they cannot drift apart.
type field[T any] struct {
	key      string
	doc      string
	schema   schema
	required bool
	read     func(r *reader, n *node, to *T)
}

// An object is a map of the spec with known keys.
type object[T any] struct {
	name   string // of its definition in the schema, and in messages
	doc    string
	fields []field[T]
	extra  schema // what the schema says besides, or nil
}

// read reads n into to, reporting unknown and missing keys. It reports whether
// n is a map at all.
func (o object[T]) read(r *reader, n *node, to *T) bool {
	if n.kind != mapping {
		r.errorf(n, "wrong-type", "its keys are "+strings.Join(o.keys(), ", "), "%s is a map, not %s", o.name, n.describe())
		return false
	}
	for _, p := range n.fields {
		if f := o.find(p.key.value); f != nil {
			r.mark(p.key.value, p.value)
			f.read(r, p.value, to)
		} else {
			r.unknownKey(p.key, o.name, o.keys())
		}
	}
	for _, f := range o.fields {
		if f.required && n.field(f.key) == nil {
			r.errorf(n, "missing-key", f.key+": "+f.doc, "%s needs the key %q", o.name, f.key)
		}
	}
	return true
}

// mark keeps where a key of the task being read has its value, for messages:
// the first place of a key that several maps of a task have.
func (r *reader) mark(key string, n *node) {
	if _, marked := r.where[key]; !marked && r.where != nil {
		r.where[key] = pipeline.Span{At: n.at, Width: n.width}
	}
}

func (o object[T]) find(key string) *field[T] {
	for i := range o.fields {
		if o.fields[i].key == key {
			return &o.fields[i]
		}
	}
	return nil
}

func (o object[T]) keys() []string {
	keys := make([]string, len(o.fields))
	for i, f := range o.fields {
		keys[i] = f.key
	}
	return keys
}

func (r *reader) unknownKey(key *node, owner string, known []string) {
	r.errorf(key, "unknown-key", didYouMean(key.value, known), "%s has no key %q", owner, key.value)
}

// didYouMean is a hint that names the nearest of the words, or all of them.
func didYouMean(word string, words []string) string {
	if s := suggest(word, words); s != "" {
		return `did you mean "` + s + `"?`
	}
	return "one of " + strings.Join(words, ", ")
}

// suggest is diag.Suggest for a reader who may have written maxRetries or
// max-retries for max_retries.
func suggest(word string, words []string) string {
	for _, w := range words {
		if plain(w) == plain(word) {
			return w
		}
	}
	if len([]rune(word)) < 3 { // any two short words are near
		return ""
	}
	return diag.Suggest(word, words)
}

// plain writes a word without the marks between its parts.
func plain(word string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return -1
		}
		return unicode.ToLower(r)
	}, word)
}
