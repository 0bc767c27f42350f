package cel_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/kfp/cel"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// evaluate gives the value of an expression of Cloud Workflows as JSON, or the
// tags of the error.
func evaluate(t *testing.T, x expr.Expr, variable, data string) string {
	t.Helper()
	src := "main:\n  params: [" + variable + "]\n  steps:\n    - done:\n        return: '${" + strings.ReplaceAll(expr.String(x), "'", "''") + "}'\n"
	f, err := workflow.Parse("f", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	p, err := interp.New(f, stdlib.Funcs())
	if err != nil {
		t.Fatal(err)
	}
	arg, err := value.FromJSON([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	o := p.Run(context.Background(), arg, interp.Config{Clock: interp.NewVirtualClock(time.Unix(0, 0))})
	if o.State != interp.Succeeded {
		tags, _ := o.Err.Payload.(*value.Map).Get("tags")
		return "! " + string(value.MustJSON(tags))
	}
	return string(value.MustJSON(o.Result))
}

// TestSelectVectors runs what KFP's own tests of selectors ask for: the value
// with its type, the selector, and the result or "!" for an error of any kind.
func TestSelectVectors(t *testing.T) {
	const nested = `{"nested": {"a": "A", "b": "B"}, "bool": true, "double": 1.3, "int": 10, "str": "abcdefg", "list": [1.1, 1.2, 1.3]}`
	for _, c := range []struct {
		of               cel.Operand
		value, src, want string
	}{
		{cel.Operand{Type: cel.String}, `"Hello,World!"`, `string_value`, `"Hello,World!"`},
		{cel.Operand{Type: cel.String}, `"[1.1,1.2,1.3]"`, `parseJson(string_value)[0]`, `1.1`},
		{cel.Operand{Type: cel.String}, `"invalidjson"`, `parseJson(string_value)`, `!`},
		{cel.Operand{Type: cel.String, Nullable: true}, `null`, `string_value`, `""`},
		{cel.Operand{Type: cel.String}, `"Hello"`, `struct_value`, `!`},
		{cel.Operand{Type: cel.Struct}, `{"a": "A", "b": "B"}`, `struct_value.a`, `"A"`},
		{cel.Operand{Type: cel.Struct}, `{"a": "A", "b": "B"}`, `struct_value.c`, `!`},
		{cel.Operand{Type: cel.Struct}, nested, `struct_value.list`, `[1.1,1.2,1.3]`},
		{cel.Operand{Type: cel.Struct}, nested, `struct_value.nested`, `{"a":"A","b":"B"}`},
		{cel.Operand{Type: cel.Struct}, nested, `struct_value.nested.b`, `"B"`},
	} {
		e, err := cel.Parse(c.src, at)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		c.of.X = &expr.Ident{Name: "v"}
		got := "!"
		if o, _ := cel.Select(e, cel.Env{Value: &c.of}); o.X != nil {
			got = evaluate(t, o.X, "v", c.value)
		}
		if !matches(got, c.want) {
			t.Errorf("%s of %s: got %s, want %s", c.src, c.value, got, c.want)
		}
	}
}

// matches lets "!" stand for an error of any kind.
func matches(got, want string) bool {
	return got == want || want == "!" && strings.HasPrefix(got, "!")
}

// TestConditionVectors runs what KFP's own tests of conditions ask for, but for
// num == 1, which KFP refuses because numbers are doubles to it: newer versions
// of CEL compare numbers of both types, and so do we.
func TestConditionVectors(t *testing.T) {
	const given = `{"type": "foo", "num": 1, "model": [{"name": "model", "uri": "gs://root/model", "metadata": {"accuracy": 0.95}}]}`
	for _, c := range []struct{ inputs, src, want string }{
		{`{}`, `inputs.parameter_values['type']=='foo'`, `!`},
		{given, `inputs.parameter_values['type']=='foo'`, `true`},
		{given, `inputs.parameter_values['type']=='foo2'`, `false`},
		{given, `inputs.parameter_values['num'] == 1`, `true`},
		{given, `inputs.parameter_values['type']=='foo' && inputs.parameter_values['num'] == 1.0`, `true`},
		{given, `inputs.artifacts['model'].artifacts[0].metadata['accuracy']*100.0 > 90.0`, `true`},
		{given, `inputs.artifacts['model'].artifacts[0].metadata['accuracy']*100.0 <= 90.0`, `false`},
		// Guards: what CEL calls unequal is no error in Cloud Workflows.
		{`{"any": "1"}`, `inputs.parameter_values['any'] == 1`, `false`},
		{`{"any": 1}`, `inputs.parameter_values['any'] == 1.0`, `true`},
		{`{"any": [1]}`, `inputs.parameter_values['any'] != 'x'`, `true`},
		{`{"any": {"k": true}}`, `inputs.parameter_values['any'].k == true`, `true`},
		{`{"any": "x"}`, `inputs.parameter_values['any'] > 1`, `!`},
		// Whole numbers.
		{`{"d": -7.9}`, `int(inputs.parameter_values['d']) == -7`, `true`},
		{`{"i": -7}`, `inputs.parameter_values['i'] / 2 == -3`, `true`},
		{`{"s": "12"}`, `int(inputs.parameter_values['s']) > 5`, `true`},
		{`{"s": "twelve"}`, `int(inputs.parameter_values['s']) > 5`, `!`},
	} {
		e, err := cel.Parse(c.src, at)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		x, diags := cel.Condition(e, env())
		if x == nil {
			t.Errorf("%s: %v", c.src, diags)
			continue
		}
		if got := evaluate(t, x, "inputs", c.inputs); !matches(got, c.want) {
			t.Errorf("%s with %s: got %s, want %s", c.src, c.inputs, got, c.want)
		}
	}
}
