package cli

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/value"
)

// followed is a recorder of a pipeline with a function a, a loop b, and a
// sub-pipeline c with an approval.
func followed() (*recorder, *bytes.Buffer) {
	ask := &pipeline.Task{Name: "ask", Kind: &pipeline.Approve{}, Out: []*pipeline.Output{{Name: "approved", Type: pipeline.Bool}, {Name: "by", Type: pipeline.String}, {Name: "n", Type: pipeline.Int}}}
	p := &pipeline.Pipeline{Name: "p", Tasks: []*pipeline.Task{
		{Name: "a", Kind: &pipeline.Function{}}, {Name: "b", Kind: &pipeline.Function{}, ForEach: &pipeline.ForEach{}},
		{Name: "c", Kind: &pipeline.Sub{Pipeline: &pipeline.Pipeline{Tasks: []*pipeline.Task{ask}}}},
	}}
	var out bytes.Buffer
	return newRecorder(newBoard(&out, terminal{}, taskNames(p)), p, "x"), &out
}

func event(id int64, step string, state interp.StepState) *interp.StepEvent {
	return &interp.StepEvent{ID: id, Routine: "main", Step: step, State: state, Exception: value.String("broken")}
}

func states(r *recorder) []string {
	var list []string
	for _, t := range r.record.Tasks {
		list = append(list, strings.TrimSpace(t.Task+" "+t.State+" "+t.Message))
	}
	return list
}

func TestATaskWithPartsHasAState(t *testing.T) {
	r, _ := followed()
	log := func(task, state string) {
		r.take([]byte(fmt.Sprintf(`{"event":"task","task":%q,"state":%q}`, task, state)))
	}
	want := func(name string, state taskState) {
		t.Helper()
		if got := r.board.state(name); got != state {
			t.Errorf("%s is %q, want %q", name, got, state)
		}
	}
	r.step(event(1, "b", interp.StepRunning))
	r.step(event(2, "b", interp.StepRunning)) // an iteration
	want("b", stateWaiting)                   // it may yet be skipped
	log("b[0]", "RUNNING")
	want("b", stateRunning)
	r.step(event(2, "b", interp.StepSucceeded))
	want("b", stateRunning)
	r.step(event(1, "b", interp.StepSucceeded))
	want("b", stateRunning) // the log comes later
	log("b[0]", "SUCCEEDED")
	want("b", stateSucceeded)

	r.step(event(3, "c", interp.StepRunning))
	r.step(event(3, "c", interp.StepSucceeded))
	log("c", "NOT_TRIGGERED")
	want("c", stateSkipped)
	if err := r.finish("SUCCEEDED", nil, ""); err != nil {
		t.Fatal(err)
	}
	want("c", stateSkipped)
}

func TestATaskWithPartsFails(t *testing.T) {
	r, _ := followed()
	r.step(event(1, "c", interp.StepRunning))
	r.take([]byte(`{"event":"task","task":"c/ask","state":"RUNNING"}`))
	r.take([]byte(`{"event":"task","task":"c/ask","state":"FAILED","message":"no"}`))
	r.step(event(1, "c", interp.StepFailed))
	if got := r.board.state("c"); got != stateFailed {
		t.Errorf("c is %q", got)
	}
	if want := []string{"c/ask FAILED no"}; !slices.Equal(states(r), want) {
		t.Errorf("got %q, want %q", states(r), want)
	}
}

// A loop over nothing has no log at all: it is not taken for one that a failure
// kept from running.
func TestALoopOverNothing(t *testing.T) {
	r, _ := followed()
	r.step(event(1, "b", interp.StepRunning))
	r.step(event(1, "b", interp.StepSucceeded))
	r.step(event(2, "a", interp.StepRunning))
	r.step(event(2, "a", interp.StepFailed))
	if err := r.finish("FAILED", nil, ""); err != nil {
		t.Fatal(err)
	}
	if got := r.board.state("b"); got != stateSucceeded {
		t.Errorf("b is %q", got)
	}
	if want := []string{"a FAILED broken", "c SKIPPED_UPSTREAM"}; !slices.Equal(states(r), want) {
		t.Errorf("got %q, want %q", states(r), want)
	}
}

// A task whose inputs cannot be evaluated fails before it says anything; what
// waits for it is skipped.
func TestTasksThatDidNotRun(t *testing.T) {
	r, _ := followed()
	r.step(event(1, "a", interp.StepRunning))
	r.step(event(1, "a", interp.StepFailed))
	if err := r.finish("FAILED", nil, "broken"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a FAILED broken", "b SKIPPED_UPSTREAM", "c SKIPPED_UPSTREAM"}; !slices.Equal(states(r), want) {
		t.Errorf("got %q, want %q", states(r), want)
	}
}

func TestTasksOfACancelledRun(t *testing.T) {
	r, _ := followed()
	r.take([]byte(`{"event":"task","task":"a","state":"RUNNING"}`))
	if err := r.finish("CANCELLED", nil, ""); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a FAILED the run ended before it: CANCELLED"}; !slices.Equal(states(r), want) {
		t.Errorf("got %q, want %q", states(r), want)
	}
}

func TestApprovalSaysHow(t *testing.T) {
	r, out := followed()
	r.callback = func(url string) string { return "http://127.0.0.1:1" + strings.TrimPrefix(url, "https://google") }
	r.take([]byte(`{"event":"approve","task":"c/ask","message":"Go?","url":"https://google/callbacks/1"}`))
	for _, want := range []string{
		"⏸ Go?",
		fmt.Sprintf("curl -d '%s' http://127.0.0.1:1/callbacks/1", `{"approved": true, "by": "…", "n": 0}`),
		"refuse:  curl -d '{\"approved\": false",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
