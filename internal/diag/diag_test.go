package diag

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPosString(t *testing.T) {
	for _, c := range []struct {
		pos  Pos
		want string
	}{
		{Pos{}, "-"},
		{Pos{File: "a.yaml"}, "a.yaml"},
		{Pos{File: "a.yaml", Line: 3}, "a.yaml:3"},
		{Pos{File: "a.yaml", Line: 3, Col: 7}, "a.yaml:3:7"},
		{Pos{Line: 3, Col: 7}, "3:7"},
	} {
		if got := c.pos.String(); got != c.want {
			t.Errorf("%#v: got %q, want %q", c.pos, got, c.want)
		}
	}
}

func TestListSortsAndDropsRepeats(t *testing.T) {
	var l List
	l.Errorf(Pos{"b", 1, 1}, "x", "third")
	l.Errorf(Pos{"a", 2, 1}, "x", "second")
	l.Warnf(Pos{"a", 1, 9}, "x", "first")
	l.Errorf(Pos{"a", 2, 1}, "x", "second")
	err := l.Err()
	if err == nil {
		t.Fatal("a list with errors gave no error")
	}
	want := "a:1:9: warning: first [x]\na:2:1: second [x]\nb:1:1: third [x]"
	if err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}

func TestWarningsAreNoError(t *testing.T) {
	var l List
	l.Warnf(Pos{}, "x", "careful")
	if err := l.Err(); err != nil {
		t.Errorf("a warning alone gave %v", err)
	}
}

func TestFromFindsWrappedList(t *testing.T) {
	var l List
	l.Errorf(Pos{"a", 1, 1}, "x", "m")
	got, ok := From(fmt.Errorf("compile: %w", l.Err()))
	if !ok || len(got) != 1 || got[0].Message != "m" {
		t.Errorf("From gave %v, %v", got, ok)
	}
	if _, ok := From(errors.New("other")); ok {
		t.Error("From found diagnostics in an ordinary error")
	}
}

func TestRender(t *testing.T) {
	src := []byte("one\ntwo: [x\nthree\n")
	l := List{{Pos: Pos{"f", 2, 6}, Width: 2, Code: "c", Message: "bad \x1b[31m list", Hint: "close it"}}
	var b bytes.Buffer
	Render(&b, l, func(string) []byte { return src }, false)
	want := "f:2:6: error: bad �[31m list [c]\n      2 | two: [x\n        |      ^^\n        = close it\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A caret stands below its character, however wide those before are.
func TestRenderWideCharacters(t *testing.T) {
	for line, want := range map[string]string{
		`x: "日本" $y`:         "          ^^",
		`x: "🐧" $y`:          "        ^^",
		"x: \"e\u0301\" $y":  "       ^^",
		`x: "plain text" $y`: "                ^^",
	} {
		col := strings.Index(line, "$")
		_, caret := snippet(line, len([]rune(line[:col]))+1, 2)
		if caret != want {
			t.Errorf("%s: caret %q, want %q", line, caret, want)
		}
	}
}

func TestRenderLongLineAndOddPositions(t *testing.T) {
	src := []byte(strings.Repeat("x", 10000))
	for _, p := range []Pos{{"f", 1, 9000}, {"f", 1, 20000}, {"f", 1, 0}, {"f", 9, 1}, {}} {
		var b bytes.Buffer
		Render(&b, List{{Pos: p, Width: 50, Message: "m"}}, func(string) []byte { return src }, true)
		if b.Len() > 1000 {
			t.Errorf("%v: %d bytes for one diagnostic", p, b.Len())
		}
	}
}

func TestSuggest(t *testing.T) {
	keys := []string{"function", "foreach", "retry", "timeout", "when"}
	for word, want := range map[string]string{
		"functoin": "function", "forEach": "foreach", "rety": "retry", "when": "", "zebra": "", "whne": "when", "": "",
	} {
		if got := Suggest(word, keys); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}

// The distance that is cut off early is the one that is computed in full.
func TestDistanceWithinALimit(t *testing.T) {
	words := []string{"", "a", "ab", "ba", "abc", "bac", "acb", "function", "functoin", "funtcion", "fnuction", "task_number_1", "task_numberr_1", "retry", "trery"}
	var m meter
	for _, a := range words {
		for _, b := range words {
			full := m.distance(a, b, 100)
			if back := m.distance(b, a, 100); back != full {
				t.Errorf("%q and %q are %d apart, and back %d", a, b, full, back)
			}
			for limit := range 6 {
				if got := m.distance(a, b, limit); got != min(full, limit+1) {
					t.Errorf("%q and %q within %d: %d, in full %d", a, b, limit, got, full)
				}
			}
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add([]byte("a\nb"), 1, 1, 1)
	f.Fuzz(func(t *testing.T, src []byte, line, col, width int) {
		var b bytes.Buffer
		Render(&b, List{{Pos: Pos{"f", line, col}, Width: width, Message: "m"}}, func(string) []byte { return src }, false)
	})
}
