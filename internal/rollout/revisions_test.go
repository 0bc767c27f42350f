package rollout

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTrialEnds: when a trial has ended, the candidate has no tag, and the model
// is that of what serves. Tags and annotations of others stay.
func TestTrialEnds(t *testing.T) {
	const onTrial = `{"name":"projects/p/locations/l/services/s","annotations":{"other":"kept","kakehi.dev/execution":"x1",
 "kakehi.dev/model":"m2","kakehi.dev/golden":"g2",
 "kakehi.dev/revisions":"{\"old\":{\"model\":\"m1\",\"golden\":null,\"tag\":null},\"new\":{\"model\":\"m2\",\"golden\":\"g2\",\"tag\":\"c1\"}}"},
 "traffic":[{"revision":"old","percent":95,"tag":"blue"},{"revision":"new","percent":5,"tag":"c1"},{"revision":"new","tag":"green"}]}`
	begun := Begin("new", "old", "x1", began)
	begun.Step = 0
	for _, tt := range []struct {
		action  Action
		traffic []Target
		model   string
		golden  string
	}{
		{RollBack, []Target{to("old", 100, "blue"), to("new", 0, "green")}, "m1", ""},
		{Promote, []Target{to("old", 0, "blue"), to("new", 100, "green")}, "m2", "g2"},
		{Hold, []Target{{Type: ToRevision, Revision: "old", Percent: 95, Tag: "blue"}, to("new", 5, "c1"), to("new", 0, "green")}, "m2", "g2"},
	} {
		s := service(t, onTrial)
		a, err := s.Apply(begun.finish(began, tt.action, "r"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.traffic, a.Traffic); diff != "" {
			t.Errorf("%s: traffic %s", tt.action, diff)
		}
		if a.Annotations[ModelAnnotation] != tt.model || a.Annotations[GoldenAnnotation] != tt.golden || a.Annotations["other"] != "kept" {
			t.Errorf("%s: annotations %v", tt.action, a.Annotations)
		}
		if _, named := a.Annotations[GoldenAnnotation]; named != (tt.golden != "") {
			t.Errorf("%s: the annotation of no golden rows is %t", tt.action, named)
		}
		s.apply(a)
		if left, err := s.deployed(); err != nil || (left == "new") != (tt.action == Hold) {
			t.Errorf("%s: on trial is %q, %v", tt.action, left, err)
		}
	}
}

// TestNotBegun: a candidate whose rollout has not begun can be taken back, and
// not be promoted, whatever became of the one before.
func TestNotBegun(t *testing.T) {
	s := service(t, serviceJSON)
	s.Annotations[RevisionsAnnotation] = `{"penguins-new":{"model":"m2","tag":"c1"},"penguins-old":{"model":"m1"}}`
	s.Traffic[1].Tag = "c1"
	before := Begin("penguins-old", "penguins-older", "x0", began)
	before.Phase = Promoted
	body, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	s.Annotations[Annotation] = string(body)
	if !s.Unfinished("x1") || s.Unfinished("x0") {
		t.Error("the candidate of x1 is unfinished, and of x0 there is none")
	}
	if _, err := Force(s, Promote, "by hand", began); err == nil || !strings.Contains(err.Error(), "rollout of revision penguins-new has not begun") {
		t.Errorf("promoted: %v", err)
	}
	a, err := Force(s, RollBack, "by hand", began)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Target{to("penguins-old", 100, "")}, a.Traffic); diff != "" || a.Annotations[ModelAnnotation] != "m1" {
		t.Errorf("%s %v", diff, a.Annotations)
	}
	s.apply(a)
	if s.Unfinished("x1") {
		t.Error("it is unfinished after it was taken back")
	}
	state, err := s.State("penguins-new", "x1", began)
	if d := Decide(began, policy(nil), state, Sample{}); err != nil || d.Action != RollBack || !d.Done {
		t.Errorf("the workflow goes on: %+v, %v", d, err)
	}
}

func TestUnfinished(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*State)
		want   bool
	}{
		{"progressing", func(*State) {}, true},
		{"promoted", func(s *State) { s.Phase = Promoted }, false},
		{"held", func(s *State) { s.Phase = Held }, false},
		{"nothing to return to", func(s *State) { s.Stable = "" }, false},
		{"of another execution", func(s *State) { s.Execution = "x0" }, false},
	} {
		s := service(t, serviceJSON)
		state := Begin("penguins-new", "penguins-old", "x1", began)
		tt.change(&state)
		body, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		s.Annotations[Annotation] = string(body)
		if got := s.Unfinished("x1"); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// TestSupersededInOneExecution: two tasks of one execution are two deployments.
func TestSupersededInOneExecution(t *testing.T) {
	s := service(t, serviceJSON)
	s.Annotations[RevisionsAnnotation] = `{"penguins-new":{"tag":"c1"}}`
	var superseded *SupersededError
	if _, err := s.State("penguins-older", "x1", began); !errors.As(err, &superseded) {
		t.Errorf("the earlier: %v", err)
	}
	if _, err := s.State("penguins-new", "x1", began); err != nil {
		t.Errorf("the later: %v", err)
	}
	s.Annotations[RevisionsAnnotation] = `[`
	if _, err := s.State("penguins-new", "x1", began); err == nil || !strings.Contains(err.Error(), "kakehi.dev/revisions of service penguins is damaged") {
		t.Errorf("damaged: %v", err)
	}
}
