package expr

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
)

// form writes a tree in prefix form, which leaves no doubt about precedence.
func form(e Expr) string {
	list := func(head string, items ...Expr) string {
		parts := []string{head}
		for _, item := range items {
			parts = append(parts, form(item))
		}
		return "(" + strings.Join(parts, " ") + ")"
	}
	switch e := e.(type) {
	case *Literal:
		return fmt.Sprintf("%#v", e.Value)
	case *Ident:
		return e.Name
	case *Member:
		return list("."+e.Name, e.X)
	case *Index:
		return list("[]", e.X, e.Key)
	case *Call:
		return list(e.Func+"()", e.Args...)
	case *Unary:
		return list(e.Op, e.X)
	case *Binary:
		return list(e.Op, e.X, e.Y)
	case *List:
		return list("list", e.Items...)
	}
	return "?"
}

// parses holds expressions, their trees, and how they print when that is not
// how they were written.
var parses = []struct{ src, tree, printed string }{
	{"null", "<nil>", ""},
	{"true", "true", ""},
	{"TRUE", "true", "true"},
	{"False", "false", "false"},
	{"nullable", "nullable", ""},
	{"42", "42", ""},
	{"007", "7", "7"},
	{"-5", "-5", ""},
	{"- 5", "-5", "-5"},
	{"-(5)", "(- 5)", ""},
	{"--5", "(- -5)", ""},
	{"-x", "(- x)", ""},
	{"- -x", "(- (- x))", "--x"},
	{"a - -b", "(- a (- b))", ""},
	{"a-b", "(- a b)", "a - b"},
	{"a-5", "(- a 5)", "a - 5"},
	{"-5[0]", "(- ([] 5 0))", "-(5)[0]"},
	{"9223372036854775807", "9223372036854775807", ""},
	{"-9223372036854775808", "-9223372036854775808", ""},
	{"4.1", "4.1", ""},
	{"1.0", "1", ""},
	{"1e3", "1000", "1000.0"},
	{"2.5E-10", "2.5e-10", "2.5e-10"},
	{"1e30", "1e+30", "1.0e+30"},
	{`"a\"b\\\n\u00e9\ud83d\ude00\/"`, `"a\"b\\\né😀/"`, `"a\"b\\\né😀/"`},
	{"\"two\nlines\"", `"two\nlines"`, `"two\nlines"`},
	{`""`, `""`, ""},
	{`"\u0007\ufeff"`, `"\a\ufeff"`, ""},
	{"a.b.c", "(.c (.b a))", ""},
	{"a . b", "(.b a)", "a.b"},
	{"a.in.null", "(.null (.in a))", ""},
	{`a["x"][i + 1].c`, `(.c ([] ([] a "x") (+ i 1)))`, ""},
	{`"abc"[0]`, `([] "abc" 0)`, ""},
	{"[1, 2][0]", "([] (list 1 2) 0)", ""},
	{"(5)[0]", "([] 5 0)", ""},
	{"(a + b).c", "(.c (+ a b))", ""},
	{"[]", "(list)", ""},
	{"[a, [1], \"x\"]", `(list a (list 1) "x")`, ""},
	{"f()", "(f())", ""},
	{"text.split(s, \",\")", `(text.split() s ",")`, ""},
	{"f(g(x)).y[0]", "([] (.y (f() (g() x))) 0)", ""},
	{"if(a, b, c)", "(if() a b c)", ""},
	{"a + b * c", "(+ a (* b c))", ""},
	{"(a + b) * c", "(* (+ a b) c)", ""},
	{"a - (b - c)", "(- a (- b c))", ""},
	{"a - b - c", "(- (- a b) c)", ""},
	{"(a - b) - c", "(- (- a b) c)", "a - b - c"},
	{"a // b % c / d", "(/ (% (// a b) c) d)", ""},
	{"a + 1 < b == c", "(== (< (+ a 1) b) c)", ""},
	{"a in b and c or d and e", "(or (and (in a b) c) (and d e))", ""},
	{"(a or b) and c", "(and (or a b) c)", ""},
	{"a OR b AND NOT c", "(or a (and b (not c)))", "a or b and not c"},
	{"not a == b", "(== (not a) b)", ""},
	{"not (a == b)", "(not (== a b))", ""},
	{"not not a", "(not (not a))", ""},
	{"not -a * b", "(* (not (- a)) b)", ""},
	{"-not a", "(- (not a))", ""},
	{`not ("k" in m)`, `(not (in "k" m))`, ""},
	{"((((a))))", "a", "a"},
	{" \t\n a\r\n ", "a", "a"},
	{"In", "In", ""},
}

