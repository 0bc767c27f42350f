package workflow

import "go.yaml.in/yaml/v4"

// loop parses the value of a for key.
func (p *parser) loop(n *element, what string) *For {
	f := &For{At: p.pos(n)}
	what = "for of " + what
	fs, ok := p.fields(n, what, []string{"value", "index", "in", "range", "steps"})
	if !ok {
		return f
	}
	if v := fs.get("value"); v != nil {
		f.Value = p.ident(v, "a loop variable")
	} else {
		p.fail(f.At, "missing-key", "", "%s needs a value: the name of the loop variable", what)
	}
	if v := fs.get("index"); v != nil {
		f.Index = p.ident(v, "a loop variable")
	}
	in, span := fs.get("in"), fs.get("range")
	switch {
	case in != nil && span != nil:
		p.fail(p.pos(fs.key("range")), "shape", "", "%s has both in and range", what)
	case in == nil && span == nil:
		p.fail(f.At, "missing-key", "", "%s needs in, a list, or range, its first and last number", what)
	case in != nil:
		f.In = p.value(in)
		switch f.In.(type) {
		case *Expr, *List:
		default:
			p.shape(in, "write ${…} around an expression; for a map, loop over ${keys(m)}", "expected a list or an expression as the in of %s", what)
		}
	default:
		f.Range = p.span(span, what)
	}
	if v := fs.get("steps"); v != nil {
		f.Steps = p.steps(v, what)
	} else {
		p.fail(f.At, "missing-key", "", "%s has no steps", what)
	}
	return f
}

// span parses a range: two numbers or an expression.
func (p *parser) span(n *element, what string) Node {
	v := p.value(n)
	if _, ok := v.(*Expr); ok {
		return v
	}
	list, ok := v.(*List)
	if !ok || len(list.Items) != 2 {
		p.shape(n, "write range: [1, 9]; both ends are included", "expected a list of two numbers as the range of %s", what)
		return v
	}
	for i, item := range list.Items {
		switch l, _ := item.(*Lit); {
		case isExprNode(item), l != nil && isNumber(l.Value):
		default:
			p.shape(n.Content[i], "", "expected a number in the range of %s", what)
		}
	}
	return v
}

func isExprNode(n Node) bool {
	_, ok := n.(*Expr)
	return ok
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64:
		return true
	}
	return false
}

func (p *parser) parallel(n *element, what string) *Parallel {
	par := &Parallel{At: p.pos(n)}
	what = "parallel of " + what
	fs, ok := p.fields(n, what, []string{"shared", "concurrency_limit", "exception_policy", "branches", "for"})
	if !ok {
		return par
	}
	if v := fs.get("shared"); v != nil {
		par.Shared = p.shared(v, what)
	}
	par.ConcurrencyLimit = p.optional(fs.get("concurrency_limit"))
	if v := fs.get("exception_policy"); v != nil {
		par.ExceptionPolicy = p.text(v, "a policy")
	}
	branches, loop := fs.get("branches"), fs.get("for")
	switch {
	case branches != nil && loop != nil:
		p.fail(p.pos(fs.key("for")), "shape", "make them two steps", "%s has both branches and for", what)
	case branches == nil && loop == nil:
		p.fail(par.At, "missing-key", "", "%s needs branches or for", what)
	case branches != nil:
		par.Branches = p.branches(branches, what)
	default:
		par.For = p.loop(loop, what)
	}
	return par
}

func (p *parser) shared(n *element, what string) []string {
	if n.Kind != yaml.SequenceNode {
		p.shape(n, "write shared: [a, b]", "expected a list of variables as the shared of %s", what)
		return nil
	}
	names := make([]string, 0, len(n.Content))
	for _, item := range n.Content {
		if item, ok := p.visit(item); ok {
			names = append(names, p.ident(item, "a shared variable"))
		}
	}
	return names
}

