package cel

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
)

type kind int

const (
	eof     kind = iota
	name         // an identifier
	literal      // a number or a string; token.value holds it
	symbol       // an operator or punctuation
)

// A token is one word of an expression.
type token struct {
	kind  kind
	text  string // as written
	value any    // of a literal
	at    diag.Pos
}

// String names t in a message.
func (t token) String() string {
	if t.kind == eof {
		return "the end of the expression"
	}
	return "'" + clip(t.text) + "'"
}

func (t token) is(symbols ...string) bool {
	if t.kind != symbol {
		return false
	}
	for _, s := range symbols {
		if t.text == s {
			return true
		}
	}
	return false
}

// clip keeps a message short.
func clip(s string) string {
	if len(s) > 30 {
		return strings.ToValidUTF8(s[:30], "") + "…"
	}
	return s
}

// A lexer splits an expression into tokens.
type lexer struct {
	src    string
	off    int // of the next byte
	locate func(offset int) diag.Pos
}

// symbols lists the longer ones first.
var symbols = []string{
	"||", "&&", "==", "!=", "<=", ">=",
	"<", ">", "!", "+", "-", "*", "/", "%", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":",
}

// next returns the next token, or the problem that there is none.
func (l *lexer) next() (token, *diag.Diagnostic) {
	for l.off < len(l.src) && strings.IndexByte(" \t\n\f\r", l.src[l.off]) >= 0 {
		l.off++
	}
	t := token{at: l.locate(l.off)}
	if l.off == len(l.src) {
		return t, nil
	}
	rest := l.src[l.off:]
	switch c := rest[0]; {
	case isLetter(c):
		return l.word(t)
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return l.number(t)
	case c == '"' || c == '\'':
		return l.text(t)
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			l.off += len(s)
			t.kind, t.text = symbol, s
			return t, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return t, problem(t.at, "", "unexpected character '%c'", r)
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool { return isLetter(c) || isDigit(c) }

func (l *lexer) word(t token) (token, *diag.Diagnostic) {
	start := l.off
	for l.off < len(l.src) && isWord(l.src[l.off]) {
		l.off++
	}
	t.kind, t.text = name, l.src[start:l.off]
	if l.off < len(l.src) && (l.src[l.off] == '"' || l.src[l.off] == '\'') {
		return t, refused(t.at, "a string with a prefix, such as r\"…\" or b\"…\",")
	}
	switch t.text {
	case "true", "false":
		t.kind, t.value = literal, t.text == "true"
	case "null":
		t.kind = literal
	}
	return t, nil
}

func (l *lexer) number(t token) (token, *diag.Diagnostic) {
	start := l.off
	for l.off < len(l.src) && (isWord(l.src[l.off]) || l.src[l.off] == '.' || l.signOfExponent(start)) {
		l.off++
	}
	t.kind, t.text = literal, l.src[start:l.off]
	var err error
	switch hex := strings.HasPrefix(strings.ToLower(t.text), "0x"); {
	case strings.ContainsAny(t.text, "uU"):
		return t, refused(t.at, "an unsigned number")
	case strings.Contains(t.text, "_"):
		err = strconv.ErrSyntax
	case hex:
		t.value, err = strconv.ParseInt(t.text[2:], 16, 64)
	case strings.ContainsAny(t.text, ".eE"):
		t.value, err = strconv.ParseFloat(t.text, 64)
	default:
		t.value, err = strconv.ParseInt(t.text, 10, 64)
	}
	if err != nil {
		return t, problem(t.at, "", "%s is no number of 64 bits", t)
	}
	return t, nil
}

// signOfExponent reports whether the next byte is the sign in 1e-5.
func (l *lexer) signOfExponent(start int) bool {
	c := l.src[l.off]
	return (c == '-' || c == '+') && l.off > start && l.src[l.off-1]|0x20 == 'e' && !strings.HasPrefix(l.src[start:], "0x")
}

// text reads a string in quotes of either kind.
func (l *lexer) text(t token) (token, *diag.Diagnostic) {
	start, quote := l.off, l.src[l.off]
	if strings.HasPrefix(l.src[start:], strings.Repeat(string(quote), 3)) {
		return t, refused(t.at, "a string in three quotes")
	}
	var b strings.Builder
	for l.off++; l.off < len(l.src) && l.src[l.off] != '\n'; {
		switch c := l.src[l.off]; c {
		case quote:
			l.off++
			t.kind, t.text, t.value = literal, l.src[start:l.off], b.String()
			return t, nil
		case '\\':
			r, n, ok := unescape(l.src[l.off:])
			if !ok {
				return t, problem(l.locate(l.off), `a backslash begins an escape, such as \n; \\ is a backslash`, "bad escape in a string")
			}
			b.WriteRune(r)
			l.off += n
		default:
			b.WriteByte(c)
			l.off++
		}
	}
	return t, problem(t.at, "", "the string has no closing %c", quote)
}

// unescape reads the escape at the start of s and returns its length: those of
// Go, and the quotes of both kinds, \? and \`.
func unescape(s string) (r rune, n int, ok bool) {
	if len(s) > 1 && strings.IndexByte("?`'\"", s[1]) >= 0 {
		return rune(s[1]), 2, true
	}
	r, _, rest, err := strconv.UnquoteChar(s, 0)
	return r, len(s) - len(rest), err == nil
}

func problem(at diag.Pos, hint, format string, args ...any) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: at, Code: "cel", Message: fmt.Sprintf(format, args...), Hint: hint}
}

// refused is about what the language has, and this package has not.
func refused(at diag.Pos, what string) *diag.Diagnostic {
	return problem(at, "compute it in a component, and compare its output", "%s is not supported in a condition", what)
}
