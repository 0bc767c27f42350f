package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// runRecord is what run prints with -o json; see the contract in
// ARCHITECTURE.md.
type runRecord struct {
	State     string                     `json:"state"`
	Execution string                     `json:"execution"`
	Outputs   map[string]json.RawMessage `json:"outputs"`
	Tasks     []*taskRecord              `json:"tasks"`
	Error     string                     `json:"error,omitempty"`
	Duration  string                     `json:"duration"`
}

// taskRecord is one task of a run. Task is its path, which names sub-pipelines
// and iterations, as in tune[3]/train.
type taskRecord struct {
	Task     string                     `json:"task"`
	State    string                     `json:"state"` // SUCCEEDED, FAILED, NOT_TRIGGERED, SKIPPED_UPSTREAM
	Cached   bool                       `json:"cached"`
	Because  string                     `json:"because,omitempty"` // why it was cached
	Attempts int                        `json:"attempts"`
	Message  string                     `json:"message,omitempty"` // why it failed
	Outputs  map[string]json.RawMessage `json:"outputs"`
}

// logEvent is what a compiled workflow logs of itself; see package compile.
type logEvent struct {
	Event   string                     `json:"event"` // task, rollout or approve
	Task    string                     `json:"task"`
	State   string                     `json:"state"`
	Job     string                     `json:"job"`
	Attempt int                        `json:"attempt"`
	Because string                     `json:"because"`
	Message string                     `json:"message"`
	URL     string                     `json:"url"`
	Service string                     `json:"service"`
	Action  string                     `json:"action"`
	Reason  string                     `json:"reason"`
	Outputs map[string]json.RawMessage `json:"outputs"`
	Traffic []struct {
		Revision string `json:"revision"`
		Percent  int    `json:"percent"`
		Tag      string `json:"tag"`
	} `json:"traffic"`
}

// recorder follows the log of a run: it keeps the record and moves the board.
type recorder struct {
	board  *board
	record runRecord
	byTask map[string]*taskRecord
	begun  time.Time
}

func newRecorder(b *board, execution string) *recorder {
	return &recorder{
		board:  b,
		record: runRecord{Execution: execution, Outputs: map[string]json.RawMessage{}, Tasks: []*taskRecord{}},
		byTask: map[string]*taskRecord{},
		begun:  time.Now(),
	}
}

// take reads one log entry; what a workflow logs for others is passed over.
func (r *recorder) take(data []byte) {
	var e logEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return
	}
	switch e.Event {
	case "task":
		r.task(e)
	case "rollout":
		r.board.set(e.Task, stateRunning, trafficNote(e))
	case "approve":
		r.board.set(e.Task, stateRunning, "waits for approval")
		r.board.say("  %s %s\n    approve: curl -X POST %s", "⏸", e.Message, e.URL)
	}
}

func (r *recorder) task(e logEvent) {
	t := r.byTask[e.Task]
	if t == nil {
		t = &taskRecord{Task: e.Task, Outputs: map[string]json.RawMessage{}}
		r.byTask[e.Task] = t
		r.record.Tasks = append(r.record.Tasks, t)
	}
	switch e.State {
	case "RUNNING":
		t.Attempts = max(t.Attempts+1, e.Attempt)
		note := ""
		if e.Job != "" {
			note = "job " + e.Job[strings.LastIndexByte(e.Job, '/')+1:]
		}
		if t.Attempts > 1 {
			note = strings.TrimSpace(fmt.Sprintf("%s attempt %d", note, t.Attempts))
		}
		r.board.set(e.Task, stateRunning, note)
	case "CACHED":
		t.State, t.Cached, t.Because, t.Outputs = "SUCCEEDED", true, e.Because, e.Outputs
		r.board.set(e.Task, stateCached, e.Because)
	case "SUCCEEDED":
		t.State, t.Outputs = e.State, e.Outputs
		r.board.set(e.Task, stateSucceeded, outputsNote(e.Outputs))
	case "FAILED":
		t.State, t.Message = e.State, e.Message
		r.board.set(e.Task, stateFailed, firstLine(e.Message))
	default:
		t.State = e.State
		r.board.set(e.Task, stateSkipped, strings.ToLower(strings.ReplaceAll(e.State, "_", " ")))
	}
}

// finish closes the record with the execution's end.
func (r *recorder) finish(state string, result []byte, failure string) error {
	r.record.State, r.record.Error = state, failure
	r.record.Duration = fmt.Sprintf("%.1fs", time.Since(r.begun).Seconds())
	if len(result) == 0 || string(result) == "null" {
		return nil
	}
	if err := json.Unmarshal(result, &r.record.Outputs); err != nil {
		return fmt.Errorf("the workflow's result is not a map of outputs: %w", err)
	}
	return nil
}

// outputsNote shows the outputs that are short enough for a line: numbers,
// booleans and short strings, not artifacts.
func outputsNote(outputs map[string]json.RawMessage) string {
	var notes []string
	for _, name := range sortedNames(outputs) {
		v := strings.TrimSpace(string(outputs[name]))
		if v == "" || v == "null" || v[0] == '{' || v[0] == '[' || len(v) > 24 {
			continue
		}
		notes = append(notes, name+" "+shortNumber(v))
	}
	return strings.Join(notes, ", ")
}

// shortNumber cuts a long fraction to four digits.
func shortNumber(v string) string {
	var f float64
	if i := strings.IndexByte(v, '.'); i >= 0 && len(v)-i > 5 {
		if _, err := fmt.Sscanf(v, "%g", &f); err == nil {
			return fmt.Sprintf("%.4f", f)
		}
	}
	return v
}

// trafficNote says how a rollout stands, such as "25 % to penguins-1a2b: …".
func trafficNote(e logEvent) string {
	note := e.Action
	for _, t := range e.Traffic {
		if t.Tag == "candidate" {
			note = fmt.Sprintf("%d %% to %s", t.Percent, t.Revision)
		}
	}
	if e.Reason != "" {
		note += ": " + e.Reason
	}
	return note
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
