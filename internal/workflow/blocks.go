package workflow

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// readBlocks reads the simple YAML that definitions are mostly written in:
// block collections, scalars that stand on one line, and flow collections on
// one line. It is there for speed alone. Where it is not certain it gives up,
// and the library reads the source; a fuzz test compares the two.
func readBlocks(src []byte) (root *element, ok bool) {
	r := blockReader{ok: true}
	r.split(string(src))
	if !r.ok || len(r.lines) == 0 {
		return nil, false
	}
	root = r.block(r.lines[0].indent, 0)
	return root, r.ok && r.next == len(r.lines)
}

// blockLine is a line that is neither empty nor a comment.
type blockLine struct {
	number int // from 1
	indent int
	text   string // without indentation and blanks at its end
}

type blockReader struct {
	lines []blockLine
	next  int
	nodes []element // not used yet
	ok    bool
}

// split makes lines of a source. Tabs, carriage returns and document markers
// are left to the library.
func (r *blockReader) split(src string) {
	r.lines = make([]blockLine, 0, strings.Count(src, "\n")+1)
	number := 0
	for line := range strings.Lines(src) {
		number++
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		text = strings.TrimRight(text, " \n")
		switch {
		case text == "", text[0] == '#':
			continue
		case indent == 0 && (strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...")),
			strings.ContainsAny(text, "\t\r\ufeff"):
			r.ok = false
			return
		}
		r.lines = append(r.lines, blockLine{number, indent, text})
	}
}

func (r *blockReader) fail() *element {
	r.ok = false
	r.next = len(r.lines)
	return &element{}
}

// node makes a node whose text begins at a byte of a line.
func (r *blockReader) node(kind yaml.Kind, l blockLine, at int) *element {
	if len(r.nodes) == 0 {
		r.nodes = make([]element, 256)
	}
	n := &r.nodes[0]
	r.nodes = r.nodes[1:]
	n.Kind, n.Line, n.Column = kind, int32(l.number), int32(l.indent+1+utf8.RuneCountInString(l.text[:at]))
	return n
}

func isItem(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

// block reads the collection or scalar that begins at the next line.
func (r *blockReader) block(indent, depth int) *element {
	l := r.lines[r.next]
	switch {
	case depth > maxDepth/2:
		return r.fail()
	case isItem(l.text):
		return r.sequence(indent, depth)
	}
	if _, _, isPair := pair(l.text); isPair {
		return r.mapping(indent, depth)
	}
	n := r.inline(l, 0)
	r.next++
	if r.next < len(r.lines) && r.lines[r.next].indent >= indent {
		return r.fail() // the scalar goes on, or what follows is wrong
	}
	return n
}

func (r *blockReader) sequence(indent, depth int) *element {
	n := r.node(yaml.SequenceNode, r.lines[r.next], 0)
	for r.next < len(r.lines) && r.lines[r.next].indent == indent && isItem(r.lines[r.next].text) {
		l := &r.lines[r.next]
		rest := strings.TrimLeft(l.text[1:], " ")
		if rest == "" || rest[0] == '#' {
			r.next++
			if r.next == len(r.lines) || r.lines[r.next].indent <= indent {
				return r.fail() // an empty item
			}
			n.Content = append(n.Content, r.block(r.lines[r.next].indent, depth+1))
			continue
		}
		l.indent += len(l.text) - len(rest)
		l.text = rest
		n.Content = append(n.Content, r.block(l.indent, depth+1))
	}
	return r.done(n, indent)
}

func (r *blockReader) mapping(indent, depth int) *element {
	n := r.node(yaml.MappingNode, r.lines[r.next], 0)
	n.Content = make([]*element, 0, 4)
	for r.next < len(r.lines) && r.lines[r.next].indent == indent && !isItem(r.lines[r.next].text) {
		l := r.lines[r.next]
		end, at, ok := pair(l.text)
		if !ok {
			return r.fail()
		}
		key := r.inline(blockLine{l.number, l.indent, l.text[:end]}, 0)
		if key.Kind != yaml.ScalarNode || key.Value == "<<" {
			return r.fail()
		}
		n.Content = append(n.Content, key, r.pairValue(l, at, indent, depth))
	}
	return r.done(n, indent)
}

// pairValue reads the value of a pair, which stands behind its key or below.
func (r *blockReader) pairValue(l blockLine, at, indent, depth int) *element {
	r.next++
	below := r.next < len(r.lines) && (r.lines[r.next].indent > indent || r.lines[r.next].indent == indent && isItem(r.lines[r.next].text))
	if at < len(l.text) && l.text[at] != '#' {
		if below {
			return r.fail() // the scalar goes on, or what follows is wrong
		}
		return r.inline(l, at)
	}
	if !below {
		return r.fail() // an empty value
	}
	return r.block(r.lines[r.next].indent, depth+1)
}

// done ends a collection: what follows must belong to one around it.
func (r *blockReader) done(n *element, indent int) *element {
	if r.next < len(r.lines) && r.lines[r.next].indent > indent {
		return r.fail()
	}
	return n
}

// pair splits a line into a key, which ends at end, and a value, which begins at
// at.
func pair(text string) (end, at int, ok bool) {
	switch text[0] {
	case '"', '\'':
		if end = quotedEnd(text); end < 0 {
			return 0, 0, false
		}
	case '[', '{':
		return 0, 0, false
	default:
		if end = strings.Index(text, ": "); end < 0 {
			end = len(text) - 1
		}
		if strings.Contains(text[:end], " #") {
			return 0, 0, false
		}
	}
	if end >= len(text) || text[end] != ':' {
		return 0, 0, false
	}
	rest := strings.TrimLeft(text[end+1:], " ")
	if len(rest) == len(text)-end-1 && rest != "" {
		return 0, 0, false
	}
	return end, len(text) - len(rest), end <= 1000
}

// quotedEnd returns where the quoted scalar ends that text begins with, or -1.
func quotedEnd(text string) int {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return -1
}

// inline reads the rest of a line from a byte on: a scalar or a flow collection.
func (r *blockReader) inline(l blockLine, at int) *element {
	n, end := r.value(l, at, false, 0)
	if rest := l.text[end:]; rest != "" && (rest[0] != ' ' || strings.TrimLeft(rest, " ")[0] != '#') {
		return r.fail()
	}
	return n
}

// value reads a scalar or flow collection, and tells where it ends.
func (r *blockReader) value(l blockLine, at int, flow bool, depth int) (n *element, end int) {
	text := l.text[at:]
	if text == "" {
		return r.fail(), at
	}
	switch c := text[0]; c {
	case '[', '{':
		if depth > 100 {
			return r.fail(), at
		}
		return r.flow(l, at, depth)
	case '"', '\'':
		size := quotedEnd(text)
		if size < 0 {
			return r.fail(), at
		}
		n = r.node(yaml.ScalarNode, l, at)
		n.Style = yaml.SingleQuotedStyle
		n.Value = text[1 : size-1]
		if c == '"' {
			n.Style = yaml.DoubleQuotedStyle
			r.unescape(n)
		} else if strings.Contains(n.Value, "''") {
			n.Value = strings.ReplaceAll(n.Value, "''", "'")
		}
		return n, at + size
	}
	return r.plain(l, at, flow)
}

var simpleEscapes = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\/`, "/")

// unescape replaces the usual escapes in a double-quoted scalar.
func (r *blockReader) unescape(n *element) {
	if strings.IndexByte(n.Value, '\\') < 0 {
		return
	}
	for i := 0; i < len(n.Value); i++ {
		if n.Value[i] != '\\' {
			continue
		}
		if i++; strings.IndexByte(`\"ntr/`, n.Value[i]) < 0 {
			r.fail()
			return
		}
	}
	n.Value = simpleEscapes.Replace(n.Value)
}

