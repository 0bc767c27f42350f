package kfp

import (
	"strconv"

	"github.com/kakehi/kakehi/internal/kfp/source"
)

var executorMessage = message[Executor]{"an executor", []field[Executor]{
	{name: "container", oneof: "spec", read: func(r *reader, n *source.Node, e *Executor) {
		c := &Container{At: n.Pos()}
		if containerMessage.read(r, n, c) && c.Image == nil {
			r.errorf(n, "missing-key", "add image", "the container has no image")
		}
		e.Kind = c
	}},
	{name: "importer", oneof: "spec", read: func(r *reader, n *source.Node, e *Executor) {
		i := &Importer{At: n.Pos()}
		if importerMessage.read(r, n, i) && i.URI == nil {
			r.errorf(n, "missing-key", "add artifactUri", "the importer does not say what it imports")
		}
		e.Kind = i
	}},
	{name: "resolver", oneof: "spec", read: func(r *reader, n *source.Node, e *Executor) {
		x := &Resolver{At: n.Pos()}
		resolverMessage.read(r, n, x)
		e.Kind = x
	}},
	{name: "customJob", oneof: "spec", read: func(r *reader, n *source.Node, e *Executor) {
		j := &CustomJob{At: n.Pos()}
		if customJobMessage.read(r, n, j) && j.Job == nil {
			r.errorf(n, "missing-key", "add customJob", "the custom job is empty")
		}
		e.Kind = j
	}},
}}

var containerMessage = message[Container]{"a container", []field[Container]{
	{name: "image", read: func(r *reader, n *source.Node, c *Container) { c.Image = r.unlessEmpty(n) }},
	{name: "command", read: func(r *reader, n *source.Node, c *Container) { c.Command = r.args(n) }},
	{name: "args", read: func(r *reader, n *source.Node, c *Container) { c.Args = r.args(n) }},
	{name: "env", read: func(r *reader, n *source.Node, c *Container) {
		r.list(n, func(item *source.Node) {
			e := &EnvVar{At: item.Pos(), Value: &Text{At: item.Pos()}}
			if envMessage.read(r, item, e) && e.Name == "" {
				r.errorf(item, "missing-key", "add name", "the environment variable has no name")
			}
			c.Env = append(c.Env, e)
		})
	}},
	{name: "resources", read: func(r *reader, n *source.Node, c *Container) { c.Resources = r.resources(n) }},
	{name: "lifecycle", read: func(r *reader, n *source.Node, c *Container) { lifecycleMessage.read(r, n, c) }},
}}

var envMessage = message[EnvVar]{"an environment variable", []field[EnvVar]{
	{name: "name", read: func(r *reader, n *source.Node, e *EnvVar) { e.Name = r.str(n) }},
	{name: "value", read: func(r *reader, n *source.Node, e *EnvVar) { e.Value = r.text(n) }},
}}

var lifecycleMessage = message[Container]{"lifecycle", []field[Container]{
	{name: "preCacheCheck", read: func(r *reader, n *source.Node, c *Container) {
		c.PreCacheCheck = &Exec{At: n.Pos()}
		execMessage.read(r, n, c.PreCacheCheck)
	}},
}}

var execMessage = message[Exec]{"a command", []field[Exec]{
	{name: "command", read: func(r *reader, n *source.Node, e *Exec) { e.Command = r.args(n) }},
	{name: "args", read: func(r *reader, n *source.Node, e *Exec) { e.Args = r.args(n) }},
}}

// A resourcesDraft is resources while they are read: the fields of numbers are
// deprecated, and give way to those of text.
type resourcesDraft struct {
	*Resources
	cpuLimit, cpuRequest, memoryLimit, memoryRequest *Text
}

var resourcesMessage = message[resourcesDraft]{"resources", []field[resourcesDraft]{
	{name: "resourceCpuLimit", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.CPULimit = r.unlessEmpty(n) }},
	{name: "resourceCpuRequest", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.CPURequest = r.unlessEmpty(n) }},
	{name: "resourceMemoryLimit", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.MemoryLimit = r.unlessEmpty(n) }},
	{name: "resourceMemoryRequest", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.MemoryRequest = r.unlessEmpty(n) }},
	{name: "cpuLimit", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.cpuLimit = r.oldQuantity(n, "") }},
	{name: "cpuRequest", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.cpuRequest = r.oldQuantity(n, "") }},
	{name: "memoryLimit", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.memoryLimit = r.oldQuantity(n, "G") }},
	{name: "memoryRequest", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.memoryRequest = r.oldQuantity(n, "G") }},
	{name: "accelerator", read: func(r *reader, n *source.Node, d *resourcesDraft) { d.Accelerator = r.accelerator(n) }},
}}

