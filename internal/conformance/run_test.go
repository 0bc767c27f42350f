package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/lint"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// TestConformance tests every sentence.
func TestConformance(t *testing.T) {
	for _, s := range suites(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, one := range s.sentences {
				t.Run(one.name, one.test)
			}
		})
	}
}

func (s *sentence) test(t *testing.T) {
	switch {
	case s.by != "":
		checkTestExists(t, s.by)
		return
	case s.table == nil:
		s.testSource(t)
		return
	}
	for _, line := range s.table {
		expression, want, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("no probe: %s", line)
		}
		expression, want = strings.TrimSpace(expression), strings.TrimSpace(want)
		if got := s.probe(t, expression); got != want && !sameJSON(got, want) {
			t.Errorf("%s: got %s, want %s", expression, got, want)
		}
	}
}

// probe evaluates an expression of a table, and tells what came of it in the
// words of the table.
func (s *sentence) probe(t *testing.T, expression string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("main:\n  params: [args]\n  steps:\n")
	if s.suite.vars != "" {
		b.WriteString("    - init:\n        assign:\n" + indent(s.suite.vars, 10))
	}
	fmt.Fprintf(&b, "    - result:\n        return: '${%s}'\n%s", strings.ReplaceAll(expression, "'", "''"), s.suite.subs)
	w := newWorld(t, s)
	p, found := deploy([]byte(b.String()))
	if p == nil {
		return "refused " + firstError(found).Code
	}
	return describe(w.run(p, 0))
}

// describe is a result as JSON, or "! " and the error.
func describe(o interp.Outcome) string {
	if o.State == interp.Succeeded {
		return string(value.MustJSON(o.Result))
	}
	return "! " + failure(o)
}

func indent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", by) + line)
	}
	return b.String()
}

func firstError(list diag.List) diag.Diagnostic {
	for _, d := range list {
		if d.Severity == diag.Error {
			return d
		}
	}
	return diag.Diagnostic{Code: "nothing"}
}

// deploy reads and checks a source as a deployment does, and adds the warnings
// of kakehi check. The program is nil if the source is refused.
func deploy(src []byte) (*interp.Program, diag.List) {
	f, err := workflow.Parse("main.yaml", src)
	if err != nil {
		list, _ := diag.From(err)
		return nil, list
	}
	found := workflow.Check(f, workflow.CheckOptions{Source: src, Functions: stdlib.Signature, FunctionNames: stdlib.Names(), Connectors: stdlib.Connectors})
	if found.HasErrors() {
		return nil, found
	}
	found = append(found, lint.Check(f)...)
	p, err := interp.New(f, stdlib.Funcs())
	if err != nil {
		list, _ := diag.From(err)
		return nil, append(found, list...)
	}
	return p, found
}

// failure is the tags of an error, or else what was raised, as JSON.
func failure(o interp.Outcome) string {
	e := value.Error{Payload: o.Err.Payload}
	if tags := e.Tags(); len(tags) > 0 {
		names := make([]string, len(tags))
		for i, tag := range tags {
			names[i] = string(tag)
		}
		return strings.Join(names, ", ")
	}
	return string(value.MustJSON(o.Err.Payload))
}

func (s *sentence) testSource(t *testing.T) {
	p, found := deploy([]byte(s.source))
	s.checkFindings(t, diag.Error, s.refused, found)
	if s.warns != nil {
		s.checkFindings(t, diag.Warning, s.warns, found)
	}
	if p == nil || s.want == "" && s.fails == "" {
		return
	}
	w := newWorld(t, s)
	o := w.run(p, 0)
	s.checkOutcome(t, o)
	s.checkTraces(t, w, o)
	for seed := range int64(3) { // whatever the interleaving of branches
		s.checkOutcome(t, newWorld(t, s).run(p, seed+1))
	}
}

