// Package conformance tests the engine against the documentation of Cloud
// Workflows, sentence by sentence. The sentences are data: testdata/*.txtar,
// one file a subject, one section a sentence. docs/CONFORMANCE.md is made of
// them, so it cannot claim what no test checks.
//
// A section begins with comments: the sentence in our own words, then
// directives (see the fields of sentence). What follows is a definition, or a
// table with a probe on each line:
//
//	EXPRESSION => RESULT as JSON
//	EXPRESSION => ! TAGS of the error
//	EXPRESSION => refused CODE of the diagnostic
//
// The section "vars" has the variables of the tables of a file, as items of an
// assign step; "subs" has subworkflows that their expressions may call.
package conformance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/rogpeppe/go-internal/txtar"
)

// suite is a file of sentences about one subject.
type suite struct {
	name, title, doc string
	vars, subs       string
	sentences        []*sentence
}

// sentence is something that the documentation says, and how it is tested.
type sentence struct {
	suite *suite
	name  string
	text  string
	doc   string // page, such as syntax/expressions
	why   string // of a choice: the reason
	by    string // folder and name of the test elsewhere that checks it

	arg      string   // the execution's argument, as JSON
	env      []string // further variables, as K=V
	want     string   // result, as JSON
	fails    string   // tags of the error, or its payload as JSON
	context  string   // text in the error's context
	refused  []string // codes of the errors at deployment, each perhaps with a place and a text
	warns    []string // codes of the warnings, each perhaps with a place
	logs     []string // what sys.log wrote: severity, then text or JSON
	requests []string // what the server was asked
	steps    string   // the number of executed steps
	time     string   // that passed, such as 3s

	source string   // a definition, or
	table  []string // probes
}

// probes is the number of things that the sentence checks.
func (s *sentence) probes() int { return max(1, len(s.table)) }

// field returns where a directive is kept.
func (s *sentence) field(key string) (one *string, many *[]string) {
	switch key {
	case "doc":
		return &s.doc, nil
	case "why":
		return &s.why, nil
	case "by":
		return &s.by, nil
	case "arg":
		return &s.arg, nil
	case "env":
		return nil, &s.env
	case "want":
		return &s.want, nil
	case "fails":
		return &s.fails, nil
	case "context":
		return &s.context, nil
	case "refused":
		return nil, &s.refused
	case "warns":
		return nil, &s.warns
	case "log":
		return nil, &s.logs
	case "request":
		return nil, &s.requests
	case "steps":
		return &s.steps, nil
	case "time":
		return &s.time, nil
	}
	return nil, nil
}

// suites reads all files of sentences.
func suites(t testing.TB) []*suite {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sentences: %v", err)
	}
	var all []*suite
	for _, file := range files {
		s, err := readSuite(file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, s)
	}
	return all
}

func readSuite(file string) (*suite, error) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		return nil, err
	}
	s := &suite{name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
	for line := range strings.Lines(string(archive.Comment)) {
		switch key, rest, _ := strings.Cut(strings.TrimSpace(line), ": "); key {
		case "title":
			s.title = rest
		case "doc":
			s.doc = rest
		}
	}
	seen := map[string]bool{}
	for _, f := range archive.Files {
		if seen[f.Name] {
			return nil, fmt.Errorf("section %s appears twice", f.Name)
		}
		seen[f.Name] = true
		switch f.Name {
		case "vars":
			s.vars = string(f.Data)
			continue
		case "subs":
			s.subs = string(f.Data)
			continue
		}
		one, err := readSentence(s, f)
		if err != nil {
			return nil, fmt.Errorf("section %s: %w", f.Name, err)
		}
		s.sentences = append(s.sentences, one)
	}
	return s, nil
}

func readSentence(of *suite, f txtar.File) (*sentence, error) {
	s := &sentence{suite: of, name: f.Name}
	body := f.Data
	for bytes.HasPrefix(body, []byte("#")) {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		body = rest
		text := strings.TrimSpace(strings.TrimPrefix(string(line), "#"))
		key, value, ok := strings.Cut(text, ": ")
		one, many := s.field(key)
		switch {
		case ok && one == nil && many == nil && key == strings.ToLower(key) && !strings.Contains(key, " "):
			return nil, fmt.Errorf("unknown directive %q", key)
		case one == nil && many == nil:
			s.text = strings.TrimSpace(s.text + " " + text)
		case one != nil:
			*one = strings.TrimSpace(*one + " " + value)
		default:
			*many = append(*many, value)
		}
	}
	if s.doc == "" {
		s.doc = of.doc
	}
	if s.by != "" {
		return s, nil
	}
	if s.isTable() {
		s.table = strings.Split(strings.TrimSpace(string(body)), "\n")
		return s, nil
	}
	source, err := expand(string(body))
	s.source = source
	return s, err
}

// isTable reports whether the section is a table: then it says nothing of a
// result of its own.
func (s *sentence) isTable() bool {
	return s.want == "" && s.fails == "" && s.refused == nil && s.warns == nil
}

// expand runs a source that holds {{ as a template, for those too long to be
// written out: {{range n 50}}{{.}}{{end}} and {{repeat "x" 100}}.
func expand(source string) (string, error) {
	if !strings.Contains(source, "{{") {
		return source, nil
	}
	t, err := template.New("").Funcs(template.FuncMap{
		"repeat": strings.Repeat,
		"n": func(n int) []int {
			list := make([]int, n)
			for i := range list {
				list[i] = i
			}
			return list
		},
	}).Parse(source)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, nil)
	return b.String(), err
}

// TestSentences checks that every sentence says something, and where from.
func TestSentences(t *testing.T) {
	for _, s := range suites(t) {
		if s.title == "" {
			t.Errorf("%s has no title", s.name)
		}
		for _, one := range s.sentences {
			if one.text == "" || !strings.HasSuffix(one.text, ".") {
				t.Errorf("%s/%s: %q is no sentence", s.name, one.name, one.text)
			}
			if one.doc == "" {
				t.Errorf("%s/%s names no page", s.name, one.name)
			}
		}
	}
}

// read returns a file of testdata.
func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
