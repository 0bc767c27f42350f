package interp_test

import (
	"encoding/csv"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

const corpus = "../../../shared/corpus/workflows"

// exceptions are definitions whose expected result is not asked for, by the
// end of their path, and why.
var exceptions = map[string]string{
	"api_workflows_test.go.raw3.yaml":   "the assertion is about a later revision",
	"assign_test.go.raw3.yaml":          "the index holds a part of the assertion only",
	"child_workflow_test.go.raw14.yaml": "the assertion is about the workflow that calls this one",
	"child_workflow_test.go.raw15.yaml": "the assertion is about the workflow that calls this one",
	"child_workflow_test.go.raw17.yaml": "the assertion is about the workflow that calls this one",
	"engine_test.go.raw20.yaml":         "type() does not exist in the service",
	"error_handling_test.go.raw0.yaml":  "a variable of an except step is not visible outside (syntax/variables)",
	"error_handling_test.go.raw2.yaml":  "a raised string is the error itself and has no member message (syntax/raising-errors)",
	"error_handling_test.go.raw5.yaml":  "string + integer is a string (syntax/datatypes)",
	"error_handling_test.go.raw9.yaml":  "an exhausted resource cannot be caught (syntax/catching-errors)",
	"for_list_index.yaml":               "list.concat appends its second argument as one element (stdlib/list/concat)",
	"stdlib_test.go.raw10.yaml":         "list.concat appends its second argument as one element (stdlib/list/concat)",
	"stdlib_test.go.raw5.yaml":          "the parameter is named regexp (stdlib/text/match_regex)",
	"expressions_test.go.raw4.yaml":     "type() does not exist in the service",
	"switch_test.go.raw4.yaml":          "the assertion is a table that the index does not hold",
}

// arguments are those of definitions whose index entry names none.
var arguments = map[string]string{
	"api_executions_test.go.raw3.yaml":  `{"greeting": "hello"}`,
	"child_workflow_test.go.raw13.yaml": `{"x": 20}`,
	"parallel_nested_pipeline.yaml":     `{"workflowId": "test-wf-123", "itemId": "item-456", "config": {"enablePreview": true}}`,
}

// TestCorpus runs the definitions of the corpus that need nothing outside and
// compares those with a known result.
func TestCorpus(t *testing.T) {
	index, err := os.Open(filepath.Join(corpus, "INDEX.tsv"))
	if err != nil {
		t.Skip("the corpus is not here: ", err)
	}
	defer index.Close()
	r := csv.NewReader(index)
	r.Comma = '\t'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, row := range rows[1:] {
		file, expected, offline := row[0], row[6], row[7]
		if offline != "yes" {
			continue
		}
		src, err := os.ReadFile(filepath.Join(corpus, file))
		if err != nil {
			t.Error(err)
			continue
		}
		_, facts, _ := strings.Cut(expected, "] ")
		if strings.HasPrefix(expected, "doc comment") {
			facts = `assertResultEquals([]interface{}{float64(3), float64(2), float64(1)})`
		}
		why, skip := exceptions[filepath.Base(file)]
		if facts != "" && !skip {
			compared++
		}
		t.Run(file, func(t *testing.T) {
			if skip {
				t.Skip(why)
			}
			checkCorpus(t, src, facts, arguments[filepath.Base(file)])
		})
	}
	if compared < 80 {
		t.Errorf("compared only %d results: has the index changed?", compared)
	}
}

func checkCorpus(t *testing.T, src []byte, facts, argument string) {
	f, err := workflow.Parse("main.yaml", src)
	var p *interp.Program
	if err == nil {
		p, err = interp.New(f, stdlib.Funcs())
	}
	if err != nil {
		if facts != "" {
			t.Fatalf("%v\n%s", err, src)
		}
		return // what must be accepted is for the tests of package workflow
	}
	var arg value.Value = value.Null{}
	if argument != "" {
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
		cfg := virtual()
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
			t.Errorf("got %s, want %s\n%s", show(o), want, src)
		}
		return
	}
	if o.State != interp.Succeeded {
		t.Errorf("got %s, want %s\n%s", show(o), fact, src)
		return
	}
	got := o.Result
	if ident(call.Fun) == "assertResultContains" {
		if got, err = value.Index(got, evalGo(t, args[0])); err != nil {
			t.Errorf("%v in %s\n%s", err, show(o), src)
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
