package workflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/expr"
)

// stepKeys are all keys of a step; actionKeys those of which it has one.
var (
	actionKeys = []string{"assign", "call", "switch", "for", "parallel", "try", "raise", "return", "steps"}
	stepKeys   = append([]string{"next", "args", "result", "retry", "except"}, actionKeys...)
	armKeys    = append([]string{"condition"}, stepKeys...)
	exceptKeys = append([]string{"as"}, stepKeys...)
)

// owners says which key a dependent key needs beside it.
var owners = []struct{ key, owner string }{
	{"args", "call"}, {"result", "call"}, {"retry", "try"}, {"except", "try"},
}

// steps parses a list of steps; of says whose they are.
func (p *parser) steps(n *element, of string) []*Step {
	n, ok := p.visit(n)
	if !ok || !p.enter(n) {
		return nil
	}
	defer p.leave()
	if n.Kind != yaml.SequenceNode {
		p.shape(n, "write each step as \"- name:\" with its keys below", "expected a list of steps in %s", of)
		return nil
	}
	steps := make([]*Step, 0, len(n.Content))
	for _, item := range n.Content {
		if s := p.step(item, of); s != nil {
			steps = append(steps, s)
		}
	}
	return steps
}

// step parses one item of a list of steps: a map with one pair.
func (p *parser) step(n *element, of string) *Step {
	n, ok := p.visit(n)
	if !ok {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		p.shape(n, "write the step as \"- name:\" with its keys below", "expected a step in %s: a map from its name to its body", of)
		return nil
	}
	if len(n.Content) != 2 {
		p.manyKeys(n, of)
		return nil
	}
	key, _ := p.visit(n.Content[0])
	s := &Step{At: p.pos(key), Name: p.text(key, "a step")}
	body, ok := p.visit(n.Content[1])
	if ok {
		p.body(body, s, "step "+strconv.Quote(s.Name), stepKeys)
	}
	return s
}

// manyKeys reports a step that is not a single pair. Nearly always its body
// is not indented.
func (p *parser) manyKeys(n *element, of string) {
	if len(n.Content) == 0 {
		p.fail(p.pos(n), "shape", "", "expected a step in %s: a map from its name to its body; got an empty map", of)
		return
	}
	second := n.Content[2]
	hint := `begin each step with "- "`
	if slices.Contains(stepKeys, second.Value) {
		hint = fmt.Sprintf("indent the keys of a step more than its name, %q", n.Content[0].Value)
		if slices.Contains(stepKeys, n.Content[0].Value) {
			hint = `give the step a name: "- name:" with the keys below, indented`
		}
	}
	p.fail(p.pos(second), "shape", hint, "expected one step name in a list item of %s; %q is another key", of, second.Value)
}

// body parses the keys of a step into s. what names the step.
func (p *parser) body(n *element, s *Step, what string, known []string) fields {
	before := len(p.errs)
	fs, ok := p.fields(n, what, known)
	if !ok {
		return nil
	}
	p.bodyOf(fs, s, what)
	if s.Do == nil && s.Next == "" && len(p.errs) == before {
		p.fail(p.pos(n), "missing-key", "", "%s does nothing: it needs one of %s or next", what, strings.Join(actionKeys, ", "))
	}
	return fs
}

// bodyOf parses the keys fs of a step body.
func (p *parser) bodyOf(fs fields, s *Step, what string) {
	for _, o := range owners {
		if fs.get(o.key) != nil && fs.get(o.owner) == nil {
			p.fail(p.pos(fs.key(o.key)), "missing-key", "", "%q in %s needs %q beside it", o.key, what, o.owner)
		}
	}
	action := ""
	for _, f := range fs {
		if !slices.Contains(actionKeys, f.name) {
			continue
		}
		if action != "" {
			p.fail(p.pos(f.key), "shape", "make them two steps", "%s has both %q and %q: a step does one thing", what, action, f.name)
			continue
		}
		action = f.name
		s.Do = p.action(f, fs, what)
	}
	if next := fs.get("next"); next != nil {
		s.Next, s.NextAt = p.text(next, "a step to jump to"), p.pos(next)
	}
}

// key returns the node of a key that is there.
func (fs fields) key(name string) *element {
	for _, f := range fs {
		if f.name == name {
			return f.key
		}
	}
	return nil
}

