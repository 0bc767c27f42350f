package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/rollout"
)

var began = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

type fakeIdentity struct{ err error }

func (f fakeIdentity) AccessToken(context.Context) (string, error) { return "token", f.err }

// world is a Cloud Run service with a request log.
type world struct {
	t       *testing.T
	service map[string]any
	decider decider
	logged  []map[string]any
	asked   []map[string]any
	broken  int // status that the log answers
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, service: map[string]any{
		"name":        "projects/p/locations/us-central1/services/penguins",
		"annotations": map[string]any{"kakehi.dev/execution": "x1", "kakehi.dev/model": "m", "theirs": "kept", "kakehi.dev/revisions": `{"penguins-old":{"model":"m0"},"penguins-new":{"model":"m","tag":"c12345678"}}`},
		"traffic": []any{
			map[string]any{"type": rollout.ToRevision, "revision": "penguins-old", "percent": 100},
			map[string]any{"type": rollout.ToRevision, "revision": "penguins-new", "tag": "c12345678"},
		},
	}}
	server := httptest.NewServer(http.HandlerFunc(w.list))
	t.Cleanup(server.Close)
	w.decider = decider{client: server.Client(), identity: fakeIdentity{}, logging: server.URL, now: func() time.Time { return began }}
	return w
}

// list is entries:list, with pages of 40.
func (w *world) list(resp http.ResponseWriter, r *http.Request) {
	var req map[string]any
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/v2/entries:list" || r.Header.Get("Authorization") != "Bearer token" {
		w.t.Errorf("asked %s: %v", r.URL, err)
	}
	w.asked = append(w.asked, req)
	if w.broken != 0 {
		http.Error(resp, "quota", w.broken)
		return
	}
	from := 0
	_, _ = fmt.Sscanf(req["pageToken"].(string), "%d", &from)
	to := min(from+40, len(w.logged))
	answer := map[string]any{"entries": w.logged[from:to]}
	if to < len(w.logged) {
		answer["nextPageToken"] = fmt.Sprint(to)
	}
	_ = json.NewEncoder(resp).Encode(answer)
}

// log replaces the log by n requests to a revision, of which bad failed.
func (w *world) log(revision string, n, bad int) {
	for i := range n {
		status := 200
		if i < bad {
			status = 500
		}
		w.logged = append(w.logged, map[string]any{
			"logName": "projects/p/logs/run.googleapis.com%2Frequests", "receiveTimestamp": began.Add(time.Duration(i) * time.Second),
			"resource":    map[string]any{"type": "cloud_run_revision", "labels": map[string]any{"revision_name": revision}},
			"httpRequest": map[string]any{"requestUrl": "https://penguins-1.us-central1.run.app/predict", "status": status, "latency": "0.01s"},
		})
	}
}

func (w *world) decide(change map[string]any) (int, rollout.Answer, string) {
	w.t.Helper()
	req := map[string]any{
		"service": w.service, "candidate": "penguins-new", "execution": "x1", "started": began.Format(time.RFC3339),
		"policy": map[string]any{"steps": []int{5, 25, 50, 100}, "interval": 2, "maxErrors": 0.01, "p95": 0.2, "undecided": "hold", "minSample": nil},
	}
	for k, v := range change {
		req[k] = v
	}
	body, err := json.Marshal(req)
	if err != nil {
		w.t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	w.decider.handler()(rec, httptest.NewRequest("POST", "/", strings.NewReader(string(body))))
	var a rollout.Answer
	if rec.Code == 200 {
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
			w.t.Fatal(err)
		}
	}
	return rec.Code, a, rec.Body.String()
}

// step decides, writes the answer to the service, and lets time pass.
func (w *world) step() rollout.Answer {
	w.t.Helper()
	code, a, body := w.decide(nil)
	if code != 200 {
		w.t.Fatalf("%d %s", code, body)
	}
	if _, again, _ := w.decide(nil); !cmp.Equal(a, again) {
		w.t.Errorf("asked twice: %s", cmp.Diff(a, again))
	}
	w.service["traffic"], w.service["annotations"] = a.Traffic, a.Annotations
	w.logged = nil
	now := w.decider.now().Add(time.Minute)
	w.decider.now = func() time.Time { return now }
	return a
}

