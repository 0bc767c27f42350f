package compile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/rollout"
)

// atOnce is the pipeline without steps: all traffic after the probe.
var atOnce = strings.Replace(serving, "    rollout: {steps: [10, 100], interval: 5m}\n", "", 1)

// probesTag is functions/probe: it agrees when the tag leads to the revision of
// the execution that asks, whose golden rows it was given.
func (w *world) probesTag(in object) (int, any) {
	tag := tagOf(w.t, in)
	golden, _ := at(in, "inputs", "artifacts", "golden", "artifacts", 0, "uri").(string)
	execution := strings.Split(golden, "/")[4]
	targets, _ := w.services[serviceName]["traffic"].([]any)
	for _, target := range targets {
		if at(target, "tag") != tag {
			continue
		}
		if revision := at(target, "revision").(string); !strings.Contains(revision, execution[:8]) {
			return 422, failed(422, "the prediction differs: "+revision+" is not of "+execution)
		}
		return w.gives(object{"rows": 3})(in)
	}
	return 503, failed(503, "no revision has the tag "+tag)
}

// judges is functions/rollout with good evidence at each look.
func (w *world) judges(in object) (int, any) {
	s := w.parse(at(in, "service"))
	state, err := s.State(at(in, "candidate").(string), at(in, "execution").(string), time.Unix(0, 0))
	if superseded := (*rollout.SupersededError)(nil); errors.As(err, &superseded) {
		return 200, s.Keep(err.Error())
	}
	if err != nil {
		return 400, failed(400, err.Error())
	}
	good := rollout.Sample{Canary: rollout.Counts{Requests: 1000}, Stable: rollout.Counts{Requests: 1000}}
	answer, err := s.Apply(rollout.Decide(time.Now(), rollout.Policy{Steps: []int{10, 100}}.WithDefaults(), state, good))
	if err != nil {
		return 400, failed(400, err.Error())
	}
	return 200, answer
}

func (w *world) parse(service any) *rollout.Service {
	body, err := json.Marshal(service)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := rollout.ParseService(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// force is kakehi rollout.
func (w *world) force(a rollout.Action) {
	w.t.Helper()
	answer, err := rollout.Force(w.parse(w.services[serviceName]), a, "by hand", time.Unix(0, 0))
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := json.Marshal(answer)
	if err != nil {
		w.t.Fatal(err)
	}
	written := decode(w.t, body)
	w.checkTraffic(written["traffic"])
	next := object{}
	for k, v := range w.services[serviceName] {
		next[k] = v
	}
	next["traffic"], next["annotations"], next["etag"] = written["traffic"], written["annotations"], "by hand"
	w.services[serviceName] = next
}

// model is the execution that made the model which the annotations name.
func (w *world) model() string {
	golden, _ := at(w.services[serviceName], "annotations", "kakehi.dev/golden").(string)
	if parts := strings.Split(golden, "/"); len(parts) > 4 {
		return parts[4]
	}
	return golden
}

// during lets a function do something, once, before it answers.
func (w *world) during(function string, something func()) {
	f, done := w.functions[function], false
	w.functions[function] = func(in object) (int, any) {
		if !done {
			done = true
			w.mu.Unlock()
			something()
			w.mu.Lock()
		}
		return f(in)
	}
}

// TestTwoRunsAtOnce has a later run deploy to the service of an earlier one, at
// each point of it. The earlier one is superseded and ends held; the later one
// is as if it was alone.
func TestTwoRunsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name, spec string
		during     string // the function of the earlier run
		call       int
		later      func(*world) // what goes wrong in the later run
		traffic    string
		model      string
		earlier    string // decision
	}{
		{"while the earlier is probed", atOnce, "probe", 1, nil, "the-late=100", "the-later", "held"},
		{"before the earlier rollout begins", serving, "rollout", 1, nil, "the-late=100", "the-later", "held"},
		{"while the earlier has traffic", serving, "rollout", 2, nil, "the-late=100", "the-later", "held"},
		{"the later fails its probe, while the earlier has traffic", serving, "rollout", 2,
			func(w *world) { w.functions["probe"] = refuses(422, "row 3 differs") }, "champion=100", "champion", "held"},
		{"the later does not come up, while the earlier is probed", atOnce, "probe", 1,
			func(w *world) { w.undeployable = "penguins-the-late-release" }, "champion=100", "champion", "held"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := champion(t)
			w.functions["probe"], w.functions["rollout"] = w.probesTag, w.judges
			calls, f := 0, w.functions[c.during]
			var later interp.Outcome
			w.functions[c.during] = func(in object) (int, any) {
				if calls++; calls == c.call {
					w.mu.Unlock()
					w.execution, w.clock = "the-later", interp.NewVirtualClock(time.Unix(0, 0))
					if c.later != nil {
						c.later(w)
					}
					later = w.run(c.spec, "")
					w.mu.Lock()
				}
				return f(in)
			}
			earlier := w.run(c.spec, "")
			if want := fmt.Sprintf(`{"decision":%q,"revision":"penguins-challeng-release"`, c.earlier); !strings.HasPrefix(result(earlier), want) {
				t.Errorf("the earlier run: %s", result(earlier))
			}
			if c.later != nil {
				fails(t, later, "task release: ")
			} else if !strings.HasPrefix(result(later), `{"decision":"promoted","revision":"penguins-the-late-release"`) {
				t.Errorf("the later run: %s", result(later))
			}
			same(t, "traffic", w.traffic(), c.traffic)
			same(t, "model", w.model(), c.model)
		})
	}
}

