package stdlib_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// run runs a definition in virtual time.
func run(t *testing.T, src string, cfg interp.Config) interp.Outcome {
	t.Helper()
	f, err := workflow.Parse("main.yaml", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	p, err := interp.New(f, stdlib.Funcs())
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	if cfg.Clock == nil {
		cfg.Clock = interp.NewVirtualClock(time.Date(2026, 1, 2, 3, 4, 5, 250e6, time.UTC))
	}
	return p.Run(context.Background(), value.Null{}, cfg)
}

// show is the result as JSON, or "! " and the tags of the error.
func show(o interp.Outcome) string {
	if o.State == interp.Succeeded {
		return string(value.MustJSON(o.Result))
	}
	m, ok := o.Err.Payload.(*value.Map)
	if !ok {
		return "! " + string(value.MustJSON(o.Err.Payload))
	}
	tags, _ := m.Get("tags")
	return "! " + strings.Trim(strings.ReplaceAll(string(value.MustJSON(tags)), `"`, ""), "[]")
}

// TestPredicates checks both ready-made policies against the table of
// syntax/retrying.
func TestPredicates(t *testing.T) {
	for _, c := range []struct {
		payload    string
		idempotent bool
		other      bool
	}{
		{`{"code": 429}`, true, true}, {`{"code": 500}`, false, false}, {`{"code": 502}`, true, false}, {`{"code": 503}`, true, true}, {`{"code": 504}`, true, false}, {`{"code": 404}`, false, false},
		{`{"tags": ["ConnectionError"]}`, true, false}, {`{"tags": ["ConnectionFailedError"]}`, true, true}, {`{"tags": ["TimeoutError", "OSError"]}`, true, false}, {`{"tags": ["KeyError"]}`, false, false},
		{`{}`, false, false}, {`"text"`, false, false}, {`{"code": "503", "tags": "ConnectionError"}`, false, false},
	} {
		payload, err := value.FromJSON([]byte(c.payload))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{"http.default_retry_predicate": c.idempotent, "http.default_retry_predicate_non_idempotent": c.other} {
			fn, _ := stdlib.Funcs()(name)
			if got, err := fn.Eval(nil, []value.Value{payload}); err != nil || got != value.Value(value.Bool(want)) {
				t.Errorf("%s(%s) = %v, %v", name, c.payload, got, err)
			}
		}
	}
}

func TestLog(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{`{data: hello}`, `DEFAULT hello`},
		{`{data: {a: 1}, severity: ERROR}`, `ERROR {"a":1}`},
		{`{data: 5}`, `DEFAULT 5`},
		{`{data: [1, a]}`, `DEFAULT [1,"a"]`},
		{`{text: hi, severity: EMERGENCY}`, `EMERGENCY hi`},
		{`{json: {a: b}, severity: null}`, `DEFAULT {"a":"b"}`},
		{`[positional, WARNING]`, `WARNING positional`},
		{`{text: a, json: {}}`, `! TypeError`},
		{`{severity: INFO}`, `! TypeError`},
		{`{text: 5}`, `! TypeError`},
		{`{json: text}`, `! TypeError`},
		{`{data: x, severity: LOUD}`, `! ValueError`},
		{`{data: x, severity: 5}`, `! TypeError`},
	} {
		var got string
		o := run(t, "[{s: {call: sys.log, args: "+c.args+"}}]", interp.Config{Log: func(e interp.LogEntry) {
			got = e.Severity + " " + e.Text
			if e.JSON != nil {
				got += string(value.MustJSON(e.JSON))
			}
			if e.Step != "s" || e.Routine != "main" {
				t.Errorf("logged by %s.%s", e.Routine, e.Step)
			}
		}})
		if o.State != interp.Succeeded {
			got = show(o)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.args, got, c.want)
		}
	}
}

