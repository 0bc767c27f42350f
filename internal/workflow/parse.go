package workflow

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// Parse reads a definition in YAML or JSON; name is the file name in
// positions. The error, if any, is a [diag.List] with every problem found:
// text that is no YAML, wrong shapes, unknown and repeated keys, and
// expressions that do not parse. What names mean is left to [Check].
//
// Comments are not kept. On YAML the documentation is silent: plain scalars
// have the types of YAML 1.2's core schema (choice yaml-core-schema), aliases
// are resolved (choice yaml-aliases), and merge keys and numbers that JSON has
// not are refused (choice yaml-merge-keys, choice yaml-not-a-number).
func Parse(name string, src []byte) (*File, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	p := parser{name: name, src: src, lines: []int{0}, budget: len(src) + 1000}
	f := &File{Name: name}
	root := p.load()
	if !p.errs.HasErrors() {
		p.file(f, root)
	}
	if err := p.errs.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// ParseValue reads a file that holds one value in YAML or JSON, with the types,
// expressions and errors of a definition. The value is nil if the file is
// empty.
func ParseValue(name string, src []byte) (Node, error) {
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	p := parser{name: name, src: src, lines: []int{0}, budget: len(src) + 1000}
	var v Node
	if root := p.load(); root != nil && !p.errs.HasErrors() {
		v = p.value(root)
	}
	return v, p.errs.Err()
}

// parser turns YAML nodes into a File. It collects problems and goes on.
type parser struct {
	name  string
	src   []byte
	lines []int // offset of the first byte of each line
	errs  diag.List
	// budget counts down the nodes still to be visited. Each takes a byte of
	// the source at least, unless aliases multiply them.
	budget int
	depth  int
}

func (p *parser) pos(n *element) diag.Pos {
	return diag.Pos{File: p.name, Line: int(n.Line), Col: int(n.Column)}
}

// fail reports a problem in the words of the service, where they are known.
func (p *parser) fail(at diag.Pos, code, hint, format string, args ...any) {
	p.errs.Add(diag.Diagnostic{Pos: at, Code: code, Message: "parse error: " + sprintf(format, args...), Hint: hint})
}

// shape reports that n is not what belongs in its place.
func (p *parser) shape(n *element, hint, format string, args ...any) {
	p.fail(p.pos(n), "shape", hint, "%s; got %s", sprintf(format, args...), p.typeOf(n))
}

// typeOf names the type of a node as the service does in its messages.
func (p *parser) typeOf(n *element) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "list"
	case yaml.MappingNode:
		return "map"
	case yaml.ScalarNode:
		v, _ := resolve(n)
		switch v.(type) {
		case nil:
			return "null"
		case bool:
			return "boolean"
		case int64:
			return "integer"
		case float64:
			return "double"
		}
	}
	return "string"
}

