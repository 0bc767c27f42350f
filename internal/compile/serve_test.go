package compile_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
)

const serving = `
pipeline: p
tasks:
  train: {function: train, out: {model: Model, golden: Dataset}, cache: false}
  release:
    serve: {service: penguins, model: $train.model, golden: $train.golden}
    rollout: {steps: [10, 100], interval: 5m}
outputs: {decision: $release.decision, revision: $release.revision, url: $release.url, model: $release.model}
`

const serviceName = "projects/p/locations/us-central1/services/penguins"

// served runs the pipeline with functions that agree with everything.
func servingWorld(t *testing.T) *world {
	w := newWorld(t)
	w.functions["train"] = w.gives(nil)
	w.functions["probe"] = w.gives(object{"rows": 3, "seconds": 0.1})
	return w
}

// known is what the service's annotations tell of a revision.
func (w *world) known(revision string) object {
	text, ok := at(w.services[serviceName], "annotations", "kakehi.dev/revisions").(string)
	if !ok {
		return nil
	}
	known, _ := decode(w.t, []byte(text))[revision].(object)
	return known
}

// traffic is the service's, as REVISION[:TAG]=PERCENT, where REVISION is what
// the execution gave to the name that the service and the task release make,
// and TAG is candidate for the one that its deployment gave to it.
func (w *world) traffic() string {
	targets, _ := w.services[serviceName]["traffic"].([]any)
	var list []string
	for _, target := range targets {
		revision, _ := at(target, "revision").(string)
		s := strings.TrimSuffix(strings.TrimPrefix(revision, "penguins-"), "-release")
		if tag, ok := at(target, "tag").(string); ok && tag == w.known(revision)["tag"] {
			s += ":candidate"
		} else if ok {
			s += ":" + tag
		}
		percent, err := json.Marshal(at(target, "percent"))
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, s+"="+string(percent))
	}
	return strings.Join(list, " ")
}

// decides is functions/rollout: it answers with the decisions in order, and
// notes the traffic that each was made on.
func (w *world) decides(seen *[]string, decisions ...object) func(object) (int, any) {
	return func(in object) (int, any) {
		*seen = append(*seen, w.traffic())
		d := decisions[min(len(*seen), len(decisions))-1]
		answer := object{"annotations": at(in, "service", "annotations"), "traffic": at(in, "service", "traffic"), "reason": "r", "done": false}
		for k, v := range d {
			answer[k] = v
		}
		return 200, answer
	}
}

// tagOf is the tag that a probe was sent to, of the form that service names
// leave room for.
func tagOf(t *testing.T, probe object) string {
	t.Helper()
	url, _ := given(probe, "url").(string)
	tag, _, _ := strings.Cut(strings.TrimPrefix(url, "https://"), "---")
	if !regexp.MustCompile(`^c[a-z0-9]{8}$`).MatchString(tag) {
		t.Errorf("the tag in %s is %q", url, tag)
	}
	return tag
}

func split(stable, candidate string, percent int) []any {
	return []any{
		object{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "penguins-" + stable + "-release", "percent": 100 - percent},
		object{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "penguins-" + candidate + "-release", "percent": percent, "tag": "candidate"},
	}
}

func TestFirstRevisionServesAtOnce(t *testing.T) {
	w := servingWorld(t)
	var probed object
	w.functions["probe"] = func(in object) (int, any) {
		probed = in
		return w.gives(object{"rows": 3})(in)
	}
	succeeds(t, w.run(serving, ""), `{"decision":"promoted","revision":"penguins-01234567-release","url":"https://penguins-12.us-central1.run.app",`+
		`"model":"projects/p/locations/us-central1/models/penguins@1"}`)
	same(t, "traffic", w.traffic(), "01234567=100")
	service := w.services[serviceName]
	const model, golden = "projects/p/locations/us-central1/models/penguins@1", "gs://bkt/p/0123456789abcdef/train/golden"
	same(t, "annotations", service["annotations"], any(object{
		"kakehi.dev/execution": "0123456789abcdef", "kakehi.dev/model": model, "kakehi.dev/golden": golden,
		"kakehi.dev/revisions": `{"penguins-01234567-release":{"model":"` + model + `","golden":"` + golden + `","tag":null}}`,
	}))
	same(t, "template", service["template"], any(object{
		"revision": "penguins-01234567-release", "serviceAccount": "serving@p",
		"containers": []any{object{
			"image":     "m@sha256:3",
			"env":       []any{object{"name": "AIP_STORAGE_URI", "value": "gs://bkt/p/0123456789abcdef/train/model"}},
			"resources": object{"cpuIdle": true, "startupCpuBoost": true},
		}},
	}))
	same(t, "probed", at(probed, "inputs", "parameterValues"), any(object{
		"url": "https://" + tagOf(t, probed) + "---penguins-12.us-central1.run.app", "audience": "https://penguins-12.us-central1.run.app",
	}))
	same(t, "golden", at(probed, "inputs", "artifacts", "golden", "artifacts", 0, "uri"), any("gs://bkt/p/0123456789abcdef/train/golden"))
}

