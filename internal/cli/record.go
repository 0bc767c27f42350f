package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/pipeline"
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

	timedOut bool // --timeout ended it
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
	Event     string                     `json:"event"` // task, rollout or approve
	Task      string                     `json:"task"`
	State     string                     `json:"state"`
	Job       string                     `json:"job"`
	Attempt   int                        `json:"attempt"`
	Because   string                     `json:"because"`
	Message   string                     `json:"message"`
	URL       string                     `json:"url"`
	Service   string                     `json:"service"`
	Candidate string                     `json:"candidate"` // revision
	Action    string                     `json:"action"`
	Reason    string                     `json:"reason"`
	Outputs   map[string]json.RawMessage `json:"outputs"`
	Traffic   []struct {
		Revision string `json:"revision"`
		Percent  int    `json:"percent"`
	} `json:"traffic"`
}

// recorder follows the log of a run: it keeps the record and moves the board.
type recorder struct {
	board    *board
	pipeline *pipeline.Pipeline
	// callback is where a person can answer an approval: the cloud's own address
	// is known in the process of the run only.
	callback func(url string) string
	record   runRecord
	byTask   map[string]*taskRecord
	steps    map[string]int64            // of main that are tasks: the ids of their entries
	over     map[string]interp.StepState // how they ended
	begun    time.Time
}

func newRecorder(b *board, p *pipeline.Pipeline, execution string) *recorder {
	return &recorder{
		board: b, pipeline: p,
		callback: func(url string) string { return url },
		record:   runRecord{Execution: execution, Outputs: map[string]json.RawMessage{}, Tasks: []*taskRecord{}},
		byTask:   map[string]*taskRecord{},
		steps:    map[string]int64{},
		over:     map[string]interp.StepState{},
		begun:    time.Now(),
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
		url := r.callback(e.URL)
		r.board.say("  %s %s", "⏸", plain(e.Message))
		r.board.say("    approve: curl -d '%s' %s", approval(findTask(r.pipeline, e.Task)), url)
		r.board.say("    refuse:  curl -d '%s' %s", `{"approved": false, "reason": "…"}`, url)
	}
}

// entry is the record of a task, which it begins if it is new.
func (r *recorder) entry(task string) *taskRecord {
	t := r.byTask[task]
	if t == nil {
		t = &taskRecord{Task: task, Outputs: map[string]json.RawMessage{}}
		r.byTask[task] = t
		r.record.Tasks = append(r.record.Tasks, t)
	}
	return t
}

func (r *recorder) task(e logEvent) {
	t, top := r.entry(e.Task), topTask(e.Task)
	if top != e.Task && r.board.state(top) == stateWaiting {
		r.board.set(top, stateRunning, "")
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
		r.board.set(e.Task, stateSkipped, skippedNote(e.State))
	}
	if top != e.Task {
		r.closeGroup(top)
	}
}

func skippedNote(state string) string {
	return strings.ToLower(strings.ReplaceAll(state, "_", " "))
}

// step follows the steps of main that are tasks: a task with parts (a
// sub-pipeline, a loop) says nothing of its end in the log, and one whose inputs
// cannot be evaluated does not even begin.
func (r *recorder) step(e *interp.StepEvent) {
	if e.Routine != "main" || r.pipeline.Task(e.Step) == nil {
		return
	}
	if first, begun := r.steps[e.Step]; begun && first != e.ID { // an iteration has the name of its loop
		return
	}
	r.steps[e.Step] = e.ID
	if e.State == interp.StepRunning {
		return
	}
	r.over[e.Step] = e.State
	if e.State == interp.StepFailed && !r.hasRecord(e.Step) {
		t := r.entry(e.Step)
		t.State, t.Message = "FAILED", messageOf(e.Exception)
		r.board.set(e.Step, stateFailed, firstLine(t.Message))
	}
	r.closeGroup(e.Step)
}

// closeGroup ends a task with parts once its step and all its parts have ended:
// the log may come after the step.
func (r *recorder) closeGroup(name string) {
	end, over := r.over[name]
	if t := r.pipeline.Task(name); !over || !isGroup(t) || r.board.state(name) != stateRunning || r.board.busy(name) {
		return
	}
	state := stateSucceeded
	if end != interp.StepSucceeded {
		state = stateFailed
	}
	r.board.set(name, state, "")
}

// isGroup reports whether a task consists of others or of iterations.
func isGroup(t *pipeline.Task) bool {
	_, sub := t.Kind.(*pipeline.Sub)
	return sub || t.ForEach != nil
}

// hasRecord reports whether a task, or a part of it, has a record.
func (r *recorder) hasRecord(task string) bool {
	return slices.ContainsFunc(r.record.Tasks, func(t *taskRecord) bool { return topTask(t.Task) == task })
}

// finish closes the record with the execution's end.
func (r *recorder) finish(state string, result []byte, failure string) error {
	r.record.State, r.record.Error = state, failure
	r.record.Duration = fmt.Sprintf("%.1fs", time.Since(r.begun).Seconds())
	r.closeTasks()
	if len(result) == 0 || string(result) == "null" {
		return nil
	}
	if err := json.Unmarshal(result, &r.record.Outputs); err != nil {
		return fmt.Errorf("the workflow's result is not a map of outputs: %w", err)
	}
	return nil
}

// closeTasks gives a state to the tasks of a run that did not go through: what
// was running failed with it, and what waits now needed something that failed.
func (r *recorder) closeTasks() {
	for name, end := range r.over {
		if end == interp.StepSucceeded && r.board.state(name) == stateWaiting {
			r.board.set(name, stateSucceeded, "nothing to do")
		}
	}
	if r.record.State == "SUCCEEDED" {
		return
	}
	for _, t := range r.record.Tasks {
		if t.State == "" {
			t.State, t.Message = "FAILED", "the run ended before it: "+r.record.State
			r.board.set(t.Task, stateFailed, t.Message)
		}
	}
	if r.record.State != "FAILED" {
		return
	}
	for _, name := range taskNames(r.pipeline) {
		if !r.hasRecord(name) && r.board.state(name) == stateWaiting {
			r.entry(name).State = "SKIPPED_UPSTREAM"
			r.board.set(name, stateSkipped, skippedNote("SKIPPED_UPSTREAM"))
		}
	}
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
		if t.Revision == e.Candidate {
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