// plain reads a scalar without quotes.
func (r *blockReader) plain(l blockLine, at int, flow bool) (*element, int) {
	text := l.text[at:]
	if strings.IndexByte("-?:,[]{}#&*!|>'\"%@`", text[0]) >= 0 && !startsPlain(text, flow) {
		return r.fail(), at
	}
	end := len(text)
	if i := strings.Index(text, " #"); i >= 0 {
		end = i
	}
	if flow {
		if i := strings.IndexAny(text[:end], ",[]{}?"); i >= 0 {
			end = i
		}
		if i := strings.IndexByte(text[:end], ':'); i >= 0 {
			end = i
		}
	}
	value := strings.TrimRight(text[:end], " ")
	if value == "" || strings.Contains(value, ": ") || strings.HasSuffix(value, ":") {
		return r.fail(), at
	}
	n := r.node(yaml.ScalarNode, l, at)
	n.Value = value
	return n, at + end
}

// startsPlain reports whether an indicator begins a plain scalar all the same.
func startsPlain(text string, flow bool) bool {
	return text[0] == '-' && len(text) > 1 && text[1] != ' ' && (!flow || strings.IndexByte(",[]{}", text[1]) < 0)
}

// flow reads a flow collection that ends on its line.
func (r *blockReader) flow(l blockLine, at, depth int) (*element, int) {
	n := r.node(yaml.SequenceNode, l, at)
	n.Style = yaml.FlowStyle
	closing := byte(']')
	if l.text[at] == '{' {
		n.Kind, closing = yaml.MappingNode, '}'
	}
	at = skipBlanks(l.text, at+1)
	for at < len(l.text) && l.text[at] != closing && r.ok {
		if len(n.Content) > 0 {
			if l.text[at] != ',' {
				break
			}
			if at = skipBlanks(l.text, at+1); at == len(l.text) || l.text[at] == closing {
				break
			}
		}
		var item *element
		item, at = r.value(l, at, true, depth+1)
		at = skipBlanks(l.text, at)
		n.Content = append(n.Content, item)
		if closing == '}' {
			at = r.flowValue(n, l, at, depth)
		}
	}
	if at >= len(l.text) || l.text[at] != closing {
		return r.fail(), at
	}
	return n, at + 1
}

// flowValue reads ": value" behind the key of a flow mapping.
func (r *blockReader) flowValue(n *element, l blockLine, at, depth int) int {
	key := n.Content[len(n.Content)-1]
	rest := l.text[min(at, len(l.text)):]
	if key.Kind != yaml.ScalarNode || key.Value == "<<" || !strings.HasPrefix(rest, ": ") || rest[2:] == "" {
		r.fail()
		return at
	}
	value, end := r.value(l, skipBlanks(l.text, at+1), true, depth+1)
	n.Content = append(n.Content, value)
	return skipBlanks(l.text, end)
}

func skipBlanks(text string, at int) int {
	for at < len(text) && text[at] == ' ' {
		at++
	}
	return at
}