func TestFirstRevisionThatFailsItsProbeGoes(t *testing.T) {
	w := servingWorld(t)
	w.functions["probe"] = refuses(422, "row 3 differs by 0.5")
	fails(t, w.run(serving, ""), "ProbeFailed", "task release: revision penguins-01234567-release failed its probe and gets no traffic: row 3 differs by 0.5")
	same(t, "services", len(w.services), 0)
}

// champion serves a first revision of the execution champion.
func champion(t *testing.T) *world {
	w := servingWorld(t)
	w.execution = "champion"
	succeeds(t, w.run(strings.Replace(serving, "outputs: {decision: $release.decision, revision: $release.revision, url: $release.url, model: $release.model}",
		"outputs: {decision: $release.decision}", 1), ""), `{"decision":"promoted"}`)
	w.execution, w.logs, w.calls = "challenger", nil, nil
	return w
}

func TestRollout(t *testing.T) {
	w := champion(t)
	var seen []string
	w.functions["rollout"] = w.decides(&seen,
		object{"action": "advance", "traffic": split("champion", "challeng", 10), "annotations": object{"kakehi.dev/rollout": "1"}},
		object{"action": "hold"},
		object{"action": "promote", "traffic": split("champion", "challeng", 100), "done": true})
	o := w.run(serving, "")
	if o.State != interp.Succeeded || !strings.Contains(result(o), `"decision":"promoted"`) {
		t.Fatal(result(o))
	}
	same(t, "traffic at each decision", seen, []string{
		"champion=100 challeng:candidate=null", "champion=90 challeng:candidate=10", "champion=90 challeng:candidate=10",
	})
	same(t, "traffic", w.traffic(), "champion=0 challeng:candidate=100")
	same(t, "changes", w.count("PATCH "), 3)
	var actions []string
	for _, l := range w.logs {
		if l["event"] == "rollout" {
			actions = append(actions, l["action"].(string))
		}
	}
	same(t, "actions", actions, []string{"advance", "hold", "promote"})
}

func TestRolloutEndsBadly(t *testing.T) {
	for _, c := range []struct {
		name     string
		decision object
		want     []string
		traffic  string
	}{
		{"rolled back", object{"action": "rollback", "traffic": split("champion", "challeng", 0), "done": true, "reason": "20 of 100 bad"},
			[]string{"RolledBack", "task release: revision penguins-challeng-release was rolled back: 20 of 100 bad"}, "champion=100 challeng:candidate=0"},
		{"held", object{"action": "hold", "done": true}, nil, "champion=100 challeng:candidate=null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := champion(t)
			var seen []string
			w.functions["rollout"] = w.decides(&seen, c.decision)
			if o := w.run(serving, ""); c.want != nil {
				fails(t, o, c.want...)
			} else if !strings.Contains(result(o), `"decision":"held"`) {
				t.Error(result(o))
			}
			same(t, "traffic", w.traffic(), c.traffic)
		})
	}
}

// TestServeIfNew: install deploys where nothing is served yet, and release
// replaces what it deployed in the same run.
func TestServeIfNew(t *testing.T) {
	both := strings.Replace(serving, "  release:\n", `  install:
    serve: {service: penguins, model: $train.model, if_new: true}
  release:
    after: [install]
`, 1)
	both = strings.Replace(both, "outputs: {", "outputs: {installed: $install.decision, first: $install.revision, ", 1)
	w := servingWorld(t)
	var seen []string
	w.functions["rollout"] = w.decides(&seen, object{"action": "hold", "done": true})
	o := w.run(both, "")
	want := `"installed":"promoted","first":"penguins-01234567-install","decision":"held","revision":"penguins-01234567-release"`
	if !strings.Contains(result(o), want) {
		t.Errorf("got %s, want %s", result(o), want)
	}
	same(t, "traffic", w.traffic(), "01234567-install=100 01234567:candidate=null")

	w.execution = "the-second"
	if o := w.run(both, ""); !strings.Contains(result(o), `"installed":"kept","first":"penguins-01234567-install"`) {
		t.Errorf("got %s, want the service kept", result(o))
	}
}

