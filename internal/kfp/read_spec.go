package kfp

import (
	"strings"

	"github.com/kakehi/kakehi/internal/kfp/source"
)

var specMessage = message[Spec]{"a pipeline", []field[Spec]{
	{name: "pipelineInfo", read: func(r *reader, n *source.Node, s *Spec) { infoMessage.read(r, n, s) }},
	{name: "deploymentSpec", read: func(r *reader, n *source.Node, s *Spec) { deploymentMessage.read(r, n, s) }},
	{name: "sdkVersion", read: func(r *reader, n *source.Node, s *Spec) { s.SDKVersion = r.str(n) }},
	{name: "schemaVersion", read: func(r *reader, n *source.Node, s *Spec) { r.schemaVersion(n, s) }},
	{name: "components", read: func(r *reader, n *source.Node, s *Spec) {
		r.each(n, func(key, value *source.Node) {
			c := &Component{At: key.TextPos(), Name: key.Value}
			componentMessage.read(r, value, c)
			s.Components = append(s.Components, c)
		})
	}},
	{name: "root", read: func(r *reader, n *source.Node, s *Spec) {
		s.Root = &Component{At: n.Pos()}
		componentMessage.read(r, n, s.Root)
	}},
	{name: "defaultPipelineRoot", read: func(r *reader, n *source.Node, s *Spec) {
		if s.PipelineRoot == nil { // what a run says comes first
			s.PipelineRoot = r.text(n)
		}
	}},
}}

var infoMessage = message[Spec]{"pipelineInfo", []field[Spec]{
	{name: "name", read: func(r *reader, n *source.Node, s *Spec) { s.Name = r.name(n) }},
	{name: "displayName", read: func(r *reader, n *source.Node, s *Spec) { s.DisplayName = r.str(n) }},
	{name: "description", read: func(r *reader, n *source.Node, s *Spec) { s.Description = r.str(n) }},
}}

// schemaVersion reads the version of the format: 2.0.0 and 2.1.0 are known, and
// a later one of the same kind is tried.
func (r *reader) schemaVersion(n *source.Node, s *Spec) {
	s.SchemaVersion = r.name(n)
	switch v := s.SchemaVersion.Value; {
	case v == "2.0.0" || v == "2.1.0" || v == "":
	case strings.HasPrefix(v, "2."):
		r.warnf(n, "schema-version", "", "the schema version %s is newer than 2.1.0: something may be missed", v)
	default:
		r.errorf(n, "schema-version", "compile the pipeline with the KFP SDK 1.8 or 2", "the schema version %s is not supported; 2.0.0 and 2.1.0 are", v)
	}
}

var deploymentMessage = message[Spec]{"deploymentSpec", []field[Spec]{
	{name: "executors", read: func(r *reader, n *source.Node, s *Spec) {
		r.each(n, func(key, value *source.Node) {
			e := &Executor{At: key.TextPos(), Name: key.Value}
			executorMessage.read(r, value, e)
			s.Executors = append(s.Executors, e)
		})
	}},
}}

// jobMessage is a PipelineJob, as the API of Vertex AI takes it. What only a
// run has is not read, and nobody needs to be told.
var jobMessage = message[Spec]{"a PipelineJob", []field[Spec]{
	{name: "name", read: func(*reader, *source.Node, *Spec) {}},
	{name: "displayName", read: func(r *reader, n *source.Node, s *Spec) {
		if s.DisplayName == "" {
			s.DisplayName = r.str(n)
		}
	}},
	{name: "pipelineSpec", read: func(r *reader, n *source.Node, s *Spec) {
		s.At = n.Pos()
		specMessage.read(r, n, s)
	}},
	{name: "labels", read: func(r *reader, n *source.Node, s *Spec) { s.Labels = r.labels(n) }},
	{name: "runtimeConfig", read: func(r *reader, n *source.Node, s *Spec) { runtimeConfigMessage.read(r, n, s) }},
}}

var runtimeConfigMessage = message[Spec]{"runtimeConfig", []field[Spec]{
	{name: "parameters", oneof: "parameters", read: func(r *reader, n *source.Node, s *Spec) {
		r.each(n, func(key, value *source.Node) {
			s.Arguments = append(s.Arguments, &Field{At: key.TextPos(), Name: key.Value, Value: r.oldConstant(value)})
		})
	}},
	{name: "parameterValues", oneof: "parameters", read: func(r *reader, n *source.Node, s *Spec) {
		s.Arguments = r.structValue(n).Fields
	}},
	{name: "gcsOutputDirectory", read: func(r *reader, n *source.Node, s *Spec) { s.PipelineRoot = r.text(n) }},
}}
