package workflowtest

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
)

// files is a folder in memory.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	text, ok := f[filepath.ToSlash(name)]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, os.ErrNotExist)
	}
	return []byte(text), nil
}

func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name  string
		files files
		want  string
	}{
		{"no file", files{}, "open d/a.test.yaml: file does not exist"},
		{"an empty file", files{"d/a.test.yaml": "# nothing"}, "d/a.test.yaml:1:1: the file is empty (begin with: workflow: FILE) [empty]"},
		{"no workflow", files{"d/a.test.yaml": "workflow: ''\ntests: [{name: a}]"}, "d/a.test.yaml:1:1: the file names no workflow [missing-key]"},
		{"an absent workflow", files{"d/a.test.yaml": "tests: [{name: a}]\nworkflow: w.yaml"}, "d/a.test.yaml:2:11: open d/w.yaml: file does not exist"},
		{"an absent stub file", files{"d/a.test.yaml": "tests: [{name: a}]\nworkflow: w.yaml\ninclude: [s.yaml]"}, "d/a.test.yaml:3:11: open d/s.yaml: file does not exist"},
		{"no tests", files{"d/a.test.yaml": "workflow: w.yaml\ntests: []", "d/w.yaml": "- a: {return: 1}"}, "d/a.test.yaml:1:1: the file has no tests [empty]"},
		{"one name twice", files{"d/a.test.yaml": "workflow: w.yaml\ntests: [{name: a}, {name: a}]", "d/w.yaml": "- a: {return: 1}"}, `d/a.test.yaml:2:20: another test has the name "a" [duplicate-name]`},
		{"args of main", files{"d/a.test.yaml": "workflow: w.yaml\ntests: [{name: a, args: {x: 1}}]", "d/w.yaml": "- a: {return: 1}"},
			`d/a.test.yaml:2:25: args are for a subworkflow, which run names (write argument for the runtime argument of main) [wrong-keys]`},
		{"the argument of a subworkflow", files{"d/a.test.yaml": "workflow: w.yaml\ntests: [{name: a, run: main, argument: 1}]", "d/w.yaml": "- a: {return: 1}"},
			`d/a.test.yaml:2:40: a subworkflow has args, not an argument (write args, by parameter) [wrong-keys]`},
		{"a result and an error", files{"d/a.test.yaml": "workflow: w.yaml\ntests: [{name: a, want: {result: 1, error: e}}]", "d/w.yaml": "- a: {return: 1}"},
			`d/a.test.yaml:2:44: a run has a result or an error, not both [wrong-keys]`},
		{"wrong types", files{"d/a.test.yaml": "workflow: w.yaml\nunmatched: never\ntests: [{name: a, seed: x, start: now, want: {took: -1, calls: [{times: -1}], steps: 5}}, 7]", "d/w.yaml": "- a: {return: 1}"},
			`d/a.test.yaml:2:12: "never" is none of refuse, pass`},
		{"problems of all files", files{
			"d/a.test.yaml": "workflow: w.yaml\ninclude: [s.yaml]\ntests: [{nam: a}]", "d/w.yaml": "- a: {next: elsewhere}", "d/s.yaml": "stubs: 1",
		}, "d/a.test.yaml:3:9: a test needs the key \"name\" (name: what the test shows) [missing-key]\n" +
			"d/a.test.yaml:3:10: a test has no key \"nam\" (did you mean \"name\"?) [unknown-key]\n" +
			"d/s.yaml:1:8: a list belongs here, not 1 (begin each item with a dash) [wrong-type]\n" +
			"d/w.yaml:1:13: error in step a: there is no step \"elsewhere\" to jump to in this workflow [unknown-step]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load("d/a.test.yaml", c.files.read)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// TestOrder looks for expected calls among a, b, a, c.
func TestOrder(t *testing.T) {
	var calls []event
	for i, name := range []string{"a", "b", "a", "c"} {
		calls = append(calls, event{call: interp.Call{Func: name, Args: value.NewMap().Put("i", value.Int(i))}})
	}
	for _, c := range []struct{ wanted, inOrder, anyhow string }{
		{"", "", ""},
		{"a", "", ""},
		{"a b c", "", ""},
		{"a a", "", ""},
		{"a a a", "a", "a"},
		{"b a", "", ""},
		{"c a", "a", ""},
		{"* a a", "a", ""}, // in any order, * can stand for b or c
		{"* * * *", "", ""},
		{"* * * * *", "*", "*"},
		{"b b", "b", "b"},
	} {
		var wanted []*wantCall
		for _, name := range strings.Fields(c.wanted) {
			wanted = append(wanted, &wantCall{Match: stub.Match{Call: name}})
		}
		name := func(c *wantCall) string {
			if c == nil {
				return ""
			}
			return c.Call
		}
		missing, _ := inOrder(wanted, calls)
		if got := name(missing); got != c.inOrder {
			t.Errorf("%q in order: %q is missing, want %q", c.wanted, got, c.inOrder)
		}
		if got := name(anyhow(wanted, calls)); got != c.anyhow {
			t.Errorf("%q in any order: %q is missing, want %q", c.wanted, got, c.anyhow)
		}
	}
}

func TestErrorDifferences(t *testing.T) {
	decode := func(text string) value.Value {
		v, err := value.FromJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct{ payload, wanted, want string }{
		{`"it broke"`, `"broke"`, ``},
		{`"it broke"`, `"mended"`, `the message is "\"it broke\"", want one with "mended"`},
		{`"it broke"`, `{"message": "broke"}`, `the error is "it broke", want a map`},
		{`{"message": "it broke", "tags": ["A", "B"]}`, `"broke"`, ``},
		{`{"message": "it broke", "tags": ["A", "B"]}`, `{"tags": ["B"], "message": "it"}`, ``},
		{`{"message": "it broke", "tags": ["A", "B"]}`, `{"tags": ["C"]}`, `the tags are ["A","B"], want "C" among them`},
		{`{"message": "it broke"}`, `{"tags": ["C"]}`, `the tags are nothing, want "C" among them`},
		{`{"code": 404, "body": {"x": 1, "y": 2}}`, `{"code": 404.0, "body": {"x": 1}}`, ``},
		{`{"code": 404, "body": {"x": 1}}`, `{"code": 500, "body": {"x": 2, "z": 0}, "more": 1}`,
			`code is 404, want 500; body.x is 1, want 2; body.z is missing, want 0; more is nothing, want 1`},
	} {
		if got := strings.Join(errorDifferences(decode(c.payload), decode(c.wanted)), "; "); got != c.want {
			t.Errorf("%s, want %s: got\n%s\nwant\n%s", c.payload, c.wanted, got, c.want)
		}
	}
}

const counting = `
main:
  steps:
    - init: {assign: [{n: 0}]}
    - all:
        parallel:
          shared: [n]
          for:
            value: v
            range: [1, 3]
            steps:
              - nap: {call: sys.sleep, args: {seconds: 1}}
              - read: {assign: [{mine: "${n}"}]}
              - write: {assign: [{n: "${mine + 1}"}]}
    - done: {return: "${n}"}
`

// TestSeeds finds a race with the seeds of a list, and says with which.
func TestSeeds(t *testing.T) {
	f, err := Load("a.test.yaml", files{
		"a.test.yaml": "workflow: w.yaml\ntests: [{name: fixed, want: {result: 3}}, {name: seeds, seed: [0, 1, 2, 3, 4, 5, 6, 7], want: {result: 3}}]", "w.yaml": counting,
	}.read)
	if err != nil {
		t.Fatal(err)
	}
	if r := f.Run(t.Context(), f.Tests[0]); len(r.Failures) > 0 {
		t.Errorf("in the fixed order: %v", r.Failures)
	}
	r := f.Run(t.Context(), f.Tests[1])
	if len(r.Failures) != 1 || !strings.Contains(r.Failures[0].String(), "with seed ") {
		t.Errorf("with seeds: %v", r.Failures)
	}
}

// TestJUnit decodes what it wrote.
func TestJUnit(t *testing.T) {
	f := &File{Name: "a.test.yaml", Workflow: "w.yaml"}
	var b strings.Builder
	err := WriteJUnit(&b, []Suite{{f, []Result{
		{Test: &Test{Name: "good <&>"}},
		{Test: &Test{Name: "bad"}, Failures: []Failure{{Message: "no \x00", Details: []string{"<x>"}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got.Tests != 2 || got.Failures != 1 || len(got.Suites) != 1 || len(got.Suites[0].Cases) != 2 {
		t.Errorf("%+v", got)
	}
	want := &junitFailure{Message: "no \ufffd", Text: "-: no \ufffd\n    <x>\n"}
	if d := cmp.Diff(want, got.Suites[0].Cases[1].Failure); d != "" {
		t.Error(d)
	}
}

// TestSchemas holds the schemas against the files of the repository, and a file
// with a mistake of each kind.
func TestSchemas(t *testing.T) {
	for _, c := range []struct {
		schema []byte
		good   string
		bad    []string
	}{
		{Schema(), testFile(t), []string{`{}`, `{workflow: a, tests: [{}]}`, `{workflow: a, tests: [{name: a, wants: 1}]}`, `{workflow: a, tests: 1}`,
			`{workflow: a, tests: [{name: a, want: {order: some}}]}`, `{workflow: a, tests: [{name: a, stubs: [{cal: 1}]}]}`, `{workflow: a, tests: [{name: a, seed: x}]}`}},
		{stub.Schema(), "stubs: [{call: a, args: {x: 1}, answers: [{result: 1}, {status: 200, headers: {A: b}, body: x, delay: 1m}], exhausted: pass}]\nunmatched: refuse\nconnectors: {a: {exec: x, more: 1}}",
			[]string{`{stub: []}`, `{stubs: [{answer: {results: 1}}]}`, `{stubs: [{exhausted: never}]}`, `{unmatched: 1}`}},
	} {
		schema := compileSchema(t, c.schema)
		if err := schema.Validate(decodeYAML(t, c.good)); err != nil {
			t.Errorf("a good file: %v", err)
		}
		for _, bad := range c.bad {
			if schema.Validate(decodeYAML(t, bad)) == nil {
				t.Errorf("accepted %s", bad)
			}
		}
	}
}

func testFile(t *testing.T) string {
	text, err := os.ReadFile("../../workflows/penguins/workflow.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func compileSchema(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func decodeYAML(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// FuzzLoad never panics, and runs what it accepts.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("workflow: w.yaml\ntests:\n  - {name: a, seed: [0, 3], want: {result: 3, calls: [{call: sys.sleep, times: 3}], steps: [init, done], took: 1}}\n"))
	f.Add([]byte("workflow: w.yaml\nstubs: [{call: sys.*, answer: {error: '${attempt}'}}]\ntests: [{name: a, run: main, want: {error: x}}]\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := Load("a.test.yaml", func(name string) ([]byte, error) {
			switch name {
			case "a.test.yaml":
				return src, nil
			case "w.yaml":
				return []byte(counting), nil
			}
			return nil, errors.New("no such file")
		})
		if err != nil || file.unmatched == pass {
			return
		}
		for _, test := range file.Tests[:min(len(file.Tests), 3)] {
			test.seeds = test.seeds[:min(len(test.seeds), 3)]
			file.Run(t.Context(), test)
		}
	})
}
