package stub

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

func parse(t testing.TB, src string) *File {
	t.Helper()
	f, warnings, err := Parse("stubs.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	return f
}

// run runs a definition with stubs in virtual time and returns the result as
// JSON, or "! " with the payload of the error.
func run(t testing.TB, source string, files ...*File) string {
	t.Helper()
	f, err := workflow.Parse("main.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	stubbed := Stubbed(f, stdlib.Funcs(), files...)
	if err := workflow.Check(f, workflow.CheckOptions{Functions: Signature(stdlib.Signature, stubbed)}).Err(); err != nil {
		t.Fatal(err)
	}
	p, err := interp.New(f, Library(stdlib.Funcs(), stubbed))
	if err != nil {
		t.Fatal(err)
	}
	o := p.Run(context.Background(), nil, interp.Config{
		Stubs: NewSet(files...), Clock: interp.NewVirtualClock(time.Time{}), HTTP: network{},
	})
	if o.State != interp.Succeeded {
		return "! " + string(value.MustJSON(o.Err.Payload))
	}
	return string(value.MustJSON(o.Result))
}

// network answers what no stub does.
type network struct{}

func (network) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" {
		return nil, errors.New("unexpected credentials")
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("from outside"))}, nil
}

// gets calls http.get n times and returns what came of each, with the seconds
// that passed.
const gets = `
main:
  steps:
    - init:
        assign: [{all: []}, {start: "${sys.now()}"}]
    - loop:
        for:
          value: v
          range: [1, 4]
          steps:
            - get:
                try:
                  call: http.get
                  args: {url: "${\"https://example.com/\" + v}", query: {q: "1"}}
                  result: r
                except:
                  as: e
                  steps:
                    - failed:
                        assign: [{r: {body: "${map.get(e, \"code\")}", tags: "${map.get(e, \"tags\")}"}}]
            - keep:
                assign: [{all: "${list.concat(all, r.body)}"}]
    - done:
        return: ["${all}", "${sys.now() - start}"]
`

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ name, stubs, source, want string }{
		{"a sequence that repeats its last", `
stubs:
  - url: https://example.com/*
    answers:
      - {status: 503}
      - {body: {n: 2}, delay: 5}
      - {body: text, delay: 1m}
`, gets, `[[503,{"n":2},"text","text"],125.0]`},
		{"times, then the next stub", `
stubs:
  - url: https://example.com/*
    answers: [{status: 500, times: 2}]
    exhausted: pass
  - call: http.*
    url: https://example.com/3
    answer: {error: {tags: [ConnectionError]}}
`, gets, `[[500,500,null,"from outside"],0.0]`},
		{"a run that fails", `
stubs:
  - method: get
    answers: [{status: 500}]
    exhausted: fail
`, gets, `! {"message":"the stub at stubs.yaml:3:5 (method GET) has been asked 2 times, and has no more answers","tags":["StubError"]}`},
		{"nothing goes out", "stubs: []\nunmatched: refuse\n", gets,
			`! {"message":"no stub answers GET https://example.com/1?q=1, sent by http.get in step \"get\" of main","tags":["StubError"]}`},
		{"a query that is asked for", `
stubs:
  - url: https://example.com/*?q=1
    answer: {body: with}
`, gets, `[["with","with","with","with"],0.0]`},
		{"expressions", `
stubs:
  - url: https://example.com/*
    answer:
      body: ["${attempt}", "${args.query.q}", "${method + url}"]
`, gets, `[[[1,"1","GEThttps://example.com/1?q=1"],[2,"1","GEThttps://example.com/2?q=1"],[3,"1","GEThttps://example.com/3?q=1"],[4,"1","GEThttps://example.com/4?q=1"]],0.0]`},
		{"an expression that fails", `
stubs:
  - url: https://example.com/*
    answer: {body: "${args.nothing}"}
`, gets, `! {"message":"the stub at stubs.yaml:4:13 cannot answer: key not found: nothing\nin step \"answer\", routine \"main\", line: 4","tags":["StubError"]}`},
		{"results of calls, by arguments", `
stubs:
  - {call: http.get, args: {url: https://example.com/2}, answer: {result: {body: second}}}
  - {call: http.get, answer: {result: {body: other, code: 200}}}
`, gets, `[["other","second","other","other"],0.0]`},
		{"steps and subworkflows", `
stubs:
  - {step: sub.double, answer: {result: "${args.x * 2}"}}
  - {call: sub, args: {x: 1}, answer: {result: stubbed, delay: 1h}}
  - {call: acme.create_*, answer: {result: {name: "${args.name}"}}}
  - {call: sys.sleep, answer: {result: null}}
`, `
main:
  steps:
    - a: {call: sub, args: {x: 1}, result: a}
    - b: {call: sub, args: {x: 4}, result: b}
    - c: {call: acme.create_job, args: {name: j}, result: c}
    - d: {call: sys.sleep, args: {seconds: 1000}}
    - e: {return: ["${a}", "${b}", "${c}", "${sub(1)}", "${time.format(sys.now())}"]}
sub:
  params: [x]
  steps:
    - double: {call: twice, args: {x: "${x}"}, result: y}
    - r: {return: "${y}"}
twice:
  params: [x]
  steps: [{r: {raise: "not called"}}]
`, `["stubbed",8,{"name":"j"},"stubbed","2026-01-01T02:00:00Z"]`},
		{"a connector that polls", `
stubs:
  - method: POST
    url: https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/customJobs
    answer: {body: {name: projects/p/locations/us-central1/customJobs/1, state: JOB_STATE_PENDING}}
  - method: GET
    url: https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/customJobs/1
    answers:
      - {body: {name: projects/p/locations/us-central1/customJobs/1, state: JOB_STATE_RUNNING}, times: 2}
      - {status: 503}
      - {body: {name: projects/p/locations/us-central1/customJobs/1, state: JOB_STATE_SUCCEEDED}}
`, `
- job:
    call: googleapis.aiplatform.v1.projects.locations.customJobs.create
    args: {parent: projects/p/locations/us-central1, region: us-central1, body: {displayName: d}}
    result: job
- r: {return: "${job.state}"}
`, `"JOB_STATE_SUCCEEDED"`},
		{"errors", `
stubs:
  - call: http.get
    answers:
      - {error: "a text"}
      - {error: {tags: [TimeoutError], code: 7, more: true}}
`, `
- a: {try: {call: http.get, args: {url: "https://a"}}, except: {as: e, steps: [{x: {assign: [{e1: "${e}"}]}}]}}
- b: {call: http.get, args: {url: "https://a"}}
`, `! {"message":"raised by a stub","tags":["TimeoutError"],"code":7,"more":true}`},
		{"a function that no stub answers", "stubs: [{call: acme.create_job, args: {name: other}, answer: {result: 1}}]", `
- a: {call: acme.create_job, args: {name: this}}
`, `! {"message":"acme.create_job is not emulated, and no stub has an answer to this call","tags":["ValueError"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := c.source
			if strings.Contains(source, "e1:") {
				source = "- i: {assign: [{e1: null}]}\n" + strings.TrimPrefix(source, "\n")
			}
			if got := run(t, source, parse(t, c.stubs)); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"an empty file", "# nothing", `stubs.yaml:1:1: the file is empty (begin with: stubs:) [empty]`},
		{"a list", "[1]", `stubs.yaml:1:1: a stub file is a map, not a list (its keys are stubs, connectors, unmatched) [wrong-type]`},
		{"no YAML", "stubs: [", `stubs.yaml:1:9: parse error: while parsing a flow node`},
		{"an expression", `
stubs:
  - args: [1]
    answer: {body: "${args.n +}"}
`, `stubs.yaml:4:31: parse error: unexpected the end of the expression, expecting a value [expression]`},
		{"many", `
stubs:
  - cal: http.get
    answer: {result: 1}
  - call: http.get
  - call: http.get
    url: https://a
    answers:
      - {result: 1}
      - {status: 99}
      - {delay: soon, body: 1}
      - {error: TimeoutError}
      - {error: 5}
      - {status: 200, result: 1}
      - {times: 0, result: 1}
      - {result: "${nothing + 1}"}
    exhausted: never
  - 5
  - args: [1]
    answer: {body: 1}
unmatchd: pass
`, `stubs.yaml:3:5: a stub has no key "cal" (did you mean "call"?) [unknown-key]
stubs.yaml:5:5: the stub has no answer (answer: {result: …}, or {status: 200, body: …}, or {error: …}) [missing-key]
stubs.yaml:9:9: this stub answers requests, which have no result (write body instead, or leave url, method and status out) [mixed]
stubs.yaml:10:18: an integer from 100 to 599 belongs here, not 99 [wrong-type]
stubs.yaml:11:17: a number of seconds or a duration such as 1h30m belongs here, not the text "soon" [wrong-type]
stubs.yaml:12:17: a text is raised as it is, and TimeoutError looks like a tag (error: {tags: [TimeoutError]}) [wrong-type]
stubs.yaml:13:17: an error is a map or a text, not 5 [wrong-type]
stubs.yaml:14:9: this stub answers requests, which have no result (write body instead, or leave url, method and status out) [mixed]
stubs.yaml:14:9: an answer has one of result, error, and a response (status, headers, body) [wrong-keys]
stubs.yaml:15:9: this stub answers requests, which have no result (write body instead, or leave url, method and status out) [mixed]
stubs.yaml:15:17: an integer from 1 on belongs here, not 0 [wrong-type]
stubs.yaml:16:9: this stub answers requests, which have no result (write body instead, or leave url, method and status out) [mixed]
stubs.yaml:16:21: symbol 'nothing' is neither a variable nor a sub-workflow name [unknown-name]
stubs.yaml:17:16: "never" is none of repeat, pass, fail (one of repeat, pass, fail) [wrong-value]
stubs.yaml:18:5: a stub is a map, not 5 (its keys are call, step, args, url, method, answer, answers, exhausted) [wrong-type]
stubs.yaml:19:11: args is a map of arguments by name, not a list [wrong-type]
stubs.yaml:21:1: a stub file has no key "unmatchd" (did you mean "unmatched"?) [unknown-key]`},
		{"a function that computes", "stubs: [{call: sys.now, answer: {result: 1}}]",
			`stubs.yaml:1:16: sys.now computes at once: nobody asks a stub (--env, --seed and --start, and in tests env, seed and start, set what comes from outside) [no-stub]`},
		{"handlers", `
connectors:
  a.b: {exec: ./a, http: "http://b"}
  c.d: {timeout: 1s}
  e.f: {http: "http://b", timeout: -5s}
stubs: []
`, `stubs.yaml:3:3: the handler of a.b has exec or http, one of them [wrong-keys]
stubs.yaml:4:3: the handler of c.d has exec or http, one of them [wrong-keys]
stubs.yaml:5:36: a number of seconds or a duration such as 1h30m belongs here, not the text "-5s" [wrong-type]
stubs.yaml:5:36: the timeout must be positive [wrong-value]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Parse("stubs.yaml", []byte(c.src))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*", "", true}, {"*b", "ab", true}, {"*b", "ba", false},
		{"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "abd", false}, {"a*b*c", "a1b2c", true}, {"a*b*c", "acb", false},
		{"*a*", "bab", true}, {"a**b", "ab", true}, {"ab*ba", "aba", false}, {"*x*x", "x", false}, {"", "", true}, {"", "a", false},
	} {
		if got := glob(c.pattern, c.text); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}

// FuzzParse never panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte("stubs:\n  - {call: a, answers: [{result: 1}, {status: 200, body: '${args.x}', delay: 1s}]}\nconnectors: {a: {exec: ./x}}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		_, _, _ = Parse("stubs.yaml", src)
	})
}
