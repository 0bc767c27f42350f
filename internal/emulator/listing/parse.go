package listing

import (
	"fmt"
	"strings"
)

const (
	maxLength = 16 << 10 // bytes of a filter
	maxDepth  = 50       // nested parentheses
)

// Parse reads a filter. Its error says what is wrong and at which character.
//
// As AIP-160 has it, OR binds tighter than AND, and two terms side by side
// are joined by AND.
func Parse(src string) (Filter, error) {
	if len(src) > maxLength {
		return Filter{}, fmt.Errorf("filter of %d bytes is longer than %d", len(src), maxLength)
	}
	if strings.TrimSpace(src) == "" {
		return Filter{}, nil
	}
	p := &parser{src: src}
	root, err := p.expression()
	if err == nil && !p.end() {
		err = p.errorf("unexpected %q", p.src[p.at:])
	}
	if err != nil {
		return Filter{}, err
	}
	return Filter{root, p.paths}, nil
}

type parser struct {
	src   string
	at    int
	depth int
	paths [][]string
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("filter, character %d: %s", p.at+1, fmt.Sprintf(format, args...))
}

func (p *parser) space() {
	for p.at < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) end() bool {
	p.space()
	return p.at == len(p.src)
}

// keyword consumes a word, if it comes next and ends there.
func (p *parser) keyword(word string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.src[p.at:], word)
	if !ok || rest != "" && !strings.ContainsAny(rest[:1], " \t\r\n(") {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) symbol(s string) bool {
	p.space()
	if !strings.HasPrefix(p.src[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *parser) expression() (node, error) {
	var all and
	for {
		x, err := p.factor()
		if err != nil {
			return nil, err
		}
		all = append(all, x)
		if p.keyword("AND") {
			continue
		}
		if p.end() || p.src[p.at] == ')' {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *parser) factor() (node, error) {
	var any or
	for {
		x, err := p.term()
		if err != nil {
			return nil, err
		}
		any = append(any, x)
		if !p.keyword("OR") {
			break
		}
	}
	if len(any) == 1 {
		return any[0], nil
	}
	return any, nil
}

func (p *parser) term() (node, error) {
	if p.keyword("NOT") || p.symbol("-") {
		x, err := p.simple()
		return not{x}, err
	}
	return p.simple()
}

func (p *parser) simple() (node, error) {
	if !p.symbol("(") {
		return p.restriction()
	}
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("more than %d nested parentheses", maxDepth)
	}
	x, err := p.expression()
	if err != nil {
		return nil, err
	}
	if !p.symbol(")") {
		return nil, p.errorf("expected )")
	}
	p.depth--
	return x, nil
}

func (p *parser) restriction() (node, error) {
	var r restriction
	for {
		segment, err := p.word(" \t\r\n()=!<>:\"'.,")
		if err != nil {
			return nil, err
		}
		r.path = append(r.path, segment)
		if p.at == len(p.src) || p.src[p.at] != '.' {
			break
		}
		p.at++
	}
	for _, op := range []string{"<=", ">=", "!=", "=", "<", ">", ":"} {
		if p.symbol(op) {
			r.op = op
			break
		}
	}
	if r.op == "" {
		return nil, p.errorf("expected a comparison such as = after %q", strings.Join(r.path, "."))
	}
	p.paths = append(p.paths, r.path)
	var err error
	r.literal, err = p.word(" \t\r\n()\"'")
	return r, err
}

// word reads a quoted string, or the text up to one of the stop characters.
func (p *parser) word(stop string) (string, error) {
	p.space()
	if p.at < len(p.src) && (p.src[p.at] == '"' || p.src[p.at] == '\'') {
		return p.quoted()
	}
	n := strings.IndexAny(p.src[p.at:], stop)
	if n < 0 {
		n = len(p.src) - p.at
	}
	if n == 0 {
		return "", p.errorf("expected a name or a value")
	}
	p.at += n
	return p.src[p.at-n : p.at], nil
}

func (p *parser) quoted() (string, error) {
	quote, from := p.src[p.at], p.at
	var b strings.Builder
	for p.at++; p.at < len(p.src); p.at++ {
		c := p.src[p.at]
		if c == quote {
			p.at++
			return b.String(), nil
		}
		if c == '\\' && p.at+1 < len(p.src) {
			p.at++
			c = p.src[p.at]
		}
		b.WriteByte(c)
	}
	p.at = from
	return "", p.errorf("the string has no closing %c", quote)
}
