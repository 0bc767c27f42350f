package workflowtest

import (
	"math"
	"slices"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/form"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// What becomes of requests that no stub answers.
const (
	refuse = "refuse"
	pass   = "pass"
)

// parse reads the text of a test file. Without a workflow, the file is not even
// a map.
func parse(name string, src []byte) (*File, diag.List) {
	f := &File{Name: name, unmatched: refuse}
	n, err := workflow.ParseValue(name, src)
	if err != nil {
		found, _ := diag.From(err)
		return f, found
	}
	r := &form.Reader{}
	if n == nil {
		r.Errorf(diag.Pos{File: name, Line: 1, Col: 1}, "empty", "begin with: workflow: FILE", "the file is empty")
		return f, r.Found
	}
	if fileObject().Read(r, n, f) && len(f.Tests) == 0 && !r.Found.HasErrors() {
		r.Errorf(n.Pos(), "empty", "", "the file has no tests")
	}
	return f, r.Found
}

// Schema is the JSON Schema of test files.
func Schema() []byte { return fileObject().Schema().Document("Kakehi workflow tests") }

func fileObject() form.Object[File] {
	return form.Object[File]{
		Name: "a test file", Doc: "Tests of a Cloud Workflows definition.",
		Fields: []form.Field[File]{
			{Key: "workflow", Doc: "path of the definition, relative to this file", Schema: form.Text(), Required: true,
				Read: func(r *form.Reader, n workflow.Node, f *File) { f.Workflow, f.workflowAt = r.Text(n), n.Pos() }},
			{Key: "env", Doc: "what sys.get_env reads, besides the built-in variables", Schema: form.MapOf(form.Text()),
				Read: func(r *form.Reader, n workflow.Node, f *File) { f.env = r.Texts(n) }},
			{Key: "stubs", Doc: "stubs for all tests, after those of a test", Schema: stub.ListSchema(),
				Read: func(r *form.Reader, n workflow.Node, f *File) { f.stubs.Stubs = stub.Read(r, n) }},
			{Key: "include", Doc: "paths of stub files, whose stubs come last", Schema: form.ListOf(form.Text()),
				Read: func(r *form.Reader, n workflow.Node, f *File) {
					r.List(n, func(item workflow.Node) { f.includes = append(f.includes, include{item.Pos(), r.Text(item)}) })
				}},
			{Key: "unmatched", Doc: "what becomes of requests that no stub answers: refuse ends the run (the default), pass sends them", Schema: form.Word(refuse, pass),
				Read: func(r *form.Reader, n workflow.Node, f *File) { f.unmatched = r.Word(n, refuse, pass) }},
			{Key: "tests", Doc: "the tests", Schema: form.ListOf(testObject().Schema()), Required: true,
				Read: func(r *form.Reader, n workflow.Node, f *File) {
					r.List(n, func(item workflow.Node) { f.test(r, item) })
				}},
		},
	}
}

func (f *File) test(r *form.Reader, n workflow.Node) {
	t := &Test{At: n.Pos(), args: value.NewMap()}
	if !testObject().Read(r, n, t) {
		return
	}
	if slices.ContainsFunc(f.Tests, func(other *Test) bool { return other.Name == t.Name && t.Name != "" }) {
		r.Errorf(t.At, "duplicate-name", "", "another test has the name %q", t.Name)
	}
	if t.routine == "" && t.argsAt.IsValid() {
		r.Errorf(t.argsAt, "wrong-keys", "write argument for the runtime argument of main", "args are for a subworkflow, which run names")
	}
	if t.routine != "" && t.argument != nil {
		r.Errorf(t.argumentAt, "wrong-keys", "write args, by parameter", "a subworkflow has args, not an argument")
	}
	if len(t.seeds) == 0 {
		t.seeds = []int64{0}
	}
	f.Tests = append(f.Tests, t)
}

func testObject() form.Object[Test] {
	return form.Object[Test]{
		Name: "a test", Doc: "A run of the definition, and what is expected of it.",
		Fields: []form.Field[Test]{
			{Key: "name", Doc: "what the test shows", Schema: form.Text(), Required: true,
				Read: func(r *form.Reader, n workflow.Node, t *Test) { t.Name = r.Text(n) }},
			{Key: "argument", Doc: "runtime argument; null if not set", Schema: form.Any(),
				Read: func(r *form.Reader, n workflow.Node, t *Test) { t.argument, t.argumentAt = r.Value(n), n.Pos() }},
			{Key: "run", Doc: "subworkflow to run instead of main", Schema: form.Text(),
				Read: func(r *form.Reader, n workflow.Node, t *Test) { t.routine, t.routineAt = r.Text(n), n.Pos() }},
			{Key: "args", Doc: "arguments of the subworkflow, by parameter", Schema: form.MapOf(form.Any()),
				Read: func(r *form.Reader, n workflow.Node, t *Test) {
					if m, ok := r.Value(n).(*value.Map); ok {
						t.args, t.argsAt = m, n.Pos()
						return
					}
					r.Errorf(n.Pos(), "wrong-type", "", "args is a map of arguments by parameter, not %s", form.Describe(n))
				}},
			{Key: "env", Doc: "environment variables, over those of the file", Schema: form.MapOf(form.Text()),
				Read: func(r *form.Reader, n workflow.Node, t *Test) { t.env = r.Texts(n) }},
			{Key: "seed", Doc: "chooses the interleaving of branches; a list runs the test with each; 0, the fixed order, if not set",
				Schema: form.Schema{"anyOf": []form.Schema{{"type": "integer"}, form.ListOf(form.Schema{"type": "integer"})}},
				Read: func(r *form.Reader, n workflow.Node, t *Test) {
					if _, ok := n.(*workflow.List); !ok {
						t.seeds = []int64{r.Int(n, math.MinInt64, math.MaxInt64)}
						return
					}
					r.List(n, func(item workflow.Node) { t.seeds = append(t.seeds, r.Int(item, math.MinInt64, math.MaxInt64)) })
				}},
			{Key: "start", Doc: "when the run begins; 2026-01-01T00:00:00Z if not set", Schema: form.Text(),
				Read: func(r *form.Reader, n workflow.Node, t *Test) { t.start = r.Time(n) }},
			{Key: "stubs", Doc: "stubs for this test, before those of the file", Schema: stub.ListSchema(),
				Read: func(r *form.Reader, n workflow.Node, t *Test) { t.stubs.Stubs = stub.Read(r, n) }},
			{Key: "want", Doc: "what is expected; without it, that the run succeeds", Schema: wantObject().Schema(),
				Read: func(r *form.Reader, n workflow.Node, t *Test) { wantObject().Read(r, n, &t.want) }},
		},
	}
}

// checkNames reports functions, steps, routines and parameters that the
// definition does not have.
func (f *File) checkNames() diag.List {
	r := &form.Reader{}
	names := stub.NamesOf(f.source)
	check := func(stubs []*stub.Stub) {
		for _, s := range stubs {
			s.Check(r, names)
		}
	}
	check(f.stubs.Stubs)
	for _, t := range f.Tests {
		check(t.stubs.Stubs)
		t.want.check(r, names)
		f.checkRoutine(r, t)
	}
	return r.Found
}

func (f *File) checkRoutine(r *form.Reader, t *Test) {
	if t.routine == "" {
		return
	}
	var names, params []string
	found := false
	for _, w := range f.source.Workflows {
		names = append(names, w.Name)
		if found = found || w.Name == t.routine; w.Name != t.routine {
			continue
		}
		for _, p := range w.Params {
			params = append(params, p.Name)
			if _, given := t.args.Get(p.Name); !given && p.Default == nil {
				r.Errorf(t.routineAt, "missing-argument", "args: {"+p.Name+": …}", "%s needs the argument %q", t.routine, p.Name)
			}
		}
	}
	if !found {
		r.Errorf(t.routineAt, "unknown-routine", form.DidYouMean(t.routine, names), "the definition has no subworkflow %q", t.routine)
		return
	}
	for name := range t.args.All() {
		if !slices.Contains(params, name.String()) {
			r.Errorf(t.argsAt, "unknown-argument", form.DidYouMean(name.String(), params), "%s has no parameter %q", t.routine, name)
		}
	}
}
