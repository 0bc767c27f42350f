package spec

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// value reads any value. It is nil, with the reason reported, when n has a
// mistake.
func (r *reader) value(n *node) pipeline.Value {
	switch n.kind {
	case list:
		return &pipeline.Items{At: n.at, Items: r.values(n)}
	case mapping:
		return &pipeline.Fields{At: n.at, Fields: r.fieldsOf(n)}
	}
	switch n.tag {
	case "!!null":
		return &pipeline.Lit{At: n.at}
	case "!!bool":
		return &pipeline.Lit{At: n.at, V: r.boolean(n)}
	case "!!int":
		if i, ok := r.integer(n); ok {
			return &pipeline.Lit{At: n.at, V: i}
		}
		return nil
	case "!!float":
		if f, ok := r.number(n); ok {
			return &pipeline.Lit{At: n.at, V: f}
		}
		return nil
	}
	return r.textValue(n)
}

// values reads the items of a list; of anything else, one item.
func (r *reader) values(n *node) []pipeline.Value {
	if n.kind != list {
		return []pipeline.Value{r.value(n)}
	}
	vs := make([]pipeline.Value, len(n.items))
	for i, item := range n.items {
		vs[i] = r.value(item)
	}
	return vs
}

// fieldsOf reads a map whose keys are data; nothing is an empty one.
func (r *reader) fieldsOf(n *node) []*pipeline.Input {
	if n.isNull() {
		return nil
	}
	if n.kind != mapping {
		r.errorf(n, "wrong-type", "write it as NAME: VALUE", "expected a map, found %s", n.describe())
		return nil
	}
	fields := make([]*pipeline.Input, len(n.fields))
	for i, p := range n.fields {
		fields[i] = &pipeline.Input{At: p.key.at, Name: p.key.value, Value: r.value(p.value)}
	}
	return fields
}

// inputs reads a map of a task's or a trigger's inputs.
func (r *reader) inputs(n *node) []*pipeline.Input {
	if n.kind == mapping {
		for _, p := range n.fields {
			r.identifier(p.key, "an input")
		}
	}
	return r.fieldsOf(n)
}

// textValue reads text: a reference keeps its type when it is the whole text,
// and is joined with the rest otherwise.
func (r *reader) textValue(n *node) pipeline.Value {
	parts, ok := r.parts(n)
	switch {
	case !ok:
		return nil
	case len(parts) == 0:
		return &pipeline.Lit{At: n.at, V: ""}
	case len(parts) == 1:
		if lit, ok := parts[0].(*expr.Literal); ok {
			return &pipeline.Lit{At: n.at, V: lit.Value}
		}
		return &pipeline.Expr{At: n.at, X: parts[0]}
	}
	return &pipeline.Expr{At: n.at, X: join(parts)}
}

// join adds parts from the left. Adding a string makes a string, so the first
// two parts must hold one: else two numbers would be summed.
func join(parts []expr.Expr) expr.Expr {
	x := parts[0]
	if !isString(parts[0]) && !isString(parts[1]) {
		x = &expr.Binary{X: &expr.Literal{At: x.Pos(), Value: ""}, At: x.Pos(), Op: "+", Y: x}
	}
	for _, y := range parts[1:] {
		x = &expr.Binary{X: x, At: y.Pos(), Op: "+", Y: y}
	}
	return x
}

func isString(x expr.Expr) bool {
	lit, ok := x.(*expr.Literal)
	if !ok {
		return false
	}
	_, ok = lit.Value.(string)
	return ok
}

