package cel

import (
	"math"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
)

const (
	// maxDepth bounds the nesting of one expression, and with it the stack of
	// whoever walks it.
	maxDepth = 250
	// maxBytes bounds what is parsed at all.
	maxBytes = 1 << 16
)

// Parse parses an expression. locate tells where the byte of src at an offset
// stands in the file. The error, if any, is a [diag.Diagnostic].
func Parse(src string, locate func(offset int) diag.Pos) (Expr, error) {
	if len(src) > maxBytes {
		return nil, *problem(locate(0), "", "the expression is %d bytes long, and at most %d are read", len(src), maxBytes)
	}
	p := parser{lex: lexer{src: src, locate: locate}}
	p.advance()
	if p.tok.kind == eof {
		p.fail(problem(p.tok.at, "", "the expression is empty"))
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

// A parser is a precedence parser. The first failure sticks: the token becomes
// the end, so that every loop stops.
type parser struct {
	lex     lexer
	tok     token
	depth   int
	failure *diag.Diagnostic
}

// levels holds the binary operators, loosest first.
var levels = [][]string{
	{"||"},
	{"&&"},
	{"<=", ">=", "<", ">", "==", "!="},
	{"+", "-"},
	{"*", "/"},
}

func (p *parser) advance() {
	if p.failure != nil {
		return
	}
	t, failure := p.lex.next()
	if failure != nil {
		p.fail(failure)
		return
	}
	p.tok = t
}

func (p *parser) fail(d *diag.Diagnostic) Expr {
	if p.failure == nil {
		p.failure = d
	}
	p.tok = token{at: d.Pos}
	return nil
}

// unexpected fails at the current token.
func (p *parser) unexpected(want string) Expr {
	t := p.tok
	switch {
	case t.is("?", ":"):
		return p.fail(refused(t.at, "a choice with ?:"))
	case t.is("%"):
		return p.fail(refused(t.at, "the operator %"))
	case t.is("[", "{"):
		return p.fail(refused(t.at, "a list or a map"))
	case t.kind == name && t.text == "in":
		return p.fail(refused(t.at, "the operator in"))
	}
	d := problem(t.at, "", "unexpected %s, expecting %s", t, want)
	d.Width = utf8.RuneCountInString(t.text)
	return p.fail(d)
}

// enter bounds the depth; leave undoes it.
func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.fail(problem(p.tok.at, "", "the expression is nested more than %d levels deep", maxDepth))
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
		x = &Binary{X: x, At: op.at, Op: op.text, Y: p.binary(level + 1)}
	}
	return x
}

func (p *parser) unary() Expr {
	if !p.tok.is("!", "-") {
		return p.postfix()
	}
	defer p.leave()
	if !p.enter() {
		return nil
	}
	op := p.tok
	p.advance()
	number := p.tok.kind == literal && op.text == "-"
	x := p.unary()
	if lit, ok := x.(*Literal); ok && number {
		switch v := lit.Value.(type) {
		case int64:
			return &Literal{At: op.at, Value: -v}
		case float64:
			return &Literal{At: op.at, Value: -v}
		}
	}
	return &Unary{At: op.at, Op: op.text, X: x}
}

// postfix parses an operand with its members and indexes.
func (p *parser) postfix() Expr {
	x := p.operand()
	for {
		switch {
		case p.tok.is("."):
			p.advance()
			if p.tok.kind != name {
				return p.unexpected("a name")
			}
			x = &Member{X: x, At: p.tok.at, Name: p.tok.text}
			p.advance()
			if p.tok.is("(") {
				return p.fail(refused(p.tok.at, "a method"))
			}
		case p.tok.is("["):
			at := p.tok.at
			x = &Index{X: x, At: at, Key: p.group("]")}
		default:
			return x
		}
	}
}

// operand parses a literal, an input, a function call or a group.
func (p *parser) operand() Expr {
	t := p.tok
	switch {
	case t.kind == literal:
		p.advance()
		return &Literal{At: t.at, Value: t.value}
	case t.is("("):
		return p.group(")")
	case t.kind != name:
		return p.unexpected("a value")
	}
	p.advance()
	switch {
	case p.tok.is("("):
		return &Call{At: t.at, Func: t.text, Args: p.args()}
	case t.text == "inputs":
		return p.input(t.at)
	}
	return &Variable{At: t.at, Name: t.text}
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

// args parses what follows the current opening bracket.
func (p *parser) args() []Expr {
	defer p.leave()
	if !p.enter() {
		return nil
	}
	p.advance()
	var args []Expr
	for p.tok.kind != eof && !p.tok.is(")") {
		if len(args) > 0 && !p.expect(",") {
			return nil
		}
		args = append(args, p.binary(0))
		if !p.tok.is(",", ")") {
			break
		}
	}
	p.expect(")")
	return args
}

func (p *parser) expect(text string) bool {
	if !p.tok.is(text) {
		p.unexpected("'" + text + "'")
		return false
	}
	p.advance()
	return true
}

// input parses what follows inputs: a parameter or an artifact.
func (p *parser) input(at diag.Pos) Expr {
	_, of := p.member()
	switch of {
	case "parameter_values":
		nameAt, name := p.key()
		return &Parameter{At: at, NameAt: nameAt, Name: name}
	case "parameters":
		nameAt, name := p.key()
		fieldAt, field := p.member()
		switch field {
		case "string_value", "int_value", "double_value":
		default:
			p.fail(problem(fieldAt, "it has string_value, int_value and double_value", "a parameter has no field %q", field))
		}
		return &Parameter{At: at, NameAt: nameAt, Name: name, Field: field}
	case "artifacts":
		nameAt, name := p.key()
		if fieldAt, field := p.member(); field != "artifacts" {
			p.fail(problem(fieldAt, "write .artifacts[0] for the first of its items", "an artifact has no field %q", field))
		}
		return &Artifact{At: at, NameAt: nameAt, Name: name, Item: p.item()}
	}
	return p.fail(problem(at, "write inputs.parameter_values['…'] or inputs.artifacts['…']", "inputs is not followed by what a task can be given"))
}

// member parses a dot and a name.
func (p *parser) member() (diag.Pos, string) {
	if !p.expect(".") {
		return p.tok.at, ""
	}
	t := p.tok
	if t.kind != name {
		p.unexpected("a name")
		return t.at, ""
	}
	p.advance()
	return t.at, t.text
}

// key parses a name in brackets.
func (p *parser) key() (diag.Pos, string) {
	t := p.bracket()
	s, ok := t.value.(string)
	if !ok && p.failure == nil {
		p.fail(problem(t.at, "", "expected a name in quotes, found %s", t))
	}
	return t.at, s
}

// item parses a number in brackets.
func (p *parser) item() int64 {
	t := p.bracket()
	i, ok := t.value.(int64)
	if (!ok || i < 0 || i > math.MaxInt32) && p.failure == nil {
		p.fail(problem(t.at, "", "expected the number of an item, found %s", t))
	}
	return i
}

// bracket parses one literal in brackets.
func (p *parser) bracket() token {
	p.expect("[")
	t := p.tok
	if t.kind == literal {
		p.advance()
	}
	p.expect("]")
	return t
}
