package workflow

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// value parses any value, with the expressions in it.
func (p *parser) value(n *element) Node {
	n, ok := p.visit(n)
	if !ok || !p.enter(n) {
		return &Lit{At: p.pos(n)}
	}
	defer p.leave()
	if n.Style&yaml.TaggedStyle != 0 && n.Kind != yaml.ScalarNode && n.Tag != "!!map" && n.Tag != "!!seq" {
		p.fail(p.pos(n), "tag", "", "unknown tag %s", n.Tag)
	}
	switch n.Kind {
	case yaml.SequenceNode:
		list := &List{At: p.pos(n), Items: make([]Node, 0, len(n.Content))}
		for _, item := range n.Content {
			list.Items = append(list.Items, p.value(item))
		}
		return list
	case yaml.MappingNode:
		return p.mapping(n)
	}
	return p.scalar(n)
}

func (p *parser) mapping(n *element) *Map {
	m := &Map{At: p.pos(n)}
	seen := make(map[any]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, ok := p.key(n.Content[i])
		if l, literal := key.(*Lit); literal && ok {
			if seen[l.Value] {
				p.fail(l.At, "duplicate-key", "", "key %q appears twice in the map", fmt.Sprint(l.Value))
			}
			seen[l.Value] = true
		}
		m.Entries = append(m.Entries, &Entry{Key: key, Value: p.value(n.Content[i+1])})
	}
	return m
}

// key parses the key of a map. Keys are strings; integers occur in an
// official sample. Other types are refused, the service's answer being
// unknown.
func (p *parser) key(n *element) (Node, bool) {
	n, _ = p.visit(n)
	if n.Kind == yaml.ScalarNode && n.Tag != "!!merge" {
		key := p.scalar(n)
		l, ok := key.(*Lit)
		if !ok {
			return key, true
		}
		switch l.Value.(type) {
		case string, int64:
			return key, true
		}
	}
	hint := "quote it"
	if n.Tag == "!!merge" {
		hint = "write the pairs out: merge keys are not supported"
	}
	p.shape(n, hint, "expected a string or an integer as the key of a map")
	return &Lit{At: p.pos(n), Value: ""}, false
}

// scalar parses a literal or an expression.
func (p *parser) scalar(n *element) Node {
	text := n.Value
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		text = strings.TrimSpace(text) // a block ends in a line break
	}
	if isExpr(text) {
		return p.expression(n, text)
	}
	v, err := resolve(n)
	if err != nil {
		p.fail(p.pos(n), "literal", "quote it if a string is meant", "%s: %v", n.Value, err)
	}
	return &Lit{At: p.pos(n), Value: v}
}

// isExpr reports whether the whole of a string is an expression. There is no
// interpolation: text around ${…} makes it a plain string.
func isExpr(s string) bool {
	return len(s) >= 3 && s[0] == '$' && s[1] == '{' && s[len(s)-1] == '}'
}

// expression parses the scalar n, whose text is ${…}.
func (p *parser) expression(n *element, text string) Node {
	src := text[2 : len(text)-1]
	e := &Expr{Width: utf8.RuneCountInString(src)}
	start := strings.Index(n.Value, text) + 2
	e.X, e.At = p.parseExpr(n, src, start)
	return e
}

// parseExpr parses a part of the scalar n that begins at an offset of its
// value. The result is not nil even if there are errors.
func (p *parser) parseExpr(n *element, src string, start int) (expr.Expr, diag.Pos) {
	var x expr.Expr
	var err error
	at, ok := p.verbatim(n)
	if ok {
		at.Col += start // nothing but ${ and blanks precede
		x, err = expr.Parse(src, at)
	} else {
		locate := p.locator(n)
		at = locate(start)
		x, err = expr.ParseLocated(src, func(offset int) diag.Pos { return locate(start + offset) })
	}
	if err == nil {
		return x, at
	}
	var d diag.Diagnostic
	if errors.As(err, &d) {
		d.Message = "parse error: " + d.Message
		if strings.Contains(src, "${") {
			d.Hint = "text and ${…} do not mix in one string: join them with +, as in ${\"a\" + b}"
		}
		p.errs.Add(d)
	}
	return &expr.Literal{At: at}, at
}

var (
	errInt    = errors.New("the integer does not fit in 64 bits")
	errDouble = errors.New("the number does not fit in a double")
	errNaN    = errors.New("not a number that JSON has")
	errTag    = errors.New("the value does not fit its tag")
)

// resolve returns the value of a scalar that is no expression.
func resolve(n *element) (any, error) {
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return resolveTagged(n)
	case n.Style != 0:
		return n.Value, nil
	}
	return resolvePlain(n.Value)
}

func isNull(n *element) bool {
	if n.Style != 0 || n.Kind != yaml.ScalarNode || len(n.Value) > len("null") {
		return false
	}
	v, err := resolvePlain(n.Value)
	return v == nil && err == nil
}

func resolveTagged(n *element) (any, error) {
	if n.Tag == "!!str" {
		return n.Value, nil
	}
	v, err := resolvePlain(n.Value)
	if err != nil {
		return nil, err
	}
	tag := ""
	switch i := v.(type) {
	case nil:
		tag = "!!null"
	case bool:
		tag = "!!bool"
	case int64:
		tag = "!!int"
		if n.Tag == "!!float" {
			return float64(i), nil
		}
	case float64:
		tag = "!!float"
	}
	if tag != n.Tag {
		return nil, errTag
	}
	return v, nil
}

// resolvePlain gives a plain scalar its type by the core schema of YAML 1.2.
func resolvePlain(s string) (any, error) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	case ".nan", ".NaN", ".NAN":
		return nil, errNaN
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 {
		return s, nil
	}
	switch digits {
	case "":
		return s, nil
	case ".inf", ".Inf", ".INF":
		return nil, errNaN
	}
	if c := digits[0]; c != '.' && (c < '0' || c > '9') {
		return s, nil
	}
	return resolveNumber(s, digits)
}

// resolveNumber types a scalar that begins like a number; digits is s without
// its sign.
func resolveNumber(s, digits string) (any, error) {
	switch {
	case all(digits, "0123456789"):
		return parseInt(s, 10)
	case strings.HasPrefix(s, "0x") && len(s) > 2 && all(s[2:], "0123456789abcdefABCDEF"):
		return parseInt(s[2:], 16)
	case strings.HasPrefix(s, "0o") && len(s) > 2 && all(s[2:], "01234567"):
		return parseInt(s[2:], 8)
	case !all(digits, "0123456789.eE+-"):
		return s, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, strconv.ErrRange):
		return nil, errDouble
	}
	return s, nil
}

func parseInt(s string, base int) (any, error) {
	n, err := strconv.ParseInt(s, base, 64)
	if err != nil {
		return nil, errInt
	}
	return n, nil
}

func all(s, chars string) bool {
	for i := range len(s) {
		if strings.IndexByte(chars, s[i]) < 0 {
			return false
		}
	}
	return true
}
