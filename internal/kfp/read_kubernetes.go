package kfp

import (
	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// A platforms is the second document while it is read.
type platforms struct {
	kubernetes *Kubernetes
	pods       []pod
}

// A pod is what is said of the executor of a label.
type pod struct {
	label *source.Node
	*Pod
}

var platformsMessage = message[platforms]{"the platforms document", []field[platforms]{
	{name: "platforms", read: func(r *reader, n *source.Node, p *platforms) {
		r.each(n, func(key, value *source.Node) {
			if key.Value != "kubernetes" {
				r.warnf(key, "unknown-key", "it is not read", "the platform %q is not known", key.Value)
				return
			}
			p.kubernetes = &Kubernetes{At: key.TextPos()}
			kubernetesMessage.read(r, value, p)
		})
	}},
}}

// platforms reads the documents after the first: at most one.
func (r *reader) platforms(docs []*source.Node, s *Spec) {
	var p platforms
	for i, n := range docs {
		switch {
		case n == nil:
		case i > 0:
			r.errorf(n, "wrong-type", "remove it", "a pipeline has at most two documents: itself, and platforms")
		default:
			platformsMessage.read(r, n, &p)
		}
	}
	s.Kubernetes = p.kubernetes
	executors := s.executors()
	for _, pod := range p.pods {
		if e := executors[pod.label.Value]; e != nil {
			e.Pod = pod.Pod
			continue
		}
		hint := r.near(pod.label.Value, s.labels)
		r.errorf(pod.label, "unknown-reference", hint, "there is no executor %q", pod.label.Value)
	}
}

var kubernetesMessage = message[platforms]{"a platform", []field[platforms]{
	{name: "deploymentSpec", read: func(r *reader, n *source.Node, p *platforms) { podsMessage.read(r, n, p) }},
	{name: "pipelineConfig", read: func(r *reader, n *source.Node, p *platforms) { pipelineConfigMessage.read(r, n, p.kubernetes) }},
	{name: "platform", read: func(*reader, *source.Node, *platforms) {}}, // says kubernetes again
}}

var podsMessage = message[platforms]{"deploymentSpec", []field[platforms]{
	{name: "executors", read: func(r *reader, n *source.Node, p *platforms) {
		r.each(n, func(key, value *source.Node) {
			x := &Pod{At: key.TextPos()}
			podMessage.read(r, value, x)
			p.pods = append(p.pods, pod{key, x})
		})
	}},
}}

var pipelineConfigMessage = message[Kubernetes]{"pipelineConfig", []field[Kubernetes]{
	{name: "workspace", read: func(r *reader, n *source.Node, k *Kubernetes) {
		k.Workspace = &Workspace{At: n.Pos()}
		workspaceMessage.read(r, n, k.Workspace)
	}},
	{name: "resourceTtlOnCompletion", read: func(r *reader, n *source.Node, k *Kubernetes) { k.TTLCompletion = r.count(n) }},
	{name: "resourceTtlOnSuccess", read: func(r *reader, n *source.Node, k *Kubernetes) { k.TTLSuccess = r.count(n) }},
	{name: "resourceTtlOnFailure", read: func(r *reader, n *source.Node, k *Kubernetes) { k.TTLFailure = r.count(n) }},
	{name: "activeDeadlineSeconds", read: func(r *reader, n *source.Node, k *Kubernetes) { k.ActiveDeadline = r.count(n) }},
}}

var workspaceMessage = message[Workspace]{"workspace", []field[Workspace]{
	{name: "size", read: func(r *reader, n *source.Node, w *Workspace) { w.Size = r.str(n) }},
	{name: "kubernetes", read: func(r *reader, n *source.Node, w *Workspace) { claimMessage.read(r, n, w) }},
}}

var claimMessage = message[Workspace]{"kubernetes", []field[Workspace]{
	{name: "pvcSpecPatch", read: func(r *reader, n *source.Node, w *Workspace) { w.PVCPatch = r.structValue(n) }},
}}

// items reads a list of messages.
func items[T any](r *reader, n *source.Node, m *message[T], begin func(at diag.Pos) *T) []*T {
	var list []*T
	r.list(n, func(item *source.Node) {
		x := begin(item.Pos())
		m.read(r, item, x)
		list = append(list, x)
	})
	return list
}

// source reads where a value comes from, as for an input of a task.
func (r *reader) source(n *source.Node) Source {
	var i Input
	if inputParameterMessage.read(r, n, &i) && i.From == nil {
		r.errorf(n, "missing-key", "", "nothing is said to give the value")
	}
	return i.From
}

func (r *reader) constantText(n *source.Node) Source {
	return &Constant{At: n.Pos(), Value: r.text(n)}
}
