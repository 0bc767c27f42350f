package workflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
)

// errorsIn returns the codes of the errors in a source.
func errorsIn(t *testing.T, src string) []string {
	t.Helper()
	f, err := Parse("f", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, d := range Check(f, testOptions([]byte(src))) {
		if d.Severity == diag.Error {
			codes = append(codes, d.Code)
		}
	}
	return codes
}

// TestLimits puts definitions on each limit and one beyond it.
func TestLimits(t *testing.T) {
	l := DefaultLimits()
	repeat := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		limit int
		src   func(n int) string
	}{
		"assignments": {l.Assignments, func(n int) string { return "- a:\n    assign:\n" + repeat("      - x%d: 1\n", n) }},
		"conditions": {l.Conditions, func(n int) string {
			return "- a:\n    switch:\n" + repeat("      - condition: ${1 == %d}\n        next: end\n", n)
		}},
		"expression length": {l.ExpressionLength, func(n int) string { return "- a: {return: '${\"" + strings.Repeat("é", n-2) + "\"}'}" }},
		"branches": {l.MaxBranches, func(n int) string {
			return "- a:\n    parallel:\n      branches:\n" + repeat("        - b%[1]d: {steps: [{s%[1]d: {call: sys.now}}]}\n", n)
		}},
		"main's parameters": {l.MainParams, func(n int) string {
			return "main:\n  params: [" + repeat("a%d, ", n) + "]\n  steps: [{a: {next: end}}]\n"
		}},
		"source": {l.SourceBytes, func(n int) string { return fmt.Sprintf("%-*s", n, "- a: {next: end}\n") }},
	} {
		if codes := errorsIn(t, c.src(c.limit)); len(codes) > 0 {
			t.Errorf("%s: %d is refused: %v", name, c.limit, codes)
		}
		if codes := errorsIn(t, c.src(c.limit+1)); !reflect.DeepEqual(codes, []string{"limit"}) {
			t.Errorf("%s: %d gives %v, want a limit error", name, c.limit+1, codes)
		}
	}
}

