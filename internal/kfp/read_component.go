package kfp

import (
	"strings"

	"github.com/kakehi/kakehi/internal/kfp/source"
)

var componentMessage = message[Component]{"a component", []field[Component]{
	{name: "inputDefinitions", read: func(r *reader, n *source.Node, c *Component) { portsMessage.read(r, n, &c.In) }},
	{name: "outputDefinitions", read: func(r *reader, n *source.Node, c *Component) { portsMessage.read(r, n, &c.Out) }},
	{name: "dag", oneof: "implementation", read: func(r *reader, n *source.Node, c *Component) {
		c.DAG = &DAG{At: n.Pos()}
		dagMessage.read(r, n, c.DAG)
	}},
	{name: "executorLabel", oneof: "implementation", read: func(r *reader, n *source.Node, c *Component) { c.Label = r.name(n) }},
	{name: "taskConfigPassthroughs", read: func(r *reader, n *source.Node, c *Component) {
		r.list(n, func(item *source.Node) {
			t := &TaskConfig{At: item.Pos()}
			taskConfigMessage.read(r, item, t)
			c.Config = append(c.Config, t)
		})
	}},
}}

var taskConfigMessage = message[TaskConfig]{"a passthrough", []field[TaskConfig]{
	{name: "field", read: func(r *reader, n *source.Node, t *TaskConfig) { t.Field = r.str(n) }},
	{name: "applyToTask", read: func(r *reader, n *source.Node, t *TaskConfig) { t.ApplyToTask = r.boolean(n) }},
}}

var portsMessage = message[Ports]{"a definition of inputs or outputs", []field[Ports]{
	{name: "parameters", read: func(r *reader, n *source.Node, ports *Ports) {
		r.each(n, func(key, value *source.Node) {
			p := parameterDraft{Parameter: &Parameter{At: key.TextPos(), Name: key.Value}}
			if parameterMessage.read(r, value, &p) && p.Type == "" && !has(value, "parameterType") && !has(value, "type") {
				r.errorf(key, "missing-key", "add parameterType: STRING", "the parameter %q has no type", key.Value)
			}
			if p.value != nil {
				p.Default = r.cast(p.value, p.Type)
			}
			ports.Parameters = append(ports.Parameters, p.Parameter)
		})
	}},
	{name: "artifacts", read: func(r *reader, n *source.Node, ports *Ports) {
		r.each(n, func(key, value *source.Node) {
			a := &Artifact{At: key.TextPos(), Name: key.Value}
			artifactMessage.read(r, value, a)
			ports.Artifacts = append(ports.Artifacts, a)
		})
	}},
}}

// A parameterDraft is a parameter while it is read: what its default means
// depends on its type, which may come later.
type parameterDraft struct {
	*Parameter
	value *source.Node
}

var parameterMessage = message[parameterDraft]{"a parameter", []field[parameterDraft]{
	{name: "parameterType", read: func(r *reader, n *source.Node, p *parameterDraft) { p.Type = r.parameterType(n) }},
	{name: "type", read: func(r *reader, n *source.Node, p *parameterDraft) {
		if t := r.oldType(n); p.Type == "" {
			p.Type = t
		}
	}},
	{name: "defaultValue", null: true, read: func(r *reader, n *source.Node, p *parameterDraft) { p.value = n }},
	{name: "isOptional", read: func(r *reader, n *source.Node, p *parameterDraft) { p.Optional = r.boolean(n) }},
	{name: "description", read: func(r *reader, n *source.Node, p *parameterDraft) { p.Description = r.str(n) }},
	{name: "literals", read: func(r *reader, n *source.Node, p *parameterDraft) { p.Literals = r.listValue(n).Items }},
}}

// parameterTypes are the types in the order of their numbers, from 1.
var parameterTypes = []Type{Double, Integer, String, Boolean, ListType, StructType, TaskFinalStatus, TaskConfigType}

func (r *reader) parameterType(n *source.Node) Type {
	s := r.str(n)
	words := make([]string, len(parameterTypes))
	for i, t := range parameterTypes {
		if s == string(t) || s == string(rune('1'+i)) {
			return t
		}
		words[i] = string(t)
	}
	return r.notOneOf(n, s, words)
}

