package rollout

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const serviceJSON = `{"name":"projects/p/locations/us-central1/services/penguins","uri":"https://penguins-1.us-central1.run.app","etag":"\"e1\"",
 "annotations":{"other":"kept","kakehi.dev/execution":"x1"},"latestReadyRevision":"projects/p/locations/us-central1/services/penguins/revisions/penguins-old",
 "traffic":[{"type":"TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST","percent":100},{"type":"TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION","revision":"penguins-new","tag":"candidate"}]}`

func service(t *testing.T, text string) *Service {
	t.Helper()
	s, err := ParseService([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// apply writes an answer to the service, as the workflow does.
func (s *Service) apply(a Answer) { s.Traffic, s.Annotations = a.Traffic, a.Annotations }

func TestServiceRollout(t *testing.T) {
	s := service(t, serviceJSON)
	p := policy(nil)
	now := began
	look := func(x Sample) Answer {
		t.Helper()
		state, err := s.State("penguins-new", "x1", began)
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Apply(Decide(now, p, state, x))
		if err != nil {
			t.Fatal(err)
		}
		s.apply(a)
		now = now.Add(time.Minute)
		return a
	}
	a := look(Sample{})
	want := []Target{to("penguins-old", 95, ""), to("penguins-new", 5, "candidate")}
	if diff := cmp.Diff(want, a.Traffic); diff != "" || a.Action != Advance {
		t.Errorf("%s %s", a.Action, diff)
	}
	if a.Annotations["other"] != "kept" {
		t.Error("an annotation of somebody else is lost")
	}
	good := Sample{Canary: requests(60, 0), Stable: requests(600, 1), Through: now}
	var shares []int
	for !a.Done {
		a = look(good)
		shares = append(shares, a.Summary.Percent)
	}
	if diff := cmp.Diff([]int{25, 50, 100}, shares); diff != "" {
		t.Error(diff)
	}
	status, err := Status(s)
	if err != nil || status.Phase != Promoted || status.Canary.Requests != 180 || status.Stable != "penguins-old" {
		t.Errorf("status %+v, %v", status, err)
	}
	back, err := Force(s, RollBack, "by hand", now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Target{to("penguins-old", 100, "")}, back.Traffic); diff != "" {
		t.Error(diff)
	}
	s.apply(back)
	if a := look(good); a.Action != RollBack || !a.Done {
		t.Errorf("after a rollback by hand: %s", a.Action)
	}
}

// TestStableIsNoTrial: the candidate of an earlier rollout may have most of the
// traffic and still be unproven.
func TestStableIsNoTrial(t *testing.T) {
	for _, tt := range []struct {
		phase   Phase
		traffic []Target
		want    string
	}{
		{Progressing, []Target{to("old", 25, ""), to("trial", 75, ""), to("new", 0, "candidate")}, "old"},
		{Held, []Target{to("old", 25, ""), to("trial", 75, "")}, "old"},
		{Held, []Target{to("trial", 100, ""), to("new", 0, "candidate")}, "trial"},
		{Progressing, []Target{to("trial", 95, ""), to("new", 5, "candidate")}, "trial"},
		{Promoted, []Target{to("old", 25, ""), to("trial", 75, "")}, "trial"},
		{RolledBack, []Target{to("old", 25, ""), to("trial", 75, "")}, "trial"},
	} {
		s := service(t, serviceJSON)
		earlier := Begin("trial", "old", "x0", began)
		earlier.Phase = tt.phase
		body, err := json.Marshal(earlier)
		if err != nil {
			t.Fatal(err)
		}
		s.Traffic, s.Annotations[Annotation] = tt.traffic, string(body)
		state, err := s.State("new", "x1", began)
		if err != nil || state.Stable != tt.want {
			t.Errorf("%s %v: stable %q, %v, want %q", tt.phase, tt.traffic, state.Stable, err, tt.want)
		}
	}
}

func TestSuperseded(t *testing.T) {
	s := service(t, serviceJSON)
	_, err := s.State("penguins-older", "x0", began)
	var superseded *SupersededError
	if !errors.As(err, &superseded) || superseded.Execution != "x1" {
		t.Fatalf("error %v", err)
	}
	a := s.Keep(err.Error())
	if !a.Done || a.Action != Hold || !strings.Contains(a.Reason, "superseded: execution x1") || total(a.Traffic) != 100 {
		t.Errorf("%+v", a)
	}
}

func TestParseServiceErrors(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:              "not the JSON",
		`{"name":"x"}`:    "is not projects/P",
		`{"traffic":"x"}`: "not the JSON",
	} {
		if _, err := ParseService([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	s := service(t, serviceJSON)
	if _, err := Force(s, Promote, "by hand", began); err == nil || !strings.Contains(err.Error(), "has no rollout") {
		t.Errorf("%v", err)
	}
	s.Annotations[Annotation] = "{broken"
	if _, err := Status(s); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("%v", err)
	}
	if _, err := s.State("c", "x1", began); err == nil {
		t.Error("a damaged state was taken")
	}
}

func TestDefaultTrafficIsLatest(t *testing.T) {
	s := service(t, `{"name":"projects/p/locations/l/services/s","latestReadyRevision":"s-1"}`)
	if diff := cmp.Diff([]Target{to("s-1", 100, "")}, s.traffic()); diff != "" {
		t.Error(diff)
	}
}

const entriesJSON = `[
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","timestamp":"2026-11-01T12:00:01Z","receiveTimestamp":"2026-11-01T12:00:02Z","trace":"t1",
  "resource":{"labels":{"revision_name":"new"}},"httpRequest":{"requestUrl":"https://penguins-1.us-central1.run.app/predict","status":200,"latency":"0.010s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","timestamp":"2026-11-01T12:00:01Z","receiveTimestamp":"2026-11-01T12:00:09Z","trace":"t2",
  "resource":{"labels":{"revision_name":"new"}},"httpRequest":{"requestUrl":"https://penguins-1.us-central1.run.app/predict","status":503,"latency":"1.5s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","labels":{"kakehi.dev/cold":"true"},
  "resource":{"labels":{"revision_name":"new"}},"httpRequest":{"requestUrl":"https://penguins-1.us-central1.run.app/predict","status":200,"latency":"2s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Fstdout","labels":{"kakehi.dev/cold":"true"},"trace":"t3","resource":{"labels":{"revision_name":"old"}},"httpRequest":{"status":200,"latency":"2s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","trace":"projects/p/traces/t3","resource":{"labels":{"revision_name":"old"}},"httpRequest":{"requestUrl":"https://penguins-1.us-central1.run.app/predict","status":429,"latency":"2s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","resource":{"labels":{"revision_name":"old"}},"httpRequest":{"requestUrl":"https://penguins-1.us-central1.run.app/predict","status":404,"latency":"0.1s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","resource":{"labels":{"revision_name":"new"}},"httpRequest":{"requestUrl":"https://candidate---penguins-1.us-central1.run.app/predict","status":500,"latency":"9s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","resource":{"labels":{"revision_name":"third"}},"httpRequest":{"requestUrl":"https://penguins-1.us-central1.run.app/predict","status":500,"latency":"9s"}},
 {"logName":"projects/p/logs/run.googleapis.com%2Frequests","resource":{"labels":{"revision_name":"new"}}}
]`

func TestCount(t *testing.T) {
	var entries []Entry
	if err := json.Unmarshal([]byte(entriesJSON), &entries); err != nil {
		t.Fatal(err)
	}
	got := Count(entries, Begin("new", "old", "x", began), 200*time.Millisecond)
	want := Sample{
		Canary:  Counts{Requests: 3, Bad: 1, Timed: 2, Slow: 1},
		Stable:  Counts{Requests: 2, Bad: 1, Refused: 1, Timed: 1, Slow: 0},
		Through: began.Add(9 * time.Second),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	want.Canary.Slow = 0
	if diff := cmp.Diff(want, Count(entries, Begin("new", "old", "x", began), 0)); diff != "" {
		t.Errorf("without an objective: %s", diff)
	}
}

// TestSettled reads a log in pieces: every entry is counted once, whenever it
// was received.
func TestSettled(t *testing.T) {
	var log []Entry
	for i := range 200 {
		e := Entry{Timestamp: began.Add(time.Duration(i) * time.Second)}
		e.ReceiveTimestamp = e.Timestamp.Add(time.Duration(i*7%13) * time.Second)
		log = append(log, e)
	}
	const piece = 40
	cursor, counted := began.Add(-time.Second), map[time.Time]int{}
	for {
		var next []Entry
		for _, e := range log {
			if e.ReceiveTimestamp.After(cursor) {
				next = append(next, e)
			}
		}
		if len(next) == 0 {
			break
		}
		if len(next) > piece {
			next = Settled(next[:piece])
		}
		for _, e := range next {
			counted[e.Timestamp]++
		}
		cursor = Count(next, Begin("new", "old", "x", began), 0).Through
	}
	for _, e := range log {
		if counted[e.Timestamp] != 1 {
			t.Errorf("%v is counted %d times", e.Timestamp, counted[e.Timestamp])
		}
	}
	behind := []Entry{{Timestamp: began, ReceiveTimestamp: began.Add(time.Hour)}}
	if got := Settled(behind); len(got) != 1 || Settled(nil) != nil {
		t.Errorf("far behind: %v", got)
	}
}

func TestFilter(t *testing.T) {
	s := service(t, serviceJSON)
	state := Begin("new", "old", "x", began)
	state.Cursor = began.Add(1500 * time.Millisecond)
	const want = `resource.type="cloud_run_revision" AND resource.labels.service_name="penguins"` +
		` AND (logName="projects/p/logs/run.googleapis.com%2Frequests" OR (logName="projects/p/logs/run.googleapis.com%2Fstdout" AND labels."kakehi.dev/cold"="true"))` +
		` AND timestamp>="2026-11-01T12:00:00Z" AND receiveTimestamp>"2026-11-01T12:00:01.5Z"`
	if got := s.Filter(state); got != want {
		t.Errorf("filter\n%s\nwant\n%s", got, want)
	}
}

func FuzzParseService(f *testing.F) {
	f.Add(serviceJSON)
	f.Add(`{"name":"projects/p/locations/l/services/s","annotations":{"kakehi.dev/rollout":"{\"candidate\":\"c\",\"step\":-7,\"phase\":\"progressing\"}"},"traffic":[{"percent":-5}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseService([]byte(text))
		if err != nil {
			return
		}
		state, err := s.State("c", "", began)
		if err != nil {
			return
		}
		a, err := s.Apply(Decide(began, policy(nil), state, Sample{Canary: requests(3, 1)}))
		if err == nil && a.Action != Hold && total(a.Traffic) != 100 {
			t.Errorf("traffic %v", a.Traffic)
		}
	})
}