// visit follows an alias, and reports false when there are too many of them.
func (p *parser) visit(n *element) (*element, bool) {
	p.budget--
	if p.budget == 0 {
		p.fail(p.pos(n), "alias", "write the values out", "aliases make the definition too large")
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n, p.budget > 0
}

// enter bounds the nesting, which aliases can make endless; leave undoes it.
func (p *parser) enter(n *element) bool {
	p.depth++
	if p.depth > maxDepth {
		p.fail(p.pos(n), "alias", "", "the definition is nested more than %d levels deep", maxDepth)
		p.budget = 0
		return false
	}
	return true
}

func (p *parser) leave() { p.depth-- }

// file parses the top level.
func (p *parser) file(f *File, root *element) {
	const want = "expected a map of workflows or a sequence of steps"
	if root == nil {
		p.fail(diag.Pos{File: p.name, Line: 1, Col: 1}, "shape", "", want+"; got null")
		return
	}
	switch root.Kind {
	case yaml.SequenceNode:
		f.Anonymous = true
		f.Workflows = []*Workflow{{At: p.pos(root), Name: "main", Steps: p.steps(root, "main")}}
	case yaml.MappingNode:
		fs, _ := p.fields(root, "the definition", nil)
		for _, fd := range fs {
			f.Workflows = append(f.Workflows, p.workflow(fd))
		}
		if fs.get("main") == nil {
			p.fail(p.pos(root), "no-main", `put the steps under "main: {steps: [...]}"`, "there is no workflow named main")
		}
	default:
		p.shape(root, "", want)
	}
}

func (p *parser) workflow(fd field) *Workflow {
	w := &Workflow{At: p.pos(fd.key), Name: fd.name}
	what := fmt.Sprintf("workflow %q", fd.name)
	fs, ok := p.fields(fd.value, what, []string{"params", "steps"})
	if !ok {
		return w
	}
	if n := fs.get("params"); n != nil {
		w.Params = p.params(n)
	}
	if n := fs.get("steps"); n != nil {
		w.Steps = p.steps(n, what)
	} else {
		p.fail(w.At, "missing-key", "", "%s has no steps", what)
	}
	return w
}

// params parses a list of names and of single pairs name: default.
func (p *parser) params(n *element) []*Param {
	if n.Kind != yaml.SequenceNode {
		p.shape(n, "write params: [a, b]", "expected a list of parameters")
		return nil
	}
	var params []*Param
	for _, item := range n.Content {
		item, ok := p.visit(item)
		if !ok {
			break
		}
		param := &Param{At: p.pos(item)}
		if item.Kind == yaml.MappingNode && len(item.Content) == 2 {
			param.Name = p.ident(item.Content[0], "a parameter")
			param.Default = p.value(item.Content[1])
		} else {
			param.Name = p.ident(item, "a parameter")
		}
		params = append(params, param)
	}
	return params
}

// field is one pair of a map with fixed keys.
type field struct {
	key   *element
	name  string
	value *element
}

type fields []field

// get returns the value of a key, or nil.
func (fs fields) get(name string) *element {
	for _, f := range fs {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// fields splits a map into its pairs, and reports keys that are repeated or
// not known. known is nil when any name will do; what says whose keys they
// are.
func (p *parser) fields(n *element, what string, known []string) (fields, bool) {
	if n.Kind != yaml.MappingNode {
		p.shape(n, "", "expected a map for %s", what)
		return nil, false
	}
	fs := make(fields, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, ok1 := p.visit(n.Content[i])
		value, ok2 := p.visit(n.Content[i+1])
		if !ok1 || !ok2 {
			return fs, false
		}
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			p.fail(p.pos(key), "shape", "", "a key of %s must be a plain name", what)
			continue
		}
		if fs.get(key.Value) != nil {
			p.fail(p.pos(key), "duplicate-key", "", "key %q appears twice in %s", key.Value, what)
			continue
		}
		if known != nil && !slices.Contains(known, key.Value) {
			p.fail(p.pos(key), "unknown-key", diag.DidYouMean(key.Value, known), "unknown key %q in %s", key.Value, what)
			continue
		}
		fs = append(fs, field{key, key.Value, value})
	}
	return fs, true
}

// text returns the text of a scalar that stands for a name of some kind,
// whatever type YAML gives it.
func (p *parser) text(n *element, what string) string {
	if n.Kind != yaml.ScalarNode {
		p.shape(n, "", "expected the name of %s", what)
		return ""
	}
	if isNull(n) {
		p.shape(n, "", "expected the name of %s", what)
		return ""
	}
	if n.Value == "" {
		p.fail(p.pos(n), "name", "", "the name of %s should not be empty", what)
		return ""
	}
	if strings.HasPrefix(n.Value, "${") {
		p.fail(p.pos(n), "shape", "", "expected the name of %s; an expression cannot stand for it", what)
		return ""
	}
	return n.Value
}

// ident returns the name of a variable.
func (p *parser) ident(n *element, what string) string {
	s := p.text(n, what)
	if s != "" && !expr.IsName(s) {
		p.fail(p.pos(n), "name", "a name has letters, digits and _, does not begin with a digit, and is no word of the expression language",
			"%q cannot be the name of %s", s, what)
	}
	return s
}