func TestSleep(t *testing.T) {
	for _, c := range []struct{ call, want string }{
		{`sys.sleep, args: {seconds: 1.5}`, `1.5`},
		{`sys.sleep, args: {seconds: 31536000}`, `31536000.0`},
		{`sys.sleep, args: {seconds: 31536001}`, `! ValueError`},
		{`sys.sleep, args: {seconds: -1}`, `! ValueError`},
		{`sys.sleep, args: {seconds: "1"}`, `! TypeError`},
		{`sys.sleep_until, args: {time: "2026-01-02T03:04:06.25Z"}`, `1.0`},
		{`sys.sleep_until, args: {time: "2001-01-01T00:00:00Z"}`, `0.0`},
		{`sys.sleep_until, args: {time: "2099-01-01T00:00:00Z"}`, `! ValueError`},
		{`sys.sleep_until, args: {time: soon}`, `! ValueError`},
		{`events.create_callback_endpoint, args: {http_callback_method: FETCH}`, `! ValueError`},
		{`events.await_callback, args: {callback: {url: "https://elsewhere"}}`, `! ValueError`},
		{`events.await_callback, args: {callback: {}}`, `! ValueError`},
		{`events.await_callback, args: {callback: text}`, `! TypeError`},
	} {
		limits := workflow.DefaultLimits()
		limits.ExecutionSeconds *= 2
		o := run(t, "[{a: {assign: [{t: '${sys.now()}'}]}}, {s: {call: "+c.call+"}}, {r: {return: '${sys.now() - t}'}}]", interp.Config{Limits: limits})
		if got := show(o); got != c.want {
			t.Errorf("%s: got %s, want %s", c.call, got, c.want)
		}
	}
}

// TestTable checks what the table says of each entry.
func TestTable(t *testing.T) {
	names := stdlib.Names()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("the names are not sorted and unique")
	}
	for _, e := range stdlib.Entries() {
		kinds := 0
		for _, is := range []bool{e.Func.Value != nil, e.Func.Eval != nil, e.Func.Start != nil} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("%s has %d bodies", e.Name, kinds)
		}
		if !strings.HasPrefix(e.Doc, "https://cloud.google.com/workflows/docs/reference/") || e.Example == "" {
			t.Errorf("%s: doc %q, example %q", e.Name, e.Doc, e.Example)
		}
		if e.Func.Eval != nil && !strings.Contains(e.Example, "${") {
			if _, err := expr.Parse(e.Example, diag.Pos{}); err != nil {
				t.Errorf("%s: example: %v", e.Name, err)
			}
		}
		s, ok := stdlib.Signature(e.Name)
		if !ok || s.Required > len(s.Params) {
			t.Errorf("%s: signature %+v", e.Name, s)
		}
		if blocking := e.Func.Start != nil && !e.Inline; s.Blocking != blocking || s.Value != (e.Func.Value != nil) {
			t.Errorf("%s: signature %+v", e.Name, s)
		}
	}
	if _, ok := stdlib.Signature("text.join"); ok {
		t.Error("a function that does not exist has a signature")
	}
	if _, ok := stdlib.Funcs()("googleapis.anything.v1.at.all"); !ok {
		t.Error("an unknown connector is no function")
	}
}

// TestLongTexts keeps functions from building what no limit would let stay.
func TestLongTexts(t *testing.T) {
	for _, body := range []string{
		`text.replace_all(s, "x", s)`, `text.replace_all_regex(s, "x", s)`, `json.encode_to_string(deep, true)`,
	} {
		o := run(t, `
- init:
    assign: [{s: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}, {deep: []}]
- grow:
    for:
      value: i
      range: [1, 12]
      steps:
        - a:
            assign: [{s: '${s + s}'}]
- nest:
    for:
      value: i
      range: [1, 900]
      steps:
        - a:
            assign: [{deep: '${[deep, 1, 1]}'}]
- done:
    return: '${`+body+`}'
`, interp.Config{})
		if got := show(o); got != "! MemoryLimitExceededError,ResourceLimitError" {
			t.Errorf("%s: %.100s", body, got)
		}
	}
}
