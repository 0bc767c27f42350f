package kfp

import "strconv"

// A v1Builder makes the nodes of a pipeline of components of version 1.
type v1Builder struct {
	*reader
	spec  *Spec
	built map[*v1Component]*Component
	names uniqueNames // of components
}

// build makes the component and its executor, or its graph with all that it
// refers to. The same component is made once.
func (b *v1Builder) build(c *v1Component) *Component {
	if x := b.built[c]; x != nil {
		return x
	}
	name := b.names.take("comp-" + taskName(c.name))
	x := &Component{At: c.at, Name: name}
	b.built[c] = x
	b.spec.Components = append(b.spec.Components, x)
	if c.graph != nil {
		b.graph(c, x)
		return x
	}
	k := b.container(c)
	x.In, x.Out = b.ports(c.inputs, true), b.ports(c.outputs, false)
	x.Executor = &Executor{At: k.At, Name: "exec-" + name[len("comp-"):], Kind: k}
	x.Label = Name{k.At, x.Executor.Name}
	b.spec.Executors = append(b.spec.Executors, x.Executor)
	return x
}

// uniqueNames counts how often a name was asked for.
type uniqueNames map[string]int

// take returns the name, or the first of name-2, name-3 and so on that is free.
func (u uniqueNames) take(name string) string {
	if u[name] == 0 {
		u[name] = 1
		return name
	}
	for {
		u[name]++
		try := name + "-" + strconv.Itoa(u[name])
		if u[try] == 0 {
			u[try] = 1
			return try
		}
	}
}
