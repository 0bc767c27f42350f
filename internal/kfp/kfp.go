// Package kfp reads the files of Kubeflow Pipelines: compiled pipelines (the
// PipelineSpec of schema 2.0.0 and 2.1.0, as YAML with or without a document for
// Kubernetes, or as JSON inside of a PipelineJob) and the component.yaml of
// version 1, which becomes a pipeline of one task, or of the tasks of its graph.
//
// All become the same nodes, each with its place in the file. Conditions,
// selectors and placeholders are parsed; deprecated forms are read as the
// current ones. Parse reports every mistake at once.
//
// A field that is not known is a warning: the files are written by compilers
// that may be newer than this package, and KFP's own back end ignores what it
// does not know, but what is not read may matter to somebody.
package kfp

import (
	"fmt"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// Options says where the components of a graph come from.
type Options struct {
	// Component reads the component.yaml that a task of a graph refers to by a
	// URL, and gives it the name that messages call it. Without it, a graph whose
	// components are not part of the file is refused.
	Component func(url string) (name string, src []byte, err error)
}

// maxErrors keeps the answer to a hopeless file readable.
const maxErrors = 100

// Parse reads and checks the file called name. The list has what is wrong with
// it, sorted; the pipeline is nil if the file is not one at all, and is complete
// if the list has no errors.
func Parse(name string, src []byte, o Options) (*Spec, diag.List) {
	r := &reader{options: o, components: map[string]*v1Component{}}
	s := r.file(name, src)
	if s != nil {
		r.check(s)
	}
	return s, shorten(r.diags)
}

// check adds what is wrong with what was read, without mistakes at places that
// could not be read: they would only repeat the reader's. What is made of a
// component of version 1 has nothing to check where the component is wrong.
func (r *reader) check(s *Spec) {
	if r.v1Only && r.diags.HasErrors() {
		return
	}
	unread := map[diag.Pos]bool{}
	for _, d := range r.diags {
		if d.Severity == diag.Error {
			unread[d.Pos] = true
		}
	}
	for _, d := range check(s) {
		if !unread[d.Pos] {
			r.diags.Add(d)
		}
	}
}

// shorten keeps the first errors and the first warnings, each with a note on how
// many more there are.
func shorten(l diag.List) diag.List {
	l.Sort()
	var kept diag.List
	count := map[diag.Severity]int{}
	last := map[diag.Severity]diag.Pos{}
	for _, d := range l {
		if count[d.Severity]++; count[d.Severity] <= maxErrors {
			kept.Add(d)
			last[d.Severity] = d.Pos
		}
	}
	for _, s := range []diag.Severity{diag.Error, diag.Warning} {
		if more := count[s] - maxErrors; more > 0 {
			kept.Add(diag.Diagnostic{Pos: last[s], Severity: s, Code: "too-many", Message: fmt.Sprintf("%d more of the kind %s are not shown", more, s)})
		}
	}
	return kept
}

// file reads the documents of a file, which say by their keys what they are.
func (r *reader) file(name string, src []byte) *Spec {
	docs, diags := source.Read(name, src)
	r.diags.Add(diags...)
	if len(docs) == 0 || docs[0] == nil {
		if diags == nil {
			r.diags.Errorf(diag.Pos{File: name, Line: 1, Col: 1}, "empty", "the file is empty")
		}
		return nil
	}
	root := docs[0]
	if root.Kind != source.Map {
		r.errorf(root, "wrong-type", "", "a pipeline is a map of keys, not %s", root.Describe())
		return nil
	}
	if has(root, "implementation") {
		r.one(docs)
		r.v1Only = true
		return r.component(root)
	}
	s := &Spec{At: root.Pos()}
	if has(root, "pipelineSpec") {
		r.one(docs)
		jobMessage.read(r, root, s)
	} else {
		specMessage.read(r, root, s)
		r.platforms(docs[1:], s)
	}
	r.link(s)
	return s
}

// one reports documents after the only one.
func (r *reader) one(docs []*source.Node) {
	for _, n := range docs[1:] {
		if n != nil {
			r.errorf(n, "wrong-type", "remove it", "a second document has no meaning here")
		}
	}
}
