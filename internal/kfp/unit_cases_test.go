package kfp

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// A unitCase is a case of a parametrized test of the KFP SDK.
type unitCase struct {
	Test string
	Case json.RawMessage
}

func unitCases(t *testing.T, test string) []unitCase {
	t.Helper()
	corpusFiles(t, "kfp") // skips
	var all, found []unitCase
	if err := json.Unmarshal(read(t, filepath.Join(corpus, "kfp/unit_cases/parameterized_cases.json")), &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if strings.Contains(c.Test, test) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no cases of %s", test)
	}
	return found
}

// TestPlaceholdersOfKFP parses every placeholder that the SDK's tests resolve.
func TestPlaceholdersOfKFP(t *testing.T) {
	count := 0
	for _, c := range unitCases(t, "TestResolveIndividualPlaceholder") {
		var texts []json.RawMessage
		var text string
		if err := json.Unmarshal(c.Case, &texts); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(texts[0], &text); err != nil {
			t.Fatal(err)
		}
		parts, diags := parsePlaceholders(text, func(int) diag.Pos { return diag.Pos{} })
		found := 0
		for _, p := range parts {
			if p.Placeholder != nil {
				found++
			}
		}
		if found != strings.Count(text, "{{$") || diags != nil {
			t.Errorf("%s: %d placeholders, %v", text, found, diags)
		}
		count += found
	}
	t.Logf("%d placeholders", count)
}

// TestStructuresOfKFP reads what the SDK's tests resolve, and gives what it does.
func TestStructuresOfKFP(t *testing.T) {
	for _, c := range unitCases(t, "TestResolveStructPlaceholders") {
		var fields []json.RawMessage
		var text string
		var given []string
		var want any
		if err := json.Unmarshal(c.Case, &fields); err != nil {
			t.Fatal(err)
		}
		for i, to := range []any{&text, &given, &want} {
			if err := json.Unmarshal(fields[i], to); err != nil {
				t.Fatal(err)
			}
		}
		docs, _ := source.Read("f", fields[0])
		r := &reader{}
		a := r.arg(docs[0])
		got, _ := json.Marshal(expand(a, given))
		if s, ok := want.(string); ok {
			want = []any{s}
		}
		if want == nil {
			want = []any{}
		}
		wanted, _ := json.Marshal(want)
		if string(got) != string(wanted) || r.diags != nil {
			t.Errorf("%s with %v: got %s, want %s; %v", text, given, got, wanted, r.diags)
		}
	}
}

// expand gives the arguments that an argument stands for.
func expand(a Arg, given []string) []string {
	list := []string{}
	switch a := a.(type) {
	case *Text:
		return []string{a.Value}
	case *Concat:
		joined := ""
		for _, item := range a.Items {
			joined += strings.Join(expand(item, given), "")
		}
		return []string{joined}
	case *IfPresent:
		branch := a.Else
		if strings.Contains(" "+strings.Join(given, " ")+" ", " "+a.Input.Value+" ") {
			branch = a.Then
		}
		for _, item := range branch {
			list = append(list, expand(item, given)...)
		}
	}
	return list
}

// TestDefaultsOfKFP reads defaults of version 1. A list for a struct is one to
// the SDK, and to us.
func TestDefaultsOfKFP(t *testing.T) {
	for _, c := range unitCases(t, "TestDeserializeV1ComponentYamlDefault") {
		var x struct {
			Type_        string
			Default      json.RawMessage
			Expected_val json.RawMessage
		}
		if err := json.Unmarshal(c.Case, &x); err != nil {
			t.Fatal(err)
		}
		got, want := readOne(t, x.Default, func(r *reader, n *source.Node) Value {
			return r.v1Default(n, v1Types[strings.ToLower(x.Type_)])
		}), readOne(t, x.Expected_val, (*reader).value)
		if !equal(got, want) {
			t.Errorf("%s %s: got %s, want %s", x.Type_, x.Default, show(got), show(want))
		}
	}
}

func readOne(t *testing.T, src []byte, f func(*reader, *source.Node) Value) Value {
	t.Helper()
	docs, diags := source.Read("f", append(append([]byte("[x, "), src...), ']')) // a document is no null
	if diags != nil {
		t.Fatal(diags)
	}
	return f(&reader{}, docs[0].Items[1])
}

// TestTypesOfKFP tells parameters from artifacts by type as the SDK does.
func TestTypesOfKFP(t *testing.T) {
	for _, c := range unitCases(t, "test_get_parameter_type") {
		var x struct {
			Given_type    json.RawMessage
			Expected_type int
		}
		if err := json.Unmarshal(c.Case, &x); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(x.Given_type), "<class") { // a class of Python, which no file has
			continue
		}
		docs, _ := source.Read("f", x.Given_type)
		if got := parameterTypeOf(docs[0]); got != parameterTypes[x.Expected_type-1] {
			t.Errorf("%s: %s", x.Given_type, got)
		}
	}
}
