package interp_test

import (
	"strings"
	"testing"
)

// TestExpressions evaluates expressions over a few variables; a want that
// begins with "!" is the tags of the error.
func TestExpressions(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		// Addition and concatenation (syntax/datatypes).
		{`1 + 2`, `3`}, {`1 + 2.5`, `3.5`}, {`1.0 + 2`, `3.0`},
		{`"a" + "b"`, `"ab"`}, {`"a" + 1`, `"a1"`}, {`1 + "a"`, `"1a"`}, {`"a" + 2.5`, `"a2.5"`}, {`2.0 + "a"`, `"2.0a"`},
		{`"a" + true`, `"atrue"`}, {`false + "a"`, `"falsea"`},
		{`true + true`, `! TypeError`}, {`true + 1`, `! TypeError`}, {`true + 1.5`, `! TypeError`},
		{`"a" + null`, `! TypeError`}, {`null + 1`, `! TypeError`}, {`list + list`, `! TypeError`}, {`"a" + list`, `! TypeError`}, {`m + m`, `! TypeError`},
		{`9223372036854775807 + 1`, `! ValueError`}, {`-9223372036854775807 - 2`, `! ValueError`}, {`9223372036854775807 * 2`, `! ValueError`},
		{`4611686018427387904 * -2`, `-9223372036854775808`}, {`9223372036854775807 + 1.0`, `9223372036854776000.0`},
		// The other operators.
		{`7 - 2`, `5`}, {`7 - 2.5`, `4.5`}, {`"a" - 1`, `! TypeError`}, {`3 * 4`, `12`}, {`3 * 0.5`, `1.5`}, {`"a" * 2`, `! TypeError`},
		{`7 / 2`, `3.5`}, {`4 / 2`, `2.0`}, {`7 // 2`, `3`}, {`-10 // 3`, `-4`}, {`10 // -3`, `-4`}, {`-10 // -3`, `3`}, {`7.5 // 2`, `3.0`}, {`-7.5 // 2`, `-4.0`},
		{`7 % 3`, `1`}, {`-7 % 3`, `2`}, {`7 % -3`, `-2`}, {`-7 % -3`, `-1`}, {`7.5 % 2`, `1.5`}, {`-7.5 % 2`, `0.5`},
		{`1 / 0`, `! ZeroDivisionError`}, {`1 // 0`, `! ZeroDivisionError`}, {`1 % 0`, `! ZeroDivisionError`}, {`1.5 / 0`, `! ZeroDivisionError`}, {`1 // 0.0`, `! ZeroDivisionError`},
		{`-one`, `-1`}, {`-"a"`, `! TypeError`}, {`1 - -1`, `2`}, {`-(2.5)`, `-2.5`},
		{`2 + 3 * 4`, `14`}, {`(2 + 3) * 4`, `20`}, {`10 - 2 - 3`, `5`}, {`2 * 3 % 4`, `2`},
		// Comparison.
		{`1 < 2`, `true`}, {`2 <= 2.0`, `true`}, {`2.5 > 2`, `true`}, {`2 >= 3`, `false`}, {`"a" < "b"`, `true`}, {`"B" < "a"`, `true`},
		{`"a" < 1`, `! TypeError`}, {`null < 1`, `! TypeError`}, {`true < false`, `! TypeError`}, {`list < list`, `! TypeError`},
		{`1 == 1.0`, `true`}, {`1 == "1"`, `false`}, {`null == null`, `true`}, {`0 == null`, `false`}, {`null != 1`, `true`}, {`list == [1, 2.0, 3]`, `true`}, {`m == m`, `true`}, {`m != null`, `true`},
		// Logic.
		{`true and false`, `false`}, {`true or false`, `true`}, {`TRUE AND NOT FALSE`, `true`}, {`not true`, `false`},
		{`false and nothing.x`, `false`}, {`true or 1 / 0 == 1`, `true`}, {`true and 1 / 0 == 1`, `! ZeroDivisionError`},
		{`1 and true`, `! TypeError`}, {`true and 1`, `! TypeError`}, {`null or true`, `! TypeError`}, {`not 1`, `! TypeError`},
		{`not one == 2`, `! TypeError`}, {`not (one == 2)`, `true`}, // not binds tighter
		// Members and membership.
		{`m.a.b`, `5`}, {`m["a"]["b"]`, `5`}, {`m.a["b"]`, `5`}, {`list[0]`, `1`}, {`list[one + 1]`, `3`}, {`m.list[1].x`, `"deep"`},
		{`m.zzz`, `! KeyError`}, {`m["zzz"]`, `! KeyError`}, {`list[3]`, `! IndexError`}, {`list[-1]`, `! IndexError`}, {`list["0"]`, `! TypeError`}, {`list[1.0]`, `! TypeError`},
		{`nothing.x`, `! TypeError`}, {`one.x`, `! TypeError`}, {`"abc"[0]`, `! TypeError`}, {`m[null]`, `! TypeError`}, {`nums[1]`, `10`}, {`nums["1"]`, `! KeyError`},
		{`2 in list`, `true`}, {`2.0 in list`, `true`}, {`4 in list`, `false`}, {`"a" in m`, `true`}, {`"b" in m`, `false`}, {`1 in nums`, `true`}, {`null in m`, `false`},
		{`"a" in nothing`, `! TypeError`}, {`"a" in "abc"`, `! TypeError`}, {`not ("a" in m)`, `false`},
		// Lists, calls and named values.
		{`[one, [list[2]], "x"]`, `[1,[3],"x"]`}, {`len([])`, `0`}, {`default(nothing, 4)`, `4`}, {`if(one == 1, "y", "n")`, `"y"`}, {`if(true, 1, 1 / 0)`, `! ZeroDivisionError`},
		{`http.default_retry.max_retries`, `5`}, {`http.default_retry.backoff.multiplier`, `1.25`}, {`retry.default_backoff.max_delay`, `60`},
		{`twice(one + 1) + twice(3)`, `10`}, {`false and twice("x")`, `false`}, {`true or twice(null)`, `true`}, {`[twice(1), list, twice(list[1])]`, `[2,[1,2,3],4]`},
		{`len([twice(1), 2]) + twice(twice(2))`, `10`}, {`m[name("a")].b`, `5`}, {`twice(1) > 1 and twice(2) > 5`, `false`}, {`twice("x")`, `! TypeError`}, {`twice()`, `! TypeError`}, {`twice(1, 2)`, `! TypeError`},
		{`len(1, 2)`, `! TypeError`},
	} {
		src := `
main:
  steps:
    - init:
        assign:
          - one: 1
          - nothing: null
          - list: [1, 2, 3]
          - nums: {1: 10, 2: 20}
          - m: {a: {b: 5}, list: [0, {x: deep}]}
    - done:
        return: '${` + strings.ReplaceAll(c.expr, "'", "''") + `}'
twice:
  params: [n]
  steps:
    - r: {return: '${n * 2}'}
name:
  params: [n]
  steps:
    - r: {return: '${n}'}
`
		if got := show(run(t, src, "", virtual())); got != c.want {
			t.Errorf("%s: got %s, want %s", c.expr, got, c.want)
		}
	}
}

func TestInMessage(t *testing.T) {
	o := run(t, `[{s: {return: '${"k" in null}'}}]`, "", virtual())
	if got, want := o.Err.Context, "The argument of 'in' must be a dict or an array; got: null\nin step \"s\", routine \"main\", line: 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
