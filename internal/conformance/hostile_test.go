package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/interp"
)

// TestHostileSources feeds sources that are made to break a reader. Each is
// refused, with a place; the test would not end if one led into a loop.
func TestHostileSources(t *testing.T) {
	deep := func(open, in, end string, n int) string { return strings.Repeat(open, n) + in + strings.Repeat(end, n) }
	bomb := "- a: {assign: [{a0: &a0 [x, x, x, x, x, x, x, x, x]}"
	for i := range 10 {
		bomb += fmt.Sprintf(", {a%d: &a%[1]d [%s]}", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	for name, src := range map[string]string{
		"flow lists":          "- a: {return: " + deep("[", "", "]", 100_000) + "}",
		"open flow lists":     strings.Repeat("[", 500_000),
		"flow maps":           strings.Repeat("{a: ", 100_000),
		"JSON lists":          deep("[", "", "]", 200_000),
		"JSON maps":           deep(`{"a":`, "1", "}", 100_000),
		"block lists":         strings.Repeat("- ", 50_000) + "x",
		"keys":                strings.Repeat("? ", 50_000),
		"parentheses":         `- a: {return: "${` + deep("(", "1", ")", 30_000) + `}"}`,
		"nots":                `- a: {return: "${` + strings.Repeat("not ", 10_000) + `true}"}`,
		"minuses":             `- a: {return: "${` + strings.Repeat("-", 50_000) + `1}"}`,
		"sums":                `- a: {return: "${1` + strings.Repeat("+1", 30_000) + `}"}`,
		"members":             `- a: {return: "${a` + strings.Repeat(".b", 30_000) + `}"}`,
		"members of a module": `- a: {return: "${http` + strings.Repeat(".b", 30_000) + `}"}`,
		"members of a call":   `- a: {return: "${f()` + strings.Repeat(".b", 30_000) + `}"}`,
		"items":               `- a: {return: "${a` + strings.Repeat("[0]", 20_000) + `}"}`,
		"dotted call":         `- a: {return: "${a` + strings.Repeat(".b", 30_000) + `()}"}`,
		"dotted call step":    `- a: {call: a` + strings.Repeat(".b", 30_000) + `}`,
		"target":              `- a: {assign: [{a` + strings.Repeat(".b", 30_000) + `: 1}]}`,
		"long names":          "- " + strings.Repeat("a", 60_000) + ": {return: '${" + strings.Repeat("b", 60_000) + "}'}",
		"calls":               `- a: {return: "${` + deep("f(", "1", ")", 400) + `}"}`,
		"aliases":             bomb + "]}",
		"alias of itself":     "- a: {return: &x [1, *x]}",
		"steps in themselves": "main:\n  steps: &s\n    - a: {steps: *s}\n",
		"main in itself":      "&x\nmain: *x\n",
		"long string":         "- a:\n    return: " + strings.Repeat("x", 10<<20),
		"many steps":          strings.Repeat("- a: {return: 1}\n", 600_000),
		"many unknown names":  strings.Repeat("- a: {return: '${x}', next: y}\n", 4000),
		"not a number":        "- a: {return: .nan}",
		"infinity":            "- a: {return: -.inf}",
		"large double":        "- a: {return: 1e999}",
		"large expression":    `- a: {return: "${1e999}"}`,
		"large integer":       "- a: {return: " + strings.Repeat("9", 1000) + "}",
		"large integer too":   `- a: {return: "${` + strings.Repeat("9", 1000) + `}"}`,
		"invalid UTF-8":       "- a: {return: \"\xff\xfe\"}",
		"UTF-16":              "\xff\xfe-\x00 \x00a\x00",
		"NUL":                 "- a: {return: \"\x00\"}",
		"backslashes":         `- a: "` + strings.Repeat(`\`, 99_999),
		"commas":              "- a: [" + strings.Repeat(",", 100_000) + "]",
		"documents":           strings.Repeat("---\n", 50_000),
		"percents":            strings.Repeat("%", 10_000),
		"tag":                 "- a: {return: !!python/object:x 1}",
		"unknown alias":       "- a: {return: *x}",
		"merge key":           "- a: {return: {<<: {x: 1}}}",
		"hashes":              strings.Repeat("#", 1_000_000),
		"colons":              strings.Repeat(":", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			p, found := deploy([]byte(src))
			if p != nil || !found.HasErrors() {
				t.Fatal("accepted")
			}
			for _, d := range found[:1] {
				if d.Message == "" || len(d.Error()) > 2000 || !d.Pos.IsValid() && d.Code != "too-large" {
					t.Errorf("not a good error: %.300v", d)
				}
			}
		})
	}
}

// TestHostileRuns runs definitions that would go on, or grow, without end.
func TestHostileRuns(t *testing.T) {
	for name, c := range map[string]struct{ src, want string }{
		"loop":              {"- a: {next: a}", "ResourceLimitError"},
		"recursion":         {"main: {steps: [{a: {return: '${f()}'}}]}\nf: {steps: [{a: {return: '${f()}'}}]}", "RecursionError"},
		"range":             {"- a: {for: {value: v, range: [1, 9223372036854775807], steps: [{b: {assign: [{x: 1}]}}]}}", "ValueError"},
		"range of doubles":  {"- a: {for: {value: v, range: [0, 1.0e300], steps: [{b: {assign: [{x: 1}]}}]}}", "ValueError"},
		"many branches":     {"- a: {parallel: {for: {value: v, range: [1, 1000000], steps: [{b: {assign: [{x: 1}]}}]}}}", "ResourceLimitError"},
		"list in a list":    {"- i: {assign: [{x: []}]}\n- a: {assign: [{x: '${[x]}'}], next: a}", "MemoryLimitExceededError, ResourceLimitError"},
		"doubling":          {"- i: {assign: [{x: [1]}]}\n- a: {assign: [{x: '${[x, x]}'}], next: a}", "MemoryLimitExceededError, ResourceLimitError"},
		"doubling a string": {"- i: {assign: [{x: abc}]}\n- a: {assign: [{x: '${x + x}'}], next: a}", "MemoryLimitExceededError, ResourceLimitError"},
		"growing list":      {"- i: {assign: [{x: []}]}\n- a: {assign: [{x: '${list.concat(x, 1)}'}], next: a}", "ResourceLimitError"},
		"growing map":       {"- i: {assign: [{x: {}}, {n: 0}]}\n- a: {assign: [{n: '${n + 1}'}, {'x[n]': 1}], next: a}", "MemoryLimitExceededError, ResourceLimitError"},
		"retries":           {"- a: {try: {raise: x}, retry: {predicate: '${retry.always}', max_retries: 1000000000, backoff: {initial_delay: 0, max_delay: 0, multiplier: 1}}}", "ResourceLimitError"},
		"long sleeps":       {"- a: {call: sys.sleep, args: {seconds: 31536000}, next: a}", "ResourceLimitError"},
		"regular expression": {"- i: {assign: [{s: " + strings.Repeat("a", 5000) + "}]}\n- a: {return: '${text.match_regex(s, \"(a*)*(a*)*(a*)*b\")}'}",
			"false"},
		"regular repetition": {"- a: {return: '${text.match_regex(\"a\", \"((a{100}){100}){100}\")}'}", "ValueError"},
		"deep JSON":          {"- i: {assign: [{s: '" + strings.Repeat("[", 100_000) + "'}]}\n- a: {return: '${json.decode(s)}'}", "ValueError"},
		"response that never ends": {"- a: {call: http.get, args: {url: 'https://a.example/endless'}}",
			"ResourceLimitError"},
	} {
		t.Run(name, func(t *testing.T) {
			p, found := deploy([]byte(c.src))
			if p == nil {
				t.Fatal(found)
			}
			w := newWorld(t, &sentence{source: c.src})
			o := w.run(p, 0)
			got := strings.TrimPrefix(describe(o), "! ")
			if got != c.want || o.State == interp.Active {
				t.Errorf("got %.300s, want %s", got, c.want)
			}
		})
	}
}