// notOneOf reports a word that is none of those known, if there is one. The type
// that it gives is not known.
func (r *reader) notOneOf(n *source.Node, s string, words []string) Type {
	hint := didYouMean(s, words)
	if hint == "" {
		hint = "it is one of " + strings.Join(words, ", ")
	}
	if s != "" {
		r.errorf(n, "bad-value", hint, "%s is not known here", n.Describe())
	}
	return ""
}

// oldType reads a type of schema 2.0.0. What is neither a string nor a number
// there has the type STRING, and holds JSON.
func (r *reader) oldType(n *source.Node) Type {
	switch s := r.str(n); s {
	case "STRING", "3":
		return String
	case "INT", "1":
		return Integer
	case "DOUBLE", "2":
		return Double
	default:
		return r.notOneOf(n, s, []string{"STRING", "INT", "DOUBLE"})
	}
}

var artifactMessage = message[Artifact]{"an artifact", []field[Artifact]{
	{name: "artifactType", read: func(r *reader, n *source.Node, a *Artifact) { a.Schema = r.schema(n) }},
	{name: "isArtifactList", read: func(r *reader, n *source.Node, a *Artifact) { a.List = r.boolean(n) }},
	{name: "isOptional", read: func(r *reader, n *source.Node, a *Artifact) { a.Optional = r.boolean(n) }},
	{name: "description", read: func(r *reader, n *source.Node, a *Artifact) { a.Description = r.str(n) }},
	{name: "metadata", read: func(r *reader, n *source.Node, a *Artifact) { a.Metadata = merged(a.Metadata, r.structValue(n)) }},
	{name: "properties", read: func(r *reader, n *source.Node, a *Artifact) { a.Metadata = merged(a.Metadata, r.properties(n)) }},
	{name: "customProperties", read: func(r *reader, n *source.Node, a *Artifact) { a.Metadata = merged(a.Metadata, r.properties(n)) }},
}}

// merged joins metadata that is given in several forms.
func merged(a, b *Struct) *Struct {
	if a == nil {
		return b
	}
	a.Fields = append(a.Fields, b.Fields...)
	return a
}

// properties reads the metadata of schema 2.0.0, whose values are wrapped.
func (r *reader) properties(n *source.Node) *Struct {
	s := &Struct{At: n.Pos()}
	r.each(n, func(key, value *source.Node) {
		v, ok := r.runtimeValue(value).(*Constant)
		if !ok {
			r.errorf(value, "unsupported", "give it a constant", "the property %q is no constant", key.Value)
			return
		}
		s.Fields = append(s.Fields, &Field{At: key.TextPos(), Name: key.Value, Value: v.Value})
	})
	return s
}

var schemaMessage = message[Schema]{"an artifact type", []field[Schema]{
	{name: "schemaTitle", oneof: "kind", read: func(r *reader, n *source.Node, s *Schema) { s.Title = r.str(n) }},
	{name: "schemaUri", oneof: "kind", read: func(r *reader, n *source.Node, s *Schema) { s.URI = r.str(n) }},
	{name: "instanceSchema", oneof: "kind", read: func(r *reader, n *source.Node, s *Schema) { s.Instance = r.str(n) }},
	{name: "schemaVersion", read: func(r *reader, n *source.Node, s *Schema) { s.Version = r.str(n) }},
}}

// schema reads an artifact type. A schema in full, as early compilers wrote it,
// has a title too: kfp.Dataset is system.Dataset.
func (r *reader) schema(n *source.Node) Schema {
	s := Schema{At: n.Pos()}
	schemaMessage.read(r, n, &s)
	if s.Title == "" && s.Instance != "" {
		for line := range strings.Lines(s.Instance) {
			if title, ok := strings.CutPrefix(strings.TrimSpace(line), "title:"); ok {
				s.Title = strings.TrimSpace(title)
				if name, ok := strings.CutPrefix(s.Title, "kfp."); ok {
					s.Title = "system." + name
				}
				break
			}
		}
	}
	return s
}
