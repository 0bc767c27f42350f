package spec

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
)

// good is the spec that TestMutations breaks, in one way at a time.
const good = `pipeline: good
description: A spec without a mistake.
params:
  data: {type: Dataset, default: gs://$bucket/x.csv}
  least: 0.9
  seed: 42
  names: [a, b]
tasks:
  clean:
    function: clean
    in: {data: $params.data, seed: $params.seed}
    out: {rows: Dataset, n: int}
    retry: {max: 2, backoff: 5s, max_backoff: 1m, multiplier: 2}
    timeout: 10m
    cache: true
  each:
    foreach: {item: name, in: $params.names, parallelism: 2}
    function: each
    in: {name: $name}
    out: {ok: bool}
  train:
    job: {image: "ko://./train", machine: n1-standard-4, accelerator: 1 x NVIDIA_TESLA_T4, replicas: 2, disk: 200GB, timeout: 1h, spot: false, args: [--seed, $params.seed], env: {A: b}}
    in: {rows: $clean.rows, all: $each.ok}
    out: {model: Model, score: double}
    retry: 2
  call:
    http: {method: POST, url: "https://example.com/", headers: {A: b}, body: {x: $clean.n}, auth: OIDC, audience: "https://example.com"}
    out: {id: string}
    after: [train]
  ask:
    approve: Release $call.id?
    out: {yes_: bool}
  release:
    when: train.score >= params.least and ask.yes_
    serve: {service: good, model: $train.model, golden: $clean.rows, cpu: 1, memory: 512Mi, min_instances: 0, max_instances: 3, concurrency: 10, public: false}
    rollout: {steps: [5, 100], interval: 60s, slo: {errors: 1%, p95: 200ms}, undecided: hold, deadline: 1h, min_sample: 50}
  shift:
    rollout: {service: other, steps: [50, 100]}
    after: release
  sub:
    pipeline:
      params: {n: {type: int}}
      tasks: {inner: {function: inner, in: {n: $params.n}, out: {m: int}}}
      outputs: {m: $inner.m}
    in: {n: $clean.n}
onExit:
  tell:
    function: tell
    in: {state: $status.state}
outputs:
  score: $train.score
  m: $sub.m
triggers:
  - pubsub: topic
    in: {data: $event.uri}
    cooldown: 1h
    budget: 2 per day
`

// A mutation replaces the first old with new.
type mutation struct{ old, new string }

