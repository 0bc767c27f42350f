package interp

import (
	"math"
	"strconv"

	"github.com/kakehi/kakehi/internal/value"
)

// operator computes a binary operator other than and, or.
type operator func(x, y value.Value) (value.Value, error)

var operators = map[string]operator{
	"+": add, "-": subtract, "*": multiply, "/": divide, "//": floorDivide, "%": remainder,
	"==": func(x, y value.Value) (value.Value, error) { return value.Bool(value.Equal(x, y)), nil },
	"!=": func(x, y value.Value) (value.Value, error) { return value.Bool(!value.Equal(x, y)), nil },
	"<":  ordering("<", func(c int) bool { return c < 0 }),
	"<=": ordering("<=", func(c int) bool { return c <= 0 }),
	">":  ordering(">", func(c int) bool { return c > 0 }),
	">=": ordering(">=", func(c int) bool { return c >= 0 }),
	"in": func(x, y value.Value) (value.Value, error) {
		ok, err := value.Contains(x, y)
		return value.Bool(ok), err
	},
}

func badOperands(op string, x, y value.Value) error {
	return value.Errorf(value.TypeError, "unsupported operand types for %s: %s and %s", op, value.Type(x), value.Type(y))
}

func overflow(op string, x, y value.Int) error {
	return value.Errorf(value.ValueError, "integer overflow: %d %s %d", x, op, y)
}

// numbers returns x and y as doubles if both are numbers.
func numbers(x, y value.Value) (a, b float64, ok bool) {
	a, ok1 := number(x)
	b, ok2 := number(y)
	return a, b, ok1 && ok2
}

func number(v value.Value) (float64, bool) {
	switch v := v.(type) {
	case value.Int:
		return float64(v), true
	case value.Double:
		return float64(v), true
	}
	return 0, false
}

func ints(x, y value.Value) (a, b value.Int, ok bool) {
	a, ok1 := x.(value.Int)
	b, ok2 := y.(value.Int)
	return a, b, ok1 && ok2
}

// Text returns a scalar as string() and concatenation show it: a string, a
// number or a boolean.
func Text(v value.Value) (string, bool) {
	switch v := v.(type) {
	case value.String:
		return string(v), true
	case value.Int:
		return strconv.FormatInt(int64(v), 10), true
	case value.Double:
		return value.FormatDouble(float64(v)), true
	case value.Bool:
		return strconv.FormatBool(bool(v)), true
	}
	return "", false
}

func add(x, y value.Value) (value.Value, error) {
	if a, b, ok := ints(x, y); ok {
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
		return nil, overflow("+", a, b)
	}
	if a, b, ok := numbers(x, y); ok {
		return value.Double(a + b), nil
	}
	_, xs := x.(value.String)
	_, ys := y.(value.String)
	if a, ok := Text(x); ok && (xs || ys) {
		if b, ok := Text(y); ok {
			return value.String(a + b), nil
		}
	}
	return nil, badOperands("+", x, y)
}

func subtract(x, y value.Value) (value.Value, error) {
	if a, b, ok := ints(x, y); ok {
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
		return nil, overflow("-", a, b)
	}
	if a, b, ok := numbers(x, y); ok {
		return value.Double(a - b), nil
	}
	return nil, badOperands("-", x, y)
}

func multiply(x, y value.Value) (value.Value, error) {
	if a, b, ok := ints(x, y); ok {
		if a == 0 || b == 0 {
			return value.Int(0), nil
		}
		c := a * b
		if c/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
			return nil, overflow("*", a, b)
		}
		return c, nil
	}
	if a, b, ok := numbers(x, y); ok {
		return value.Double(a * b), nil
	}
	return nil, badOperands("*", x, y)
}

func zeroDivision() error { return value.Errorf(value.ZeroDivisionError, "division by zero") }

func divide(x, y value.Value) (value.Value, error) {
	a, b, ok := numbers(x, y)
	if !ok {
		return nil, badOperands("/", x, y)
	}
	if b == 0 {
		return nil, zeroDivision()
	}
	return value.Double(a / b), nil
}

func floorDivide(x, y value.Value) (value.Value, error) {
	if a, b, ok := ints(x, y); ok {
		if b == 0 {
			return nil, zeroDivision()
		}
		if a == math.MinInt64 && b == -1 {
			return nil, overflow("//", a, b)
		}
		q := a / b
		if a%b != 0 && (a < 0) != (b < 0) {
			q--
		}
		return q, nil
	}
	a, b, ok := numbers(x, y)
	if !ok {
		return nil, badOperands("//", x, y)
	}
	if b == 0 {
		return nil, zeroDivision()
	}
	return value.Double(math.Floor(a / b)), nil
}

func remainder(x, y value.Value) (value.Value, error) {
	if a, b, ok := ints(x, y); ok {
		if b == 0 {
			return nil, zeroDivision()
		}
		if b == -1 { // MinInt64 % -1 would trap on some machines
			return value.Int(0), nil
		}
		r := a % b
		if r != 0 && (r < 0) != (b < 0) {
			r += b
		}
		return r, nil
	}
	a, b, ok := numbers(x, y)
	if !ok {
		return nil, badOperands("%", x, y)
	}
	if b == 0 {
		return nil, zeroDivision()
	}
	r := math.Mod(a, b)
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return value.Double(r), nil
}

func negate(v value.Value) (value.Value, error) {
	switch v := v.(type) {
	case value.Int:
		if v == math.MinInt64 {
			return nil, value.Errorf(value.ValueError, "integer overflow: -(%d)", v)
		}
		return -v, nil
	case value.Double:
		return -v, nil
	}
	return nil, value.Errorf(value.TypeError, "unsupported operand type for unary -: %s", value.Type(v))
}

func ordering(op string, holds func(int) bool) operator {
	return func(x, y value.Value) (value.Value, error) {
		c, ok := compare(x, y)
		if !ok {
			return nil, badOperands(op, x, y)
		}
		return value.Bool(c != unordered && holds(c)), nil
	}
}

// unordered is how NaN compares with anything.
const unordered = 2

func compare(x, y value.Value) (c int, ok bool) {
	if a, b, ok := ints(x, y); ok {
		return order(a, b), true
	}
	if a, b, ok := numbers(x, y); ok {
		return order(a, b), true
	}
	a, ok1 := x.(value.String)
	b, ok2 := y.(value.String)
	return order(a, b), ok1 && ok2
}

func order[T value.Int | value.String | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return unordered
}

func truth(v value.Value, what string) (bool, error) {
	b, ok := v.(value.Bool)
	if !ok {
		return false, value.Errorf(value.TypeError, "%s must be a boolean; got: %s", what, value.Type(v))
	}
	return bool(b), nil
}
