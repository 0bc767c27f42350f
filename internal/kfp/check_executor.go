package kfp

// executor checks what the executor of a component names of its inputs and
// outputs.
func (c *checker) executor(x *Component) {
	e := x.Executor
	if e.Kind == nil {
		c.errorf(e.At, e.Name, "missing-key", "add container", "the executor does not say what it does")
		return
	}
	walkExecutor(e, func(t *Text) { c.placeholders(t, x) }, func(a *IfPresent) { c.present(a, x) })
	if k, ok := e.Kind.(*Importer); ok {
		c.importer(k, x)
	}
}

func (c *checker) present(a *IfPresent, x *Component) {
	if x.In.Parameter(a.Input.Value) == nil && x.In.Artifact(a.Input.Value) == nil && !c.extra[x][a.Input.Value] {
		c.unknown(a.Input, func() []string { return append(parameterNames(&x.In), artifactNames(&x.In)...) }, "%s has no input %q", called(x), a.Input.Value)
	}
}

// placeholders checks that those of a text name inputs and outputs that are
// there.
func (c *checker) placeholders(t *Text, x *Component) {
	for _, part := range t.Parts {
		if p := part.Placeholder; p != nil {
			c.placeholder(p, x)
		}
	}
}

func (c *checker) placeholder(p *Placeholder, x *Component) {
	ports, names, what := &x.In, artifactNames, "input artifact"
	switch p.Of {
	case InputArtifact, InputURI, InputPath, InputName, InputMetadata:
	case OutputArtifact, OutputURI, OutputPath, OutputName, OutputMetadata:
		ports, what = &x.Out, "output artifact"
	case InputParameter:
		names, what = parameterNames, "input parameter"
	case OutputParameter:
		ports, names, what = &x.Out, parameterNames, "output parameter"
	default:
		return
	}
	known := ports.Artifact(p.Name) != nil
	if p.Of == InputParameter || p.Of == OutputParameter {
		known = ports.Parameter(p.Name) != nil || p.Of == InputParameter && c.extra[x][p.Name]
	}
	if !known {
		hint := c.hint(p.Name, func() []string { return names(ports) })
		c.errorf(p.At, p.Text, "unknown-reference", hint, "%s has no %s %q", called(x), what, p.Name)
	}
}

func (c *checker) importer(k *Importer, x *Component) {
	if uri, ok := k.URI.(*ComponentInput); ok && x.In.Parameter(uri.Name.Value) == nil {
		c.unknown(uri.Name, func() []string { return parameterNames(&x.In) }, "%s has no input parameter %q", called(x), uri.Name.Value)
	}
	if len(x.Out.Artifacts) != 1 {
		c.errorf(x.At, x.Name, "bad-value", "", "an importer has one output, an artifact")
	}
}

// constantPlaceholders checks those of a constant, which name other inputs of
// the task at hand.
func (c *checker) constantPlaceholders(v Value) {
	walkTexts(v, func(text *Text) {
		for _, part := range text.Parts {
			if p := part.Placeholder; p != nil && p.Of == InputParameter && !c.given[p.Name] {
				hint := c.hint(p.Name, func() []string { return sorted(c.given) })
				c.errorf(p.At, p.Text, "unknown-reference", hint, "the task is given no parameter %q", p.Name)
			}
		}
	})
}
