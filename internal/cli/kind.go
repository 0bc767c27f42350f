package cli

import (
	"bytes"
	"encoding/json"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// sourceKind is what a file holds, told from its content.
type sourceKind int

const (
	kindUnknown sourceKind = iota
	kindWorkflow
	kindSpec
	kindKFP
	kindTest
	kindStubs
)

// kindOf tells the kinds of source apart by their top-level keys, also in a
// file that is not valid YAML: what is wrong with it, its own reader says best.
func kindOf(src []byte) sourceKind {
	if kfp.Is(src) { // first, as it is told fast and the files are large
		return kindKFP
	}
	has := topKeys(src)
	switch {
	case has["main"]:
		return kindWorkflow
	case has["pipeline"], has["tasks"]:
		return kindSpec
	case has["tests"]:
		return kindTest
	case has["stubs"], has["connectors"]:
		return kindStubs
	case isStepList(src):
		return kindWorkflow
	}
	return kindUnknown
}

var (
	listStart = lazyregexp.New(`^(\x{feff}|---|#.*\n|\s)*(-\s|\[)`)
	stepKey   = lazyregexp.New(`["'\s{](assign|call|for|next|parallel|raise|return|steps|switch|try)["']?\s*:`)
)

// isStepList reports whether src is a workflow without the frame: a list of
// steps.
func isStepList(src []byte) bool { return listStart.Match(src) && stepKey.Match(src) }

var (
	lineKey = lazyregexp.New(`(?m)^\x{feff}?["']?([A-Za-z]+)["']?[ \t]*:`)
	flowKey = lazyregexp.New(`[{,]\s*["']?([A-Za-z]+)["']?\s*:`)
)

// topKeys are the keys at the top level of a YAML or JSON map.
func topKeys(src []byte) map[string]bool {
	keys := map[string]bool{}
	form := lineKey
	if start := bytes.TrimLeft(src, "\ufeff \t\r\n"); len(start) > 0 && start[0] == '{' {
		var top map[string]json.RawMessage
		if json.Unmarshal(start, &top) == nil {
			for key := range top {
				keys[key] = true
			}
			return keys
		}
		form = flowKey // at any depth: it is YAML or has a mistake
	}
	for _, m := range form.FindAllStringSubmatch(string(src), -1) {
		keys[m[1]] = true
	}
	return keys
}

// wrongKind refuses a source that is known to be of another kind than a command
// takes.
func wrongKind(file string, got, want sourceKind) error {
	if got == want || got == kindUnknown {
		return nil
	}
	d := diag.Diagnostic{Pos: diag.Pos{File: file, Line: 1, Col: 1}, Code: "wrong-kind"}
	switch {
	case got == kindKFP:
		d.Code = "kfp-unsupported"
		d.Message = "this is a Kubeflow pipeline, which this version of Kakehi checks but cannot compile"
		d.Hint = "write the pipeline as a Kakehi spec: see workflows/penguins/pipeline.yaml and kakehi schema"
	case got == kindWorkflow:
		d.Message = "this is a Cloud Workflows definition already, not a pipeline"
		d.Hint = "run it with kakehi exec; a pipeline begins with: pipeline: NAME"
	case got == kindTest:
		d.Message, d.Hint = "these are tests, no definition", "run them with kakehi test"
	case got == kindStubs:
		d.Message, d.Hint = "these are stubs, no definition", "name them with --stubs"
	default:
		d.Message = "this is a pipeline, not a Cloud Workflows definition"
		d.Hint = "run it with kakehi run, or compile it with kakehi compile"
	}
	return diag.List{d}
}