// TestTwoFirstRuns: what the earlier run created serves until the later one is
// probed, and is lost to nobody.
func TestTwoFirstRuns(t *testing.T) {
	for name, want := range map[string]string{"the later passes": "the-late=100", "the later fails": "challeng=100"} {
		w := servingWorld(t)
		w.execution = "challenger"
		w.functions["probe"] = w.probesTag
		w.during("probe", func() {
			w.execution, w.clock = "the-later", interp.NewVirtualClock(time.Unix(0, 0))
			if name == "the later fails" {
				w.undeployable = "penguins-the-late-release"
			}
			w.run(atOnce, "")
		})
		if o := w.run(atOnce, ""); !strings.Contains(result(o), `"decision":"held","revision":"penguins-challeng-release"`) {
			t.Errorf("%s: the earlier run: %s", name, result(o))
		}
		same(t, "traffic when "+name, w.traffic(), want)
	}
}

// TestProbeOfSupersededThatPassed: the probe ended well before the later run
// deployed, and the earlier one still takes no traffic.
func TestProbeOfSupersededThatPassed(t *testing.T) {
	w := champion(t)
	w.during("probe", func() {
		w.execution, w.clock = "the-later", interp.NewVirtualClock(time.Unix(0, 0))
		if o := w.run(atOnce, ""); !strings.Contains(result(o), `"decision":"promoted"`) {
			t.Errorf("the later run: %s", result(o))
		}
	})
	if o := w.run(atOnce, ""); !strings.Contains(result(o), `"decision":"held","revision":"penguins-challeng-release"`) {
		t.Errorf("the earlier run: %s", result(o))
	}
	same(t, "traffic", w.traffic(), "the-late=100")
	var reasons []string
	for _, l := range w.logs {
		if l["event"] == "rollout" {
			reasons = append(reasons, fmt.Sprint(l["candidate"], ": ", l["reason"]))
		}
	}
	same(t, "log", reasons, []string{"penguins-challeng-release: another deployment to service penguins superseded this one"})
}

// TestNothingIsLeftBehind: a trial that ends in a failure leaves the champion
// with all traffic and named, and no tag.
func TestNothingIsLeftBehind(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*world)
		want  string
	}{
		{"probe", func(w *world) { w.functions["probe"] = refuses(422, "row 3 differs") }, "failed its probe and gets no traffic: row 3 differs"},
		{"deployment", func(w *world) { w.undeployable = "penguins-challeng-release" }, "penguins-challeng-release did not listen on PORT"},
		{"first decision", func(w *world) { w.functions["rollout"] = refuses(403, "no judge") }, "task release: no judge"},
		{"rollback", func(w *world) {
			w.functions["rollout"] = func(in object) (int, any) {
				s := w.parse(at(in, "service"))
				state, _ := s.State(at(in, "candidate").(string), at(in, "execution").(string), time.Unix(0, 0))
				state.Step = 0
				bad := rollout.Sample{Canary: rollout.Counts{Requests: 50, Bad: 50}}
				answer, err := s.Apply(rollout.Decide(time.Now(), rollout.Policy{}.WithDefaults(), state, bad))
				if err != nil {
					w.t.Error(err)
				}
				return 200, answer
			}
		}, "was rolled back: evidence against the candidate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := champion(t)
			before := w.services[serviceName]["annotations"]
			c.spoil(w)
			fails(t, w.run(serving, ""), c.want)
			same(t, "traffic", w.traffic(), "champion=100")
			same(t, "model", w.model(), "champion")
			same(t, "annotation", at(w.services[serviceName], "annotations", "kakehi.dev/model"), at(before, "kakehi.dev/model"))
		})
	}
}