var mutations = []mutation{
	// Whole file.
	{good, ""}, {good, "\n\n"}, {good, "null"}, {good, "42"}, {good, "text"}, {good, "[]"}, {good, "{}"}, {good, "pipeline: x"},
	{good, "tasks: {}"}, {good, "\x00"}, {good, "\xff\xfe"}, {good, "{"}, {good, "}"}, {good, "---\n---\n"}, {good, "%YAML 9\n---\n"},
	{good, "&a [*a]"}, {good, "*a"}, {good, "!!binary AA=="}, {good, strings.Repeat("[", 20000)}, {good, strings.Repeat("a: {", 500)},
	{good, strings.Repeat("- ", 20000)}, {good, strings.Repeat("x", maxBytes+1)}, {good, "pipeline: p\ntasks: " + strings.Repeat("{a: ", 100) + strings.Repeat("}", 100)},
	// Characters.
	{"pipeline: good", "pipeline: g\xffd"}, {"description: A", "description: \x01A"}, {"params:\n  data", "params:\n\tdata"}, {"tasks:", "tasks: *x"},
	{"tasks:", "tasks: !x"}, {"tasks:\n", "tasks:\n  <<: {a: b}\n"}, {"  clean:\n", "  clean: &c\n    <<: *c\n"}, {"  clean:\n", "  ? [a, b]\n  : {function: f}\n  clean:\n"},
	{"outputs:", "---\noutputs:"}, {"outputs:", "...\noutputs:"}, {"A spec", "\"A spec"}, {"[a, b]", "[a, b"}, {"{ok: bool}", "{ok: bool"}, {"{ok: bool}", "ok: bool}"},
	{"    cache: true", "   cache: true"}, {"    cache: true", "      cache: true"}, {"pipeline: good", "pipeline: @good"}, {"pipeline: good", "pipeline: `good`"},
	// Names.
	{"pipeline: good", "pipeline: Good"}, {"pipeline: good", "pipeline: 3"}, {"pipeline: good", "pipeline:"}, {"pipeline: good", "pipeline: []"}, {"pipeline: good", "pipeline: a b"},
	{"pipeline: good", "pipeline: -x"}, {"pipeline: good", "pipeline: " + strings.Repeat("x", 64)}, {"pipeline: good", "name: good"}, {"pipeline: good\n", ""},
	{"  clean:\n", "  Clean:\n"}, {"  clean:\n", "  text:\n"}, {"  clean:\n", "  params:\n"}, {"  clean:\n", "  train:\n"}, {"  clean:\n", "  1:\n"}, {"  clean:\n", "  not:\n"},
	{"  clean:\n", "  cl-ean:\n"}, {"  clean:\n", "  événement:\n"}, {"  tell:\n", "  clean:\n"}, {"least: 0.9", "Least: 0.9"}, {"item: name", "item: sys"}, {"item: name", "item: clean"}, {"item: name", "item: 3"},
	// Keys.
	{"description:", "descriptoin:"}, {"params:", "parameters:"}, {"tasks:\n", "steps:\n"}, {"onExit:", "onexit:"}, {"outputs:\n", "results:\n"}, {"triggers:", "trigger:"},
	{"    function: clean", "    functoin: clean"}, {"    retry: 2", "    retries: 2"}, {"    timeout: 10m", "    time_out: 10m"}, {"    cache: true", "    cached: true"},
	{"    when:", "    if:"}, {"{max: 2,", "{maximum: 2,"}, {"{item: name,", "{items: name,"}, {"{image:", "{picture:"}, {"machine:", "machineType:"}, {"slo:", "slos:"},
	{"{errors:", "{error_rate:"}, {"p95:", "p99:"}, {"{method:", "{verb:"}, {"service: good,", ""}, {"model: $train.model,", ""}, {"steps: [5, 100],", ""}, {"url: \"https://example.com/\",", ""},
	{"image: \"ko://./train\",", ""}, {"in: $params.names,", ""}, {"{type: Dataset, default", "{kind: Dataset, default"}, {"  - pubsub: topic\n    in", "  - in"}, {"    function: each\n", ""},
	{"    function: each\n", "    function: each\n    approve: ok\n"}, {"seed: 42", "seed: 42\n  seed: 43"}, {"    cache: true", "    cache: true\n    cache: true"},
	// Types of keys.
	{"description: A spec without a mistake.", "description: [a]"}, {"description: A spec without a mistake.", "description: 3"}, {"least: 0.9", "least:"}, {"least: 0.9", "least: {}"},
	{"least: 0.9", "least: {default: .nan}"}, {"least: 0.9", "least: .inf"}, {"least: 0.9", "least: \"0.9\""}, {"least: 0.9", "least: {type: double, default: high}"}, {"least: 0.9", "least: {type: list, default: 0.9}"},
	{"least: 0.9", "least: 1e999"}, {"seed: 42", "seed: 99999999999999999999"}, {"seed: 42", "seed: 042"}, {"seed: 42", "seed: {type: int, default: 4.5}"}, {"seed: 42", "seed: {type: integer}"},
	{"seed: 42", "seed: {type: Int}"}, {"seed: 42", "seed: {type: [int]}"}, {"type: Dataset, default: gs://$bucket/x.csv", "type: Dataset, default: /x.csv"}, {"gs://$bucket/x.csv", "$params.seed"},
	{"gs://$bucket/x.csv", "$clean.rows"}, {"gs://$bucket/x.csv", "3"}, {"params:\n", "params: 3\nparam:\n"}, {"    function: clean", "    function: [clean]"}, {"    function: clean", "    function: Clean-up"},
	{"    function: clean", "    function:"}, {"in: {data: $params.data, seed: $params.seed}", "in: $params.data"}, {"in: {data: $params.data, seed: $params.seed}", "in: [1]"},
	{"out: {rows: Dataset, n: int}", "out: [rows]"}, {"out: {rows: Dataset, n: int}", "out: Dataset"}, {"n: int}", "n: 3}"}, {"n: int}", "n: number}"}, {"n: int}", "n-n: int}"},
	{"timeout: 10m", "timeout: 600"}, {"timeout: 10m", "timeout: ten minutes"}, {"timeout: 10m", "timeout: -1m"}, {"timeout: 10m", "timeout: 10"}, {"timeout: 10m", "timeout: []"}, {"timeout: 10m", "timeout: 31m"},
	{"timeout: 10m", "timeout: 0s"}, {"timeout: 10m", "timeout: 1e9s"}, {"timeout: 10m", "timeout: 999999999999d"}, {"timeout: 1h", "timeout: 366d"}, {"cache: true", "cache: yes"}, {"cache: true", "cache: 1"},
	{"cache: true", "cache: maybe"}, {"retry: 2", "retry: two"}, {"retry: 2", "retry: -1"}, {"retry: 2", "retry: 101"}, {"retry: 2", "retry: 1.5"}, {"retry: 2", "retry: [2]"}, {"retry: 2", "retry: 99999999999"},
	{"max: 2", "max: -2"}, {"backoff: 5s", "backoff: 5"}, {"backoff: 5s", "backoff: 2m"}, {"multiplier: 2", "multiplier: 0"}, {"multiplier: 2", "multiplier: x"}, {"max_backoff: 1m", "max_backoff: 400d"},
	// References and expressions.
	{"$params.data,", "$params.dat,"}, {"$params.data,", "$param.data,"}, {"$params.data,", "$data,"}, {"$params.data,", "$params,"}, {"$params.data,", "$ params.data,"}, {"$params.data,", "$5,"},
	{"$params.data,", "a $,"}, {"$params.data,", "$train.model,"}, {"$params.data,", "$clean.rows,"}, {"$params.data,", "x $params.data,"}, {"$params.data,", "$params.data.rows,"}, {"$params.data,", "$params.seed.x,"},
	{"$params.data,", "\"${params.data\","}, {"$params.data,", "\"${}\","}, {"$params.data,", "\"${1 +}\","}, {"$params.data,", "\"${$params.data}\","}, {"$params.data,", "\"${nope(1)}\","}, {"$params.data,", "\"${sys.sleep(1)}\","},
	{"$params.data,", "\"${len()}\","}, {"$params.data,", "\"${1 + null}\","}, {"$params.data,", "\"${[1] + [2]}\","}, {"$params.data,", "\"${params.names[1.5]}\","}, {"$params.data,", "\"${params.seed[0]}\","},
	{"$params.data,", "\"${not params.seed}\","}, {"$params.data,", "\"${true and 1}\","}, {"$params.data,", "\"${1 in 2}\","}, {"$params.data,", "\"${true < false}\","}, {"$params.data,", "$event.x,"}, {"$params.data,", "$status.state,"},
	{"$params.data,", "$tell.x,"}, {"$params.data,", "\"${" + strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000) + "}\","}, {"$params.data,", "\"${" + strings.Repeat("1+", 40000) + "1}\","}, {"$params.data,", strings.Repeat("$bucket", 300) + ","},
	{"$clean.rows, all", "$clean.row, all"}, {"$clean.rows, all", "$clean, all"}, {"$each.ok}", "$each.okay}"}, {"in: $params.names,", "in: $params.seed,"}, {"in: $params.names,", "in: 3,"}, {"in: $params.names,", "in: $name,"},
	{"parallelism: 2", "parallelism: 0"}, {"parallelism: 2", "parallelism: all"}, {"parallelism: 2", "parallelism: 99999999999"}, {"foreach: {item: name, in: $params.names, parallelism: 2}", "foreach: 3"},
	{"when: train.score >= params.least and ask.yes_", "when: train.score"}, {"when: train.score >= params.least and ask.yes_", "when: train.score >= \"0.9\""}, {"when: train.score >= params.least and ask.yes_", "when:"},
	{"when: train.score >= params.least and ask.yes_", "when: train.score >="}, {"when: train.score >= params.least and ask.yes_", "when: train.score = 1"}, {"when: train.score >= params.least and ask.yes_", "when: $train.score > 1"},
	{"when: train.score >= params.least and ask.yes_", "when: [true]"}, {"when: train.score >= params.least and ask.yes_", "when: 1"}, {"when: train.score >= params.least and ask.yes_", "when: release.url == null"},
	{"when: train.score >= params.least and ask.yes_", "when: ask.yes_ == \"true\""}, {"when: train.score >= params.least and ask.yes_", "when: train.model"}, {"when: train.score >= params.least and ask.yes_", "when: \"\""},
	{"after: [train]", "after: [trian]"}, {"after: [train]", "after: 3"}, {"after: [train]", "after: {train: true}"}, {"after: [train]", "after: [call]"}, {"after: [train]", "after: [release]"}, {"after: release", "after: tell"},
	{"score: $train.score", "score: $train.scores"}, {"score: $train.score", "score: $tell.x"}, {"score: $train.score", "Score: $train.score"}, {"outputs:\n  score", "outputs:\n  - score"},
	{"state: $status.state", "state: $statuses.state"}, {"state: $status.state", "state: $tell.x"},
	// Cycles.
	{"in: {data: $params.data, seed: $params.seed}", "in: {data: $train.model}"}, {"in: {data: $params.data, seed: $params.seed}", "in: {x: $release.url}"}, {"in: {data: $params.data, seed: $params.seed}", "after: shift"},
	// Jobs.
	{"machine: n1-standard-4", "machine: n1-standard-3"}, {"machine: n1-standard-4", "machine: e2-standard-4"}, {"machine: n1-standard-4", "machine: g2-standard-4"}, {"machine: n1-standard-4", "machine: a2-highgpu-1g"}, {"machine: n1-standard-4", "machine: cloud-tpu"},
	{"machine: n1-standard-4", "machine: 4"}, {"machine: n1-standard-4", "machine: n4-standard-4"}, {"machine: n1-standard-4, ", ""}, {"1 x NVIDIA_TESLA_T4", "3 x NVIDIA_TESLA_T4"}, {"1 x NVIDIA_TESLA_T4", "8 x NVIDIA_TESLA_T4"},
	{"1 x NVIDIA_TESLA_T4", "NVIDIA_L4"}, {"1 x NVIDIA_TESLA_T4", "NVIDIA_TESLA_T5"}, {"1 x NVIDIA_TESLA_T4", "T4"}, {"1 x NVIDIA_TESLA_T4", "0 x NVIDIA_TESLA_T4"}, {"1 x NVIDIA_TESLA_T4", "[NVIDIA_TESLA_T4]"}, {"1 x NVIDIA_TESLA_T4", "99999999999 x NVIDIA_TESLA_T4"},
	{"1 x NVIDIA_TESLA_T4", "1 * NVIDIA_TESLA_T4"}, {"replicas: 2", "replicas: 0"}, {"replicas: 2", "replicas: two"}, {"replicas: 2", "replicas: -1"}, {"disk: 200GB", "disk: 200"}, {"disk: 200GB", "disk: 20GB"}, {"disk: 200GB", "disk: 200TB"},
	{"disk: 200GB", "disk: {size: 200GB, type: floppy}"}, {"disk: 200GB", "disk: 200500Mi"}, {"disk: 200GB", "disk: 99999999999999999999GB"}, {"disk: 200GB", "disk: [200GB]"}, {"timeout: 1h,", "timeout: forever,"}, {"spot: false", "spot: cheap"},
	{"ko://./train", "ko://train"}, {"ko://./train", "ko://./../train"}, {"ko://./train", "train"}, {"ko://./train", "gcr.io/Acme/Train"}, {"ko://./train", "gcr.io/a b"}, {"ko://./train", "docker://x"}, {"args: [--seed, $params.seed]", "args: [$clean.rows]"},
	{"args: [--seed, $params.seed]", "args: {a: b}"}, {"env: {A: b}", "env: [A]"}, {"env: {A: b}", "env: {A: $params.names}"}, {"env: {A: b}", "service_account: me"}, {"env: {A: b}", "base_output: /out"}, {"env: {A: b}", "jobSpec: {workerPoolSpecs: []}"},
	{"job: {image: \"ko://./train\"", "job: {jobSpec: 3, image: \"ko://./train\""}, {"    retry: 2", "    retry: 2\n    timeout: 2h"},
	// HTTP and approval.
	{"method: POST", "method: FETCH"}, {"method: POST", "method: post"}, {"url: \"https://example.com/\"", "url: example.com"}, {"url: \"https://example.com/\"", "url: $clean.rows"}, {"url: \"https://example.com/\"", "url: 3x"}, {"auth: OIDC", "auth: oidc"},
	{"auth: OIDC", "auth: OAuth2"}, {"auth: OIDC, ", ""}, {"headers: {A: b}", "headers: [A]"}, {"headers: {A: b}", "headers: {A: $params.names}"}, {"out: {id: string}", "out: {id: Model}"}, {"approve: Release $call.id?", "approve: [x]"},
	{"approve: Release $call.id?", "approve:"}, {"approve: Release $call.id?", "approve: $clean.rows"}, {"out: {yes_: bool}", "in: {x: 1}"}, {"out: {yes_: bool}", "out: {yes_: bool}\n    retry: 3"},
	// Serving and rollout.
	{"service: good", "service: Good"}, {"service: good", "service: $params.seed"}, {"service: good", "service: " + strings.Repeat("x", 39)}, {"service: good", "service: x-"}, {"model: $train.model", "model: $clean.rows"}, {"model: $train.model", "model: gs://b/m"},
	{"golden: $clean.rows", "golden: $train.model"}, {"golden: $clean.rows", "golden: rows.csv"}, {"cpu: 1", "cpu: 3"}, {"cpu: 1", "cpu: 0.01"}, {"cpu: 1", "cpu: fast"}, {"cpu: 1", "cpu: 0.5"}, {"cpu: 1", "cpu: 8"}, {"memory: 512Mi", "memory: 512"},
	{"memory: 512Mi", "memory: 8Gi"}, {"memory: 512Mi", "memory: 1Mi"}, {"min_instances: 0", "min_instances: -1"}, {"min_instances: 0", "min_instances: 5"}, {"max_instances: 3", "max_instances: 0"}, {"concurrency: 10", "concurrency: 0"}, {"concurrency: 10", "concurrency: 1001"},
	{"public: false", "public: nobody"}, {"steps: [5, 100]", "steps: []"}, {"steps: [5, 100]", "steps: [5]"}, {"steps: [5, 100]", "steps: [100, 5]"}, {"steps: [5, 100]", "steps: [5, 5, 100]"}, {"steps: [5, 100]", "steps: [0, 100]"}, {"steps: [5, 100]", "steps: [5, 101]"},
	{"steps: [5, 100]", "steps: 100"}, {"steps: [5, 100]", "steps: [5%, 100%]"}, {"steps: [5, 100]", "steps: [a]"}, {"interval: 60s", "interval: 60"}, {"interval: 60s", "interval: 0s"}, {"interval: 60s", "interval: 366d"}, {"interval: 60s", "interval: $params.names"},
	{"errors: 1%", "errors: 0.01"}, {"errors: 1%", "errors: 101%"}, {"errors: 1%", "errors: 100%"}, {"errors: 1%", "errors: few"}, {"p95: 200ms", "p95: 200"}, {"p95: 200ms", "p95: 0ms"}, {"undecided: hold", "undecided: wait"}, {"deadline: 1h", "deadline: 0s"}, {"deadline: 1h", "deadline: 400d"},
	{"min_sample: 50", "min_sample: 0"}, {"min_sample: 50", "min_sample: many"}, {"min_sample: 50", "service: good"}, {"{service: other, ", "{"}, {"    after: release", "    in: {a: 1}"}, {"    after: release", "    out: {a: int}"}, {"    after: release", "    cache: true"},
	// Sub-pipelines.
	{"    in: {n: $clean.n}", ""}, {"    in: {n: $clean.n}", "    in: {m: $clean.n}"}, {"    in: {n: $clean.n}", "    in: {n: $clean.rows}"}, {"    in: {n: $clean.n}", "    in: {n: text}"}, {"    in: {n: $clean.n}", "    in: {n: 1}\n    out: {m: int}"},
	{"in: {n: $params.n}", "in: {n: $params.seed}"}, {"in: {n: $params.n}", "in: {n: $clean.n}"}, {"outputs: {m: $inner.m}", "outputs: {k: $inner.m}"}, {"outputs: {m: $inner.m}", "triggers: []"}, {"      tasks: {inner:", "      task: {inner:"},
	{"    pipeline:\n      params", "    pipeline: ./a.yaml\n    x:\n      params"}, {"    pipeline:\n      params", "    pipeline: a.yaml\n    x:\n      params"}, {"    pipeline:\n      params", "    pipeline: /a.yaml\n    x:\n      params"},
	{"    pipeline:\n      params", "    pipeline: ./good.yaml\n    x:\n      params"}, {"    pipeline:\n      params", "    pipeline: [1]\n    x:\n      params"},
	// Triggers.
	{"pubsub: topic", "pubsub: x"}, {"pubsub: topic", "pubsub: [topic]"}, {"pubsub: topic", "schedule: daily"}, {"pubsub: topic", "schedule: 61"}, {"pubsub: topic", "object: s3://x"}, {"pubsub: topic", "object: 3"}, {"pubsub: topic", "object: $event.x"},
	{"pubsub: topic", "pubsub: topic\n    object: gs://b/"}, {"in: {data: $event.uri}", "in: {date: $event.uri}"}, {"in: {data: $event.uri}", "in: {data: $clean.rows}"}, {"in: {data: $event.uri}", "in: {seed: text}"}, {"cooldown: 1h", "cooldown: 1"},
	{"budget: 2 per day", "budget: 2"}, {"budget: 2 per day", "budget: 0 per day"}, {"budget: 2 per day", "budget: 2 per week"}, {"  - pubsub: topic", "  - 3\n  - pubsub: topic"}, {"triggers:\n  - pubsub", "triggers:\n    pubsub"},
	{"least: 0.9", "least: 0.9\n  must: {type: int}"},
}

