package logging

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
)

// The Logging query language: cloud.google.com/logging/docs/view/logging-query-language.
// It is AIP-160 with regular expressions, comments, and comparisons that do not
// tell upper from lower case. NOT binds tightest, then OR, then AND; two terms
// side by side are joined by AND.

const (
	maxQuery = 20_000 // characters, as in the cloud
	maxDepth = 50     // nested parentheses
)

// query is a parsed filter.
type query struct {
	root node // nil matches everything
	from time.Time
}

func (q query) match(e *loggingpb.LogEntry) (bool, error) {
	if q.root == nil {
		return true, nil
	}
	return q.root.match(e)
}

type node interface {
	match(e *loggingpb.LogEntry) (bool, error)
}

type (
	and []node
	or  []node
	not struct{ x node }
)

func (a and) match(e *loggingpb.LogEntry) (bool, error) {
	for _, x := range a {
		if ok, err := x.match(e); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (o or) match(e *loggingpb.LogEntry) (bool, error) {
	for _, x := range o {
		if ok, err := x.match(e); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func (n not) match(e *loggingpb.LogEntry) (bool, error) {
	ok, err := n.x.match(e)
	return !ok && err == nil, err
}

func parseQuery(src string) (query, error) {
	if len(src) > maxQuery {
		return query{}, fmt.Errorf("it has %d characters, more than %d", len(src), maxQuery)
	}
	p := &parser{src: src}
	if p.end() {
		return query{}, nil
	}
	root, err := p.conjunction()
	if err == nil && !p.end() {
		err = p.errorf("unexpected %q", p.src[p.at:])
	}
	return query{root, earliest(root)}, err
}

// earliest is a time before which nothing matches.
func earliest(n node) time.Time {
	var from time.Time
	switch n := n.(type) {
	case and:
		for _, x := range n {
			if t := earliest(x); t.After(from) {
				from = t
			}
		}
	case *comparison:
		if len(n.path) == 1 && n.path[0] == "timestamp" && (n.op == ">=" || n.op == ">" || n.op == "=") {
			if t, err := parseTime(n.value); err == nil {
				return t
			}
		}
	}
	return from
}

type parser struct {
	src   string
	at    int
	depth int
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("character %d: %s", p.at+1, fmt.Sprintf(format, args...))
}

// end skips spaces and comments, and says whether nothing is left.
func (p *parser) end() bool {
	for p.at < len(p.src) {
		switch c := p.src[p.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.at++
		case strings.HasPrefix(p.src[p.at:], "--"):
			n := strings.IndexByte(p.src[p.at:], '\n')
			if n < 0 {
				n = len(p.src) - p.at
			}
			p.at += n
		default:
			return false
		}
	}
	return true
}

// keyword consumes a word in capitals, if it comes next and ends there.
func (p *parser) keyword(word string) bool {
	if p.end() {
		return false
	}
	rest, ok := strings.CutPrefix(p.src[p.at:], word)
	if !ok || rest != "" && !strings.ContainsAny(rest[:1], " \t\r\n()\"-") {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) symbol(s string) bool {
	if p.end() || !strings.HasPrefix(p.src[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *parser) conjunction() (node, error) {
	var all and
	for {
		x, err := p.disjunction()
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

func (p *parser) disjunction() (node, error) {
	var some or
	for {
		x, err := p.term()
		if err != nil {
			return nil, err
		}
		some = append(some, x)
		if !p.keyword("OR") {
			break
		}
	}
	if len(some) == 1 {
		return some[0], nil
	}
	return some, nil
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
		return p.comparison()
	}
	return p.group(p.conjunction)
}

// group reads what is between parentheses; the first is read already.
func (p *parser) group(inner func() (node, error)) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("more than %d nested parentheses", maxDepth)
	}
	x, err := inner()
	if err != nil {
		return nil, err
	}
	if !p.symbol(")") {
		return nil, p.errorf("expected )")
	}
	p.depth--
	return x, nil
}

var operators = []string{"<=", ">=", "!=", "=~", "!~", "=", "<", ">", ":"}

// comparison reads FIELD OP VALUE, FIELD OP (VALUE OR …), or a text that any
// field may hold.
func (p *parser) comparison() (node, error) {
	if p.end() {
		return nil, p.errorf("expected a comparison")
	}
	quoted := p.src[p.at] == '"'
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	if len(path) == 1 && path[0] == "log_id" && p.symbol("(") {
		return p.group(func() (node, error) {
			id, err := p.word(" \t\r\n()")
			return logID(id), err
		})
	}
	op := ""
	for _, o := range operators {
		if p.symbol(o) {
			op = o
			break
		}
	}
	if op == "" {
		if !quoted && len(path) == 1 && (path[0] == "AND" || path[0] == "OR" || path[0] == "NOT") {
			return nil, p.errorf("expected a comparison instead of %s", path[0])
		}
		return anywhere(strings.ToLower(strings.Join(path, "."))), nil
	}
	if p.symbol("(") {
		return p.group(func() (node, error) { return p.values(path, op) })
	}
	value, err := p.word(" \t\r\n()")
	if err != nil {
		return nil, err
	}
	return p.compare(path, op, value)
}

// values reads VALUE OR VALUE AND NOT VALUE …, all compared with one field.
func (p *parser) values(path []string, op string) (node, error) {
	var all and
	var some or
	for {
		negated := p.keyword("NOT") || p.symbol("-")
		value, err := p.word(" \t\r\n()")
		if err != nil {
			return nil, err
		}
		x, err := p.compare(path, op, value)
		if err != nil {
			return nil, err
		}
		if negated {
			x = not{x}
		}
		some = append(some, x)
		if p.keyword("OR") {
			continue
		}
		all, some = append(all, some), nil
		p.keyword("AND")
		if p.end() || p.src[p.at] == ')' {
			return all, nil
		}
	}
}

func (p *parser) compare(path []string, op, value string) (node, error) {
	c := &comparison{path: path, op: op, value: value}
	if op == "=~" || op == "!~" {
		var err error
		if c.pattern, err = regexp.Compile(value); err != nil {
			return nil, p.errorf("%v", err)
		}
	}
	return c, c.check()
}

// path reads a field such as resource.labels."job-id".
func (p *parser) path() ([]string, error) {
	var path []string
	for {
		part, err := p.word(" \t\r\n()=!<>:~.\"")
		if err != nil {
			return nil, err
		}
		path = append(path, part)
		if p.at == len(p.src) || p.src[p.at] != '.' {
			return path, nil
		}
		p.at++
	}
}

// word reads a quoted string, or the text up to one of the stop characters.
func (p *parser) word(stop string) (string, error) {
	if p.end() {
		return "", p.errorf("expected a field or a value")
	}
	if p.src[p.at] == '"' {
		return p.quoted()
	}
	n := strings.IndexAny(p.src[p.at:], stop)
	if n < 0 {
		n = len(p.src) - p.at
	}
	if n == 0 {
		return "", p.errorf("expected a field or a value")
	}
	p.at += n
	return p.src[p.at-n : p.at], nil
}

func (p *parser) quoted() (string, error) {
	from := p.at
	var b strings.Builder
	for p.at++; p.at < len(p.src); p.at++ {
		c := p.src[p.at]
		if c == '"' {
			p.at++
			return b.String(), nil
		}
		if c == '\\' && p.at+1 < len(p.src) && strings.IndexByte(`"\`, p.src[p.at+1]) >= 0 {
			p.at++
			c = p.src[p.at]
		}
		b.WriteByte(c)
	}
	p.at = from
	return "", p.errorf("the string has no closing quote")
}