// action parses the action f of a step with the keys fs.
func (p *parser) action(f field, fs fields, what string) Action {
	switch f.name {
	case "assign":
		return p.assign(f.value, what)
	case "call":
		return p.call(f.value, fs, what)
	case "switch":
		return p.switchAction(f.value, what)
	case "for":
		return p.loop(f.value, what)
	case "parallel":
		return p.parallel(f.value, what)
	case "try":
		return p.try(f.value, fs, what)
	case "raise":
		return &Raise{Value: p.value(f.value)}
	case "return":
		return &Return{Value: p.value(f.value)}
	default:
		return &Steps{Steps: p.steps(f.value, what)}
	}
}

func (p *parser) assign(n *element, what string) *Assign {
	a := &Assign{}
	if n.Kind != yaml.SequenceNode {
		p.shape(n, "write each assignment as \"- variable: value\"", "expected a list of assignments in %s", what)
		return a
	}
	for _, item := range n.Content {
		item, ok := p.visit(item)
		if !ok {
			break
		}
		if item.Kind != yaml.MappingNode {
			p.shape(item, "write \"- variable: value\"", "expected an assignment in %s", what)
			continue
		}
		if len(item.Content) != 2 {
			p.fail(p.pos(item), "shape", "begin each assignment with \"- \"", "expected one variable in each assignment of %s; got %d", what, len(item.Content)/2)
			continue
		}
		key, _ := p.visit(item.Content[0])
		a.Items = append(a.Items, &AssignItem{At: p.pos(key), Target: p.target(key), Value: p.value(item.Content[1])})
	}
	return a
}

// target parses the left side of an assignment.
func (p *parser) target(n *element) expr.Expr {
	if n.Kind != yaml.ScalarNode || n.Value == "" {
		p.shape(n, "", "expected a variable to assign to")
		return &expr.Ident{At: p.pos(n)}
	}
	if at, ok := p.verbatim(n); ok && expr.IsName(n.Value) {
		return &expr.Ident{At: at, Name: n.Value}
	}
	before := len(p.errs)
	x, at := p.parseExpr(n, n.Value, 0)
	if len(p.errs) == before && !assignable(x) {
		p.fail(at, "shape", "assign to a variable, such as x, x.key, x[\"key\"] or x[0]", "cannot assign to %s", n.Value)
	}
	return x
}

func assignable(x expr.Expr) bool {
	switch x := x.(type) {
	case *expr.Ident:
		return true
	case *expr.Member:
		return assignable(x.X)
	case *expr.Index:
		return assignable(x.X)
	}
	return false
}

func (p *parser) call(n *element, fs fields, what string) *Call {
	c := &Call{At: p.pos(n), Func: p.text(n, "a function")}
	if args := fs.get("args"); args != nil {
		switch v := p.value(args).(type) {
		case *Map, *List:
			c.Args = v
		default:
			if !isNull(args) {
				p.shape(args, "write them as a map from names to values", "expected a map or a list of arguments in %s", what)
			}
		}
	}
	if result := fs.get("result"); result != nil {
		c.Result, c.ResultAt = p.ident(result, "a variable"), p.pos(result)
	}
	return c
}

func (p *parser) switchAction(n *element, what string) *Switch {
	s := &Switch{}
	if n.Kind != yaml.SequenceNode {
		p.shape(n, "write each as \"- condition: ${…}\"", "expected a list of conditions in %s", what)
		return s
	}
	for _, item := range n.Content {
		item, ok := p.visit(item)
		if !ok {
			break
		}
		what := "a condition of " + what
		arm := &Arm{At: p.pos(item), Body: &Step{At: p.pos(item)}}
		fs := p.body(item, arm.Body, what, armKeys)
		if c := fs.get("condition"); c != nil {
			arm.Condition = p.value(c)
			p.checkCondition(arm.Condition, c)
		} else if fs != nil {
			p.fail(arm.At, "missing-key", `for an "else", write condition: true`, "%s has no condition key", what)
		}
		s.Arms = append(s.Arms, arm)
	}
	return s
}

// checkCondition refuses what can never be a boolean.
func (p *parser) checkCondition(c Node, n *element) {
	if _, ok := c.(*Expr); ok {
		return
	}
	if l, ok := c.(*Lit); ok {
		if _, ok := l.Value.(bool); ok {
			return
		}
	}
	hint := "write ${…} around it"
	if strings.HasPrefix(n.Value, "$${") {
		hint = "$${ is what Terraform's templates turn into ${; a definition of its own has ${"
	}
	p.shape(n, hint, "expected an expression, true or false as the condition")
}