func (s *sentence) checkOutcome(t *testing.T, o interp.Outcome) {
	t.Helper()
	switch o.State {
	case interp.Succeeded:
		got := string(value.MustJSON(o.Result))
		if s.fails != "" || !sameJSON(got, s.want) {
			t.Errorf("got the result %s, want %s%s", got, s.want, s.fails)
		}
	case interp.Failed:
		got, whole := failure(o), string(value.MustJSON(o.Err.Payload))
		if s.want != "" || got != s.fails && !sameJSON(whole, s.fails) {
			t.Errorf("failed with %s\n%s\nwant %s%s", got, o.Err.Context, s.want, s.fails)
		}
		if !strings.Contains(o.Err.Context, strings.ReplaceAll(s.context, `\n`, "\n")) {
			t.Errorf("the context is\n%s\nwithout %s", o.Err.Context, s.context)
		}
	default:
		t.Errorf("ended as %s: %v", o.State, o.Cause)
	}
}

func (s *sentence) checkTraces(t *testing.T, w *world, o interp.Outcome) {
	if s.logs != nil {
		if d := cmp.Diff(s.logs, w.logs); d != "" {
			t.Errorf("logged (-want +got)\n%s", d)
		}
	}
	if s.requests != nil {
		if d := cmp.Diff(s.requests, w.requests); d != "" {
			t.Errorf("requests (-want +got)\n%s", d)
		}
	}
	if got := fmt.Sprint(o.Steps); s.steps != "" && got != s.steps {
		t.Errorf("%s steps, want %s", got, s.steps)
	}
	if got := w.passed().Round(time.Millisecond).String(); s.time != "" && got != s.time {
		t.Errorf("took %s, want %s", got, s.time)
	}
}

// checkFindings compares the diagnostics of a severity. Each that is wanted is
// a code, then perhaps line:column, then perhaps a part of the message.
func (s *sentence) checkFindings(t *testing.T, severity diag.Severity, want []string, found diag.List) {
	t.Helper()
	var left []diag.Diagnostic
	for _, d := range found {
		if d.Severity == severity {
			left = append(left, d)
		}
	}
	for _, w := range want {
		if w == "none" {
			continue
		}
		i := slices.IndexFunc(left, func(d diag.Diagnostic) bool { return matches(d, w) })
		if i < 0 {
			t.Errorf("no %s %q in\n%v", severity, w, found)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, d := range left {
		t.Errorf("not expected: %v", d)
	}
}

func matches(d diag.Diagnostic, want string) bool {
	code, rest, _ := strings.Cut(want, " ")
	if place, text, _ := strings.Cut(rest, " "); strings.Contains(place, ":") && place[0] >= '0' && place[0] <= '9' {
		if place != fmt.Sprintf("%d:%d", d.Pos.Line, d.Pos.Col) {
			return false
		}
		rest = text
	}
	return d.Code == code && strings.Contains(d.Message, rest)
}

// sameJSON compares JSON texts. Integers and doubles differ; the order of keys
// does not matter.
func sameJSON(a, b string) bool {
	x, err1 := value.FromJSON([]byte(a))
	y, err2 := value.FromJSON([]byte(b))
	return err1 == nil && err2 == nil && canonical(x) == canonical(y)
}

func canonical(v value.Value) string {
	switch v := v.(type) {
	case *value.List:
		items := make([]string, v.Len())
		for i, item := range v.Items() {
			items[i] = canonical(item)
		}
		return "[" + strings.Join(items, ",") + "]"
	case *value.Map:
		pairs := map[string]string{}
		for k, item := range v.All() {
			key, _ := json.Marshal(k.String())
			pairs[string(key)] = canonical(item)
		}
		var b strings.Builder
		for _, k := range slices.Sorted(maps.Keys(pairs)) {
			b.WriteString(k + ":" + pairs[k] + ",")
		}
		return "{" + b.String() + "}"
	}
	return string(value.MustJSON(v))
}
