// Package compile turns a pipeline into a Cloud Workflows definition.
//
// The definition reads like the spec: main has one step for each task, named
// after it, whose result is a variable of that name with the task's outputs.
// So the spec's expressions (evaluate.accuracy >= params.min_accuracy) stand
// in it as they were written. What a step does in detail (caching, the
// executor protocol, polling, rollouts) is in subworkflows of fixed text below
// main, the runtime, of which only those in use are emitted.
//
// # Log
//
// The definition reports through sys.log, in maps with the key event:
//
//	{event: task, task, state, …}    a task changed its state
//	{event: rollout, task, service, candidate, action, traffic, reason}
//	{event: approve, task, message, url}    somebody must call url
//
// A task is named by its path: sub-pipelines and iterations are in it, as in
// tune[3]/train. Its states are RUNNING (one for each attempt; with job and
// attempt for a CustomJob), SUCCEEDED and CACHED (with outputs; CACHED with
// because), FAILED (with message), NOT_TRIGGERED (its condition did not hold)
// and SKIPPED_UPSTREAM (a task that it needs did not run).
//
// # Errors
//
// A failed task raises {message, tags, code, task}. Tags that say why: those
// of the standard library, and JobFailed, BadOutput, ProbeFailed, RolledBack,
// Rejected, BadArgument.
package compile

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Options says where a pipeline came from.
type Options struct {
	File   string // base name of the spec, for the header
	Source []byte // its bytes, for the checksum in the header
}

// Compile makes the definition of a valid pipeline; see
// [pipeline.Pipeline.Validate]. The same pipeline and options give the same
// definition. The error is a [diag.List]: what Cloud Workflows, Vertex AI or
// Cloud Run could not carry out.
func Compile(p *pipeline.Pipeline, o Options) (*workflow.File, error) {
	c := &compiler{subs: map[subKey]string{}, checked: map[*pipeline.Pipeline]int{}}
	c.checkPipeline(p, "")
	load := plainRuntime
	if c.manyPlaceholders {
		load = fullRuntime
	}
	var err error
	if c.runtime, err = load(); err != nil {
		return nil, err
	}
	c.checkNames()
	c.checkServices(p)
	if err := c.diags.Err(); err != nil {
		return nil, err
	}
	c.workflowNames = c.runtime.names()
	for p := range c.checked { // expressions see variables and subworkflows alike
		maps.Copy(c.workflowNames, namesOf(p))
	}
	main := c.main(p)
	f := &workflow.File{
		Name:      "workflow.yaml",
		Comment:   header(p, o),
		Workflows: append([]*workflow.Workflow{main}, c.workflows...),
	}
	f.Workflows = append(f.Workflows, c.runtime.needed(f.Workflows)...)
	return f, nil
}

// A compiler gathers what the parts of a definition have in common.
type compiler struct {
	diags            diag.List
	runtime          *runtime
	checked          map[*pipeline.Pipeline]int // length of the longest path to each
	manyPlaceholders bool                       // a job has other ones than {{$}}
	workflowNames    names
	workflows        []*workflow.Workflow // of sub-pipelines
	subs             map[subKey]string    // names of workflows
}

// made begins the line of a definition's header that says what made it.
const made = "Made by kakehi compile"

// IsOutput reports whether the source of a definition is the output of this
// compiler, by its header.
func IsOutput(src []byte) bool {
	for line := range bytes.Lines(src) {
		text, isComment := bytes.CutPrefix(line, []byte("#"))
		if !isComment {
			return false
		}
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte(made)) {
			return true
		}
	}
	return false
}

// header says what the definition is and what made it.
func header(p *pipeline.Pipeline, o Options) string {
	title := p.Name
	if p.Description != "" {
		title += ": " + strings.Join(strings.Fields(p.Description), " ")
	}
	from := made
	if o.File != "" {
		from += " from " + o.File
	}
	if o.Source != nil {
		from += fmt.Sprintf(" (sha256 %x)", sha256.Sum256(o.Source))
	}
	return title + "\n\n" + from + ".\nChange the pipeline, not this file."
}