func (p *parser) branches(n *element, what string) []*Branch {
	if n.Kind != yaml.SequenceNode {
		p.shape(n, `write each branch as "- name:" with its steps below`, "expected a list of branches in %s", what)
		return nil
	}
	var branches []*Branch
	for _, item := range n.Content {
		item, ok := p.visit(item)
		if !ok {
			break
		}
		if item.Kind != yaml.MappingNode || len(item.Content) != 2 {
			p.shape(item, `write it as "- name:" with its steps below, indented`, "expected a branch in %s: a map from its name to its steps", what)
			continue
		}
		fs, _ := p.fields(item, what, nil)
		if len(fs) != 1 {
			continue
		}
		b := &Branch{At: p.pos(fs[0].key), Name: p.text(fs[0].key, "a branch")}
		what := "branch " + b.Name
		body, ok := p.fields(fs[0].value, what, []string{"steps"})
		if steps := body.get("steps"); steps != nil {
			b.Steps = p.steps(steps, what)
		} else if ok {
			p.fail(b.At, "missing-key", "", "%s has no steps", what)
		}
		branches = append(branches, b)
	}
	return branches
}

func (p *parser) try(n *element, fs fields, what string) *Try {
	t := &Try{Body: &Step{At: p.pos(n)}}
	if n.Kind == yaml.SequenceNode {
		p.shape(n, `put them under "steps:"`, "expected one step body as the try of %s", what)
		return t
	}
	p.body(n, t.Body, "try of "+what, stepKeys)
	if n := fs.get("retry"); n != nil {
		t.Retry = p.retry(n, what)
	}
	if n := fs.get("except"); n != nil {
		t.Except = p.except(n, what)
	}
	return t
}

// except parses a handler. Its documentation has only as and steps; deployed
// definitions also write a single action there, as in try.
func (p *parser) except(n *element, what string) *Except {
	e := &Except{At: p.pos(n)}
	body := &Step{At: p.pos(n)}
	what = "except of " + what
	fs, ok := p.fields(n, what, exceptKeys)
	if !ok {
		return e
	}
	if as := fs.get("as"); as != nil {
		e.As = p.ident(as, "a variable")
	}
	if len(fs) > 1 || len(fs) == 1 && e.As == "" {
		p.bodyOf(fs, body, what)
	}
	if steps, ok := body.Do.(*Steps); ok && body.Next == "" {
		e.Steps = steps.Steps
	} else if body.Do != nil || body.Next != "" {
		e.Steps = []*Step{body}
	}
	return e
}

func (p *parser) retry(n *element, what string) *Retry {
	r := &Retry{At: p.pos(n)}
	if n.Kind != yaml.MappingNode {
		r.Policy = p.policy(n, "${http.default_retry}, or a map of predicate, max_retries and backoff", "retry of "+what)
		return r
	}
	fs, _ := p.fields(n, "retry of "+what, []string{"predicate", "max_retries", "backoff"})
	if v := fs.get("predicate"); v != nil {
		r.Predicate = p.policy(v, "${my_predicate}, the name of a subworkflow that takes the error", "predicate of retry of "+what)
	}
	r.MaxRetries = p.optional(fs.get("max_retries"))
	if b := fs.get("backoff"); b != nil {
		r.Backoff = p.backoff(b, "backoff of "+what)
	}
	return r
}

func (p *parser) backoff(n *element, what string) *Backoff {
	b := &Backoff{At: p.pos(n)}
	if n.Kind != yaml.MappingNode {
		b.Policy = p.policy(n, "${retry.default_backoff}, or a map of initial_delay, max_delay and multiplier", what)
		return b
	}
	fs, _ := p.fields(n, what, []string{"initial_delay", "max_delay", "multiplier"})
	b.InitialDelay = p.optional(fs.get("initial_delay"))
	b.MaxDelay = p.optional(fs.get("max_delay"))
	b.Multiplier = p.optional(fs.get("multiplier"))
	return b
}

// policy parses a ready-made policy, which only an expression can name.
func (p *parser) policy(n *element, want, what string) Node {
	v := p.value(n)
	if _, ok := v.(*Expr); !ok {
		p.shape(n, "write "+want, "expected an expression as the %s", what)
	}
	return v
}

// optional parses a value that may be missing.
func (p *parser) optional(n *element) Node {
	if n == nil {
		return nil
	}
	return p.value(n)
}
