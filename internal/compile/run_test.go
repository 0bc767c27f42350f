package compile_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/spec"
)

func succeeds(t *testing.T, o interp.Outcome, want string) {
	t.Helper()
	if got := result(o); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// fails checks that the error holds each of the texts.
func fails(t *testing.T, o interp.Outcome, texts ...string) {
	t.Helper()
	got := result(o)
	if o.State != interp.Failed {
		t.Errorf("state %s with %s, want FAILED", o.State, got)
		return
	}
	for _, text := range texts {
		if !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), text) {
			t.Errorf("the error %s does not say %q", got, text)
		}
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

const paramsSpec = `
pipeline: p
params:
  data: {type: Dataset, default: gs://$bucket/in/data.csv}
  rate: 0.5
  name: {type: string}
tasks:
  f:
    function: f
    in: {data: $params.data, rate: $params.rate, name: $params.name}
    out: {score: double, n: int}
outputs: {score: $f.score, data: $params.data.metadata}
`

func TestParams(t *testing.T) {
	for _, c := range []struct{ name, argument, want string }{
		{"defaults", `{"name":"a"}`, `{"score":1.0,"data":{"generation":"3","md5":"m"}}`},
		{"an integer for a double", `{"name":"a","rate":2}`, `{"score":1.0,"data":{"generation":"3","md5":"m"}}`},
		{"a folder", `{"name":"a","data":"gs://bkt/in/"}`, `{"score":1.0,"data":{"generation":"0123456789abcdef"}}`},
		{"no argument", ``, "parameter name is required"},
		{"unknown", `{"nam":"a"}`, "no parameter nam"},
		{"wrong type", `{"name":3}`, "parameter name must be of type string, and is of type integer"},
		{"no map", `[1]`, "must be a map"},
		{"no such object", `{"name":"a","data":"gs://bkt/none.csv"}`, "gs://bkt/none.csv, which does not exist"},
		{"no uri", `{"name":"a","data":"none.csv"}`, "gs://BUCKET/OBJECT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.store("gs://bkt/in/data.csv", "a,b")
			w.functions["f"] = w.gives(object{"score": 1, "n": 2})
			o := w.run(paramsSpec, c.argument)
			if strings.HasPrefix(c.want, "{") {
				succeeds(t, o, c.want)
			} else {
				fails(t, o, c.want, "BadArgument")
			}
		})
	}
}

func TestBuiltinNames(t *testing.T) {
	outputs, want := []string{}, []string{}
	for _, name := range slices.Sorted(maps.Keys(pipeline.Builtins)) {
		outputs = append(outputs, name+": $"+name)
		want = append(want, fmt.Sprintf("%q:%q", name, map[string]string{
			"bucket": "bkt", "execution": "0123456789abcdef", "location": "us-central1", "project": "p",
		}[name]))
	}
	w := newWorld(t)
	w.functions["f"] = w.gives(nil)
	spec := "pipeline: p\ntasks:\n  run: {function: f}\n  args: {function: f}\noutputs: {" + strings.Join(outputs, ", ") + "}\n"
	succeeds(t, w.run(spec, ""), "{"+strings.Join(want, ",")+"}")
}

func TestFunctionProtocol(t *testing.T) {
	w := newWorld(t)
	w.store("gs://bkt/in/data.csv", "a,b")
	var in object
	w.functions["f"] = func(got object) (int, any) {
		in = got
		return w.gives(object{"score": 1.5, "n": 2})(got)
	}
	w.run(strings.Replace(paramsSpec, "n: int", "n: int, model: Model", 1), `{"name":"a"}`)
	same(t, "executor input", in, object{
		"inputs": object{
			"parameterValues": object{"rate": 0.5, "name": "a"},
			"artifacts": object{"data": object{"artifacts": []any{object{
				"name": "data", "type": object{"schemaTitle": "system.Dataset"}, "uri": "gs://bkt/in/data.csv",
				"metadata": object{"generation": "3", "md5": "m"},
			}}}},
		},
		"outputs": object{
			"parameters": object{"score": object{"outputFile": ""}, "n": object{"outputFile": ""}},
			"artifacts": object{"model": object{"artifacts": []any{object{
				"name": "model", "type": object{"schemaTitle": "system.Model"}, "uri": "gs://bkt/p/0123456789abcdef/f/model", "metadata": object{},
			}}}},
			"outputFile": "",
		},
	})
}

