// Package spec reads Kakehi's own pipeline YAML (or JSON) into the typed
// intermediate form of package pipeline.
//
// The language is a set of tables of keys (see field), from which both the
// parser and the JSON Schema for editors are made.
package spec

import (
	"fmt"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// Options says where the files of sub-pipelines come from.
type Options struct {
	// ReadFile reads the file of a sub-pipeline; its name is relative to the
	// same folder as the name given to Parse (os.ReadFile fits). Without it, a
	// spec that names other files is refused.
	ReadFile func(name string) ([]byte, error)
}

// maxErrors keeps the answer to a hopeless file readable.
const maxErrors = 100

// Parse reads the spec src of the file called name and checks it. The error is
// a [diag.List] with every mistake of the spec and of the files it names, each
// with its place in them. Warnings are left to [pipeline.Pipeline.Validate].
func Parse(name string, src []byte, o Options) (*pipeline.Pipeline, error) {
	l := &loader{options: o, tables: tables{taskObject(), jobObject()}, done: map[string]*pipeline.Pipeline{}}
	p := l.load(name, src)
	if p != nil {
		l.check(p)
	}
	if len(l.diags) > 0 {
		return nil, shorten(l.diags)
	}
	return p, nil
}

// check adds what Validate finds, without warnings, and without errors about a
// value that could not be read: they would only repeat the reader's.
func (l *loader) check(p *pipeline.Pipeline) {
	unread := map[diag.Pos]bool{}
	for _, d := range l.diags {
		unread[d.Pos] = true
	}
	for _, d := range p.Validate() {
		if d.Severity == diag.Error && !unread[d.Pos] {
			l.diags.Add(d)
		}
	}
}

func shorten(l diag.List) diag.List {
	l.Sort()
	if more := len(l) - maxErrors; more > 0 {
		l = l[:maxErrors:maxErrors]
		l.Errorf(l[maxErrors-1].Pos, "too-many", "%d more mistakes are not shown", more)
	}
	return l
}

// A loader reads a spec and the files of its sub-pipelines, each file once.
type loader struct {
	options Options
	tables  tables
	diags   diag.List
	done    map[string]*pipeline.Pipeline // by file name; nil: could not be read
	open    []string                      // the files being read, each named by the one before
}

// tables are the tables that a spec needs many times.
type tables struct {
	task object[taskDraft]
	job  object[jobDraft]
}

// load returns nil when src is not even a map; the reasons are in l.diags.
func (l *loader) load(name string, src []byte) *pipeline.Pipeline {
	l.open = append(l.open, name)
	defer func() { l.open = l.open[:len(l.open)-1] }()
	r := &reader{loader: l, text: newText(name, src)}
	root := r.tree(src)
	if root == nil {
		return nil
	}
	p := &pipeline.Pipeline{At: root.at}
	r.pipeline(root, p, true)
	return p
}

// A reader reads one file.
type reader struct {
	*loader
	text   *text
	where  map[string]pipeline.Span // of the task being read
	onExit bool                     // the tasks being read run at the end
}

// errorf reports a mistake at n. The hint may be empty.
func (r *reader) errorf(n *node, code, hint, format string, args ...any) {
	r.diags.Add(diag.Diagnostic{Pos: n.at, Width: n.width, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}
