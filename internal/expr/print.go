package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The levels of an operand, continuing those of the binary operators: what
// is looser than its place demands is put in parentheses.
const (
	unaryLevel   = 5 // len(levels)
	postfixLevel = 6
)

// String formats e with the fewest parentheses, so that Parse reads the same
// tree again. Characters that YAML cannot hold are escaped.
func String(e Expr) string {
	var b strings.Builder
	write(&b, e, 0)
	return b.String()
}

// write formats e for a place that takes no operator looser than level.
func write(b *strings.Builder, e Expr, level int) {
	if own := levelOf(e); own < level {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	switch e := e.(type) {
	case *Literal:
		writeLiteral(b, e.Value)
	case *Ident:
		b.WriteString(e.Name)
	case *Member:
		write(b, e.X, postfixLevel)
		b.WriteByte('.')
		b.WriteString(e.Name)
	case *Index:
		write(b, e.X, postfixLevel)
		writeList(b, '[', []Expr{e.Key}, ']')
	case *Call:
		b.WriteString(e.Func)
		writeList(b, '(', e.Args, ')')
	case *List:
		writeList(b, '[', e.Items, ']')
	case *Unary:
		writeUnary(b, e)
	case *Binary:
		own := levelOf(e)
		write(b, e.X, own)
		b.WriteString(" " + e.Op + " ")
		write(b, e.Y, own+1)
	}
}

func levelOf(e Expr) int {
	switch e := e.(type) {
	case *Binary:
		for i, ops := range levels {
			for _, op := range ops {
				if op == e.Op {
					return i
				}
			}
		}
	case *Unary:
		return unaryLevel
	case *Literal:
		// A number is no operand for .name or [key] without parentheses.
		switch e.Value.(type) {
		case int64, float64:
			return unaryLevel
		}
	}
	return postfixLevel
}

func writeUnary(b *strings.Builder, e *Unary) {
	b.WriteString(e.Op)
	if e.Op == "not" {
		b.WriteByte(' ')
	}
	if n, ok := e.X.(*Literal); ok && e.Op == "-" && !negative(n.Value) {
		// -(5) is not the literal -5.
		if levelOf(n) == unaryLevel {
			writeList(b, '(', []Expr{n}, ')')
			return
		}
	}
	write(b, e.X, unaryLevel)
}

func negative(v any) bool {
	switch v := v.(type) {
	case int64:
		return v < 0
	case float64:
		return math.Signbit(v)
	}
	return false
}

func writeList(b *strings.Builder, opening byte, items []Expr, closing byte) {
	b.WriteByte(opening)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		write(b, item, 0)
	}
	b.WriteByte(closing)
}

func writeLiteral(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case float64:
		b.WriteString(FormatDouble(v))
	case string:
		writeString(b, v)
	default:
		fmt.Fprint(b, v)
	}
}

// FormatDouble formats a finite double so that it reads as one again, in
// YAML and in expressions: with a point, and an exponent only when the
// number would be very long.
func FormatDouble(f float64) string {
	if a := math.Abs(f); a == 0 || 1e-6 <= a && a < 1e21 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if strings.IndexByte(s, '.') < 0 {
			s += ".0"
		}
		return s
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if strings.IndexByte(mantissa, '.') < 0 {
		mantissa += ".0"
	}
	return mantissa + "e" + exp
}

// writeString writes s with JSON's escapes.
func writeString(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch i := strings.IndexRune("\"\\\b\f\n\r\t", r); {
		case i >= 0:
			b.WriteByte('\\')
			b.WriteByte(`"\bfnrt`[i])
		case Printable(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
}

// Printable reports whether YAML lets r stand for itself on a line. Byte order marks and
// the separators that only some readers take for line breaks do not.
func Printable(r rune) bool {
	switch {
	case r < 0x20, r == 0x7f, 0x80 <= r && r < 0xa0, r == 0xfeff, r == 0x2028, r == 0x2029, r == 0xfffe, r == 0xffff:
		return false
	}
	return utf8.ValidRune(r)
}