func TestBadOutputsNameTaskAndOutput(t *testing.T) {
	for want, outputs := range map[string]object{
		"output n is missing":           {"score": 1},
		"output n must be of type int":  {"score": 1, "n": "x"},
		"output score must be of type ": {"score": "high", "n": 1},
	} {
		w := newWorld(t)
		w.store("gs://bkt/in/data.csv", "a,b")
		w.functions["f"] = w.gives(outputs)
		fails(t, w.run(paramsSpec, `{"name":"a"}`), "task f: ", want)
	}
}

func TestWhatDoesNotNeedAFailedTaskRuns(t *testing.T) {
	const nshape = `
pipeline: p
tasks:
  a: {function: bad, out: {x: int}}
  b: {function: good, out: {x: int}}
  c: {function: good, in: {x: "${a.x + b.x}"}, out: {x: int}}
  d: {function: good, in: {x: $b.x}, out: {x: int}}
  e: {function: good, in: {x: $c.x, y: $d.x}}
`
	const branches = `
pipeline: p
tasks:
  a: {function: bad, out: {x: int}}
  a2: {function: good, in: {x: $a.x}}
  b: {function: good, out: {x: int}}
  b2: {function: good, in: {x: $b.x}}
  last: {function: good, after: [a2, b2]}
`
	for name, c := range map[string]struct {
		spec string
		want []string
	}{
		"nshape":   {nshape, []string{"a FAILED", "b SUCCEEDED", "c SKIPPED_UPSTREAM", "d SUCCEEDED"}},
		"branches": {branches, []string{"a FAILED", "b SUCCEEDED", "b2 SUCCEEDED"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.functions["bad"], w.functions["good"] = refuses(422, "no rows left"), w.gives(object{"x": 1})
			fails(t, w.run(c.spec, ""), "task a: no rows left")
			same(t, "states", w.states(), c.want)
		})
	}
}

func TestWhenAndItsDependents(t *testing.T) {
	const conditional = `
pipeline: p
params: {limit: 0.5}
tasks:
  score: {function: score, out: {value: double}}
  publish: {when: score.value >= params.limit, function: publish, in: {value: $score.value}, out: {url: string}}
  announce: {function: announce, in: {url: $publish.url}}
outputs: {value: $score.value, url: $publish.url}
`
	for argument, want := range map[string]struct {
		result string
		states []string
	}{
		`{}`:            {`{"value":0.7,"url":"u"}`, []string{"announce SUCCEEDED", "publish SUCCEEDED", "score SUCCEEDED"}},
		`{"limit":0.9}`: {`{"value":0.7,"url":null}`, []string{"announce SKIPPED_UPSTREAM", "publish NOT_TRIGGERED", "score SUCCEEDED"}},
	} {
		w := newWorld(t)
		w.functions["score"], w.functions["publish"], w.functions["announce"] = w.gives(object{"value": 0.7}), w.gives(object{"url": "u"}), w.gives(nil)
		succeeds(t, w.run(conditional, argument), want.result)
		same(t, "states", w.states(), want.states)
	}
}

func TestRetry(t *testing.T) {
	const retried = `
pipeline: p
tasks:
  f: {function: f, out: {n: int}, retry: 2}
outputs: {n: $f.n}
`
	for _, c := range []struct {
		name        string
		code        int
		bad, calls  int
		want, texts string
	}{
		{"a broken server", 500, 2, 3, `{"n":3}`, ""},
		{"broken too often", 500, 3, 3, "", "task f: sorry"},
		{"a wrong request", 400, 3, 1, "", "task f: sorry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, calls := newWorld(t), 0
			w.functions["f"] = func(in object) (int, any) {
				if calls++; calls <= c.bad {
					return refuses(c.code, "sorry")(in)
				}
				return w.gives(object{"n": calls})(in)
			}
			o := w.run(retried, "")
			if c.want != "" {
				succeeds(t, o, c.want)
			} else {
				fails(t, o, c.texts)
			}
			same(t, "calls", calls, c.calls)
		})
	}
}

