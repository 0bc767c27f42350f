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

func TestFunctions(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		// Expression helpers.
		{`default(null, 1)`, `1`}, {`default(0, 1)`, `0`}, {`default(null, null)`, `null`},
		{`double(1)`, `1.0`}, {`double("2.7")`, `2.7`}, {`double("1e3")`, `1000.0`}, {`double("x")`, `! ValueError`}, {`double("inf")`, `! ValueError`}, {`double(true)`, `! TypeError`},
		{`int("42")`, `42`}, {`int(" -7 ")`, `-7`}, {`int(2.7)`, `2`}, {`int(-2.7)`, `-2`}, {`int(5)`, `5`}, {`int("2.7")`, `! ValueError`}, {`int("")`, `! ValueError`}, {`int(1e300)`, `! ValueError`}, {`int(null)`, `! TypeError`}, {`int(list)`, `! TypeError`},
		{`string(42)`, `"42"`}, {`string(4.5)`, `"4.5"`}, {`string(4.0)`, `"4.0"`}, {`string(true)`, `"true"`}, {`string("s")`, `"s"`}, {`string(null)`, `! TypeError`}, {`string(list)`, `! TypeError`}, {`string(m)`, `! TypeError`},
		{`keys(m)`, `["a","n"]`}, {`keys(list)`, `! TypeError`}, {`len("héllo")`, `5`}, {`len(list)`, `3`}, {`len(m)`, `2`}, {`len(3)`, `! TypeError`}, {`len(null)`, `! TypeError`},
		{`[get_type(1), get_type(1.5), get_type("s"), get_type(true), get_type(null), get_type(list), get_type(m), get_type(text.encode("x"))]`, `["integer","double","string","boolean","null","list","map","bytes"]`},
		{`if(true, 1, 2)`, `1`}, {`if(false, 1, 2)`, `2`}, {`if(1, 1, 2)`, `! TypeError`},
		// base64, json, hash, uuid.
		{`base64.encode(text.encode("hi?"))`, `"aGk/"`}, {`base64.encode(text.encode("h"))`, `"aA=="`}, {`base64.encode(text.encode("h"), false)`, `"aA"`}, {`base64.encode("h")`, `! TypeError`},
		{`text.decode(base64.decode("aA=="))`, `"h"`}, {`text.decode(base64.decode("aA", false))`, `"h"`}, {`base64.decode("aA")`, `! ValueError`}, {`base64.decode("%")`, `! ValueError`}, {`base64.decode(1)`, `! TypeError`}, {`base64.decode("aA==", 1)`, `! TypeError`},
		{`json.decode("{\"a\": [1, 2.0, null]}")`, `{"a":[1,2.0,null]}`}, {`json.decode(text.encode("3"))`, `3`}, {`json.decode("{")`, `! ValueError`}, {`json.decode(1)`, `! TypeError`},
		{`json.encode_to_string(m)`, `"{\"a\":{\"b\":{\"c\":1}},\"n\":null}"`}, {`text.decode(json.encode("é"))`, `"\"é\""`}, {`json.encode_to_string([], true)`, `"[]"`}, {`json.encode_to_string([1], true)`, `"[\n    1\n]"`}, {`json.encode_to_string([1], indent)`, `"[\n>--1\n>]"`},
		{`json.encode(text.encode("x"))`, `! ValueError`}, {`json.encode([retry.always])`, `! ValueError`}, {`json.encode(1, 2)`, `! TypeError`},
		{`base64.encode(hash.compute_checksum(text.encode("abc"), "SHA256"))`, `"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="`},
		{`base64.encode(hash.compute_checksum(text.encode("abc"), "MD5"))`, `"kAFQmDzST7DWlj99KOF/cg=="`},
		{`base64.encode(hash.compute_hmac(text.encode("k"), text.encode("abc"), "SHA1"))`, `"+b7wkf4A2fUShZODbbqZ4ZPwgXQ="`},
		{`hash.compute_checksum("abc", "MD5")`, `! TypeError`}, {`hash.compute_checksum(text.encode("abc"), "CRC32")`, `! ValueError`}, {`hash.compute_hmac("k", text.encode(""), "MD5")`, `! TypeError`},
		{`text.match_regex(uuid.generate(), "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")`, `true`}, {`uuid.generate() == uuid.generate()`, `false`},
		// text.
		{`text.find_all("banana", "an")`, `[1,3]`}, {`text.find_all("ééa", "a")`, `[2]`}, {`text.find_all("aaa", "aa")`, `[0]`}, {`text.find_all("a", "z")`, `[]`}, {`text.find_all("a", "")`, `! ValueError`},
		{`text.find_all_regex("éab ab", "a(b|b )")`, `[{"index":1,"match":"ab "},{"index":4,"match":"ab"}]`}, {`text.find_all_regex("x", "(")`, `! ValueError`},
		{`text.match_regex("hello", "l+o")`, `true`}, {`text.match_regex("hello", "^l")`, `false`}, {`text.match_regex("a", "(?=a)")`, `! ValueError`}, {`text.match_regex(1, "a")`, `! TypeError`},
		{`text.replace_all("banana", "a", "oo")`, `"boonoonoo"`}, {`text.replace_all_regex("banana", "a(.)", "<\\1\\0\\\\>")`, `"b<nan\\><nan\\>a"`}, {`text.replace_all_regex("ab", "(a)|b", "[\\1]$1")`, `"[a]$1[]$1"`},
		{`text.split("a,b,,c", ",")`, `["a","b","","c"]`}, {`text.split("ab", "")`, `["a","b"]`}, {`text.split("", ",")`, `[""]`},
		{`text.substring("héllo", 1, 3)`, `"él"`}, {`text.substring("abc", 0, 3)`, `"abc"`}, {`text.substring("abc", 1, 1)`, `""`}, {`text.substring("abc", 2, 4)`, `! IndexError`}, {`text.substring("abc", -1, 2)`, `! IndexError`}, {`text.substring("abc", 2, 1)`, `! IndexError`}, {`text.substring("abc", "0", 1)`, `! TypeError`},
		{`text.to_lower("ÀB")`, `"àb"`}, {`text.to_upper("àb")`, `"ÀB"`},
		{`text.url_encode("a b+c/é?")`, `"a%20b%2Bc%2F%C3%A9%3F"`}, {`text.url_encode_plus("a b+c")`, `"a+b%2Bc"`}, {`text.url_decode("a%20b+c%2B")`, `"a b c+"`}, {`text.url_decode("%zz")`, `! ValueError`}, {`text.url_decode("%ff")`, `! ValueError`},
		{`text.decode(text.encode("é", "utf-8"))`, `"é"`}, {`text.encode("x", "EBCDIC")`, `! ValueError`}, {`text.decode(base64.decode("/w=="))`, `! ValueError`}, {`text.decode("x")`, `! TypeError`},
		// list, map, math.
		{`list.concat(list, 4)`, `[1,2,3,4]`}, {`list.concat(list, [4])`, `[1,2,3,[4]]`}, {`list.prepend(list, 0)`, `[0,1,2,3]`}, {`list.concat(m, 1)`, `! TypeError`}, {`list.concat(null, 1)`, `! TypeError`},
		{`map.get(m, "n")`, `null`}, {`map.get(m, "zz")`, `null`}, {`map.get(m, ["a", "b", "c"])`, `1`}, {`map.get(m, ["a", "x", "c"])`, `null`}, {`map.get(m, ["n", "b"])`, `null`}, {`map.get(null, "a")`, `null`}, {`map.get(m, 1.5)`, `! TypeError`}, {`map.get(m, [])`, `{"a":{"b":{"c":1}},"n":null}`},
		{`map.delete(m, "n")`, `{"a":{"b":{"c":1}}}`}, {`map.delete(m, "zz") == m`, `true`}, {`map.delete(m, null)`, `! TypeError`},
		{`map.merge(m, other)`, `{"a":{"b":{"d":2},"e":3},"n":null,"o":1}`}, {`map.merge_nested(m, other)`, `{"a":{"b":{"c":1,"d":2},"e":3},"n":null,"o":1}`}, {`map.merge(m, null)`, `! TypeError`}, {`map.merge_nested(list, m)`, `! TypeError`},
		{`math.abs(-3)`, `3`}, {`math.abs(-2.5)`, `2.5`}, {`math.abs("x")`, `! TypeError`}, {`math.floor(2.7)`, `2`}, {`math.floor(-2.1)`, `-3`}, {`math.floor(3)`, `3`}, {`math.floor("1")`, `! TypeError`},
		{`math.max(1, 2)`, `2`}, {`math.max(2.5, 2)`, `2.5`}, {`math.min(1, 2)`, `1`}, {`math.min(1, 0.5)`, `0.5`}, {`math.max(9007199254740993, 9007199254740992)`, `9007199254740993`}, {`math.min(9007199254740993, 9007199254740992)`, `9007199254740992`}, {`math.max(1, "2")`, `! TypeError`},
		// time and sys.
		{`sys.now()`, `1767323045.25`}, {`time.format(sys.now())`, `"2026-01-02T03:04:05.25Z"`}, {`time.format(0)`, `"1970-01-01T00:00:00Z"`}, {`time.format(0, "America/New_York")`, `"1969-12-31T19:00:00-05:00"`}, {`time.format(1719835200, "Asia/Tokyo")`, `"2024-07-01T21:00:00+09:00"`}, {`time.format(0, "Mars")`, `! ValueError`}, {`time.format(0, "Local")`, `! ValueError`}, {`time.format("x")`, `! TypeError`}, {`time.format(1e300)`, `! ValueError`},
		{`time.parse("1970-01-01T00:00:01.5Z")`, `1.5`}, {`time.parse("1970-01-01T01:00:00+01:00")`, `0.0`}, {`time.parse("1970-01-02")`, `86400.0`}, {`time.parse("yesterday")`, `! ValueError`}, {`time.parse(1)`, `! TypeError`},
		{`sys.get_env("NAME")`, `"value"`}, {`sys.get_env("MISSING")`, `null`}, {`sys.get_env("MISSING", "d")`, `"d"`}, {`sys.get_env("NAME", "d")`, `"value"`}, {`sys.get_env(1)`, `! TypeError`},
		// retry and http values.
		{`retry.always("x")`, `true`}, {`retry.never("x")`, `false`}, {`http.default_retry_non_idempotent.backoff == retry.default_backoff`, `true`},
		{`http.default_retry_predicate(e503)`, `true`}, {`http.default_retry_predicate_non_idempotent(e503)`, `true`}, {`http.default_retry_predicate(e502)`, `true`}, {`http.default_retry_predicate_non_idempotent(e502)`, `false`}, {`http.default_retry_predicate("503")`, `false`},
	} {
		src := `
main:
  steps:
    - init:
        assign:
          - list: [1, 2, 3]
          - m: {a: {b: {c: 1}}, n: null}
          - other: {a: {b: {d: 2}, e: 3}, o: 1}
          - indent: {prefix: ">", indent: "--"}
          - e503: {code: 503}
          - e502: {code: 502, tags: [HttpError]}
    - done:
        return: '${` + strings.ReplaceAll(c.expr, "'", "''") + `}'
`
		if got := show(run(t, src, interp.Config{Env: map[string]string{"NAME": "value"}})); got != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
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
		if got := show(o); got != "! ValueError" {
			t.Errorf("%s: %.100s", body, got)
		}
	}
}
