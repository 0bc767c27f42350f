// Package value holds the run-time values of Cloud Workflows, their codec and
// the operations that the language and its library share.
//
// Values have value semantics at the price of a pointer: a container counts,
// up to "two or more", the variables and containers that hold it, and is
// changed in place only while one at most does (see [Retain] and [SetPath]).
package value

// Value is Null, Bool, Int, Double, String, Bytes, *List, *Map or Func. The
// set is closed. Values of the first six kinds are immutable.
type Value interface {
	// Size is what the value costs in the memory of an execution, in bytes:
	// 8 for a number, boolean or null; 8 plus the length of a string or bytes;
	// 8 plus the parts of a container.
	//
	// Source: cloud.google.com/workflows/docs/reference/syntax/variables. It
	// names no cost of null (choice null-memory).
	Size() int
	kind() string
}

// Null is the null value.
type Null struct{}

// Bool is a boolean.
type Bool bool

// Int is a 64-bit signed integer.
type Int int64

// Double is a 64-bit floating-point number.
type Double float64

// String is a UTF-8 text.
type String string

// Bytes is a sequence of bytes; a Go string, so that it cannot change.
type Bytes string

// Func names a function or subworkflow used as a value, which the language
// allows only where a retry predicate is expected.
type Func string

const scalarSize = 8

// Size implements Value.
func (Null) Size() int { return scalarSize }

// Size implements Value.
func (Bool) Size() int { return scalarSize }

// Size implements Value.
func (Int) Size() int { return scalarSize }

// Size implements Value.
func (Double) Size() int { return scalarSize }

// Size implements Value.
func (s String) Size() int { return scalarSize + len(s) }

// Size implements Value.
func (b Bytes) Size() int { return scalarSize + len(b) }

// Size implements Value.
func (f Func) Size() int { return scalarSize + len(f) }

func (Null) kind() string   { return "null" }
func (Bool) kind() string   { return "boolean" }
func (Int) kind() string    { return "integer" }
func (Double) kind() string { return "double" }
func (String) kind() string { return "string" }
func (Bytes) kind() string  { return "bytes" }
func (Func) kind() string   { return "function" }
func (*List) kind() string  { return "list" }
func (*Map) kind() string   { return "map" }

// Type returns the name of v's type as get_type gives it: null, boolean,
// integer, double, string, bytes, list or map.
func Type(v Value) string { return v.kind() }

// IsNull reports whether v is Null.
func IsNull(v Value) bool {
	_, ok := v.(Null)
	return ok
}

// Equal reports deep equality. An integer equals a double of the same number;
// other values of different types are unequal. Order in maps does not matter.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case Int:
		if d, ok := b.(Double); ok {
			return equalNumbers(a, d)
		}
	case Double:
		if i, ok := b.(Int); ok {
			return equalNumbers(i, a)
		}
	case *List:
		b, ok := b.(*List)
		return ok && (a == b || a.equal(b))
	case *Map:
		b, ok := b.(*Map)
		return ok && (a == b || a.equal(b))
	}
	switch b.(type) {
	case *List, *Map:
		return false
	}
	return a == b
}

// equalNumbers compares exactly: a conversion of large integers would round.
func equalNumbers(i Int, d Double) bool {
	const limit = 1 << 63
	return d >= -limit && d < limit && Int(d) == i && Double(Int(d)) == d
}
