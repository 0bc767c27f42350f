package cel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/kfp/cel"
)

// at locates the characters of an expression on one line of a file.
func at(offset int) diag.Pos { return diag.Pos{File: "f", Line: 1, Col: offset + 1} }

// types are the inputs that the tests' expressions name.
var types = map[string]cel.Type{
	"s": cel.String, "i": cel.Int, "d": cel.Double, "b": cel.Bool, "l": cel.List, "m": cel.Struct, "any": cel.Dyn,
	"type": cel.String, "num": cel.Double,
}

func env() cel.Env {
	inputs := &expr.Ident{Name: "inputs"}
	return cel.Env{
		Parameter: func(name string) (cel.Operand, bool) {
			t, ok := types[name]
			return cel.Operand{X: &expr.Member{X: inputs, Name: name}, Type: t}, ok
		},
		Artifact: func(name string, item int64) (expr.Expr, bool) {
			list := &expr.Member{X: inputs, Name: name}
			return &expr.Index{X: list, Key: &expr.Literal{Value: item}}, name == "model"
		},
		Names: func() []string { return []string{"s", "i", "d", "type", "num", "model"} },
	}
}

// condition translates a condition to text, or gives what is wrong with it.
func condition(src string) string {
	e, err := cel.Parse(src, at)
	if err != nil {
		return err.Error()
	}
	x, diags := cel.Condition(e, env())
	if x == nil {
		return diags.Error()
	}
	out := expr.String(x)
	if len(diags) > 0 {
		out += " # " + diags.Error()
	}
	return out
}

