package kfp

import (
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/kfp/source"
)

// cast reads a value for a parameter of a type. Components of version 1, and
// what is compiled from them, have texts for values of all types; what cannot be
// read as one is left as it is.
func (r *reader) cast(n *source.Node, t Type) Value {
	if !n.Is(source.String) || strings.Contains(n.Value, "{{$") {
		return r.value(n)
	}
	text := strings.TrimSpace(n.Value)
	switch t {
	case Integer:
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return &Lit{At: n.Pos(), V: i}
		}
	case Double:
		if f, err := strconv.ParseFloat(text, 64); err == nil && f-f == 0 { // finite
			return &Lit{At: n.Pos(), V: f}
		}
	case Boolean:
		if b, ok := truth(text); ok {
			return &Lit{At: n.Pos(), V: b}
		}
	case ListType, StructType:
		if inner, diags := source.ReadJSON(n); inner != nil && inner.Kind != source.Scalar {
			r.diags.Add(diags...)
			return r.value(inner)
		}
	}
	return r.value(n)
}

// truth reads a boolean in the words that Python's strtobool knows.
func truth(s string) (b, ok bool) {
	switch strings.ToLower(s) {
	case "y", "t", "1":
		return true, true
	case "n", "f", "0":
		return false, true
	}
	return parseBool(s)
}
