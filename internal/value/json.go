package value

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// MaxDepth is how deeply JSON may nest, in and out. It bounds the stack.
const MaxDepth = 1000

// ToJSON encodes v as compact JSON, maps in their order. A double always has a
// fraction or an exponent, so that it is read back as a double. The errors are
// ValueErrors: bytes, functions, doubles that are no number, and values nested
// deeper than [MaxDepth] have no JSON form.
func ToJSON(v Value) ([]byte, error) { return AppendJSON(nil, v, Style{}) }

// MustJSON is [ToJSON] for values known to have a JSON form.
func MustJSON(v Value) []byte {
	b, err := ToJSON(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Style is how JSON is laid out: on one line when Indent and Prefix are empty,
// else one item a line, each after Prefix and Indent once per level.
type Style struct {
	Prefix, Indent string
	// MaxBytes stops the encoder with a [LimitError]; 0 is no limit.
	MaxBytes int
}

// AppendJSON appends v to dst; see [ToJSON].
func AppendJSON(dst []byte, v Value, s Style) ([]byte, error) {
	e := encoder{out: dst, style: s, start: len(dst)}
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	return e.out, nil
}

type encoder struct {
	out   []byte
	start int
	style Style
}

func (e *encoder) value(v Value, depth int) error {
	if depth > MaxDepth {
		return Errorf(ValueError, "cannot encode a value nested deeper than %d levels as JSON", MaxDepth)
	}
	if e.style.MaxBytes > 0 && len(e.out)-e.start > e.style.MaxBytes {
		return LimitError(fmt.Sprintf("the JSON text is longer than %d bytes", e.style.MaxBytes), MemoryLimitExceededError)
	}
	switch v := v.(type) {
	case Null:
		e.out = append(e.out, "null"...)
	case Bool:
		e.out = strconv.AppendBool(e.out, bool(v))
	case Int:
		e.out = strconv.AppendInt(e.out, int64(v), 10)
	case Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return Errorf(ValueError, "cannot encode %v as JSON", float64(v))
		}
		e.out = appendDouble(e.out, float64(v))
	case String:
		e.out = appendString(e.out, string(v))
	case *List:
		return e.list(v, depth)
	case *Map:
		return e.object(v, depth)
	default:
		return Errorf(ValueError, "cannot encode a value of type %s as JSON", Type(v))
	}
	return nil
}

func (e *encoder) list(l *List, depth int) error {
	if len(l.items) == 0 {
		e.out = append(e.out, "[]"...)
		return nil
	}
	e.out = append(e.out, '[')
	for i, item := range l.items {
		e.separate(i, depth+1)
		if err := e.value(item, depth+1); err != nil {
			return err
		}
	}
	e.newline(depth)
	e.out = append(e.out, ']')
	return nil
}

func (e *encoder) object(m *Map, depth int) error {
	if len(m.entries) == 0 {
		e.out = append(e.out, "{}"...)
		return nil
	}
	e.out = append(e.out, '{')
	for i, en := range m.entries {
		e.separate(i, depth+1)
		e.out = appendString(e.out, en.key.String())
		e.out = append(e.out, ':')
		if e.indented() {
			e.out = append(e.out, ' ')
		}
		if err := e.value(en.value, depth+1); err != nil {
			return err
		}
	}
	e.newline(depth)
	e.out = append(e.out, '}')
	return nil
}

func (e *encoder) indented() bool { return e.style.Indent != "" || e.style.Prefix != "" }

func (e *encoder) separate(i, depth int) {
	if i > 0 {
		e.out = append(e.out, ',')
	}
	e.newline(depth)
}

func (e *encoder) newline(depth int) {
	if !e.indented() {
		return
	}
	e.out = append(append(e.out, '\n'), e.style.Prefix...)
	for range depth {
		e.out = append(e.out, e.style.Indent...)
	}
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20 || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r) // an invalid byte becomes U+FFFD
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}

// FormatDouble writes a double as the language shows it in strings and JSON:
// the shortest text that reads back as the same double, with a fraction or an
// exponent (choice double-text).
func FormatDouble(d float64) string { return string(appendDouble(nil, d)) }

func appendDouble(b []byte, d float64) []byte {
	format := byte('f')
	if abs := math.Abs(d); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, d, format, -1, 64)
	if format == 'f' && !slices.Contains(b[start:], '.') && !math.IsInf(d, 0) && !math.IsNaN(d) {
		b = append(b, ".0"...)
	}
	return b
}

// Printable returns v with bytes replaced by their Base64 text, functions by
// their names and doubles that are no number by strings, so that it has a JSON
// form. Parts below [MaxDepth] become null.
func Printable(v Value) Value { return printable(v, 0) }

// SyntaxError tells that a text is no JSON that the language can hold.
type SyntaxError struct {
	Offset int // in bytes
	Msg    string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Msg)
}

// IsSyntaxError reports whether err is a [SyntaxError].
func IsSyntaxError(err error) bool {
	var e *SyntaxError
	return errors.As(err, &e)
}
