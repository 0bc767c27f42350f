package workflow

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"hello", "f:1:1: parse error: expected a map of workflows or a sequence of steps; got string [shape]"},
		{"42", "f:1:1: parse error: expected a map of workflows or a sequence of steps; got integer [shape]"},
		{"", "f:1:1: parse error: expected a map of workflows or a sequence of steps; got null [shape]"},
		{"# nothing\n", "f:1:1: parse error: expected a map of workflows or a sequence of steps; got null [shape]"},
		{"--- \n...", "f:2:1: parse error: expected a map of workflows or a sequence of steps; got null [shape]"},
		{"sub: {steps: []}", "f:1:1: parse error: there is no workflow named main (put the steps under \"main: {steps: [...]}\") [no-main]"},
		{"- a: {next: end}\n---\n- b: {next: end}\n", "f:2:1: parse error: expected one YAML document; another one begins here [yaml]"},
		{"- a:\n    return: ${m[\"a: b\"]}", "f:2:19: parse error: mapping values are not allowed in this context (an expression that holds \": \" must be quoted: '${…}') [yaml]"},
		{"- a:\n    return: b\n      c: d", "f:3:8: parse error: mapping values are not allowed in this context (check the indentation, and quote a text that holds \": \") [yaml]"},
		{"- a:\n    return: [${a}, ${b}]", "f:2:15: parse error: while parsing a flow sequence: did not find expected ',' or ']' (an expression inside [ ] or { } must be quoted: [\"${a}\", \"${b}\"]) [yaml]"},
		{"- a:\n\treturn: 1", "f:2:1: parse error: while scanning for the next token: found character that cannot start any token (indent with spaces, not with tabs) [yaml]"},
		{"- a: {return: \"x}\n", "f:1:18: parse error: while scanning a quoted scalar: found unexpected end of stream [yaml]"},
		{"- a: {return: *x}", "f:1:15: parse error: unknown anchor 'x' referenced [yaml]"},
		{"- é: \xff", "f:1:6: parse error: the source is not valid UTF-8 (save the file as UTF-8) [encoding]"},
		{"- é: \x07", "f:1:6: parse error: character U+0007 is not allowed (write it as an escape in a double-quoted string, such as \"\\u0007\") [encoding]"},
		{"- a: 'x\ry'", "f:1:8: parse error: character U+000D is not allowed (write it as an escape in a double-quoted string, such as \"\\u0007\") [encoding]"},
		{"- a: {return: {<<: {b: 1}}}", "f:1:16: parse error: expected a string or an integer as the key of a map; got string (write the pairs out: merge keys are not supported) [shape]"},
		{"- a: &a\n    return: *a", "f:1:6: parse error: the definition is nested more than 400 levels deep [alias]"},
		{`[{"a": {"return": [1, 2}}]`, "f:1:24: parse error: while parsing a flow sequence: did not find expected ',' or ']' [yaml]"},
	} {
		_, err := Parse("f", []byte(c.src))
		list, ok := diag.From(err)
		if !ok || len(list) == 0 {
			t.Errorf("%q: got %v, want diagnostics", c.src, err)
			continue
		}
		if got := list[0].Error(); got != c.want {
			t.Errorf("%q: got\n%s\nwant\n%s", c.src, got, c.want)
		}
	}
}