func TestMutations(t *testing.T) {
	none := Options{ReadFile: func(name string) ([]byte, error) { return nil, fmt.Errorf("open %s: %w", name, os.ErrNotExist) }}
	if _, err := Parse("good.yaml", []byte(good), none); err != nil {
		t.Fatal(err)
	}
	if len(mutations) < 200 {
		t.Errorf("only %d mutations", len(mutations))
	}
	for i, m := range mutations {
		if !strings.Contains(good, m.old) {
			t.Errorf("%d: %q is not in the spec", i, m.old)
			continue
		}
		src := []byte(strings.Replace(good, m.old, m.new, 1))
		_, err := Parse("good.yaml", src, none)
		if err == nil {
			t.Errorf("%d: %q for %q is no mistake", i, quote(m.new), quote(m.old))
			continue
		}
		positioned(t, map[string][]byte{"good.yaml": src}, err)
	}
}

// Every key with a value of another kind, and without its value.
func TestEveryValueOfAnotherKind(t *testing.T) {
	lines := strings.Split(strings.TrimRight(good, "\n"), "\n")
	for i, line := range lines {
		for _, value := range []string{"3", "[3]", "{x-y: 3}", "text here", "$nothing.at_all", "", "!!binary AA==", "2024-01-01"} {
			colon := strings.Index(line, ": ")
			if colon < 0 {
				colon = len(line) - 1
			}
			mutant := append([]string{}, lines...)
			mutant[i] = line[:colon] + ": " + value
			checkMutant(t, strings.Join(mutant, "\n"))
		}
	}
}

// Every line left out, doubled, moved in and cut short.
func TestEveryLineBroken(t *testing.T) {
	lines := strings.Split(strings.TrimRight(good, "\n"), "\n")
	for i, line := range lines {
		for _, with := range [][]string{{}, {line, line}, {"  " + line}, {line[:len(line)/2]}, {"\t" + line}, {strings.TrimSpace(line)}} {
			mutant := append(append(append([]string{}, lines[:i]...), with...), lines[i+1:]...)
			checkMutant(t, strings.Join(mutant, "\n"))
		}
	}
}

// checkMutant checks that a spec, if it is refused at all, is refused well.
func checkMutant(t *testing.T, src string) {
	t.Helper()
	p, err := Parse("good.yaml", []byte(src), Options{})
	if err != nil {
		positioned(t, map[string][]byte{"good.yaml": []byte(src)}, err)
		return
	}
	for _, d := range p.Validate() {
		if d.Severity == diag.Error {
			t.Errorf("%v was not reported by Parse in:\n%s", d, src)
		}
	}
}
