package workflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/kakehi/kakehi/internal/diag"
)

const (
	// maxSource bounds what is read at all: eight times what the service
	// accepts, so that Check can still say by how much a source is too long.
	maxSource = 1 << 20
	// maxDepth bounds the nesting of collections, and with it every
	// recursion over the tree.
	maxDepth = 400
)

// load turns the source into one tree of YAML nodes; nil when it is empty.
func (p *parser) load() *element {
	if len(p.src) > maxSource {
		p.fail(p.start(), "too-large", "", "the source is %d bytes long; no definition may be longer than %d", len(p.src), maxSource)
		return nil
	}
	if !p.checkText() {
		return nil
	}
	if start := bytes.TrimLeft(p.src, " \t\r\n"); len(start) > 0 && (start[0] == '{' || start[0] == '[') && json.Valid(p.src) {
		return p.loadJSON()
	}
	if root, ok := readBlocks(p.src); ok {
		return root
	}
	return p.loadYAML()
}

// loadYAML reads the source with the library.
func (p *parser) loadYAML() *element {
	loader, err := yaml.NewLoader(bytes.NewReader(p.src), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		p.fail(p.start(), "yaml", "", "%v", err)
		return nil
	}
	var doc, more yaml.Node
	if err := loader.Load(&doc); err == io.EOF {
		return nil
	} else if err != nil {
		p.yamlError(err)
		return nil
	}
	if err := loader.Load(&more); err != io.EOF {
		at := diag.Pos{File: p.name, Line: more.Line, Col: more.Column}
		p.fail(at, "yaml", "", "expected one YAML document; another one begins here")
		return nil
	}
	c := elements{anchored: make(map[*yaml.Node]*element)}
	return c.of(doc.Content[0])
}

// checkText refuses what is no text, and notes where the lines begin.
func (p *parser) checkText() bool {
	for i, w := 0, 0; i < len(p.src); i += w {
		c := rune(p.src[i])
		w = 1
		if c >= utf8.RuneSelf {
			c, w = utf8.DecodeRune(p.src[i:])
		}
		switch {
		case c == '\n':
			p.lines = append(p.lines, i+1)
		case c == utf8.RuneError && w == 1:
			p.fail(p.posAt(i), "encoding", "save the file as UTF-8", "the source is not valid UTF-8")
			return false
		case c == '\r' && i+1 < len(p.src) && p.src[i+1] == '\n':
		case c < ' ' && c != '\t', c == 0x85, c == 0x2028, c == 0x2029:
			// The last ones, and a lone carriage return, are line breaks for
			// some readers of YAML only.
			p.fail(p.posAt(i), "encoding", `write it as an escape in a double-quoted string, such as "\u0007"`, "character %U is not allowed", c)
			return false
		}
	}
	return true
}

// posAt returns the position of a byte on the last line noted.
func (p *parser) posAt(offset int) diag.Pos {
	line := p.lines[len(p.lines)-1]
	return diag.Pos{File: p.name, Line: len(p.lines), Col: 1 + utf8.RuneCount(p.src[line:offset])}
}

// yamlError reports a syntax error of the YAML library.
func (p *parser) yamlError(err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		p.fail(p.start(), "yaml", "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	message := e.Message
	if e.ContextMsg != "" {
		message = e.ContextMsg + ": " + message
	}
	p.fail(p.clamp(e.Mark.Line, e.Mark.Column), "yaml", p.yamlHint(e), "%s", message)
}

// start is the position of the first character.
func (p *parser) start() diag.Pos { return diag.Pos{File: p.name, Line: 1, Col: 1} }

// clamp makes a position of a line and a column that may lie behind the end of
// the file: there the YAML library misses what is not closed.
func (p *parser) clamp(line, col int) diag.Pos {
	last := len(p.lines)
	if last > 1 && p.lines[last-1] == len(p.src) { // the file ends with a line end
		last--
	}
	if line > last {
		line, col = last, 1<<30
	}
	line = max(line, 1)
	return diag.Pos{File: p.name, Line: line, Col: max(1, min(col, utf8.RuneCountInString(p.line(line))+1))}
}

// yamlHint explains the YAML mistakes that expressions lead to.
func (p *parser) yamlHint(e *yaml.LoadError) string {
	text := p.line(e.Mark.Line)
	if e.ContextMark.Line > 0 {
		text = p.line(e.ContextMark.Line) + text
	}
	switch {
	case strings.Contains(e.Message, "mapping values are not allowed") && strings.Contains(text, "${"):
		return `an expression that holds ": " must be quoted: '${…}'`
	case strings.Contains(e.Message, "mapping values are not allowed"):
		return `check the indentation, and quote a text that holds ": "`
	case strings.Contains(e.ContextMsg, "flow") && strings.Contains(text, "${"):
		return `an expression inside [ ] or { } must be quoted: ["${a}", "${b}"]`
	case strings.Contains(e.Message, "cannot start any token") && strings.Contains(text, "\t"):
		return "indent with spaces, not with tabs"
	}
	return ""
}

// line returns line n of the source, or "".
func (p *parser) line(n int) string {
	if n < 1 || n > len(p.lines) {
		return ""
	}
	rest := p.src[p.lines[n-1]:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return string(rest)
}

// loadJSON reads JSON into the same nodes. YAML readers take most JSON, but
// not the surrogate pairs in its strings.
func (p *parser) loadJSON() *element {
	d := jsonReader{p: p, dec: json.NewDecoder(bytes.NewReader(p.src))}
	d.dec.UseNumber()
	return d.value(0)
}

type jsonReader struct {
	p    *parser
	dec  *json.Decoder
	line int // 1-based line and its first byte, of the last node
	from int
}

// value reads the next value; the source is known to be valid.
func (r *jsonReader) value(depth int) *element {
	n := r.node()
	token, err := r.dec.Token()
	if err == nil && depth > maxDepth {
		err = fmt.Errorf("the definition is nested more than %d levels deep", maxDepth)
	}
	if err != nil {
		if !r.p.errs.HasErrors() {
			r.p.fail(r.p.pos(n), "json", "", "%v", err)
		}
		return nil
	}
	n.Kind = yaml.ScalarNode
	switch t := token.(type) {
	case json.Delim:
		return r.collection(n, t, depth)
	case string:
		n.Value, n.Style = t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Value = t.String()
	case bool:
		n.Value = strconv.FormatBool(t)
	default:
		n.Value = "null"
	}
	return n
}

func (r *jsonReader) collection(n *element, open json.Delim, depth int) *element {
	n.Kind = yaml.SequenceNode
	if open == '{' {
		n.Kind = yaml.MappingNode
	}
	n.Style = yaml.FlowStyle
	for r.dec.More() {
		child := r.value(depth + 1)
		if child == nil {
			return nil
		}
		n.Content = append(n.Content, child)
	}
	if _, err := r.dec.Token(); err != nil {
		return nil
	}
	return n
}

// node makes the node that begins at the next token.
func (r *jsonReader) node() *element {
	off := int(r.dec.InputOffset())
	for off < len(r.p.src) && bytes.IndexByte([]byte(" \t\r\n,:"), r.p.src[off]) >= 0 {
		off++
	}
	for r.line < len(r.p.lines) && r.p.lines[r.line] <= off {
		r.from = r.p.lines[r.line]
		r.line++
	}
	return &element{Line: int32(r.line), Column: int32(1 + utf8.RuneCount(r.p.src[r.from:off]))}
}