var referenceForm = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*`)

// maxParts bounds one text: its parts are joined to an expression as deep.
const maxParts = 200

// parts splits the text n into string literals, references and expressions.
func (r *reader) parts(n *node) (parts []expr.Expr, ok bool) {
	t := &textReader{reader: r, node: n, cursor: r.text.cursor(n)}
	for i := 0; i < len(n.value); {
		if len(t.parts) > maxParts {
			t.fail(i, 1, "too-large", "", "a text may hold at most "+strconv.Itoa(maxParts/2)+" references")
			return nil, false
		}
		switch rest := n.value[i:]; {
		case strings.HasPrefix(rest, "$$"):
			t.plain(i, "$")
			i += 2
		case rest[0] == '$' && strings.HasSuffix(n.value[:i], "{{"): // KFP's placeholders, such as {{$}}
			t.plain(i, "$")
			i++
		case rest[0] == '$':
			t.flush()
			i = t.part(i)
		default:
			end := strings.IndexByte(rest, '$')
			if end < 0 {
				end = len(rest)
			}
			t.plain(i, rest[:end])
			i += end
		}
	}
	t.flush()
	return t.parts, !t.failed
}

// A textReader takes one text apart.
type textReader struct {
	*reader
	node   *node
	cursor *cursor
	parts  []expr.Expr
	failed bool
	text   strings.Builder // plain text not yet in parts
	textAt diag.Pos
}

// plain adds plain text, which begins at byte i.
func (t *textReader) plain(i int, s string) {
	if t.text.Len() == 0 {
		t.textAt = t.cursor.to(i)
	}
	t.text.WriteString(s)
}

func (t *textReader) flush() {
	if t.text.Len() > 0 {
		t.parts = append(t.parts, &expr.Literal{At: t.textAt, Value: t.text.String()})
		t.text.Reset()
	}
}

// part reads the reference or the expression at the dollar at byte i, and
// returns where it ends.
func (t *textReader) part(i int) (end int) {
	rest := t.node.value[i:]
	if strings.HasPrefix(rest, "${") {
		length := closing(rest[2:])
		if length < 0 {
			t.fail(i, 2, "bad-expression", "close it with }", "the expression has no end")
			return len(t.node.value)
		}
		end = i + 2 + length
		t.add(t.expression(t.node, t.cursor, i+2, end))
		return end + 1
	}
	path := referenceForm.FindString(rest[1:])
	if path == "" {
		t.fail(i, 1, "bad-reference", "write $$ for a dollar", "a dollar begins a reference, such as $params.seed")
		return i + 1
	}
	t.add(reference(path, t.cursor.to(i)))
	return i + 1 + len(path)
}

func (t *textReader) add(x expr.Expr) {
	if x == nil {
		t.failed = true
		return
	}
	t.parts = append(t.parts, x)
}

func (t *textReader) fail(i, width int, code, hint, message string) {
	t.failed = true
	t.errorf(&node{at: t.cursor.to(i), width: width}, code, hint, "%s", message)
}

// reference makes the expression for a dotted path that follows the dollar at
// p.
func reference(path string, p diag.Pos) expr.Expr {
	p.Col++
	var x expr.Expr
	for name := range strings.SplitSeq(path, ".") {
		if x == nil {
			x = &expr.Ident{At: p, Name: name}
		} else {
			x = &expr.Member{X: x, At: p, Name: name}
		}
		p.Col += len(name) + 1
	}
	return x
}

// closing returns the offset of the brace that ends an expression, past those
// in its string literals; -1 when there is none.
func closing(s string) int {
	inString := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			inString = !inString
		case c == '\\' && inString:
			i++
		case c == '}' && !inString:
			return i
		}
	}
	return -1
}

// expression parses bytes i to j of the text n; nil when they have a mistake.
func (r *reader) expression(n *node, c *cursor, i, j int) expr.Expr {
	src := n.value[i:j]
	i += len(src) - len(strings.TrimLeftFunc(src, unicode.IsSpace))
	src = n.value[i:j]
	x, err := expr.ParseLocated(src, func(offset int) diag.Pos { return c.to(i + offset) })
	if err == nil {
		return x
	}
	found, ok := diag.From(err)
	if !ok {
		r.errorf(n, "bad-expression", "", "%v", err)
	}
	for _, d := range found {
		if d.Hint == "" && strings.Contains(src, "$") {
			d.Hint = "inside an expression, references have no dollar"
		}
		r.diags.Add(d)
	}
	return nil
}

// condition reads an expression that needs no braces; nil when it has a mistake.
func (r *reader) condition(n *node) expr.Expr {
	switch {
	case n.kind == scalar && n.tag == "!!bool":
		return &expr.Literal{At: n.at, Value: r.boolean(n)}
	case !n.isText():
		r.errorf(n, "wrong-type", "write a condition such as evaluate.accuracy >= params.min_accuracy", "expected an expression, found %s", n.describe())
		return nil
	}
	s := strings.TrimSpace(n.value)
	if inner, ok := strings.CutPrefix(s, "${"); ok && closing(inner) == len(inner)-1 {
		from := strings.Index(n.value, "${") + 2
		return r.expression(n, r.text.cursor(n), from, from+len(inner)-1)
	}
	return r.expression(n, r.text.cursor(n), 0, len(n.value))
}
