package expr

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
)

const (
	// maxDepth bounds the nesting of one expression, and with it the stack
	// of whoever walks it. The service's limit of 400 characters, which the
	// deploy-time checks apply, keeps honest expressions far below.
	maxDepth = 500
	// maxBytes bounds what is parsed at all.
	maxBytes = 1 << 16
)

// Parse parses the text between ${ and }. at is where src begins; the
// positions of the nodes follow from it, counting lines in src itself. The
// error, if any, is a [diag.Diagnostic].
func Parse(src string, at diag.Pos) (Expr, error) {
	done := 0
	return ParseLocated(src, func(offset int) diag.Pos {
		for _, r := range src[done:offset] {
			at.Col++
			if r == '\n' {
				at.Line, at.Col = at.Line+1, 1
			}
		}
		done = offset
		return at
	})
}

// ParseLocated is Parse for text that does not stand in the file as it is,
// because of quotes, escapes or folded lines: locate tells where the byte of
// src at offset comes from. It is called with offsets that never decrease.
func ParseLocated(src string, locate func(offset int) diag.Pos) (Expr, error) {
	if len(src) > maxBytes {
		return nil, *problem(locate(0), "", "expression is %d bytes long; no expression may be longer than %d", len(src), maxBytes)
	}
	if !utf8.ValidString(src) {
		return nil, *problem(locate(0), "", "expression is not valid UTF-8")
	}
	p := parser{lex: lexer{src: src, locate: locate}}
	p.advance()
	if p.tok.kind == eof {
		p.fail(p.tok.at, "the expression is empty")
	}
	e := p.binary(0)
	if p.tok.kind != eof {
		p.unexpected("an operator")
	}
	if p.failure != nil {
		return nil, *p.failure
	}
	return e, nil
}

// parser is a precedence parser. The first failure sticks: the token becomes
// the end, so that every loop stops.
type parser struct {
	lex     lexer
	tok     token
	depth   int
	minus   bool // the token stands behind a unary minus
	failure *diag.Diagnostic
}

// levels holds the binary operators, loosest first. Unary minus and not bind
// tighter than all of them (cloud.google.com/workflows/docs/reference/syntax/datatypes).
var levels = [][]string{
	{"or"},
	{"and"},
	{"<=", ">=", "<", ">", "==", "!=", "in"},
	{"+", "-"},
	{"*", "/", "//", "%"},
}

func (p *parser) advance() {
	if p.failure != nil {
		return
	}
	t, err := p.lex.next()
	if err != nil {
		p.tok, p.failure = token{at: err.Pos}, err
		return
	}
	p.tok = t
}

func (p *parser) fail(at diag.Pos, format string, args ...any) *diag.Diagnostic {
	d := problem(at, "", format, args...)
	if p.failure == nil {
		p.failure = d
	}
	p.tok = token{at: at}
	return d
}

// unexpected fails at the current token.
func (p *parser) unexpected(want string) {
	t := p.tok
	d := p.fail(t.at, "unexpected %s, expecting %s", t, want)
	d.Width = utf8.RuneCountInString(t.text)
	switch {
	case t.is("not"):
		d.Hint = `there is no "not in": write not (a in b)`
	case t.kind == literal || t.kind == name:
		d.Hint = "two values need an operator between them"
	}
}

// enter bounds the depth; leave undoes it.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > maxDepth {
		p.fail(p.tok.at, "the expression is nested more than %d levels deep", maxDepth)
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// binary parses operators of the given level and tighter ones.
func (p *parser) binary(level int) Expr {
	if level == len(levels) {
		return p.unary()
	}
	x := p.binary(level + 1)
	for p.tok.is(levels[level]...) {
		op := p.tok
		p.advance()
		y := p.binary(level + 1)
		x = &Binary{X: x, At: op.at, Op: op.text, Y: y}
	}
	return x
}

func (p *parser) unary() Expr {
	if !p.tok.is("-", "not") {
		return p.postfix()
	}
	defer p.leave()
	if !p.enter() {
		return nil
	}
	op := p.tok
	p.advance()
	p.minus = op.text == "-" && p.tok.number
	bare := p.minus
	x := p.unary()
	if bare {
		if n, ok := x.(*Literal); ok {
			return &Literal{At: op.at, Value: negate(n.Value)}
		}
	}
	return &Unary{At: op.at, Op: op.text, X: x}
}

func negate(v any) any {
	if f, ok := v.(float64); ok {
		return -f
	}
	return -v.(int64)
}

// postfix parses an operand with its members, indexes and arguments.
func (p *parser) postfix() Expr {
	x := p.operand()
	for {
		switch {
		case p.tok.is("."):
			p.advance()
			// After a dot a keyword is a plain name, as in e.in.
			if p.tok.kind != name && (p.tok.kind == eof || !isLetter(p.tok.text[0])) {
				p.unexpected("a name")
				return x
			}
			x = &Member{X: x, At: p.tok.at, Name: p.tok.text}
			p.advance()
		case p.tok.is("["):
			at := p.tok.at
			x = &Index{X: x, At: at, Key: p.group("]")}
		case p.tok.is("("):
			f, ok := Dotted(x)
			if !ok {
				p.fail(p.tok.at, "only a function can be called, by its name")
				return x
			}
			x = &Call{At: x.Pos(), Func: f, Args: p.list(")")}
		default:
			return x
		}
	}
}

// operand parses a literal, a name, a list or a group.
func (p *parser) operand() Expr {
	t := p.tok
	switch {
	case t.kind == literal:
		if t.value == any(int64(math.MinInt64)) && !p.minus {
			p.fail(t.at, "number %s does not fit in 64 bits", t)
		}
		p.minus = false
		p.advance()
		return &Literal{At: t.at, Value: t.value}
	case t.kind == name:
		p.advance()
		return &Ident{At: t.at, Name: t.text}
	case t.is("["):
		return &List{At: t.at, Items: p.list("]")}
	case t.is("("):
		return p.group(")")
	}
	p.unexpected("a value")
	return nil
}

// group parses the expression after the current opening bracket, and closing.
func (p *parser) group(closing string) Expr {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	p.advance()
	e := p.binary(0)
	p.expect(closing)
	return e
}

// list parses what follows the current opening bracket, up to closing.
func (p *parser) list(closing string) []Expr {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	p.advance()
	var items []Expr
	for p.tok.kind != eof && !p.tok.is(closing) {
		if len(items) > 0 && !p.expect(",") {
			return nil
		}
		items = append(items, p.binary(0))
		if !p.tok.is(",", closing) {
			break
		}
	}
	p.expect(closing)
	return items
}

func (p *parser) expect(text string) bool {
	if !p.tok.is(text) {
		p.unexpected("'" + text + "'")
		return false
	}
	p.advance()
	return true
}

// Dotted returns the dotted name that e is, as in http.default_retry.
func Dotted(e Expr) (string, bool) {
	var names []string
	for {
		switch x := e.(type) {
		case *Ident:
			names = append(names, x.Name)
			slices.Reverse(names)
			return strings.Join(names, "."), true
		case *Member:
			names = append(names, x.Name)
			e = x.X
		default:
			return "", false
		}
	}
}

func problem(at diag.Pos, hint, format string, args ...any) *diag.Diagnostic {
	return &diag.Diagnostic{Pos: at, Code: "expression", Message: fmt.Sprintf(format, args...), Hint: hint}
}

// IsName reports whether s can name a variable.
func IsName(s string) bool {
	if s == "" || isDigit(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	_, taken := words[s]
	return !taken
}
