package spec

import (
	"slices"
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
	extra  schema                  // what the schema says besides, or nil
	hint   func(key string) string // for a key that is none of its own, or nil
}

// read reads n into to, reporting unknown and missing keys. It reports whether
// n is a map at all.
func (o object[T]) read(r *reader, n *node, to *T) bool {
	if n.kind != mapping {
		r.errorf(n, "wrong-type", "its keys are "+strings.Join(o.keys(), ", "), "%s is a map, not %s", o.name, n.describe())
		return false
	}
	meant := map[string]bool{}
	for _, p := range n.fields {
		if f := o.find(p.key.value); f != nil {
			r.mark(p.key.value, p.value)
			f.read(r, p.value, to)
		} else {
			r.errorf(p.key, "unknown-key", o.hintFor(p.key.value), "%s has no key %q", o.name, p.key.value)
			meant[suggest(p.key.value, o.keys())] = true
		}
	}
	for _, f := range o.fields {
		if f.required && n.field(f.key) == nil && !meant[f.key] {
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

// hintFor tells what to write for a key that the map does not have.
func (o object[T]) hintFor(key string) string {
	if o.hint != nil && suggest(key, o.keys()) == "" {
		if hint := o.hint(key); hint != "" {
			return hint
		}
	}
	return didYouMean(key, o.keys())
}

// didYouMean is a hint that names the nearest of the words, or all of them.
func didYouMean(word string, words []string) string {
	if s := suggest(word, words); s != "" {
		return `did you mean "` + s + `"?`
	}
	return "one of " + strings.Join(words, ", ")
}

// otherKeys maps what people from other tools write for a key, as plain writes
// it.
var otherKeys = map[string]string{
	"inputs": "in", "input": "in", "arguments": "in", "with": "in", "outputs": "out", "output": "out",
	"dependson": "after", "needs": "after", "dependencies": "after", "if": "when", "condition": "when",
	"retries": "retry", "maxretries": "retry", "retrypolicy": "retry", "maxattempts": "max", "withitems": "foreach", "loop": "foreach",
	"machinetype": "machine", "gpu": "accelerator", "gpus": "accelerator", "acceleratortype": "accelerator", "environment": "env",
	"replicacount": "replicas", "serviceaccount": "service_account", "parameters": "params", "inputparameters": "params", "steps": "tasks",
	"uri": "url", "verb": "method",
}

// suggest is diag.Suggest for a reader who may have written maxRetries or
// max-retries for max_retries, or a word of another tool.
func suggest(word string, words []string) string {
	if w := otherKeys[plain(word)]; w != "" && slices.Contains(words, w) {
		return w
	}
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
