package journal

import (
	"encoding/json"
	"fmt"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// Result is how an execution ended.
type Result struct {
	State  interp.State    `json:"state"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
	Steps  int64           `json:"steps"`
}

// Error is what ended an execution that failed or was cancelled.
type Error struct {
	Payload    json.RawMessage `json:"payload"`
	Context    string          `json:"context"`
	StackTrace []Frame         `json:"stackTrace"`
}

// Frame is an element of a stack trace, the innermost first.
type Frame struct {
	Step    string `json:"step"`
	Routine string `json:"routine"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

// NewResult describes an outcome. One that is no end has a state alone.
func NewResult(o interp.Outcome) (*Result, error) {
	r := &Result{State: o.State, Steps: o.Steps}
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
	r.Error = &Error{Payload: payload, Context: o.Err.Context, StackTrace: []Frame{}}
	for _, f := range o.Err.Stack {
		r.Error.StackTrace = append(r.Error.StackTrace, Frame{Step: f.Step, Routine: f.Routine, Line: f.At.Line, Column: f.At.Col})
	}
	return r, nil
}

// Line is the result or the error on one line.
func (r *Result) Line() []byte {
	switch {
	case r.Error != nil:
		return r.Error.Payload
	case r.Result != nil:
		return r.Result
	}
	return []byte("null")
}
