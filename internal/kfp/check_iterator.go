package kfp

// iterator checks that a task iterates over a list, and that its component
// takes the items.
func (c *checker) iterator(t *Task) {
	i := t.Iterator
	if i == nil {
		return
	}
	in := &t.Component.In
	if i.Artifact.Value != "" {
		c.artifactIterator(i, t, in)
		return
	}
	item := in.Parameter(i.Item.Value)
	if item == nil {
		c.unknown(i.Item, func() []string { return parameterNames(in) }, "the component %q has no input parameter %q to take the items", t.Ref.Value, i.Item.Value)
	}
	if i.Items != nil {
		if item != nil {
			for _, v := range i.Items.Items {
				c.fits(v, item, "the input")
			}
		}
		return
	}
	p := in.Parameter(i.Parameter.Value)
	switch {
	case p == nil || input(t.Parameters, i.Parameter.Value) == nil:
		c.unknown(i.Parameter, func() []string { return inputNames(t.Parameters) }, "the task is given no parameter %q to iterate over", i.Parameter.Value)
	case p.Type != ListType && p.Type != String: // a string has JSON
		c.errorf(i.Parameter.At, i.Parameter.Value, "type-mismatch", "", "a task iterates over a list, and %q is %s", p.Name, p.Type.describe())
	}
}

func (c *checker) artifactIterator(i *Iterator, t *Task, in *Ports) {
	if in.Artifact(i.Item.Value) == nil {
		c.unknown(i.Item, func() []string { return artifactNames(in) }, "the component %q has no input artifact %q to take the items", t.Ref.Value, i.Item.Value)
	}
	if input(t.Artifacts, i.Artifact.Value) == nil {
		c.unknown(i.Artifact, func() []string { return inputNames(t.Artifacts) }, "the task is given no artifact %q to iterate over", i.Artifact.Value)
	} else if a := in.Artifact(i.Artifact.Value); a != nil && !a.List {
		c.errorf(i.Artifact.At, i.Artifact.Value, "type-mismatch", "", "a task iterates over a list of artifacts, and %q is one", a.Name)
	}
}

func input(list []*Input, name string) *Input {
	for _, i := range list {
		if i.Name == name {
			return i
		}
	}
	return nil
}

func inputNames(list []*Input) []string {
	names := make([]string, len(list))
	for i, x := range list {
		names[i] = x.Name
	}
	return names
}