func TestCondition(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		// The shapes that compilers write.
		{`inputs.parameter_values['s'] == 'heads'`, `inputs.s == "heads"`},
		{`inputs.parameter_values['b'] == true`, `inputs.b == true`},
		{`!(inputs.parameter_values['b'] == true)`, `not (inputs.b == true)`},
		{`inputs.parameter_values['s'] != "x"`, `inputs.s != "x"`},
		{`int(inputs.parameter_values['i']) > 5`, `inputs.i > 5`},
		{`int(inputs.parameter_values['d']) <= 5`, `int(inputs.d) <= 5`},
		{`int(inputs.parameter_values['s']) >= int(inputs.parameter_values['i'])`, `int(inputs.s) >= inputs.i`},
		{`inputs.parameter_values['s'] == inputs.parameter_values['type']`, `inputs.s == inputs.type`},
		{"!(inputs.parameter_values['s'] == 'a') && inputs.parameter_values['s']\n  == 'b'", `not (inputs.s == "a") and inputs.s == "b"`},
		{`inputs.parameters['s'].string_value == 'a'`, `inputs.s == "a"`},
		{`inputs.parameters['i'].int_value > 5`, `inputs.i > 5`},
		{`inputs.parameters['num'].double_value < -.5e1`, `inputs.num < -5.0`},
		{`true`, `true`},
		// The rest of the subset.
		{`inputs.artifacts['model'].artifacts[0].metadata['accuracy']*100.0 > 90.0`, `inputs.model[0].metadata["accuracy"] * 100.0 > 90.0`},
		{`inputs.artifacts['model'].artifacts[1].uri == ''`, `inputs.model[1].uri == ""`},
		{`inputs.parameter_values['m'].a.b[0] != null`, `inputs.m["a"]["b"][0] != null`},
		{`size(inputs.parameter_values['l']) == 0 || (1 + 2) * 3 >= -inputs.parameter_values['i'] - 1`, `len(inputs.l) == 0 or (1 + 2) * 3 >= -inputs.i - 1`},
		{`7 / 2 == 3`, `int(7 / 2) == 3`},
		{`7.0 / inputs.parameter_values['d'] > 1`, `7.0 / inputs.d > 1`},
		{`string(inputs.parameter_values['i']) + 'x' == "1\x78"`, `string(inputs.i) + "x" == "1x"`},
		{`double(inputs.parameter_values['s']) < 0x1F`, `double(inputs.s) < 31`},
		{`'it\'s \"\?\u00e9\U0001F600\101\n' == inputs.parameter_values['s']`, `"it's \"?é😀A\n" == inputs.s`},
		{`parseJson(inputs.parameter_values['s'])['k'] > 1`, `json.decode(inputs.s)["k"] > 1`},
		// Guards where the types do not decide.
		{`inputs.parameter_values['any'] == 'x'`, `if(get_type(inputs.any) == "string", inputs.any, null) == "x"`},
		{`2 != inputs.parameter_values['m'].k`, `2 != if(get_type(inputs.m["k"]) == "integer" or get_type(inputs.m["k"]) == "double", inputs.m["k"], null)`},
		{`inputs.parameter_values['any'] == null`, `inputs.any == null`},
		{`inputs.parameter_values['i'] == 1.0`, `inputs.i == 1.0`},
		{`inputs.parameter_values['i'] == '1'`, `false # f:1:30: warning: this is always false: it compares an integer with a string [cel]`},
		{`inputs.parameter_values['b'] != 'true'`, `true # f:1:30: warning: this is always true: it compares a boolean with a string [cel]`},
		// What is wrong.
		{``, `f:1:1: the expression is empty [cel]`},
		{`inputs.parameter_values['tpye'] == 'x'`, `f:1:25: the task has no input parameter "tpye" (did you mean "type"?) [cel]`},
		{`inputs.artifacts['modle'].artifacts[0].uri == ''`, `f:1:18: the task has no input artifact "modle" (did you mean "model"?) [cel]`},
		{`inputs.parameter_values['s'] > 5`, `f:1:30: > does not compare a string with an integer (make a number of the string with int(…) or double(…)) [cel]`},
		{`inputs.parameter_values['b'] < true`, `f:1:30: < does not compare a boolean with a boolean [cel]`},
		{`inputs.parameters['s'].int_value > 5`, `f:1:19: the parameter "s" is a string, and has no int_value [cel]`},
		{`inputs.parameters['s'].text == ''`, `f:1:24: a parameter has no field "text" (it has string_value, int_value and double_value) [cel]`},
		{`inputs.parameter_values['s']`, `f:1:1: a condition is true or false, not a string [cel]`},
		{`inputs.artifacts['model'].artifacts[0] == null`, `f:1:1: an artifact is no value to compare (add .uri, .name or .metadata['…']) [cel]`},
		{`inputs.artifacts['model'].artifacts[0].type == null`, `f:1:40: an artifact has no "type" here (it has uri, name and metadata) [cel]`},
		{`inputs.artifacts['model'].uri == ''`, `f:1:27: an artifact has no field "uri" (write .artifacts[0] for the first of its items) [cel]`},
		{`inputs.outputs == null`, `f:1:1: inputs is not followed by what a task can be given (write inputs.parameter_values['…'] or inputs.artifacts['…']) [cel]`},
		{`inputs`, `f:1:7: unexpected the end of the expression, expecting '.' [cel]`},
		{`inputs.parameter_values[0] == 1`, `f:1:25: expected a name in quotes, found '0' [cel]`},
		{`inputs.artifacts['model'].artifacts[-1].uri == ''`, `f:1:37: unexpected '-', expecting ']' [cel]`},
		{`string_value == 'x'`, `f:1:1: "string_value" is not known here [cel]`},
		{`imt(inputs.parameter_values['s']) == 1`, `f:1:1: the function "imt" is not supported here (did you mean "int"?) [cel]`},
		{`has(inputs.x)`, `f:1:5: inputs is not followed by what a task can be given (write inputs.parameter_values['…'] or inputs.artifacts['…']) [cel]`},
		{`int() == 1`, `f:1:1: int takes one argument, not 0 [cel]`},
		{`int(true) == 1`, `f:1:5: int does not take a boolean [cel]`},
		{`parseJson(inputs.parameter_values['m']).a == 1`, `f:1:11: parseJson does not take a struct [cel]`},
		{`inputs.parameter_values['l'].a == 1`, `f:1:30: a list has no item that a string names [cel]`},
		{`true && 1`, `f:1:6: && joins booleans, not an integer [cel]`},
		{`!1`, `f:1:1: ! does not apply to an integer [cel]`},
		{`-'a' == 1`, `f:1:1: - does not apply to a string [cel]`},
		{`'a' + 1 == 'a1'`, `f:1:5: + does not apply to a string and an integer [cel]`},
		{`true ? 1 : 2`, `f:1:6: a choice with ?: is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`1 in [1]`, `f:1:3: the operator in is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`[1] == null`, `f:1:1: a list or a map is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`{} == null`, `f:1:1: a list or a map is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`5 % 2 == 1`, `f:1:3: the operator % is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`'abc'.startsWith('a')`, `f:1:17: a method is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`r'a' == 'a'`, `f:1:1: a string with a prefix, such as r"…" or b"…", is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`"""a""" == 'a'`, `f:1:1: a string in three quotes is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`1u == 1`, `f:1:1: an unsigned number is not supported in a condition (compute it in a component, and compare its output) [cel]`},
		{`99999999999999999999 == 1`, `f:1:1: '99999999999999999999' is no number of 64 bits [cel]`},
		{`1_000 == 1`, `f:1:1: '1_000' is no number of 64 bits [cel]`},
		{`'a == 1`, `f:1:1: the string has no closing ' [cel]`},
		{`'\q' == ''`, `f:1:2: bad escape in a string (a backslash begins an escape, such as \n; \\ is a backslash) [cel]`},
		{`1 = 1`, `f:1:3: unexpected character '=' [cel]`},
		{`1 == 1 1`, `f:1:8: unexpected '1', expecting an operator [cel]`},
		{`(1 == 1`, `f:1:8: unexpected the end of the expression, expecting ')' [cel]`},
		{`int(1 2)`, `f:1:7: unexpected '2', expecting ')' [cel]`},
		{`1.a == 1`, `f:1:1: '1.a' is no number of 64 bits [cel]`},
		{strings.Repeat("!", 300) + "true", `f:1:251: the expression is nested more than 250 levels deep [cel]`},
		{strings.Repeat("x", 1<<16+1), `f:1:1: the expression is 65537 bytes long, and at most 65536 are read [cel]`},
	} {
		if got := condition(c.src); got != c.want {
			t.Errorf("%.80q:\ngot  %s\nwant %s", c.src, got, c.want)
		}
	}
}

