package kfp

import "github.com/kakehi/kakehi/internal/kfp/source"

var inputsMessage = message[Task]{"the inputs of a task", []field[Task]{
	{name: "parameters", read: func(r *reader, n *source.Node, t *Task) {
		r.each(n, func(key, value *source.Node) {
			t.Parameters = append(t.Parameters, r.input(key, value, &inputParameterMessage))
		})
	}},
	{name: "artifacts", read: func(r *reader, n *source.Node, t *Task) {
		r.each(n, func(key, value *source.Node) {
			t.Artifacts = append(t.Artifacts, r.input(key, value, &inputArtifactMessage))
		})
	}},
}}

// input reads one input of a task. Its From is nil if it could not be read.
func (r *reader) input(key, n *source.Node, m *message[Input]) *Input {
	i := &Input{At: key.TextPos(), Name: key.Value}
	before := len(r.diags)
	if m.read(r, n, i) && i.From == nil && !r.diags[before:].HasErrors() { // an unknown key is a warning only
		r.errorf(key, "missing-key", "", "nothing is said to give the input %q", key.Value)
	}
	return i
}

var inputParameterMessage = message[Input]{"an input", []field[Input]{
	{name: "taskOutputParameter", oneof: "kind", read: func(r *reader, n *source.Node, i *Input) {
		i.From = r.taskOutput(n, &taskParameterMessage)
	}},
	{name: "runtimeValue", oneof: "kind", read: func(r *reader, n *source.Node, i *Input) {
		if from := r.runtimeValue(n); from != nil {
			i.From = from
		}
	}},
	{name: "componentInputParameter", oneof: "kind", read: func(r *reader, n *source.Node, i *Input) {
		i.From = &ComponentInput{At: n.Pos(), Name: r.name(n)}
	}},
	{name: "taskFinalStatus", oneof: "kind", read: func(r *reader, n *source.Node, i *Input) {
		s := &FinalStatus{At: n.Pos()}
		finalStatusMessage.read(r, n, s)
		i.From = s
	}},
	{name: "parameterExpressionSelector", read: func(r *reader, n *source.Node, i *Input) {
		if r.str(n) != "" {
			i.Selector = r.expression(n)
		}
	}},
}}

var finalStatusMessage = message[FinalStatus]{"taskFinalStatus", []field[FinalStatus]{
	{name: "producerTask", read: func(r *reader, n *source.Node, s *FinalStatus) { s.Task = r.name(n) }},
}}

var inputArtifactMessage = message[Input]{"an input", []field[Input]{
	{name: "taskOutputArtifact", oneof: "kind", read: func(r *reader, n *source.Node, i *Input) {
		i.From = r.taskOutput(n, &taskArtifactMessage)
	}},
	{name: "componentInputArtifact", oneof: "kind", read: func(r *reader, n *source.Node, i *Input) {
		i.From = &ComponentInput{At: n.Pos(), Name: r.name(n)}
	}},
}}