func TestOnExit(t *testing.T) {
	const exits = `
pipeline: p
tasks:
  a: {function: work, out: {n: int}}
  b: {function: work, out: {n: int}}
onExit:
  notify: {function: notify, in: {state: $status.state, why: $status.error, n: $a.n}, cache: false}
outputs: {n: $a.n}
`
	w := newWorld(t)
	var told object
	w.functions["notify"] = func(in object) (int, any) {
		told = at(in, "inputs", "parameterValues").(object)
		return 200, object{}
	}
	w.functions["work"] = w.gives(object{"n": 1})
	succeeds(t, w.run(exits, ""), `{"n":1}`)
	same(t, "told after success", told, object{"state": "SUCCEEDED", "why": nil, "n": 1.0})

	w.functions["work"] = refuses(422, "no rows left")
	w.objects, w.execution = map[string][]byte{}, "second"
	fails(t, w.run(exits, ""), "no rows left", "UnhandledBranchError")
	same(t, "state", told["state"], any("FAILED"))
	if why, _ := at(told, "why", "message").(string); !strings.HasSuffix(why, ": no rows left") {
		t.Errorf("told why: %q", why)
	}
	same(t, "output of a failed task", told["n"], nil)

	w.functions["notify"] = refuses(400, "nobody to tell")
	fails(t, w.run(exits, ""), "no rows left")
	w.functions["work"] = w.gives(object{"n": 1})
	w.execution = "third"
	fails(t, w.run(exits, ""), "task notify: nobody to tell")
}

func TestCache(t *testing.T) {
	const cached = `
pipeline: p
params: {seed: 1}
tasks:
  make: {function: make, in: {seed: $params.seed}, out: {data: Dataset}}
  use: {function: use, in: {data: $make.data}, out: {n: int}}
  always: {function: always, cache: false}
outputs: {n: $use.n}
`
	w := newWorld(t)
	w.functions["make"], w.functions["use"], w.functions["always"] = w.gives(nil), w.gives(object{"n": 7}), w.gives(nil)
	step := func(execution, argument string, want ...string) {
		t.Helper()
		w.execution, w.logs = execution, nil
		succeeds(t, w.run(cached, argument), `{"n":7}`)
		same(t, "states in "+execution, w.states(), want)
	}
	step("first", "", "always SUCCEEDED", "make SUCCEEDED", "use SUCCEEDED")
	step("second", "", "always SUCCEEDED", "make CACHED", "use CACHED")
	i := slices.IndexFunc(w.logs, func(l object) bool { return l["state"] == "CACHED" })
	same(t, "because", w.logs[i]["because"], any("same inputs, code and image as execution first at 2026-03-04T05:06:07Z"))
	step("third", `{"seed":2}`, "always SUCCEEDED", "make SUCCEEDED", "use SUCCEEDED")
	delete(w.objects, "bkt/p/first/make/data")
	step("fourth", "", "always SUCCEEDED", "make SUCCEEDED", "use SUCCEEDED")
	step("fifth", "", "always SUCCEEDED", "make CACHED", "use CACHED")
}

const jobSpec = `
pipeline: p
tasks:
  train:
    job: {image: ko://./fit, args: [--fast, "--executor_input={{$}}"], timeout: 1h, replicas: 3}
    in: {rate: 0.1}
    out: {model: Model, score: double, steps: int}
    retry: 2
outputs: {score: $train.score, steps: $train.steps, uri: $train.model.uri}
`

// trains is a job that leaves its outputs: score by value, steps in a file.
func (w *world) trains(job object) (string, string) {
	in := w.executorInput(job)
	w.store(at(in, "outputs", "outputFile").(string), `{"parameterValues":{"score":1}}`)
	w.store(at(in, "outputs", "parameters", "steps", "outputFile").(string), "42\n")
	w.store(at(in, "outputs", "artifacts", "model", "artifacts", 0, "uri").(string), "model")
	return "JOB_STATE_SUCCEEDED", ""
}

