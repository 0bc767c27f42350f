package value

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"sort"
)

// FromGo returns the value of x: nil, a bool, any integer or float type, a
// string, []byte, json.Number, []any, map[string]any (keys sorted), a Value,
// or anything that encoding/json can encode.
func FromGo(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Null{}, nil
	case Value:
		return x, nil
	case bool:
		return Bool(x), nil
	case int:
		return Int(x), nil
	case int64:
		return Int(x), nil
	case float64:
		return Double(x), nil
	case string:
		return String(x), nil
	case []byte:
		return Bytes(x), nil
	case []any:
		return fromSlice(x)
	case map[string]any:
		return fromMap(x)
	}
	text, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("no value for a Go %T: %w", x, err)
	}
	return FromJSON(text)
}

func fromSlice(xs []any) (Value, error) {
	items := make([]Value, len(xs))
	for i, x := range xs {
		v, err := FromGo(x)
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return NewList(items...), nil
}

func fromMap(xs map[string]any) (Value, error) {
	keys := make([]string, 0, len(xs))
	for k := range xs {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	m := NewMap()
	for _, k := range keys {
		v, err := FromGo(xs[k])
		if err != nil {
			return nil, err
		}
		m.Put(k, v)
	}
	return m, nil
}

// ToGo returns v as nil, bool, int64, float64, string, []byte, []any or
// map[string]any; integer keys become their digits.
func ToGo(v Value) any {
	switch v := v.(type) {
	case Bool:
		return bool(v)
	case Int:
		return int64(v)
	case Double:
		return float64(v)
	case String:
		return string(v)
	case Bytes:
		return []byte(v)
	case Func:
		return string(v)
	case *List:
		items := make([]any, len(v.items))
		for i, item := range v.items {
			items[i] = ToGo(item)
		}
		return items
	case *Map:
		m := make(map[string]any, len(v.entries))
		for _, e := range v.entries {
			m[e.key.String()] = ToGo(e.value)
		}
		return m
	}
	return nil
}

func printable(v Value, depth int) Value {
	if depth > MaxDepth {
		return Null{}
	}
	switch v := v.(type) {
	case Bytes:
		return String(base64.StdEncoding.EncodeToString([]byte(v)))
	case Func:
		return String(v)
	case Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return String(FormatDouble(float64(v)))
		}
	case *List:
		items := make([]Value, len(v.items))
		for i, item := range v.items {
			items[i] = printable(item, depth+1)
		}
		return NewList(items...)
	case *Map:
		out := NewMap()
		for _, e := range v.entries {
			out.set(e.key, printable(e.value, depth+1))
		}
		return out
	}
	return v
}
