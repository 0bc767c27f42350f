package expr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
)

type kind int

const (
	eof     kind = iota
	name         // an identifier
	literal      // a number, string, boolean or null; token.value holds it
	keyword      // and, or, not, in; token.text is lower case
	symbol       // an operator or punctuation
)

// token is one token of an expression.
type token struct {
	kind   kind
	text   string // as written, except that keywords are lower case
	value  any    // of a literal
	number bool   // a literal that is a number
	at     diag.Pos
}

// String names t in a message.
func (t token) String() string {
	if t.kind == eof {
		return "the end of the expression"
	}
	if len(t.text) > 40 {
		return "'" + strings.ToValidUTF8(t.text[:40], "") + "…'"
	}
	return "'" + t.text + "'"
}

// is reports whether t is one of the given operators or keywords.
func (t token) is(texts ...string) bool {
	if t.kind != symbol && t.kind != keyword {
		return false
	}
	for _, s := range texts {
		if t.text == s {
			return true
		}
	}
	return false
}

// lexer splits an expression into tokens.
type lexer struct {
	src    string
	off    int // of the next byte
	locate func(offset int) diag.Pos
}

// words are the names that mean something else. Booleans and the logical
// operators have the spellings of the data types page; null and in have one.
var words = map[string]token{
	"and": {kind: keyword, text: "and"}, "AND": {kind: keyword, text: "and"},
	"or": {kind: keyword, text: "or"}, "OR": {kind: keyword, text: "or"},
	"not": {kind: keyword, text: "not"}, "NOT": {kind: keyword, text: "not"},
	"in":   {kind: keyword, text: "in"},
	"null": {kind: literal, text: "null"},
	"true": {kind: literal, text: "true", value: true}, "false": {kind: literal, text: "false", value: false},
	"True": {kind: literal, text: "True", value: true}, "False": {kind: literal, text: "False", value: false},
	"TRUE": {kind: literal, text: "TRUE", value: true}, "FALSE": {kind: literal, text: "FALSE", value: false},
}

// next returns the next token, or the problem that there is none.
func (l *lexer) next() (token, *diag.Diagnostic) {
	for l.off < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.off]) >= 0 {
		l.off++
	}
	at := l.locate(l.off)
	if l.off == len(l.src) {
		return token{at: at}, nil
	}
	rest := l.src[l.off:]
	switch c := rest[0]; {
	case isLetter(c):
		return l.word(at), nil
	case isDigit(c):
		return l.number(at)
	case c == '"':
		return l.text(at)
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			l.off += len(s)
			return token{kind: symbol, text: s, at: at}, nil
		}
	}
	return token{}, unrecognized(rest, at)
}

// symbols lists the longer ones first.
var symbols = []string{
	"//", "<=", ">=", "==", "!=",
	"+", "-", "*", "/", "%", "<", ">", "(", ")", "[", "]", ",", ".",
}

// unrecognized words the error as the service's lexer does.
func unrecognized(rest string, at diag.Pos) *diag.Diagnostic {
	r, _ := utf8.DecodeRuneInString(rest)
	d := &diag.Diagnostic{Pos: at, Code: "expression", Message: fmt.Sprintf("token recognition error at: '%c'", r)}
	switch {
	case strings.HasPrefix(rest, "&&"):
		d.Hint, d.Width = `write "and" for "&&"`, 2
	case strings.HasPrefix(rest, "||"):
		d.Hint, d.Width = `write "or" for "||"`, 2
	case r == '!':
		d.Hint = `write "not" for "!", with parentheses: not (a in b)`
	case r == '\'' || r == '`' || r == '“' || r == '”':
		d.Hint = `strings in expressions take double quotes: "text"`
	case r == '{' || r == '}':
		d.Hint = "an expression cannot hold a map literal, or text around a second ${…}: assign the map to a variable first, or join strings with +"
	case r == '=':
		d.Hint = `write "==" to compare; an expression cannot assign`
	case r == '?' || r == ':':
		d.Hint = "write if(condition, a, b) for a choice and default(a, b) for null"
	case r == '$':
		d.Hint = "inside an expression a variable is its bare name"
	}
	return d
}

