package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// historyStep is one step of an execution.
type historyStep struct {
	Begin     time.Time       `json:"begin"`
	End       time.Time       `json:"end"`
	Routine   string          `json:"routine"`
	Step      string          `json:"step"`
	Type      string          `json:"type"`
	State     string          `json:"state"`
	Line      int             `json:"line"`
	Depth     int             `json:"depth"`            // of the steps around it
	Thread    string          `json:"thread,omitempty"` // of a parallel step
	Iteration int64           `json:"iteration,omitempty"`
	Exception json.RawMessage `json:"exception,omitempty"`
	Variables json.RawMessage `json:"variables,omitempty"`
}

// history collects the steps of an execution, in the order in which they began.
type history struct {
	steps []*historyStep
	byID  map[int64]*historyStep
}

func newHistory() *history { return &history{byID: map[int64]*historyStep{}} }

// on takes an event of the engine.
func (h *history) on(e interp.StepEvent) {
	s := h.byID[e.ID]
	if s == nil {
		s = &historyStep{
			Begin: e.Time, Routine: e.Routine, Step: e.Step, Type: strings.TrimPrefix(e.Type, "STEP_"),
			Line: e.At.Line, Thread: e.Thread, Iteration: e.Iteration,
		}
		if around := h.byID[e.Parent]; around != nil {
			s.Depth = around.Depth + 1
		}
		h.byID[e.ID] = s
		h.steps = append(h.steps, s)
	}
	s.End, s.State = e.Time, strings.TrimPrefix(string(e.State), "STATE_")
	if e.Exception != nil {
		s.Exception = value.MustJSON(e.Exception)
	}
	if e.Variables != nil {
		s.Variables = value.MustJSON(e.Variables())
	}
}

// print shows the steps to people.
func (h *history) print(w io.Writer) {
	for _, s := range h.steps {
		indent := strings.Repeat("  ", s.Depth)
		name := fmt.Sprintf("%s%s.%s:%d", indent, s.Routine, s.Step, s.Line)
		note := s.Type
		if s.Iteration != 0 {
			note += fmt.Sprintf(" #%d", s.Iteration)
		}
		if s.Thread != "" {
			note += " in branch " + s.Thread
		}
		if took := s.End.Sub(s.Begin); took != 0 {
			note += " took " + took.String()
		}
		if s.State != "SUCCEEDED" {
			note += " " + s.State
		}
		fmt.Fprintf(w, "%s  %-44s %s\n", s.Begin.UTC().Format("2006-01-02T15:04:05.000Z"), name, note)
		for _, detail := range []struct {
			name string
			json json.RawMessage
		}{{"raised", s.Exception}, {"variables", s.Variables}} {
			if detail.json != nil {
				fmt.Fprintf(w, "%26s%s%s %s\n", "", indent, detail.name, detail.json)
			}
		}
	}
}