// selected translates a selector of a value called v.
func selected(src string, v cel.Operand) string {
	e, err := cel.Parse(src, at)
	if err != nil {
		return err.Error()
	}
	v.X = &expr.Ident{Name: "v"}
	o, diags := cel.Select(e, cel.Env{Value: &v})
	if o.X == nil {
		return diags.Error()
	}
	return expr.String(o.X)
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		of        cel.Type
		src, want string
	}{
		{cel.String, `parseJson(string_value)["A_a"]`, `json.decode(v)["A_a"]`},
		{cel.Struct, `parseJson(string_value)["A_a"]`, `v["A_a"]`},
		{cel.List, `parseJson(string_value)[0].b`, `v[0]["b"]`},
		{cel.Dyn, `parseJson(string_value).a`, `json.decode(if(get_type(v) == "string", v, json.encode_to_string(v)))["a"]`},
		{cel.String, `string_value`, `v`},
		{cel.Int, `string_value`, `json.encode_to_string(v)`},
		{cel.Struct, `struct_value.a.b`, `v["a"]["b"]`},
		{cel.List, `list_value[1]`, `v[1]`},
		{cel.Int, `number_value + 1`, `v + 1`},
		{cel.Bool, `!bool_value`, `not v`},
		{cel.Dyn, `struct_value.a`, `v["a"]`},
		{cel.String, `struct_value`, `f:1:1: the value is a string, and has no struct_value [cel]`},
		{cel.String, `value`, `f:1:1: "value" is not known here (use string_value, struct_value, list_value, number_value or bool_value) [cel]`},
		{cel.String, `inputs.parameter_values['s']`, `f:1:1: a selector knows the value it selects from, not the inputs of the task [cel]`},
		{cel.String, `inputs.artifacts['s'].artifacts[0].uri`, `f:1:1: a selector knows the value it selects from, not the inputs of the task [cel]`},
	} {
		if got := selected(c.src, cel.Operand{Type: c.of}); got != c.want {
			t.Errorf("%s of %s:\ngot  %s\nwant %s", c.src, c.of, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, src := range []string{
		`inputs.parameter_values['s'] == 'x' && !(int(inputs.parameter_values['any']) >= 5.0)`, `parseJson(string_value)["a"][0].b`,
		`inputs.artifacts['model'].artifacts[0].metadata['k'] * 2 < -1e5`, `inputs.parameters['i'].int_value != 0x1F`, `'\u00e9\x41' + "b"`,
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		last := len(src)
		e, err := cel.Parse(src, func(offset int) diag.Pos {
			if offset < 0 || offset > last {
				t.Fatalf("offset %d of %d", offset, last)
			}
			return at(offset)
		})
		if (e == nil) == (err == nil) {
			t.Fatalf("expression %v and error %v", e, err)
		}
		if err != nil {
			return
		}
		if x, diags := cel.Condition(e, env()); x == nil && len(diags) == 0 {
			t.Fatal("neither an expression nor a reason")
		} else if x != nil {
			reparse(t, x)
		}
		for of := cel.Dyn; of <= cel.Struct; of++ {
			v := cel.Operand{X: &expr.Ident{Name: "v"}, Type: of, Nullable: true}
			if o, diags := cel.Select(e, cel.Env{Value: &v}); o.X == nil && len(diags) == 0 {
				t.Fatal("neither an expression nor a reason")
			} else if o.X != nil {
				reparse(t, o.X)
			}
		}
	})
}

// reparse checks that an expression stands as text in a workflow.
func reparse(t *testing.T, x expr.Expr) {
	t.Helper()
	text := expr.String(x)
	if len(text) > 1<<15 {
		return
	}
	if _, err := expr.Parse(text, diag.Pos{}); err != nil && !strings.Contains(fmt.Sprint(err), "nested") {
		t.Fatalf("%s: %v", text, err)
	}
}