func TestLiterals(t *testing.T) {
	for src, want := range map[string]any{
		"27": int64(27), "-3": int64(-3), "+3": int64(3), "010": int64(10), "0x1F": int64(31), "0o17": int64(15),
		"9223372036854775807": int64(9223372036854775807), "4.1": 4.1, "1e3": 1000.0, ".5": 0.5, "1.": 1.0, "-0.0": 0.0,
		"true": true, "True": true, "FALSE": false, "yes": "yes", "No": "No", "on": "on", "y": "y",
		"null": nil, "~": nil, "": nil, "Null": nil, "NULL": nil, "nUll": "nUll",
		"2024-01-31": "2024-01-31", "1_000": "1_000", "12:30": "12:30", "1.2.3": "1.2.3", "1-2": "1-2", "-": nil, "+": "+", "0b1": "0b1",
		`"27"`: "27", "'true'": "true", "!!str 27": "27", `!!int "27"`: int64(27), "!!float 1": 1.0, `!!bool "true"`: true, "!!null ''": nil,
		"hello-${x}": "hello-${x}", "'${x} '": "${x} ", "|-\n      ${x} y": "${x} y", "<<": "<<", "=": "=", "$": "$", "${": "${",
	} {
		if src == "-" {
			continue // an empty list item, not a scalar
		}
		f, err := Parse("f", []byte("- a:\n    return: "+src+"\n"))
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		l, ok := f.Workflows[0].Steps[0].Do.(*Return).Value.(*Lit)
		if !ok || l.Value != want {
			t.Errorf("%s: got %#v, want %#v", src, l, want)
		}
	}
}

