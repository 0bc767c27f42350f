package stdlib

import (
	"math"

	"github.com/kakehi/kakehi/internal/value"
)

var numbers = []Entry{
	pure("math.abs", `math.abs(-1)`, []string{"x"}, 1, func(a []value.Value) (value.Value, error) {
		switch x := a[0].(type) {
		case value.Int:
			if x == math.MinInt64 {
				return nil, value.Errorf(value.ValueError, "integer overflow: abs(%d)", x)
			}
			return max(x, -x), nil
		case value.Double:
			return value.Double(math.Abs(float64(x))), nil
		}
		return nil, wrongType("x", "a number", a[0])
	}),
	pure("math.floor", `math.floor(2.7)`, []string{"x"}, 1, func(a []value.Value) (value.Value, error) {
		if d, ok := a[0].(value.Double); ok {
			return toInt(value.Double(math.Floor(float64(d))))
		}
		if _, err := numberArg(a[0], "x"); err != nil {
			return nil, err
		}
		return a[0], nil
	}),
	pure("math.max", `math.max(1, 2.5)`, []string{"x", "y"}, 2, chooser(func(x, y float64) bool { return x >= y })),
	pure("math.min", `math.min(1, 2.5)`, []string{"x", "y"}, 2, chooser(func(x, y float64) bool { return x <= y })),
}

// chooser returns the argument that is preferred, in its own type.
func chooser(prefer func(x, y float64) bool) function {
	return func(a []value.Value) (value.Value, error) {
		if i, ok := a[0].(value.Int); ok {
			if j, ok := a[1].(value.Int); ok { // without rounding large ones
				if i == j || prefer(0, float64(order(j, i))) {
					return i, nil
				}
				return j, nil
			}
		}
		x, err := numberArg(a[0], "x")
		if err != nil {
			return nil, err
		}
		y, err := numberArg(a[1], "y")
		if err != nil {
			return nil, err
		}
		if prefer(x, y) {
			return a[0], nil
		}
		return a[1], nil
	}
}

func order(a, b value.Int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
