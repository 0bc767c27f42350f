// Package workflowtest runs tests of workflow definitions: files of cases, each
// with an argument, stubs, and what is expected of the result, the calls and
// the steps. Time is virtual, so a case takes milliseconds and always takes the
// same way.
package workflowtest

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// File is a test file that is ready to run.
type File struct {
	Name     string
	Workflow string // path of the definition
	Tests    []*Test
	Warnings diag.List // about the definition
	coverage *Coverage

	source    *workflow.File
	program   *interp.Program
	env       map[string]string
	stubs     stub.File
	included  []*stub.File
	unmatched string

	workflowAt diag.Pos
	includes   []include
}

type include struct {
	at   diag.Pos
	name string
}

// Test is one case.
type Test struct {
	Name string
	At   diag.Pos

	argument value.Value
	routine  string
	args     *value.Map
	env      map[string]string
	seeds    []int64
	start    time.Time
	stubs    stub.File
	want     want

	routineAt, argumentAt, argsAt diag.Pos
}

// Load reads a test file, the definition and the stub files that it names. The
// error is a [diag.List] with every mistake in all of them, or about reading.
func Load(name string, read func(string) ([]byte, error)) (*File, error) {
	src, err := read(name)
	if err != nil {
		return nil, err
	}
	f, found := parse(name, src)
	if f.Workflow == "" && !found.HasErrors() {
		found.Errorf(diag.Pos{File: name, Line: 1, Col: 1}, "missing-key", "the file names no workflow")
	}
	if f.Workflow == "" {
		return nil, found.Err()
	}
	for _, i := range f.includes {
		more, err := f.include(i, read)
		if err != nil {
			return nil, err
		}
		found.Add(more...)
	}
	more, err := f.prepare(read)
	if err != nil {
		return nil, err
	}
	found.Add(more...)
	if err := found.Err(); err != nil {
		return nil, err
	}
	f.Warnings = found
	return f, nil
}

// beside is the path of a file that f names.
func (f *File) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(f.Name), name)
}

func (f *File) include(i include, read func(string) ([]byte, error)) (diag.List, error) {
	src, err := read(f.beside(i.name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.at, err)
	}
	stubs, found, err := stub.Parse(f.beside(i.name), src)
	if list, ok := diag.From(err); ok {
		return list, nil
	}
	f.included = append(f.included, stubs)
	return found, err
}

// prepare makes the definition ready to run and checks the tests against it.
func (f *File) prepare(read func(string) ([]byte, error)) (diag.List, error) {
	path := f.beside(f.Workflow)
	src, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.workflowAt, err)
	}
	f.Workflow = path
	if f.source, err = workflow.Parse(path, src); err != nil {
		found, _ := diag.From(err)
		return found, nil
	}
	files := append([]*stub.File{&f.stubs}, f.included...)
	for _, t := range f.Tests {
		files = append(files, &t.stubs)
	}
	stubbed := stub.Stubbed(f.source, stdlib.Funcs(), files...)
	found := workflow.Check(f.source, workflow.CheckOptions{
		Source: src, Functions: stub.Signature(stdlib.Signature, stubbed), FunctionNames: stdlib.Names(),
	})
	if found.HasErrors() {
		return found, nil
	}
	if f.program, err = interp.New(f.source, stub.Library(stdlib.Funcs(), stubbed)); err != nil {
		found, _ := diag.From(err)
		return found, nil
	}
	f.coverage = newCoverage(f.source)
	found.Add(f.checkNames()...)
	return found, nil
}