// TestGoldenOfAnotherModel: a model without golden rows is not given those of
// the one before.
func TestGoldenOfAnotherModel(t *testing.T) {
	w := champion(t)
	if o := w.run(strings.Replace(atOnce, ", golden: $train.golden}", "}", 1), ""); o.State != interp.Succeeded {
		t.Fatal(result(o))
	}
	same(t, "traffic", w.traffic(), "challeng=100")
	same(t, "golden rows of", w.model(), "")
}

func TestFirstRevisionThatDoesNotComeUpGoes(t *testing.T) {
	w := servingWorld(t)
	w.undeployable = "penguins-01234567-release"
	fails(t, w.run(serving, ""), "penguins-01234567-release did not listen on PORT")
	same(t, "services", len(w.services), 0)
}

// TestLostAnswerToPromotion: what was done is found done.
func TestLostAnswerToPromotion(t *testing.T) {
	w := champion(t)
	lost := false
	w.disturb = func(r *http.Request) (*http.Response, error) {
		if lost || r.Method != "PATCH" || r.URL.Query().Get("updateMask") != "traffic,annotations" {
			return nil, nil
		}
		lost = true
		w.cloudRun(r, readAll(t, r))
		return nil, errors.New("connection reset")
	}
	if o := w.run(atOnce, ""); !strings.Contains(result(o), `"decision":"promoted"`) {
		t.Error(result(o))
	}
	same(t, "traffic", w.traffic(), "challeng=100")
}

// TestRolledBackWhileProbed: by kakehi rollout rollback.
func TestRolledBackWhileProbed(t *testing.T) {
	for name, spec := range map[string]string{"by steps": serving, "at once": atOnce} {
		w := champion(t)
		w.functions["rollout"] = w.judges
		w.during("probe", func() { w.force(rollout.RollBack) })
		fails(t, w.run(spec, ""), "RolledBack", "task release: revision penguins-challeng-release was rolled back")
		same(t, "traffic "+name, w.traffic(), "champion=100")
		same(t, "model "+name, w.model(), "champion")
	}
}

// TestPromotedByHand ends the run well; a rollback after it names the champion's
// model again.
func TestPromotedByHand(t *testing.T) {
	w := champion(t)
	looks := 0
	w.functions["rollout"] = func(in object) (int, any) {
		if looks++; looks == 2 {
			w.force(rollout.Promote)
			in = object{"service": w.services[serviceName], "candidate": in["candidate"], "execution": in["execution"]}
		}
		return w.judges(in)
	}
	if o := w.run(serving, ""); !strings.Contains(result(o), `"decision":"promoted"`) {
		t.Error(result(o))
	}
	same(t, "traffic", w.traffic(), "challeng=100")
	same(t, "model", w.model(), "challenger")
	w.force(rollout.RollBack)
	same(t, "traffic", w.traffic(), "champion=100")
	same(t, "model", w.model(), "champion")
}

// TestLongestTag: the label of the probe's URL fits the DNS with the longest
// service name and a project number of 12 digits.
func TestLongestTag(t *testing.T) {
	longest := strings.Repeat("s", 38)
	w := servingWorld(t)
	var url string
	w.functions["probe"] = func(in object) (int, any) {
		url, _ = given(in, "url").(string)
		return w.gives(object{"rows": 3})(in)
	}
	if o := w.run(strings.Replace(serving, "service: penguins", "service: "+longest, 1), ""); o.State != interp.Succeeded {
		t.Fatal(result(o))
	}
	label, _, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ".")
	same(t, "length of the label", len(strings.TrimSuffix(label, "-12")+"-123456789012"), 63)
}