func TestParse(t *testing.T) {
	for _, c := range parses {
		e, err := Parse(c.src, diag.Pos{File: "f", Line: 1, Col: 1})
		if err != nil {
			t.Errorf("%q: %v", c.src, err)
			continue
		}
		if got := form(e); got != c.tree {
			t.Errorf("%q: got the tree %s, want %s", c.src, got, c.tree)
		}
		want := c.printed
		if want == "" {
			want = c.src
		}
		if got := String(e); got != want {
			t.Errorf("%q: printed as %q, want %q", c.src, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "f:7:3: the expression is empty"},
		{"  ", "f:7:5: the expression is empty"},
		{"!a", "f:7:3: token recognition error at: '!' (write \"not\" for \"!\", with parentheses: not (a in b))"},
		{"a && b", "f:7:5: token recognition error at: '&' (write \"and\" for \"&&\")"},
		{"a || b", "f:7:5: token recognition error at: '|' (write \"or\" for \"||\")"},
		{"a == 'x'", "f:7:8: token recognition error at: ''' (strings in expressions take double quotes: \"text\")"},
		{"é", "f:7:3: token recognition error at: 'é'"},
		{"{a: 1}", "f:7:3: token recognition error at: '{' (an expression cannot hold a map literal, or text around a second ${…}: assign the map to a variable first, or join strings with +)"},
		{"a = 1", "f:7:5: token recognition error at: '=' (write \"==\" to compare; an expression cannot assign)"},
		{"a ? b : c", "f:7:5: token recognition error at: '?' (write if(condition, a, b) for a choice and default(a, b) for null)"},
		{"$a", "f:7:3: token recognition error at: '$' (inside an expression a variable is its bare name)"},
		{`"é`, "f:7:3: token recognition error at: '\"é' (the string has no closing \")"},
		{`"\n`, "f:7:3: token recognition error at: '\"\\n' (the string has no closing \")"},
		{`"é\d+"`, "f:7:5: token recognition error at: '\\d+\"' (a backslash in a string starts one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; write \\\\ for a backslash)"},
		{`"\ud800x"`, "f:7:4: token recognition error at: '\\ud800x\"' (half of a surrogate pair is no character)"},
		{`"\`, "f:7:4: token recognition error at: '\\' (a backslash in a string starts one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; write \\\\ for a backslash)"},
		{"9223372036854775808", "f:7:3: number '9223372036854775808' does not fit in 64 bits"},
		{"-(9223372036854775808)", "f:7:5: number '9223372036854775808' does not fit in 64 bits"},
		{"1e999", "f:7:3: number '1e999' does not fit in 64 bits (write a double, such as 1.0e20, or a string)"},
		{"a b", "f:7:5: unexpected 'b', expecting an operator (two values need an operator between them)"},
		{"a not in b", "f:7:5: unexpected 'not', expecting an operator (there is no \"not in\": write not (a in b))"},
		{"a +", "f:7:6: unexpected the end of the expression, expecting a value"},
		{"(a", "f:7:5: unexpected the end of the expression, expecting ')'"},
		{"a)", "f:7:4: unexpected ')', expecting an operator"},
		{"f(a,)", "f:7:7: unexpected ')', expecting a value"},
		{"f(a b)", "f:7:7: unexpected 'b', expecting ')' (two values need an operator between them)"},
		{"[a", "f:7:5: unexpected the end of the expression, expecting ']'"},
		{"a[]", "f:7:5: unexpected ']', expecting a value"},
		{"a[1:2]", "f:7:6: token recognition error at: ':' (write if(condition, a, b) for a choice and default(a, b) for null)"},
		{"a.", "f:7:5: unexpected the end of the expression, expecting a name"},
		{"a.1", "f:7:5: unexpected '1', expecting a name (two values need an operator between them)"},
		{".5", "f:7:3: unexpected '.', expecting a value"},
		{"a[0](b)", "f:7:7: only a function can be called, by its name"},
		{"a +\n  * b", "f:8:3: unexpected '*', expecting a value"},
		{strings.Repeat("(", 600), "f:7:503: the expression is nested more than 500 levels deep"},
		{strings.Repeat("-", 600), "f:7:503: the expression is nested more than 500 levels deep"},
		{strings.Repeat("[", 600), "f:7:503: the expression is nested more than 500 levels deep"},
		{"a\xff", "f:7:3: expression is not valid UTF-8"},
		{strings.Repeat("a", 1<<17), "f:7:3: expression is 131072 bytes long; no expression may be longer than 65536"},
	} {
		_, err := Parse(c.src, diag.Pos{File: "f", Line: 7, Col: 3})
		var d diag.Diagnostic
		if !errors.As(err, &d) {
			t.Errorf("%.50q: got %v, want a diagnostic", c.src, err)
			continue
		}
		if got := strings.TrimSuffix(d.Error(), " [expression]"); got != c.want && !strings.HasPrefix(got, c.want+" (") {
			t.Errorf("%.50q: got\n%s\nwant\n%s", c.src, got, c.want)
		}
	}
}

func TestPositions(t *testing.T) {
	e, err := Parse("é_x", diag.Pos{})
	if err == nil {
		t.Fatalf("got %s, want an error", form(e))
	}
	src := "\"é\" +\n foo.bar[f(x)]"
	e, err = Parse(src, diag.Pos{File: "f", Line: 3, Col: 10})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	Walk(e, func(e Expr) bool {
		at := e.Pos()
		switch e := e.(type) {
		case *Binary:
			at = e.At
		case *Member:
			at = e.At
		case *Index:
			at = e.At
		}
		got[reflect.TypeOf(e).Elem().Name()+" "+String(e)] = at.String()
		return true
	})
	want := map[string]string{
		`Binary "é" + foo.bar[f(x)]`: "f:3:14",
		`Literal "é"`:                "f:3:10",
		`Index foo.bar[f(x)]`:        "f:4:9",
		`Member foo.bar`:             "f:4:6",
		`Ident foo`:                  "f:4:2",
		`Call f(x)`:                  "f:4:10",
		`Ident x`:                    "f:4:12",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// TestStringOfBuilt prints trees that a compiler may build and Parse would not.
func TestStringOfBuilt(t *testing.T) {
	x, five := &Ident{Name: "x"}, &Literal{Value: int64(5)}
	for _, c := range []struct {
		e    Expr
		want string
	}{
		{&Unary{Op: "-", X: five}, "-(5)"},
		{&Unary{Op: "-", X: &Literal{Value: int64(-5)}}, "--5"},
		{&Member{X: five, Name: "y"}, "(5).y"},
		{&Index{X: &Literal{Value: int64(-5)}, Key: x}, "(-5)[x]"},
		{&Binary{X: &Literal{Value: int64(-5)}, Op: "*", Y: &Literal{Value: -0.5}}, "-5 * -0.5"},
		{&Unary{Op: "not", X: &Binary{X: x, Op: "in", Y: x}}, "not (x in x)"},
		{&Binary{X: x, Op: "*", Y: &Binary{X: x, Op: "/", Y: x}}, "x * (x / x)"},
		{&Literal{Value: math.Copysign(0, -1)}, "-0.0"},
		{&Literal{Value: math.MaxFloat64}, "1.7976931348623157e+308"},
		{&Literal{Value: int64(math.MinInt64)}, "-9223372036854775808"},
		{&Literal{Value: "a: b # ' \u2028\u0085"}, `"a: b # ' \u2028\u0085"`},
	} {
		got := String(c.e)
		if got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		if again, err := Parse(got, diag.Pos{}); err != nil || form(again) != form(c.e) {
			t.Errorf("%s: read again as %v, %v", got, again, err)
		}
	}
}

func TestIsName(t *testing.T) {
	for s, want := range map[string]bool{
		"x": true, "_x1": true, "If": true, "if": true, "": false, "1x": false, "a-b": false, "é": false,
		"in": false, "AND": false, "True": false, "null": false, "a.b": false,
	} {
		if IsName(s) != want {
			t.Errorf("IsName(%q) is %t", s, !want)
		}
	}
}

func TestLongChainsAreBounded(t *testing.T) {
	for _, src := range []string{strings.Repeat("a+", 5000) + "a", "a" + strings.Repeat(".b", 5000), "f" + strings.Repeat("[a]", 5000)} {
		e, err := Parse(src, diag.Pos{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(strings.ReplaceAll(String(e), " ", ""), diag.Pos{})
		if err != nil || form(again) == "" {
			t.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range parses {
		f.Add(c.src)
	}
	for _, s := range []string{"a not in b", "!x", `"\ud800"`, "((((", "a[1:2]", "-9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Parse(src, diag.Pos{File: "f", Line: 1, Col: 1})
		if err != nil {
			var d diag.Diagnostic
			if !errors.As(err, &d) || d.Message == "" || !d.Pos.IsValid() {
				t.Fatalf("not a positioned diagnostic: %#v", err)
			}
			return
		}
		text := String(e)
		if len(text) > maxBytes {
			return // escapes may make it longer than what is read
		}
		again, err := Parse(text, diag.Pos{})
		if err != nil {
			t.Fatalf("%q printed as %q does not parse: %v", src, text, err)
		}
		if form(e) != form(again) {
			t.Fatalf("%q printed as %q is another tree:\n%s\n%s", src, text, form(e), form(again))
		}
		if twice := String(again); twice != text {
			t.Fatalf("printed as %q, then as %q", text, twice)
		}
	})
}