const trained = `{"score":1.0,"steps":42,"uri":"gs://bkt/p/0123456789abcdef/train/model"}`

func TestJob(t *testing.T) {
	w := newWorld(t)
	w.train = w.trains
	succeeds(t, w.run(jobSpec, ""), trained)
	same(t, "labels", w.jobs[0]["labels"], any(object{
		"kakehi-pipeline": "p", "kakehi-execution": "0123456789abcdef", "kakehi-task": "train", "kakehi-attempt": "1",
	}))
	same(t, "scheduling", at(w.jobs[0], "jobSpec", "scheduling"), any(object{"timeout": "3600s", "restartJobOnWorkerRestart": false, "disableRetries": true}))
	for i, replicas := range []string{"1", "2"} {
		same(t, "replicas", at(w.jobs[0], "jobSpec", "workerPoolSpecs", i, "replicaCount"), any(replicas))
		same(t, "image", at(w.jobs[0], "jobSpec", "workerPoolSpecs", i, "containerSpec", "imageUri"), any("ko.local/fit@sha256:1"))
	}
	w.execution = "another"
	succeeds(t, w.run(jobSpec, ""), trained)
	same(t, "jobs, the second run cached", len(w.jobs), 1)
}

func TestJobFailures(t *testing.T) {
	for _, c := range []struct {
		name  string
		train func(w *world, job object) (string, string)
		jobs  int
		texts []string
	}{
		{"it fails", func(*world, object) (string, string) {
			return "JOB_STATE_FAILED", "The replica workerpool0-0 exited with a non-zero status of 1."
		}, 3, []string{"JobFailed", "task train: job projects/p/locations/us-central1/customJobs/3 ended in JOB_STATE_FAILED: The replica", `"job":"projects`}},
		{"it prints garbage", func(w *world, job object) (string, string) {
			w.store("/gcs/bkt/p/0123456789abcdef/train/executor_output.json", "accuracy: very good")
			return "JOB_STATE_SUCCEEDED", ""
		}, 1, []string{"BadOutput", "task train: ", "executor_output.json is not JSON: accuracy: very good"}},
		{"it leaves more than memory holds", func(w *world, job object) (string, string) {
			w.store("/gcs/bkt/p/0123456789abcdef/train/executor_output.json", `{"log":"`+strings.Repeat("x", 1<<20)+`"}`)
			return "JOB_STATE_SUCCEEDED", ""
		}, 1, []string{"BadOutput", "task train: ", "executor_output.json has 1048586 bytes, and may have 131072"}},
		{"an artifact is none", func(w *world, job object) (string, string) {
			w.store("/gcs/bkt/p/0123456789abcdef/train/executor_output.json", `{"artifacts":{"model":{"artifacts":["it"]}}}`)
			return "JOB_STATE_SUCCEEDED", ""
		}, 1, []string{"BadOutput", "task train: output model is not a list of artifacts"}},
		{"a parameter is no number", func(w *world, job object) (string, string) {
			w.trains(job)
			w.store("/gcs/bkt/p/0123456789abcdef/train/steps", "many")
			return "JOB_STATE_SUCCEEDED", ""
		}, 1, []string{"BadOutput", "task train: output steps must be of type int"}},
		{"it leaves nothing", func(*world, object) (string, string) { return "JOB_STATE_SUCCEEDED", "" }, 1,
			[]string{"task train: output score is missing"}},
		{"its time is over", func(*world, object) (string, string) { return "JOB_STATE_EXPIRED", "" }, 3,
			[]string{"ended in JOB_STATE_EXPIRED: no reason given"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.train = func(job object) (string, string) { return c.train(w, job) }
			fails(t, w.run(jobSpec, ""), c.texts...)
			same(t, "jobs", len(w.jobs), c.jobs)
		})
	}
}

