package stdlib

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// helpers are the expression helpers; they do not count as steps.
var helpers = free(
	pure("default", `default(map.get(args, "n"), 1)`, []string{"val", "defaultVal"}, 2, func(a []value.Value) (value.Value, error) {
		if value.IsNull(a[0]) {
			return a[1], nil
		}
		return a[0], nil
	}),
	pure("double", `double("2.7")`, []string{"x"}, 1, func(a []value.Value) (value.Value, error) { return toDouble(a[0]) }),
	pure("get_type", `get_type(x)`, []string{"arg"}, 1, func(a []value.Value) (value.Value, error) {
		return value.String(value.Type(a[0])), nil
	}),
	pure("if", `if(n > 1, "many", "one")`, []string{"condition", "ifTrue", "ifFalse"}, 3, func(a []value.Value) (value.Value, error) {
		c, ok := a[0].(value.Bool)
		switch {
		case !ok:
			return nil, wrongType("condition", "a boolean", a[0])
		case bool(c):
			return a[1], nil
		}
		return a[2], nil
	}),
	pure("int", `int("42")`, []string{"x"}, 1, func(a []value.Value) (value.Value, error) { return toInt(a[0]) }),
	pure("keys", `keys(m)`, []string{"map"}, 1, func(a []value.Value) (value.Value, error) {
		m, err := mapArg(a[0], "map")
		if err != nil {
			return nil, err
		}
		keys := make([]value.Value, 0, m.Len()) // in the order of the map (choice keys-order)
		for k := range m.All() {
			keys = append(keys, k.Value())
		}
		return value.NewList(keys...), nil
	}),
	pure("len", `len(list)`, []string{"value"}, 1, func(a []value.Value) (value.Value, error) {
		switch v := a[0].(type) {
		case value.String:
			return value.Int(utf8.RuneCountInString(string(v))), nil // characters, not bytes
		case *value.List:
			return value.Int(v.Len()), nil
		case *value.Map:
			return value.Int(v.Len()), nil
		}
		return nil, wrongType("value", "a list, a map or a string", a[0])
	}),
	pure("string", `string(42)`, []string{"x"}, 1, func(a []value.Value) (value.Value, error) {
		s, ok := interp.Text(a[0])
		if !ok {
			return nil, wrongType("x", "a number, a boolean or a string", a[0])
		}
		return value.String(s), nil
	}),
)

func free(list ...Entry) []Entry {
	for i := range list {
		list[i].Func.Free = true
	}
	return list
}

func toDouble(v value.Value) (value.Value, error) {
	switch v := v.(type) {
	case value.Int:
		return value.Double(v), nil
	case value.Double:
		return v, nil
	case value.String:
		d, err := strconv.ParseFloat(strings.TrimSpace(string(v)), 64)
		if err != nil || math.IsNaN(d) || math.IsInf(d, 0) {
			return nil, value.Errorf(value.ValueError, "cannot convert %q to double", string(v))
		}
		return value.Double(d), nil
	}
	return nil, wrongType("x", "a string or a number", v)
}

// toInt truncates a double toward zero (choice int-truncates).
func toInt(v value.Value) (value.Value, error) {
	switch v := v.(type) {
	case value.Int:
		return v, nil
	case value.Double:
		d := math.Trunc(float64(v))
		if math.IsNaN(d) || d < -(1<<63) || d >= 1<<63 {
			return nil, value.Errorf(value.ValueError, "%v does not fit in an integer", float64(v))
		}
		return value.Int(d), nil
	case value.String:
		n, err := strconv.ParseInt(strings.TrimSpace(string(v)), 10, 64)
		if err != nil {
			return nil, value.Errorf(value.ValueError, "cannot convert %q to integer", string(v))
		}
		return value.Int(n), nil
	}
	return nil, wrongType("x", "a string or a number", v)
}
