package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var birds = &Schema{
	Label: "species", Classes: []string{"A", "B"},
	Features: []Feature{{Name: "size", Min: 1, Max: 9}, {Name: "sex", Categories: []string{"f", "m"}}},
}

func TestRead(t *testing.T) {
	const text = "\ufeffyear,sex,species,size\n1,f,A,1.50\n2,NA,B,9\n3,m,A,\n4,,A,NA\n5,x,C,99\n6,m,B,big\n"
	table, problems, err := Read(strings.NewReader(text), birds)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{
		"line 4, size: no number is present in the row",
		"line 5, size: no number is present in the row",
		`line 6, species: "C" is not one of A, B`,
		"line 6, size: 99 is outside 1 to 9",
		`line 6, sex: "x" is not one of f, m`,
		`line 7, size: "big" is not a number`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"size": 9.0, "sex": nil}, table.Instance(table.Rows[1])); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{1, 1}, table.Count()); diff != "" {
		t.Error(diff)
	}
	var out bytes.Buffer
	if err := table.Write(&out); err != nil {
		t.Fatal(err)
	}
	if want := "species,size,sex\nA,1.50,f\nB,9,NA\n"; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}

func TestReadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "no header line",
		"species,sise\nA,1":         `the header has no column "size" (it has "sise")`,
		"size,sex\n1,f":             `the header has no column "species"`,
		"species,size,sex\nA,1":     "wrong number of fields",
		"species,size,sex\n\"A,1,f": "not CSV",
		"\x00\x01":                  "no column",
	} {
		if _, _, err := Read(strings.NewReader(text), birds); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	v, err := birds.ToMetadata()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{Metadata: v}) // as it travels
	if err != nil {
		t.Fatal(err)
	}
	var metadata map[string]any
	if err := json.Unmarshal(body, &metadata); err != nil {
		t.Fatal(err)
	}
	got, err := FromMetadata(metadata)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(birds, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		`{}`:            "has no schema",
		`{"schema":3}`:  "metadata.schema",
		`{"schema":{}}`: "want a label",
		`{"schema":{"label":"y","classes":["a","b"],"features":[{"name":"y"}]}}`: "there twice",
	} {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if _, err := FromMetadata(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestSplit(t *testing.T) {
	table := &Table{Schema: birds}
	for i := range 100 {
		table.Rows = append(table.Rows, Row{Line: i, Label: min(1, i%5), X: []float64{1, math.NaN()}})
	}
	first, second, err := table.Split(0.25, 7)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{15, 60}, first.Count()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{5, 20}, second.Count()); diff != "" {
		t.Error(diff)
	}
	lines := func(t *Table) string {
		s := ""
		for _, r := range t.Rows {
			s += fmt.Sprint(r.Line, " ")
		}
		return s
	}
	_, again, _ := table.Split(0.25, 7)
	_, other, _ := table.Split(0.25, 8)
	if lines(again) != lines(second) || lines(other) == lines(second) {
		t.Error("the split does not follow from the seed")
	}
	// Pinned: a new version of Go must not change which rows are held back.
	if want := "0 1 2 4 6 9 15 19 23 26 27 40 42 53 54 56 64 68 77 78 80 90 92 93 97 "; lines(second) != want {
		t.Errorf("rows %q, want %q", lines(second), want)
	}
	for _, share := range []float64{0, 1, -1, math.NaN()} {
		if _, _, err := table.Split(share, 1); err == nil {
			t.Errorf("share %v: no error", share)
		}
	}
	one := &Table{Schema: birds, Rows: table.Rows[:1]}
	if _, _, err := one.Split(0.5, 1); err == nil || !strings.Contains(err.Error(), "class A has 1 rows") {
		t.Errorf("error %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("species,size,sex\nA,1,f\n")
	f.Add("species,size,sex\n\"A\"\"\",NaN,\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, _, err := Read(strings.NewReader(text), birds)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := table.Write(&out); err != nil {
			t.Fatal(err)
		}
		again, problems, err := Read(&out, birds)
		if err != nil || len(problems) > 0 || len(again.Rows) != len(table.Rows) {
			t.Errorf("what was written reads as %v, %v", problems, err)
		}
	})
}