func TestJobIsRetriedWithALabelOfItsOwn(t *testing.T) {
	w := newWorld(t)
	w.train = func(job object) (string, string) {
		if at(job, "labels", "kakehi-attempt") == "1" {
			return "JOB_STATE_FAILED", "bad luck"
		}
		return w.trains(job)
	}
	succeeds(t, w.run(jobSpec, ""), trained)
	same(t, "jobs", len(w.jobs), 2)
}

func TestJobIsAdopted(t *testing.T) {
	w := newWorld(t)
	w.train = w.trains
	t.Run("when its creation was cut off", func(t *testing.T) {
		cut := false
		w.disturb = func(r *http.Request) (*http.Response, error) {
			if r.Method != "POST" || !strings.HasSuffix(r.URL.Path, "/customJobs") || cut {
				return nil, nil
			}
			cut = true
			if response := w.vertex(r, readAll(t, r)); response.StatusCode != 200 {
				t.Errorf("create answered %d", response.StatusCode)
			}
			return nil, fmt.Errorf("read tcp: connection reset by peer")
		}
		succeeds(t, w.run(jobSpec, ""), trained)
		same(t, "jobs", len(w.jobs), 1)
	})
	t.Run("when the execution begins again", func(t *testing.T) {
		w.disturb = nil
		for name := range w.objects {
			if strings.HasPrefix(name, "bkt/cache/") {
				delete(w.objects, name)
			}
		}
		succeeds(t, w.run(jobSpec, ""), trained)
		same(t, "jobs", len(w.jobs), 1)
	})
}

func TestPlaceholders(t *testing.T) {
	const marks = `
pipeline: p
tasks:
  train:
    job:
      image: ko://./fit
      command: [run, "{{$.inputs.parameters['name']}}"]
      args: ["--n={{$.inputs.parameters['n']}}", "--out={{$.outputs.artifacts['model'].path}}", "{{$.outputs.output_file}}"]
    in: {n: 3, name: a b}
    out: {model: Model}
`
	w := newWorld(t)
	if o := w.run(marks, ""); o.State != interp.Succeeded {
		t.Fatal(result(o))
	}
	container := at(w.jobs[0], "jobSpec", "workerPoolSpecs", 0, "containerSpec")
	same(t, "command", at(container, "command"), any([]any{"run", "a b"}))
	same(t, "args", at(container, "args"), any([]any{
		"--n=3", "--out=/gcs/bkt/p/0123456789abcdef/train/model", "/gcs/bkt/p/0123456789abcdef/train/executor_output.json",
	}))
}

const sweep = `
pipeline: p
params: {rates: [3, 1, 2], floor: 0}
tasks:
  fit:
    foreach: {item: rate, in: $params.rates}
    when: rate > params.floor
    function: fit
    in: {rate: $rate}
    out: {model: Model, score: double}
  pick: {function: pick, in: {models: $fit.model, scores: $fit.score}, out: {n: int}}
outputs: {scores: $fit.score, n: $pick.n}
`

func TestForEach(t *testing.T) {
	for argument, want := range map[string]string{
		`{}`:           `{"scores":[30.0,10.0,20.0],"n":1}`,
		`{"floor":1}`:  `{"scores":[30.0,null,20.0],"n":1}`,
		`{"rates":[]}`: `{"scores":[],"n":1}`,
	} {
		w := newWorld(t)
		uris := map[string]bool{}
		w.functions["fit"] = func(in object) (int, any) {
			uris[at(in, "outputs", "artifacts", "model", "artifacts", 0, "uri").(string)] = true
			return w.gives(object{"score": given(in, "rate").(float64) * 10})(in)
		}
		w.functions["pick"] = w.gives(object{"n": 1})
		succeeds(t, w.run(sweep, argument), want)
		if argument == "{}" {
			same(t, "places", uris, map[string]bool{
				"gs://bkt/p/0123456789abcdef/fit/0/model": true, "gs://bkt/p/0123456789abcdef/fit/1/model": true, "gs://bkt/p/0123456789abcdef/fit/2/model": true,
			})
			same(t, "states", w.states(), []string{"fit[0] SUCCEEDED", "fit[1] SUCCEEDED", "fit[2] SUCCEEDED", "pick SUCCEEDED"})
		}
	}
}

