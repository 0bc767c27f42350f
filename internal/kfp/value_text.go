package kfp

import (
	"encoding/json"
	"strconv"
	"strings"
)

// show writes a value for a message: JSON, shortened.
func show(v Value) string {
	var b strings.Builder
	writeJSON(&b, v)
	if runes := []rune(b.String()); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return b.String()
}

// writeJSON writes a value as JSON. A double that is whole is written as an
// integer.
func writeJSON(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case *Text:
		text, _ := json.Marshal(v.Value) // a string cannot fail
		b.Write(text)
	case *List:
		b.WriteByte('[')
		for i, item := range v.Items {
			separate(b, i)
			writeJSON(b, item)
		}
		b.WriteByte(']')
	case *Struct:
		b.WriteByte('{')
		for i, f := range v.Fields {
			separate(b, i)
			writeJSON(b, &Text{Value: f.Name})
			b.WriteString(": ")
			writeJSON(b, f.Value)
		}
		b.WriteByte('}')
	case *Lit:
		switch x := v.V.(type) {
		case nil:
			b.WriteString("null")
		case bool:
			b.WriteString(strconv.FormatBool(x))
		case int64:
			b.WriteString(strconv.FormatInt(x, 10))
		case float64:
			b.WriteString(strconv.FormatFloat(x, 'f', -1, 64))
		}
	}
}

func separate(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteString(", ")
	}
}

// equal reports whether two values are the same JSON. The order of fields does
// not matter, nor whether a number is written with a point.
func equal(a, b Value) bool {
	switch a := a.(type) {
	case *Text:
		b, ok := b.(*Text)
		return ok && a.Value == b.Value
	case *List:
		b, ok := b.(*List)
		if !ok || len(a.Items) != len(b.Items) {
			return false
		}
		for i := range a.Items {
			if !equal(a.Items[i], b.Items[i]) {
				return false
			}
		}
		return true
	case *Struct:
		b, ok := b.(*Struct)
		if !ok || len(a.Fields) != len(b.Fields) {
			return false
		}
		for _, f := range a.Fields {
			if other := b.field(f.Name); other == nil || !equal(f.Value, other.Value) {
				return false
			}
		}
		return true
	case *Lit:
		b, ok := b.(*Lit)
		return ok && (a.V == b.V || sameNumber(a.V, b.V))
	}
	return false
}

func (s *Struct) field(name string) *Field {
	for _, f := range s.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func sameNumber(a, b any) bool {
	x, ok1 := toFloat(a)
	y, ok2 := toFloat(b)
	return ok1 && ok2 && x == y
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