// TestBuiltExpressionLength measures expressions that were not parsed.
func TestBuiltExpressionLength(t *testing.T) {
	src := "- a: {return: '${\"" + strings.Repeat("x", 500) + "\"}'}"
	f, err := Parse("f", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	e := f.Workflows[0].Steps[0].Do.(*Return).Value.(*Expr)
	if e.Width != 502 {
		t.Errorf("the width is %d, want 502", e.Width)
	}
	e.Width = 0
	if l := Check(f, CheckOptions{}); len(l) != 1 || l[0].Code != "limit" {
		t.Errorf("got %v, want one limit error", l)
	}
}

func TestLimitsData(t *testing.T) {
	var data struct {
		Source, Date string
		Notes        map[string]string
		Limits       Limits
	}
	d := json.NewDecoder(bytes.NewReader(limitsJSON))
	d.DisallowUnknownFields()
	if err := d.Decode(&data); err != nil {
		t.Fatal(err)
	}
	if data.Source == "" || len(data.Date) != len("2026-01-01") {
		t.Errorf("no source (%q) or no date (%q)", data.Source, data.Date)
	}
	v := reflect.ValueOf(data.Limits)
	for i := range v.NumField() {
		if v.Field(i).Int() <= 0 {
			t.Errorf("limit %s is %d", v.Type().Field(i).Name, v.Field(i).Int())
		}
	}
	if data.Limits != DefaultLimits() {
		t.Error("DefaultLimits differs from the file")
	}
}

// TestCheckWithoutFunctions checks what can be checked when the standard
// library is not at hand.
func TestCheckWithoutFunctions(t *testing.T) {
	f, err := Parse("f", []byte("- a: {call: any.thing, args: {x: '${other.thing(1)}', y: '${some.value}', z: '${nothing}'}}"))
	if err != nil {
		t.Fatal(err)
	}
	if l := Check(f, CheckOptions{}); len(l) != 1 || l[0].Code != "unknown-name" {
		t.Errorf("got %v, want nothing but the unknown name", l)
	}
}

func TestOwnLimits(t *testing.T) {
	f, err := Parse("f", []byte("- a: {assign: [{x: 1}, {y: 1}]}"))
	if err != nil {
		t.Fatal(err)
	}
	limits := DefaultLimits()
	limits.Assignments = 1
	if l := Check(f, CheckOptions{Limits: &limits}); len(l) != 1 || l[0].Code != "limit" {
		t.Errorf("got %v, want one limit error", l)
	}
}

func TestWalk(t *testing.T) {
	f, err := Parse("f", []byte(`
- a: {steps: [{b: {switch: [{condition: true, steps: [{c: {next: end}}]}]}}]}
- d: {for: {value: v, in: [], steps: [{e: {try: {call: f}, except: {steps: [{g: {next: end}}]}}}]}}
- h: {parallel: {branches: [{x: {steps: [{i: {next: end}}]}}, {y: {steps: []}}]}}
- j: {parallel: {for: {value: v, in: [], steps: [{k: {next: end}}]}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	Walk(f.Workflows[0].Steps, func(s *Step) bool {
		names = append(names, s.Name)
		return s.Name != "j"
	})
	if got, want := strings.Join(names, " "), "a b  c d e  g h i j"; got != want {
		t.Errorf("walked %q, want %q", got, want)
	}
}

// TestUnreached looks for the steps that warnings name.
func TestUnreached(t *testing.T) {
	for src, want := range map[string]string{
		"[{a: {return: 1}}, {b: {return: 2}}, {c: {return: 3}}]":                                                                                      "b",
		"[{a: {next: c}}, {b: {return: 2}}, {c: {return: 3}}]":                                                                                        "b",
		"[{a: {next: c}}, {b: {next: c}}, {c: {next: b}}]":                                                                                            "",
		"[{a: {return: 1}}, {b: {next: c}}, {c: {next: b}}]":                                                                                          "b",
		"[{a: {switch: [{condition: true, next: c}]}}, {b: {return: 1}}, {c: {return: 2}}]":                                                           "b",
		"[{a: {switch: [{condition: '${1 == 2}', next: c}]}}, {b: {return: 1}}, {c: {return: 2}}]":                                                    "",
		"[{a: {switch: [{condition: '${1 == 2}', return: 1}], next: c}}, {b: {return: 1}}, {c: {return: 2}}]":                                         "b",
		"[{a: {try: {raise: x}, except: {steps: [{h: {return: 1}}]}}}, {b: {return: 2}}]":                                                             "b",
		"[{a: {try: {raise: x}, except: {steps: [{h: {assign: [{x: 1}]}}]}}}, {b: {return: 2}}]":                                                      "",
		"[{a: {try: {call: sys.now}, except: {steps: [{h: {return: 1}}]}}}, {b: {return: 2}}]":                                                        "",
		"[{a: {for: {value: v, in: [1], steps: [{l: {next: break}}, {m: {next: continue}}]}}}, {b: {return: 2}}]":                                     "m",
		"[{a: {steps: [{i: {return: 1}}, {j: {return: 2}}]}}, {b: {return: 3}}]":                                                                      "j b",
		"[{a: {steps: [{i: {next: b}}]}}, {b: {steps: [{k: {next: d}}]}}, {c: {steps: [{d: {return: 1}}]}}]":                                          "",
		"[{p: {parallel: {branches: [{x: {steps: [{q: {next: s}}, {r: {next: s}}, {s: {call: sys.now}}]}}, {y: {steps: [{z: {call: sys.now}}]}}]}}}]": "r",
		"[{a: {return: 1}}, {b: {next: nowhere}}, {c: {next: nowhere}}]":                                                                              "b",
		"[{a: {next: nowhere}}, {b: {return: 1}}]":                                                                                                    "",
	} {
		f, err := Parse("f", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, d := range Check(f, testOptions(nil)) {
			if d.Code == "unreachable" {
				names = append(names, strings.Split(d.Message, `"`)[1])
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %q, want %q", src, got, want)
		}
	}
}
