package cli

import (
	"encoding/json"
	"fmt"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// execResult is what exec and replay print; see the contract in
// ARCHITECTURE.md.
type execResult struct {
	State   interp.State    `json:"state"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *execError      `json:"error,omitempty"`
	Steps   int64           `json:"steps"`
	History []*historyStep  `json:"history,omitempty"` // of replay --steps
}

type execError struct {
	Payload    json.RawMessage `json:"payload"`
	Context    string          `json:"context"`
	StackTrace []execFrame     `json:"stackTrace"`
}

type execFrame struct {
	Step    string `json:"step"`
	Routine string `json:"routine"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

func newExecResult(o interp.Outcome) (*execResult, error) {
	r := &execResult{State: o.State, Steps: o.Steps}
	if o.State == interp.Succeeded {
		data, err := value.ToJSON(o.Result)
		if err != nil {
			return nil, fmt.Errorf("the workflow's result is not JSON: %w", err)
		}
		r.Result = data
		return r, nil
	}
	if o.Err == nil { // it was stopped
		return r, nil
	}
	payload, err := value.ToJSON(o.Err.Payload)
	if err != nil {
		return nil, fmt.Errorf("the workflow's error is not JSON: %w", err)
	}
	r.Error = &execError{Payload: payload, Context: o.Err.Context, StackTrace: []execFrame{}}
	for _, f := range o.Err.Stack {
		r.Error.StackTrace = append(r.Error.StackTrace, execFrame{Step: f.Step, Routine: f.Routine, Line: f.At.Line, Column: f.At.Col})
	}
	return r, nil
}

// exit turns the end of an execution into that of the command.
func exitOf(o interp.Outcome) error {
	switch o.State {
	case interp.Succeeded:
		return nil
	case interp.Active:
		return o.Cause
	}
	return exitWith(exitRunFailed, nil)
}

// printJSON writes v to standard output as indented JSON.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