func (r *reader) resources(n *source.Node) *Resources {
	d := resourcesDraft{Resources: &Resources{At: n.Pos()}}
	resourcesMessage.read(r, n, &d)
	d.CPULimit = first(d.CPULimit, d.cpuLimit)
	d.CPURequest = first(d.CPURequest, d.cpuRequest)
	d.MemoryLimit = first(d.MemoryLimit, d.memoryLimit)
	d.MemoryRequest = first(d.MemoryRequest, d.memoryRequest)
	return d.Resources
}

func first(texts ...*Text) *Text {
	for _, t := range texts {
		if t != nil {
			return t
		}
	}
	return nil
}

// unlessEmpty reads a text; an empty one says nothing.
func (r *reader) unlessEmpty(n *source.Node) *Text {
	if r.str(n) == "" {
		return nil
	}
	return r.text(n)
}

// oldQuantity reads a quantity in a number, of which 0 says nothing.
func (r *reader) oldQuantity(n *source.Node, unit string) *Text {
	f, ok := r.number(n)
	if !ok || f == 0 {
		return nil
	}
	return &Text{At: n.Pos(), Value: strconv.FormatFloat(f, 'f', -1, 64) + unit}
}

// An acceleratorDraft is an accelerator while it is read.
type acceleratorDraft struct {
	*Accelerator
	oldType, oldCount *Text
}

var acceleratorMessage = message[acceleratorDraft]{"an accelerator", []field[acceleratorDraft]{
	{name: "resourceType", read: func(r *reader, n *source.Node, d *acceleratorDraft) { d.Type = r.unlessEmpty(n) }},
	{name: "resourceCount", read: func(r *reader, n *source.Node, d *acceleratorDraft) { d.Count = r.unlessEmpty(n) }},
	{name: "type", read: func(r *reader, n *source.Node, d *acceleratorDraft) { d.oldType = r.unlessEmpty(n) }},
	{name: "count", read: func(r *reader, n *source.Node, d *acceleratorDraft) { d.oldCount = r.oldQuantity(n, "") }},
}}

func (r *reader) accelerator(n *source.Node) *Accelerator {
	d := acceleratorDraft{Accelerator: &Accelerator{At: n.Pos()}}
	acceleratorMessage.read(r, n, &d)
	d.Type, d.Count = first(d.Type, d.oldType), first(d.Count, d.oldCount)
	return d.Accelerator
}

var importerMessage = message[Importer]{"an importer", []field[Importer]{
	{name: "artifactUri", read: func(r *reader, n *source.Node, i *Importer) { i.URI = r.runtimeValue(n) }},
	{name: "typeSchema", read: func(r *reader, n *source.Node, i *Importer) { i.Schema = r.schema(n) }},
	{name: "metadata", read: func(r *reader, n *source.Node, i *Importer) { i.Metadata = merged(i.Metadata, r.structValue(n)) }},
	{name: "properties", read: func(r *reader, n *source.Node, i *Importer) { i.Metadata = merged(i.Metadata, r.properties(n)) }},
	{name: "customProperties", read: func(r *reader, n *source.Node, i *Importer) { i.Metadata = merged(i.Metadata, r.properties(n)) }},
	{name: "reimport", read: func(r *reader, n *source.Node, i *Importer) { i.Reimport = r.boolean(n) }},
	{name: "downloadToWorkspace", read: func(r *reader, n *source.Node, i *Importer) { i.Download = r.boolean(n) }},
}}

var resolverMessage = message[Resolver]{"a resolver", []field[Resolver]{
	{name: "outputArtifactQueries", read: func(r *reader, n *source.Node, x *Resolver) {
		r.each(n, func(key, value *source.Node) {
			q := &ArtifactQuery{At: key.TextPos(), Name: key.Value}
			queryMessage.read(r, value, q)
			x.Queries = append(x.Queries, q)
		})
	}},
}}

var queryMessage = message[ArtifactQuery]{"a query", []field[ArtifactQuery]{
	{name: "filter", read: func(r *reader, n *source.Node, q *ArtifactQuery) { q.Filter = r.str(n) }},
	{name: "limit", read: func(r *reader, n *source.Node, q *ArtifactQuery) { q.Limit = r.count(n) }},
}}

var customJobMessage = message[CustomJob]{"a custom job", []field[CustomJob]{
	{name: "customJob", read: func(r *reader, n *source.Node, j *CustomJob) { j.Job = r.structValue(n) }},
}}
