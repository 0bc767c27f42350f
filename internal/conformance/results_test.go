package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// arguments are those of definitions whose index entry names none.
var arguments = map[string]string{
	"api_executions_test.go.raw3.yaml":  `{"greeting": "hello"}`,
	"child_workflow_test.go.raw13.yaml": `{"x": 20}`,
	"parallel_nested_pipeline.yaml":     `{"workflowId": "test-wf-123", "itemId": "item-456", "config": {"enablePreview": true}}`,
}

// TestCorpusResults runs the definitions of the corpus that need nothing
// outside, and compares those with a known result.
func TestCorpusResults(t *testing.T) {
	differs := byPath(remarks(t, "differs.tsv"))
	compared := 0
	for _, d := range definitions(t) {
		p, _ := deploy(d.source)
		if !d.offline || p == nil {
			continue
		}
		_, facts, _ := strings.Cut(d.expected, "] ")
		if strings.HasPrefix(d.expected, "doc comment") {
			facts = `assertResultEquals([]interface{}{float64(3), float64(2), float64(1)})`
		}
		why, differ := differs[d.path]
		if facts != "" && !differ {
			compared++
		}
		t.Run(d.path, func(t *testing.T) {
			if differ {
				t.Skip(why.reason)
			}
			checkResult(t, p, d.source, facts, arguments[filepath.Base(d.path)])
		})
	}
	if compared < 75 {
		t.Errorf("compared only %d results: has the index changed?", compared)
	}
	t.Logf("compared %d results", compared)
}

func checkResult(t *testing.T, p *interp.Program, src []byte, facts, argument string) {
	var arg value.Value = value.Null{}
	if argument != "" {
		var err error
		if arg, err = value.FromJSON([]byte(argument)); err != nil {
			t.Fatal(err)
		}
	}
	if rest, ok := strings.CutPrefix(facts, "args="); ok {
		end := strings.Index(rest, "}; ") + 1
		arg = goValue(t, rest[:end])
		facts = rest[end+2:]
	}
	for seed := range int64(4) { // whatever the interleaving
		cfg := interp.Config{Clock: interp.NewVirtualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
		cfg.Seed = seed
		checkFacts(t, facts, p.Run(t.Context(), arg, cfg), src)
	}
}

func checkFacts(t *testing.T, facts string, o interp.Outcome, src []byte) {
	t.Helper()
	if o.State == interp.Failed {
		if e := (&value.Error{Payload: o.Err.Payload}); e.HasTag(value.SystemError) {
			t.Errorf("%v\n%s", o.Err, src)
		}
	}
	for fact := range strings.SplitSeq(facts, "; ") {
		if fact != "" {
			checkFact(t, strings.TrimSpace(fact), o, src)
		}
	}
}

// checkFact checks one assertion of a test of lemonberrylabs/gcw-emulator.
func checkFact(t *testing.T, fact string, o interp.Outcome, src []byte) {
	t.Helper()
	e, err := parser.ParseExpr(fact)
	if err != nil {
		t.Fatalf("cannot read the expected result %s: %v", fact, err)
	}
	call := e.(*ast.CallExpr)
	args := call.Args
	if len(args) > 1 && ident(args[0]) == "t" {
		args = args[2:]
	}
	if name := ident(call.Fun); name == "assertFailed" || name == "assertSucceeded" {
		if want := map[string]interp.State{"assertFailed": interp.Failed, "assertSucceeded": interp.Succeeded}[name]; o.State != want {
			t.Errorf("got %s, want %s\n%s", describe(o), want, src)
		}
		return
	}
	if o.State != interp.Succeeded {
		t.Errorf("got %s, want %s\n%s", describe(o), fact, src)
		return
	}
	got := o.Result
	if ident(call.Fun) == "assertResultContains" {
		if got, err = value.Index(got, evalGo(t, args[0])); err != nil {
			t.Errorf("%v in %s\n%s", err, describe(o), src)
			return
		}
		args = args[1:]
	}
	if want := evalGo(t, args[0]); !value.Equal(got, want) {
		t.Errorf("%s: %s\n%s", fact, cmp.Diff(value.ToGo(want), value.ToGo(got)), src)
	}
}

func ident(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func goValue(t *testing.T, src string) value.Value {
	t.Helper()
	e, err := parser.ParseExpr(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return evalGo(t, e)
}

// evalGo evaluates the Go literals that the assertions use.
func evalGo(t *testing.T, e ast.Expr) value.Value {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, _ := strconv.Unquote(e.Value)
			return value.String(s)
		}
		n, _ := strconv.ParseFloat(e.Value, 64)
		return value.Double(n)
	case *ast.Ident:
		switch e.Name {
		case "nil":
			return value.Null{}
		case "true", "false":
			return value.Bool(e.Name == "true")
		}
	case *ast.CallExpr: // float64(3)
		return evalGo(t, e.Args[0])
	case *ast.UnaryExpr:
		return -evalGo(t, e.X).(value.Double)
	case *ast.CompositeLit:
		if _, ok := e.Type.(*ast.ArrayType); ok {
			var items []value.Value
			for _, item := range e.Elts {
				items = append(items, evalGo(t, item))
			}
			return value.NewList(items...)
		}
		m := value.NewMap()
		for _, pair := range e.Elts {
			kv := pair.(*ast.KeyValueExpr)
			m.Put(string(evalGo(t, kv.Key).(value.String)), evalGo(t, kv.Value))
		}
		return m
	}
	t.Fatalf("cannot evaluate %T", e)
	return nil
}