// TestRolloutThatCannotGoOn: the candidate gets no traffic when nobody decides
// about it any more, and keeps what somebody else has decided.
func TestRolloutThatCannotGoOn(t *testing.T) {
	state := func(phase string) object {
		return object{"kakehi.dev/execution": "challenger", "kakehi.dev/rollout": `{"candidate":"penguins-challeng-release","stable":"penguins-champion-release","phase":"` + phase + `","step":0}`}
	}
	for _, c := range []struct {
		name        string
		annotations object
		traffic     string
		phase       string
	}{
		{"on trial", state("progressing"), "champion=100", `"phase":"rolled_back","step":0,"reason":"the rollout could not go on, the judge is gone"`},
		{"promoted by hand", state("promoted"), "champion=50 challeng:candidate=50", `"phase":"promoted"`},
		{"taken over", object{"kakehi.dev/execution": "another", "kakehi.dev/rollout": state("progressing")["kakehi.dev/rollout"]}, "champion=50 challeng:candidate=50", `"phase":"progressing"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := champion(t)
			var seen []string
			decides := w.decides(&seen, object{"action": "advance", "traffic": split("champion", "challeng", 50), "annotations": c.annotations})
			w.functions["rollout"] = func(in object) (int, any) {
				if len(seen) > 0 {
					return 403, failed(403, "the judge is gone")
				}
				return decides(in)
			}
			fails(t, w.run(serving, ""), "task release: the judge is gone")
			same(t, "traffic", w.traffic(), c.traffic)
			if got := at(w.services[serviceName], "annotations", "kakehi.dev/rollout").(string); !strings.Contains(got, c.phase) {
				t.Errorf("state %s, want %s", got, c.phase)
			}
		})
	}
}

// TestManyClashes: a long rollout meets many other changes, and only clashes in
// a row stop it.
func TestManyClashes(t *testing.T) {
	const looks = 12
	w := champion(t)
	patches, clashes := 0, 0
	w.disturb = func(r *http.Request) (*http.Response, error) {
		if r.Method != "PATCH" || r.URL.Query().Get("updateMask") != "traffic,annotations" {
			return nil, nil
		}
		if patches++; patches%2 == 1 {
			clashes++
			w.services[serviceName]["etag"] = "changed by somebody"
		}
		return nil, nil
	}
	w.functions["rollout"] = func(in object) (int, any) {
		d := object{"action": "hold", "reason": "r", "done": false, "traffic": at(in, "service", "traffic"), "annotations": object{"n": patches}}
		if clashes == looks {
			d["action"], d["done"] = "promote", true
		}
		return 200, d
	}
	if o := w.run(serving, ""); o.State != interp.Succeeded {
		t.Fatal(result(o))
	}
	same(t, "clashes", clashes >= looks, true)
}

// TestTrialOfAnEarlierRun has the candidate of an earlier run with most of the
// traffic: whether it is what the new candidate is compared with depends on how
// its rollout ended.
func TestTrialOfAnEarlierRun(t *testing.T) {
	for rollout, want := range map[string]string{
		`{"candidate":"penguins-earlier-release","stable":"penguins-champion-release","phase":"progressing"}`: "champion=100 challeng:candidate=null",
		`{"candidate":"penguins-earlier-release","stable":"penguins-champion-release","phase":"held"}`:        "champion=100 challeng:candidate=null",
		`{"candidate":"penguins-earlier-release","stable":"penguins-champion-release","phase":"promoted"}`:    "earlier=100 challeng:candidate=null",
		`{broken`: "earlier=100 challeng:candidate=null",
		``:        "earlier=100 challeng:candidate=null",
	} {
		w := champion(t)
		w.services[serviceName]["traffic"] = split("champion", "earlier", 75)
		w.services[serviceName]["annotations"].(object)["kakehi.dev/rollout"] = rollout
		var seen []string
		w.functions["rollout"] = w.decides(&seen, object{"action": "hold", "done": true})
		w.run(serving, "")
		same(t, "traffic after "+rollout, seen, []string{want})
		ended := strings.Contains(at(w.services[serviceName], "annotations", "kakehi.dev/rollout").(string), `"phase":"rolled_back","reason":"execution challenger deployed another candidate"`)
		same(t, "ended after "+rollout, ended, strings.HasPrefix(want, "champion"))
	}
}

func TestFailedProbeLeavesTheChampion(t *testing.T) {
	w := champion(t)
	w.functions["probe"] = refuses(422, "row 3 differs")
	fails(t, w.run(serving, ""), "ProbeFailed")
	same(t, "traffic", w.traffic(), "champion=100")
}

func TestClashesAreReadAgain(t *testing.T) {
	w := champion(t)
	clashes := map[string]bool{}
	w.disturb = func(r *http.Request) (*http.Response, error) {
		key := r.URL.Query().Get("updateMask")
		if r.Method != "PATCH" || clashes[key] {
			return nil, nil
		}
		clashes[key] = true
		w.services[serviceName]["etag"] = "changed by somebody"
		return nil, nil
	}
	var seen []string
	w.functions["rollout"] = w.decides(&seen, object{"action": "promote", "traffic": split("champion", "challeng", 100), "done": true})
	if o := w.run(serving, ""); o.State != interp.Succeeded {
		t.Fatal(result(o))
	}
	same(t, "traffic", w.traffic(), "champion=0 challeng:candidate=100")
	same(t, "clashes", len(clashes), 2)
	same(t, "decisions", len(seen), 2)
}

func TestRolloutTask(t *testing.T) {
	const again = `
pipeline: p
tasks:
  go: {rollout: {service: penguins, steps: [50, 100]}}
outputs: {decision: $go.decision}
`
	w := champion(t)
	fails(t, w.run(again, ""), "task go: service penguins has no candidate, deploy one with serve")
	w.services[serviceName]["traffic"] = split("champion", "challeng", 0)
	var asked object
	w.functions["rollout"] = func(in object) (int, any) {
		asked = in
		return 200, object{"action": "promote", "done": true, "reason": "r", "annotations": object{}, "traffic": split("champion", "challeng", 100)}
	}
	succeeds(t, w.run(again, ""), `{"decision":"promoted"}`)
	same(t, "execution", asked["execution"], any("champion"))
	same(t, "candidate", asked["candidate"], any("penguins-challeng-release"))
	same(t, "policy", asked["policy"], any(object{"steps": []any{50.0, 100.0}, "interval": 60.0}))
}

func TestApproval(t *testing.T) {
	const gate = `
pipeline: p
tasks:
  ask:
    approve: "Publish?"
    out: {reason: string}
outputs: {reason: $ask.reason}
`
	const form = "application/x-www-form-urlencoded" // what curl -d says
	for _, c := range []struct{ kind, body, want string }{
		{"application/json", `{"reason":"looks good"}`, `{"reason":"looks good"}`},
		{"application/json", `{"approved":false,"reason":"not on Fri"}`, "task ask: not on Fri"},
		{"application/json", `{}`, "output reason is missing"},
		{"application/json", ``, "output reason is missing"},
		{"application/json", `"no"`, "the answer is not a JSON object"},
		{form, `{"reason":"looks good"}`, `{"reason":"looks good"}`},
		{form, `{"approved":false,"reason":"not on Fri"}`, "task ask: not on Fri"},
		{form, `approved=false`, "the answer is not a JSON object"},
		{"", `{"approved":false,"reason":"not on Fri"}`, "task ask: not on Fri"},
		{"text/plain", ``, "output reason is missing"},
	} {
		w := newWorld(t)
		w.clock = nil // virtual time would not wait for a person
		x := w.start(gate, "")
		for ended := false; !ended && (len(x.Callbacks()) == 0 || x.Callbacks()[0].Waiters == 0); {
			select {
			case <-x.Done():
				ended = true
			case <-time.After(time.Millisecond):
			}
		}
		if len(x.Callbacks()) == 0 {
			t.Fatal(result(x.Wait()))
		}
		w.mu.Lock()
		i := slices.IndexFunc(w.logs, func(l object) bool { return l["event"] == "approve" })
		if i < 0 || w.logs[i]["message"] != "Publish?" || w.logs[i]["url"] != x.Callbacks()[0].URL {
			t.Errorf("log: %v", w.logs)
		}
		w.mu.Unlock()
		err := x.Callback(x.Callbacks()[0].ID, interp.CallbackRequest{Method: "POST", Header: http.Header{"Content-Type": {c.kind}}, Body: []byte(c.body)})
		if err != nil {
			t.Fatal(err)
		}
		if o := x.Wait(); strings.HasPrefix(c.want, "{") {
			succeeds(t, o, c.want)
		} else {
			fails(t, o, c.want)
		}
	}
}
