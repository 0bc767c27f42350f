// Package form reads files that are maps with known keys, such as stub files
// and workflow tests. A file is a set of tables of keys, of which the reader,
// "did you mean" and the JSON Schema are made, so that they cannot drift apart.
//
// Values are those of a workflow definition: the same types, positions and
// expressions.
package form

import (
	"fmt"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Reader collects what is wrong with a file.
type Reader struct{ Found diag.List }

// Errorf reports a mistake. The hint, how to mend it, may be empty.
func (r *Reader) Errorf(at diag.Pos, code, hint, format string, args ...any) {
	r.Found.Add(diag.Diagnostic{Pos: at, Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// Field is one key of an [Object]. Read takes its value.
type Field[T any] struct {
	Key      string
	Doc      string
	Schema   Schema
	Required bool
	Read     func(r *Reader, n workflow.Node, to *T)
}

// Object is a map with known keys.
type Object[T any] struct {
	Name   string // for messages, such as "a stub"
	Doc    string
	Fields []Field[T]
	// Lax makes an unknown key a warning.
	Lax bool
}

// Read reads n into to, and reports unknown and missing keys. It reports
// whether n is a map at all.
func (o Object[T]) Read(r *Reader, n workflow.Node, to *T) bool {
	m, ok := n.(*workflow.Map)
	if !ok {
		r.Errorf(n.Pos(), "wrong-type", "its keys are "+strings.Join(o.keys(), ", "), "%s is a map, not %s", o.Name, Describe(n))
		return false
	}
	given := map[string]bool{}
	for _, e := range m.Entries {
		key, _ := keyOf(e)
		given[key] = true
		if f := o.find(key); f != nil {
			f.Read(r, e.Value, to)
			continue
		}
		r.Errorf(e.Key.Pos(), "unknown-key", oneOf(key, o.keys()), "%s has no key %q", o.Name, key)
		if o.Lax {
			r.Found[len(r.Found)-1].Severity = diag.Warning
		}
	}
	for _, f := range o.Fields {
		if f.Required && !given[f.Key] {
			r.Errorf(n.Pos(), "missing-key", f.Key+": "+f.Doc, "%s needs the key %q", o.Name, f.Key)
		}
	}
	return true
}

func (o Object[T]) find(key string) *Field[T] {
	for i := range o.Fields {
		if o.Fields[i].Key == key {
			return &o.Fields[i]
		}
	}
	return nil
}

func (o Object[T]) keys() []string {
	keys := make([]string, len(o.Fields))
	for i, f := range o.Fields {
		keys[i] = f.Key
	}
	return keys
}

// DidYouMean is a hint that names the nearest of the words, or "".
func DidYouMean(word string, words []string) string {
	if len([]rune(word)) < 3 { // any two short words are near
		return ""
	}
	return diag.DidYouMean(word, words)
}

func oneOf(word string, words []string) string {
	if hint := DidYouMean(word, words); hint != "" {
		return hint
	}
	return "one of " + strings.Join(words, ", ")
}

// keyOf is the text of a key.
func keyOf(e *workflow.Entry) (string, bool) {
	if l, ok := e.Key.(*workflow.Lit); ok {
		return fmt.Sprint(l.Value), true
	}
	return "${…}", false
}

// Describe names a value in a message.
func Describe(n workflow.Node) string {
	switch n := n.(type) {
	case *workflow.List:
		return "a list"
	case *workflow.Map:
		return "a map"
	case *workflow.Expr:
		return "an expression"
	case *workflow.Lit:
		switch v := n.Value.(type) {
		case nil:
			return "nothing"
		case string:
			return fmt.Sprintf("the text %.60q", v)
		default:
			return fmt.Sprint(v)
		}
	}
	return "nothing"
}
