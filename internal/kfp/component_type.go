package kfp

import (
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// v1Types are the types of version 1 that are parameters, in lower case.
var v1Types = map[string]Type{
	"integer": Integer, "int": Integer, "double": Double, "float": Double,
	"string": String, "str": String, "text": String, "bool": Boolean, "boolean": Boolean,
	"dict": StructType, "jsonobject": StructType, "list": ListType, "jsonarray": ListType,
}

// v1Artifacts are those that have a type of their own in KFP 2.
var v1Artifacts = map[string]string{
	"model": "Model", "dataset": "Dataset", "metrics": "Metrics", "classificationmetrics": "ClassificationMetrics",
	"slicedclassificationmetrics": "SlicedClassificationMetrics", "html": "HTML", "markdown": "Markdown",
}

var googleType = lazyregexp.New(`^google\.[A-Za-z]+$`)

// typeWord returns the name of a type: List of typing.List[str], and the key of
// a map of properties, such as {JsonObject: {data_type: …}}.
func typeWord(n *source.Node) string {
	switch {
	case n == nil || n.Kind == source.List:
		return ""
	case n.Kind == source.Map:
		if len(n.Fields) != 1 {
			return ""
		}
		return n.Fields[0].Key.Value
	}
	word := strings.TrimPrefix(n.Value, "typing.")
	if lower := strings.ToLower(word); strings.HasPrefix(lower, "list") || strings.HasPrefix(lower, "dict") {
		word, _, _ = strings.Cut(word, "[")
	}
	return word
}

// parameterTypeOf returns the type of a parameter, or "" for an artifact.
func parameterTypeOf(n *source.Node) Type {
	switch word := typeWord(n); word {
	case "PipelineTaskFinalStatus":
		return TaskFinalStatus
	case "TaskConfig":
		return TaskConfigType
	default:
		return v1Types[strings.ToLower(word)]
	}
}

// isParameterType reports whether an input is a parameter by its type alone, as
// KFP 2 decides it: a type with properties is not.
func isParameterType(n *source.Node) bool {
	return (n == nil || n.Kind == source.Scalar) && parameterTypeOf(n) != ""
}

// isOpen reports whether the type does not say what an input or output is.
func (p *v1Port) isOpen() bool {
	return parameterTypeOf(p.typ) == "" && schemaOf(p.typ, diag.Pos{}).Title == generic
}

// schemaOf returns the type of an artifact.
func schemaOf(n *source.Node, at diag.Pos) Schema {
	s := Schema{At: at, Title: generic, Version: "0.0.1"}
	word := typeWord(n)
	if googleType.MatchString(word) {
		s.Title = word
	} else if name := v1Artifacts[strings.ToLower(word)]; name != "" {
		s.Title = "system." + name
	}
	return s
}

// ports makes the inputs or outputs of a component, after what uses them has
// decided what they are.
func (r *reader) ports(of v1Ports, inputs bool) Ports {
	var ports Ports
	for _, p := range of.list {
		at := p.key.TextPos()
		optional := inputs && (p.optional || p.value != nil)
		if !p.parameter {
			ports.Artifacts = append(ports.Artifacts, &Artifact{At: at, Name: p.name, Schema: schemaOf(p.typ, at), Optional: optional, Description: p.description})
			continue
		}
		x := &Parameter{At: at, Name: p.name, Type: parameterTypeOf(p.typ), Optional: optional, Description: p.description}
		switch x.Type {
		case "":
			x.Type = String
		case TaskFinalStatus, TaskConfigType:
			x.Optional = inputs
		}
		if inputs && p.value != nil {
			x.Default = r.v1Default(p.value, x.Type)
		}
		ports.Parameters = append(ports.Parameters, x)
	}
	ports.index()
	return ports
}

// v1Default reads a default. What YAML takes for a number or a boolean is text
// for a parameter of text.
func (r *reader) v1Default(n *source.Node, t Type) Value {
	if t == String && n.Kind == source.Scalar {
		return &Text{At: n.TextPos(), Value: n.Value}
	}
	return r.cast(n, t)
}
