package stdlib

import (
	"math"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// pure makes an entry of a function that asks nothing of its execution. The
// parameters behind required ones are optional.
func pure(name, example string, params []string, required int, f func(args []value.Value) (value.Value, error)) Entry {
	return Entry{Name: name, Example: example, Func: interp.Func{
		Params: params, Required: required,
		Eval: func(_ *interp.Context, args []value.Value) (value.Value, error) { return f(args) },
	}}
}

func wrongType(param, want string, v value.Value) error {
	return value.Errorf(value.TypeError, "argument '%s' must be %s; got: %s", param, want, value.Type(v))
}

// given reports whether an optional argument was given and is not null.
func given(v value.Value) bool { return v != nil && !value.IsNull(v) }

func textArg(v value.Value, param string) (string, error) {
	s, ok := v.(value.String)
	if !ok {
		return "", wrongType(param, "a string", v)
	}
	return string(s), nil
}

func optionalText(v value.Value, param, byDefault string) (string, error) {
	if !given(v) {
		return byDefault, nil
	}
	return textArg(v, param)
}

func bytesArg(v value.Value, param string) ([]byte, error) {
	b, ok := v.(value.Bytes)
	if !ok {
		return nil, wrongType(param, "bytes", v)
	}
	return []byte(b), nil
}

func listArg(v value.Value, param string) (*value.List, error) {
	l, ok := v.(*value.List)
	if !ok {
		return nil, wrongType(param, "a list", v)
	}
	return l, nil
}

func mapArg(v value.Value, param string) (*value.Map, error) {
	m, ok := v.(*value.Map)
	if !ok {
		return nil, wrongType(param, "a map", v)
	}
	return m, nil
}

func boolArg(v value.Value, param string, byDefault bool) (bool, error) {
	if !given(v) {
		return byDefault, nil
	}
	b, ok := v.(value.Bool)
	if !ok {
		return false, wrongType(param, "a boolean", v)
	}
	return bool(b), nil
}

func numberArg(v value.Value, param string) (float64, error) {
	switch v := v.(type) {
	case value.Int:
		return float64(v), nil
	case value.Double:
		return float64(v), nil
	}
	return 0, wrongType(param, "a number", v)
}

// durationArg reads seconds, from 0 to most seconds.
func durationArg(v value.Value, param string, byDefault, most int) (time.Duration, error) {
	if !given(v) {
		return time.Duration(byDefault) * time.Second, nil
	}
	s, err := numberArg(v, param)
	if err != nil {
		return 0, err
	}
	if math.IsNaN(s) || s < 0 || s > float64(most) {
		return 0, value.Errorf(value.ValueError, "argument '%s' must be from 0 to %d seconds; got: %v", param, most, s)
	}
	return interp.Seconds(s), nil
}

func seconds(t time.Time) value.Double {
	return value.Double(float64(t.UnixMicro()) / 1e6)
}