func TestPromotion(t *testing.T) {
	w := newWorld(t)
	if a := w.step(); a.Action != rollout.Advance || a.Summary.Percent != 5 || len(w.asked) != 0 {
		t.Fatalf("%+v", a)
	}
	if a := w.step(); a.Action != rollout.Hold || a.Done || !strings.Contains(a.Reason, "0 of 10 requests seen at 5 %") {
		t.Errorf("without traffic: %+v", a)
	}
	var shares []int
	for range 3 {
		w.log("penguins-old", 150, 0)
		w.log("penguins-new", 60, 0)
		a := w.step()
		shares = append(shares, a.Summary.Percent)
		if a.Annotations["kakehi.dev/model"] != "m" || a.Annotations["theirs"] != "kept" {
			t.Error("another annotation is lost")
		}
	}
	if diff := cmp.Diff([]int{25, 50, 100}, shares); diff != "" {
		t.Error(diff)
	}
	if a := w.step(); a.Action != rollout.Promote || !a.Done {
		t.Errorf("%+v", a)
	}
	filter := w.asked[0]["filter"].(string)
	if !strings.Contains(filter, `service_name="penguins"`) || !cmp.Equal(w.asked[0]["resourceNames"], []any{"projects/p"}) {
		t.Errorf("asked %v", w.asked[0])
	}
	if last := w.asked[len(w.asked)-1]["filter"].(string); !strings.Contains(last, `receiveTimestamp>"2026-11-01T12:02:29Z"`) {
		t.Errorf("the cursor does not move: %s", last)
	}
}

func TestRollback(t *testing.T) {
	w := newWorld(t)
	w.step()
	w.log("penguins-old", 100, 0)
	w.log("penguins-new", 6, 5)
	a := w.step()
	want := []rollout.Target{{Type: rollout.ToRevision, Revision: "penguins-old", Percent: 100}}
	if diff := cmp.Diff(want, a.Traffic); diff != "" || a.Annotations["kakehi.dev/model"] != "m0" || a.Action != rollout.RollBack || !a.Done {
		t.Errorf("%s %s", a.Action, diff)
	}
}

func TestFailedEvidenceHolds(t *testing.T) {
	w := newWorld(t)
	w.step()
	w.log("penguins-new", 500, 0)
	w.broken = 429
	a := w.step()
	if a.Action != rollout.Hold || a.Done || !strings.Contains(a.Reason, "429 Too Many Requests") {
		t.Errorf("%+v", a)
	}
	w.broken, w.decider.identity = 0, fakeIdentity{errors.New("no metadata server")}
	if a := w.step(); a.Action != rollout.Hold || !strings.Contains(a.Reason, "no metadata server") {
		t.Errorf("%+v", a)
	}
}

func TestSupersededAndBadRequests(t *testing.T) {
	w := newWorld(t)
	if code, a, _ := w.decide(map[string]any{"execution": "x0"}); code != 200 || !a.Done || a.Action != rollout.Hold || !strings.Contains(a.Reason, "superseded") {
		t.Errorf("%d %+v", code, a)
	}
	for want, change := range map[string]map[string]any{
		"candidate is missing":               {"candidate": ""},
		"is not projects/P":                  {"service": map[string]any{"name": "penguins"}},
		"not the JSON of a Cloud Run v2":     {"service": "penguins"},
		"policy: the last step must be 100":  {"policy": map[string]any{"steps": []int{5, 50}}},
		"policy: maxErrors is 3":             {"policy": map[string]any{"maxErrors": 3}},
		"is not the JSON of this call":       {"policy": []int{1}},
		"annotation kakehi.dev/rollout of s": {"service": map[string]any{"name": "projects/p/locations/l/services/s", "annotations": map[string]any{"kakehi.dev/rollout": "{"}}},
	} {
		if code, _, body := w.decide(change); code != 400 || !strings.Contains(body, want) {
			t.Errorf("%v: %d %s, want 400 %q", change, code, body, want)
		}
	}
}