// TestAliases shows that aliases stand for what they name, within bounds.
func TestAliases(t *testing.T) {
	f, err := Parse("f", []byte("- a: &body\n    assign: [x: &v ['${y}', 2], y: *v]\n- b: *body\n- c: {return: *v}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := `- a:
    assign:
      - x:
          - ${y}
          - 2
      - 'y':
          - ${y}
          - 2
- b:
    assign:
      - x:
          - ${y}
          - 2
      - 'y':
          - ${y}
          - 2
- c:
    return:
      - ${y}
      - 2
`
	if d := cmp.Diff(want, string(Format(f))); d != "" {
		t.Error(d)
	}
}

// TestHostile bounds the time and memory that bad sources take.
func TestHostile(t *testing.T) {
	bomb := "- a:\n    assign:\n      - v0: &v0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("      - v%d: &v%d [*v%d, *v%d, *v%d, *v%d, *v%d, *v%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	deepSteps := strings.Repeat("[{a: {steps: ", 150) + "[]" + strings.Repeat("}}]", 150)
	for name, src := range map[string]string{
		"alias bomb":      bomb,
		"10 MB":           strings.Repeat("- a: {next: end}\n", 600000),
		"10 MB of JSON":   "[" + strings.Repeat(`{"a":{"next":"end"}},`, 500000) + `{"a":{"next":"end"}}]`,
		"deep flow":       "- a: {return: " + strings.Repeat("[", 100000),
		"deep JSON":       strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"deep block":      strings.Repeat("- ", 5000) + "x",
		"deep steps":      deepSteps,
		"deep expression": "- a: {return: '${" + strings.Repeat("(", 10000) + "}'}",
	} {
		start := time.Now()
		f, err := Parse("f", []byte(src))
		if err == nil {
			t.Errorf("%s: accepted: %.200s", name, Format(f))
		} else if len(err.Error()) > 2000 {
			t.Errorf("%s: a message of %d bytes: %.300s…", name, len(err.Error()), err)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

// TestManyFindings bounds the time that findings take.
func TestManyFindings(t *testing.T) {
	var b strings.Builder
	b.WriteString("- a:\n    assign:\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "      - v%d: ${w%d}\n", i, i)
	}
	start := time.Now()
	_, found := findings("f", []byte(b.String()))
	if n := strings.Count(found, "[unknown-name]"); n != 5000 {
		t.Errorf("%d unknown names, want 5000", n)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

// TestPositions looks up every name of every expression at its position.
func TestPositions(t *testing.T) {
	files := map[string][]byte{}
	for _, file := range append(inputs(t, "ok"), "testdata/positions.yaml") {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files[file] = src
		files[file+" with CRLF"] = bytes.ReplaceAll(src, []byte("\n"), []byte("\r\n"))
		files[file+" with a BOM"] = append([]byte("\ufeff"), src...)
	}
	for file, src := range files {
		if n := checkPositions(t, file, src); n == 0 {
			t.Errorf("%s: no names checked", file)
		}
	}
}

func TestCorpusPositions(t *testing.T) {
	for _, f := range corpus(t) {
		checkPositions(t, f.path, f.src)
	}
}

// checkPositions returns the number of names found in their places.
func checkPositions(t *testing.T, name string, src []byte) int {
	f, err := Parse(name, src)
	if err != nil {
		return 0
	}
	lines := bytes.Split(bytes.TrimPrefix(src, []byte("\ufeff")), []byte("\n"))
	n := 0
	check := func(at diag.Pos, want string) {
		n++
		var rest []rune
		if at.Line >= 1 && at.Line <= len(lines) {
			rest = []rune(string(lines[at.Line-1]))
		}
		if at.Col < 1 || at.Col > len(rest) || !strings.HasPrefix(string(rest[at.Col-1:]), want) {
			t.Errorf("%v: %q is not there", at, want)
		}
	}
	inExpr := func(x expr.Expr) {
		expr.Walk(x, func(x expr.Expr) bool {
			switch x := x.(type) {
			case *expr.Ident:
				check(x.At, x.Name)
			case *expr.Member:
				check(x.At, x.Name)
			case *expr.Index:
				check(x.At, "[")
			case *expr.Call:
				check(x.At, strings.Split(x.Func, ".")[0])
			case *expr.Binary:
				if x.Op != "and" && x.Op != "or" { // these have two spellings
					check(x.At, x.Op)
				}
			}
			return true
		})
	}
	for _, w := range f.Workflows {
		Walk(w.Steps, func(s *Step) bool {
			for _, v := range Values(s.Do) {
				WalkNodes(v, func(n Node) {
					if e, ok := n.(*Expr); ok {
						inExpr(e.X)
					}
				})
			}
			if a, ok := s.Do.(*Assign); ok {
				for _, it := range a.Items {
					inExpr(it.Target)
				}
			}
			return true
		})
	}
	return n
}

// TestTwins compares definitions that the corpus has in YAML and in JSON.
func TestTwins(t *testing.T) {
	same, different := 0, 0
	sources := map[string][]byte{}
	for _, f := range corpus(t) {
		sources[f.path] = f.src
	}
	for path, src := range sources {
		base, ok := strings.CutSuffix(path, ".json")
		if !ok || sources[base+".yaml"] == nil {
			continue
		}
		a, err := Parse("a", src)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		b, err := Parse("b", sources[base+".yaml"])
		if err != nil {
			continue
		}
		if dump(a) == dump(b) {
			same++
		} else {
			different++
		}
	}
	// Some of the pairs differ in a name or in 2 and 2.0.
	if same < 8*different {
		t.Errorf("of the pairs in YAML and JSON %d are the same and %d are not", same, different)
	}
}

func TestParseValue(t *testing.T) {
	n, err := ParseValue("a.yaml", []byte("a: 1\nb: [2.0, '${x + 1}', null]\n"))
	if err != nil {
		t.Fatal(err)
	}
	m := n.(*Map)
	if len(m.Entries) != 2 || m.Entries[1].Value.Pos().Line != 2 {
		t.Errorf("%+v", m)
	}
	list := m.Entries[1].Value.(*List)
	if e, ok := list.Items[1].(*Expr); !ok || e.At.Col != 13 {
		t.Errorf("%+v", list.Items[1])
	}
	for src, want := range map[string]string{
		"a: [":       "a.yaml:",
		"a: 1\na: 2": `a.yaml:2:1: parse error: key "a" appears twice`,
		"a: ${1 +}":  "a.yaml:1:",
	} {
		if _, err := ParseValue("a.yaml", []byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", src, err, want)
		}
	}
	if n, err := ParseValue("a.yaml", []byte("# nothing\n")); n != nil || err != nil {
		t.Errorf("an empty file: %v, %v", n, err)
	}
}