func (l *lexer) word(at diag.Pos) token {
	start := l.off
	for l.off < len(l.src) && (isLetter(l.src[l.off]) || isDigit(l.src[l.off])) {
		l.off++
	}
	s := l.src[start:l.off]
	if t, ok := words[s]; ok {
		t.at = at
		return t
	}
	return token{kind: name, text: s, at: at}
}

// number scans 42, 4.1 or 4.1e-3. The exponent is not in the documentation;
// it is accepted because printed doubles may need it.
func (l *lexer) number(at diag.Pos) (token, *diag.Diagnostic) {
	start := l.off
	l.digits()
	double := false
	if rest := l.src[l.off:]; len(rest) > 1 && rest[0] == '.' && isDigit(rest[1]) {
		double = true
		l.off++
		l.digits()
	}
	if n := exponent(l.src[l.off:]); n > 0 {
		double = true
		l.off += n
	}
	t := token{kind: literal, text: l.src[start:l.off], number: true, at: at}
	var err error
	if double {
		t.value, err = strconv.ParseFloat(t.text, 64)
	} else {
		t.value, err = parseInt(t.text)
	}
	if err != nil {
		return t, problem(at, "write a double, such as 1.0e20, or a string", "number %s does not fit in 64 bits", t)
	}
	return t, nil
}

// parseInt reads a non-negative integer. The magnitude of the least int64,
// which only a minus sign in front of it makes legal, is returned as itself.
func parseInt(s string) (int64, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && n == 1<<63 {
		return -1 << 63, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

func (l *lexer) digits() {
	for l.off < len(l.src) && isDigit(l.src[l.off]) {
		l.off++
	}
}

// exponent returns the length of the exponent at the start of s, or 0.
func exponent(s string) int {
	if s == "" || s[0]|0x20 != 'e' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	digits := n
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n == digits {
		return 0
	}
	return n
}

// text scans a string. Escapes are JSON's; a string may span lines.
func (l *lexer) text(at diag.Pos) (token, *diag.Diagnostic) {
	start := l.off
	l.off++
	for run := l.off; ; l.off++ {
		if l.off >= len(l.src) {
			return token{}, unclosed(l.src[start:], at)
		}
		if l.src[l.off] == '"' {
			value := l.src[run:l.off]
			l.off++
			return token{kind: literal, text: l.src[start:l.off], value: value, at: at}, nil
		}
		if l.src[l.off] == '\\' {
			return l.escapedText(start, at)
		}
	}
}

// escapedText goes on with the string at start, from its first backslash.
func (l *lexer) escapedText(start int, at diag.Pos) (token, *diag.Diagnostic) {
	var b strings.Builder
	b.WriteString(l.src[start+1 : l.off])
	for l.off < len(l.src) {
		c := l.src[l.off]
		switch c {
		case '"':
			l.off++
			return token{kind: literal, text: l.src[start:l.off], value: b.String(), at: at}, nil
		case '\\':
			r, n, err := unescape(l.src[l.off:])
			if err != nil {
				return token{}, problem(l.locate(l.off), err.Error(), "token recognition error at: '%s'", clip(l.src[l.off:]))
			}
			b.WriteRune(r)
			l.off += n
		default:
			b.WriteByte(c)
			l.off++
		}
	}
	return token{}, unclosed(l.src[start:], at)
}

var errEscape = errors.New(`a backslash in a string starts one of \" \\ \/ \b \f \n \r \t \uXXXX; write \\ for a backslash`)

// unescape reads the escape at the start of s and returns its length.
func unescape(s string) (rune, int, error) {
	if len(s) < 2 {
		return 0, 0, errEscape
	}
	if i := strings.IndexByte(`"\/bfnrt`, s[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2, nil
	}
	r, ok := hex4(s)
	if !ok {
		return 0, 0, errEscape
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	low, _ := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0, errors.New(`half of a surrogate pair is no character`)
	}
	return r, 12, nil
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

func unclosed(rest string, at diag.Pos) *diag.Diagnostic {
	return problem(at, `the string has no closing "`, "token recognition error at: '%s'", clip(rest))
}

// clip keeps a message short.
func clip(s string) string {
	if len(s) > 30 {
		return strings.ToValidUTF8(s[:30], "") + "…"
	}
	return s
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
