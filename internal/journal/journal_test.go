package journal

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
)

var sample = File{
	Header: Header{Journal: Version, Workflow: "a.yaml", Source: "- a:\n    return: \"<ä>\"\n", Argument: []byte(`{"n":1}`), Env: map[string]string{"A": "b"}},
	Entries: []interp.Entry{
		{Seq: 1, Data: []byte(`{"kind":"start","at":1}`)},
		{Seq: 2, Data: []byte(`{"kind":"now","at":2}`)},
	},
	End: []byte(`{"state":"SUCCEEDED","result":1,"steps":2}`),
}

func write(t testing.TB, f File) (name string, text []byte) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "a.journal")
	w, err := Create(name, f.Header)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Entries {
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	how := &Result{State: interp.Active}
	if f.End != nil {
		if err := json.Unmarshal(f.End, how); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(how); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return name, text
}

func TestRoundTrip(t *testing.T) {
	for _, f := range []File{sample, {Header: sample.Header, Entries: sample.Entries}, {Header: sample.Header}} {
		name, _ := write(t, f)
		got, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&f, got); d != "" {
			t.Error(d)
		}
	}
}

// TestDamage changes every byte, removes every one, and cuts the file at every
// one: each is found, on the line where it is or the next.
func TestDamage(t *testing.T) {
	_, text := write(t, sample)
	lineOf := func(i int) int { return 1 + bytes.Count(text[:i], []byte("\n")) }
	check := func(what string, i int, damaged []byte) {
		t.Helper()
		f, err := Parse("a.journal", damaged)
		if err == nil {
			if f.End == nil { // whole lines are missing at the end
				return
			}
			t.Errorf("byte %d (line %d) %s: not found", i, lineOf(i), what)
			return
		}
		list, ok := diag.From(err)
		if !ok || len(list) != 1 || list[0].Pos.Line < lineOf(i) || list[0].Pos.Line > lineOf(i)+1 {
			t.Errorf("byte %d (line %d) %s: %v", i, lineOf(i), what, err)
		}
	}
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		check("changed", i, changed)
		check("missing", i, append(bytes.Clone(text[:i]), text[i+1:]...))
		check("cut off", i, text[:i])
	}
}

func TestProblems(t *testing.T) {
	_, text := write(t, sample)
	lines := strings.SplitAfter(string(text), "\n")
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "a.journal:1:1: the file is empty (write one with: kakehi exec --journal FILE WORKFLOW) [journal]"},
		{"a workflow", "main:\n", `a.journal:1:1: this is no journal: it does not begin with {"journal": (write one with: kakehi exec --journal FILE WORKFLOW) [journal]`},
		{"cut off", string(text[:len(text)-30]), "in the middle of a line"},
		{"no line break", string(text[:len(text)-1]), "a.journal:4:"},
		{"a line is missing", lines[0] + lines[2] + lines[3], "a.journal:2:22: the checksum should be"},
		{"a line too many", string(text) + lines[3], "a.journal:5:"},
	} {
		_, err := Parse("a.journal", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestOtherVersion(t *testing.T) {
	line := `{"journal":7,"workflow":"a"}`
	_, err := Parse("a.journal", []byte(line[:len(line)-1]+ending(sum(0, []byte(line)))+"\n"))
	if err == nil || !strings.Contains(err.Error(), "a.journal:1:1: the journal has version 7 of the format") {
		t.Error(err)
	}
}

// FuzzParse never panics, and reads what it accepts as it was written.
func FuzzParse(f *testing.F) {
	_, text := write(f, sample)
	f.Add(text)
	f.Add(text[:50])
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Parse("a.journal", text)
		if err != nil {
			return
		}
		for i, e := range got.Entries {
			if e.Seq != int64(i+1) || Line(e.Seq) != i+2 {
				t.Errorf("entry %d has number %d on line %d", i+1, e.Seq, Line(e.Seq))
			}
		}
	})
}