func TestIterationsAreCachedByTheirItems(t *testing.T) {
	w := newWorld(t)
	w.functions["fit"], w.functions["pick"] = w.gives(object{"score": 1}), w.gives(object{"n": 1})
	w.run(sweep, `{"rates":[3,1,2]}`)
	w.execution, w.logs = "another", nil
	succeeds(t, w.run(sweep, `{"rates":[2,4]}`), `{"scores":[1.0,1.0],"n":1}`)
	same(t, "states", w.states(), []string{"fit[0] CACHED", "fit[1] SUCCEEDED", "pick SUCCEEDED"})
}

func TestForEachGoesOnAfterAFailure(t *testing.T) {
	w := newWorld(t)
	w.functions["fit"] = func(in object) (int, any) {
		if given(in, "rate") == 1.0 {
			return 422, failed(422, "it diverged")
		}
		return w.gives(object{"score": 1})(in)
	}
	fails(t, w.run(sweep, ""), "task fit[1]: it diverged")
	same(t, "states", w.states(), []string{"fit[0] SUCCEEDED", "fit[1] FAILED", "fit[2] SUCCEEDED"})
}

func TestSubPipelines(t *testing.T) {
	const nested = `
pipeline: p
tasks:
  other: {function: f, in: {x: 0}, out: {y: int}}
  many:
    foreach: [1, 2]
    pipeline:
      params: {x: {type: int}}
      tasks:
        a: {function: f, in: {x: $params.x}, out: {y: int}}
        b: {function: f, in: {x: $params.x}, out: {y: int}}
        sum: {function: f, in: {x: "${a.y + b.y}"}, out: {y: int}}
      outputs: {y: $sum.y}
    in: {x: $item}
outputs: {all: $many.y}
`
	w := newWorld(t)
	w.functions["f"] = func(in object) (int, any) {
		return w.gives(object{"y": int(given(in, "x").(float64)) + 1})(in)
	}
	succeeds(t, w.run(nested, ""), `{"all":[5,7]}`)
	same(t, "states", w.states(), []string{
		"many[0]/a SUCCEEDED", "many[0]/b SUCCEEDED", "many[0]/sum SUCCEEDED",
		"many[1]/a SUCCEEDED", "many[1]/b SUCCEEDED", "many[1]/sum SUCCEEDED", "other SUCCEEDED",
	})
}

// A subworkflow does not take the name of a task.
func TestSubworkflowNamesAreTheirOwn(t *testing.T) {
	const twins = `
pipeline: p
tasks:
  s: {pipeline: {tasks: {a: {function: f, out: {y: int}}}, outputs: {y: $a.y}}}
  s_pipeline: {function: f, in: {x: $s.y}, out: {y: int}}
outputs: {y: $s_pipeline.y}
`
	w := newWorld(t)
	w.functions["f"] = w.gives(object{"y": 1})
	succeeds(t, w.run(twins, ""), `{"y":1}`)
	p, err := spec.Parse("pipeline.yaml", []byte(twins), spec.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := compile.Compile(p, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, wf := range made.Workflows {
		if wf.Name == "s_pipeline" {
			t.Error("the subworkflow of s has the name of a task")
		}
	}
}

func TestHTTPTask(t *testing.T) {
	const calls = `
pipeline: p
tasks:
  ask:
    http: {url: "https://score-12.us-central1.run.app/v1/x", auth: OIDC, body: {n: 3}}
    out: {score: double}
outputs: {score: $ask.score}
`
	w := newWorld(t)
	w.functions["score"] = func(in object) (int, any) { return 200, object{"score": in["n"]} }
	succeeds(t, w.run(calls, ""), `{"score":3.0}`)
	w.functions["score"] = func(in object) (int, any) { return 200, object{} }
	fails(t, w.run(calls, ""), "task ask: output score is missing")
}
