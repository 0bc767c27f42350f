package kfp

import (
	"maps"
	"slices"
)

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
	case p == nil || !c.given[i.Parameter.Value]:
		c.unknown(i.Parameter, func() []string { return sorted(c.given) }, "the task is given no parameter %q to iterate over", i.Parameter.Value)
	case p.Type != ListType && p.Type != String: // a string has JSON
		c.errorf(i.Parameter.At, i.Parameter.Value, "type-mismatch", "", "a task iterates over a list, and %q is %s", p.Name, p.Type.describe())
	}
}

func (c *checker) artifactIterator(i *Iterator, t *Task, in *Ports) {
	if in.Artifact(i.Item.Value) == nil {
		c.unknown(i.Item, func() []string { return artifactNames(in) }, "the component %q has no input artifact %q to take the items", t.Ref.Value, i.Item.Value)
	}
	if given := inputNames(t.Artifacts); !given[i.Artifact.Value] {
		c.unknown(i.Artifact, func() []string { return sorted(given) }, "the task is given no artifact %q to iterate over", i.Artifact.Value)
	} else if a := in.Artifact(i.Artifact.Value); a != nil && !a.List {
		c.errorf(i.Artifact.At, i.Artifact.Value, "type-mismatch", "", "a task iterates over a list of artifacts, and %q is one", a.Name)
	}
}

// inputNames are the names of inputs that a task is given.
func inputNames(list []*Input) map[string]bool {
	names := make(map[string]bool, len(list))
	for _, i := range list {
		names[i.Name] = true
	}
	return names
}

func sorted(names map[string]bool) []string { return slices.Sorted(maps.Keys(names)) }
