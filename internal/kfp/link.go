package kfp

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// executors finds executors by their labels.
func (s *Spec) executors() map[string]*Executor {
	m := make(map[string]*Executor, len(s.Executors))
	for _, e := range s.Executors {
		m[e.Name] = e
	}
	return m
}

func (s *Spec) labels() []string {
	labels := make([]string, len(s.Executors))
	for i, e := range s.Executors {
		labels[i] = e.Name
	}
	return labels
}

// all lists the components, the root first.
func (s *Spec) all() []*Component {
	all := make([]*Component, 0, len(s.Components)+1)
	if s.Root != nil {
		all = append(all, s.Root)
	}
	return append(all, s.Components...)
}

// link finds what the tasks and the components refer to.
func (r *reader) link(s *Spec) {
	components := make(map[string]*Component, len(s.Components))
	for _, c := range s.Components {
		components[c.Name] = c
	}
	executors := s.executors()
	for _, c := range s.all() {
		c.In.index()
		c.Out.index()
		if c.Label.Value != "" {
			if c.Executor = executors[c.Label.Value]; c.Executor == nil {
				r.unknown(c.Label, "executor", s.labels)
			}
		}
		if c.DAG == nil {
			continue
		}
		for _, t := range c.DAG.Tasks {
			switch t.Component = components[t.Ref.Value]; {
			case t.Ref.Value == "":
				r.diags.Add(diag.Diagnostic{Pos: t.At, Width: width(t.Name), Code: "missing-key", Message: "the task names no component", Hint: "add componentRef: {name: …}"})
			case t.Component == nil:
				r.unknown(t.Ref, "component", func() []string { return componentNames(s) })
			}
		}
	}
}

func componentNames(s *Spec) []string {
	names := make([]string, len(s.Components))
	for i, c := range s.Components {
		names[i] = c.Name
	}
	return names
}

// didYouMean is a hint with the nearest of the words, or "". Any two short words
// are near.
func didYouMean(word string, words []string) string {
	if len(word) < 3 {
		return ""
	}
	return diag.DidYouMean(word, words)
}

// maxHints bounds the search for near words in a hopeless file.
const maxHints = 100

// unknown reports a name that nothing has.
func (r *reader) unknown(n Name, what string, names func() []string) {
	r.diags.Add(diag.Diagnostic{
		Pos: n.At, Width: width(n.Value), Code: "unknown-reference",
		Message: "there is no " + what + " " + quote(n.Value), Hint: r.near(n.Value, names),
	})
}

// near is a hint with the nearest of the words, if there are not too many hints
// already.
func (r *reader) near(word string, words func() []string) string {
	if len(r.diags) < maxHints {
		return didYouMean(word, words())
	}
	return ""
}

// addError reports what the parser of a text at n found.
func (r *reader) addError(n *source.Node, err error) {
	if list, ok := diag.From(err); ok {
		r.diags.Add(list...)
		return
	}
	r.errorf(n, "bad-value", "", "%v", err)
}
