package workflow

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
)

// dump writes a tree without its positions and comments, a line for each
// value. (cmp.Diff itself takes time exponential in the depth of slices.)
func dump(f *File) string {
	var b strings.Builder
	dumpValue(&b, reflect.ValueOf(*f), "File")
	return b.String()
}

func dumpValue(b *strings.Builder, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		e := v.Elem()
		if e.Kind() == reflect.Struct {
			path += "(" + e.Type().Name() + ")"
		}
		dumpValue(b, e, path)
	case reflect.Struct:
		fmt.Fprintln(b, path)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).Type() == reflect.TypeFor[diag.Pos]() || name == "Comment" || name == "Width" || path == "File" && name == "Name" {
				continue
			}
			dumpValue(b, v.Field(i), path+"."+name)
		}
	case reflect.Slice:
		for i := range v.Len() {
			dumpValue(b, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		if !v.IsZero() || strings.HasSuffix(path, "Value") {
			fmt.Fprintf(b, "%s = %s %#v\n", path, v.Type(), v.Interface())
		}
	}
}

// checkRoundTrip prints a tree and reads it again.
func checkRoundTrip(t *testing.T, tree *File) {
	t.Helper()
	text := Format(tree)
	again, err := Parse("printed.yaml", text)
	if err != nil {
		t.Fatalf("printed text does not parse: %v\n%s", err, text)
	}
	if before, after := dump(tree), dump(again); before != after {
		t.Fatalf("printed and parsed, the tree differs: %s\n%s", cmp.Diff(before, after), text)
	}
	if twice := Format(again); !bytes.Equal(text, twice) {
		t.Fatalf("printed twice, the text differs: %s", cmp.Diff(string(text), string(twice)))
	}
}

func TestCorpusPrints(t *testing.T) {
	for _, f := range corpus(t) {
		tree, err := Parse(filepath.Base(f.path), f.src)
		if err != nil {
			continue
		}
		t.Run(f.path, func(t *testing.T) { checkRoundTrip(t, tree) })
	}
}

// scalars are strings that YAML readers could take for something else.
var scalars = []string{
	"", " ", "a", " a", "a ", "a: b", "a #b", "a:", "a#b", "a:b", "#a", "- a", "-", "-a", "?", "? a", ": a", ":a", "[a]", "{a}", "a, b", "a]", "&a", "*a", "!a", "|", ">",
	"|-", "'a'", "\"a\"", "it's", "say \"it's\"", "%a", "@a", "`a`", "~", "~a", "=", "<<", "<", "...", "---", "--- a", "null", "Null", "true", "yes", "NO", "on", "y", "N",
	"1", "-1", "+1", "01", "0x1", "0o7", "0b1", "1_000", "1.5", ".5", "1.", "1e3", ".inf", "-.INF", ".nan", "12:30", "2024-01-31", "2024-01-31T10:00:00Z", "1.2.3", "10 apples",
	"a\nb", "a\nb\n", "a\nb\n\n", "\na", "a\n\n b\n", " a\nb", "a \nb", "a\n", "\n", "a\r\nb", "a\tb", "\ta", "a\n\tb", "a\n  b\nc", "a\n---\nb", "a\n# b", "# a\nb", "- a\n- b",
	"${", "${a", "a ${b}", "${a} b", "${a}\n", "${a\n}", "${\n}\n", "$${a}", "${}", "${a}", "é", "😀", "\u0000", "\u0007", "\u007f", "\u0085", "\u00a0", "\u2028", "\ufeff", "\ufffe", "a\u0085b",
	"https://example.com/a?b=c#d", "projects/p/locations/l", "SELECT *\nFROM `a.b`\nWHERE c = 'd'\n", "\\", "\\n", "C:\\a", "a\\\nb", "\xff", "\U0010ffff",
}

// TestScalars prints strings everywhere a string can be.
func TestScalars(t *testing.T) {
	for _, s := range scalars {
		lit := &Lit{Value: s}
		name := s
		if s == "" || strings.HasPrefix(s, "${") || !utf8.ValidString(s) {
			name = "n"
		}
		f := &File{Workflows: []*Workflow{{Name: "main", Steps: []*Step{
			{Name: name, Do: &Return{Value: lit}},
			{Name: "list", Do: &Return{Value: &List{Items: []Node{lit, &List{Items: []Node{lit}}}}}},
			{Name: "map", Next: name, Do: &Raise{Value: &Map{Entries: []*Entry{{lit, lit}, {&Lit{Value: "k" + s}, &Map{Entries: []*Entry{{lit, lit}}}}}}}},
			{Name: "call", Do: &Call{Func: name, Args: &Map{Entries: []*Entry{{lit, lit}}}}},
			{Name: "in expression", Do: &Return{Value: &Expr{X: &expr.Literal{Value: s}}}},
			{Name: "in target", Do: &Assign{Items: []*AssignItem{{
				Target: &expr.Index{X: &expr.Ident{Name: "m"}, Key: &expr.Literal{Value: s}}, Value: lit,
			}}}},
		}}}}
		if isExpr(s) || !utf8.ValidString(s) {
			// These come out as something else that has the same value, or
			// as near as it can be.
			if _, err := Parse("f", Format(f)); err != nil {
				t.Errorf("%q: %v\n%s", s, err, Format(f))
			}
			continue
		}
		t.Run(fmt.Sprintf("%q", s), func(t *testing.T) { checkRoundTrip(t, f) })
	}
}

// TestLiteralReference shows what becomes of a string that YAML would make
// an expression.
func TestLiteralReference(t *testing.T) {
	got := quoteString("${a}")
	if want := `${"$" + "{a}"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[any]string{
		int64(math.MinInt64): "-9223372036854775808", 1.0: "1.0", -2.5: "-2.5", 1e30: "1.0e+30", 1e-9: "1.0e-09", 0.1: "0.1", 1e20: "100000000000000000000.0",
		math.Inf(1): ".inf", math.Inf(-1): "-.inf", true: "true", int64(0): "0",
	} {
		if got := quoteLiteral(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
		if again, err := resolvePlain(want); err == nil && again != v {
			t.Errorf("%s: read as %v", want, again)
		}
	}
}

func TestComments(t *testing.T) {
	f := &File{
		Comment: "Made by a test.\n\n  Indented\x07\nDo not edit. ",
		Workflows: []*Workflow{
			{Name: "main", Comment: "The main one.", Steps: []*Step{{
				Name: "first", Comment: "Does it.\nWell.",
				Do: &Steps{Steps: []*Step{{Name: "inner", Comment: "Inside.", Next: "end"}}},
			}}},
			{Name: "sub", Comment: "Another.", Steps: []*Step{}},
		},
	}
	want := `# Made by a test.
#
#   Indented
# Do not edit.

# The main one.
main:
  steps:
    # Does it.
    # Well.
    - first:
        steps:
          # Inside.
          - inner:
              next: end

# Another.
sub:
  steps: []
`
	if d := cmp.Diff(want, string(Format(f))); d != "" {
		t.Error(d)
	}
	again, err := Parse("f", []byte(want))
	if err != nil || dump(again) != dump(f) {
		t.Errorf("read again as %v, %v", again, err)
	}
	var b strings.Builder
	if err := Print(&b, f); err != nil || b.String() != want {
		t.Errorf("Print wrote %q, %v", b.String(), err)
	}
}

// TestLongKeys prints keys that YAML takes only when they are marked as such.
func TestLongKeys(t *testing.T) {
	long := strings.Repeat("k", 3000)
	key := &Lit{Value: long}
	m := &Map{Entries: []*Entry{{key, key}, {&Lit{Value: "m"}, &Map{Entries: []*Entry{{key, &List{Items: []Node{key}}}}}}}}
	checkRoundTrip(t, &File{Workflows: []*Workflow{{Name: "main", Steps: []*Step{
		{Name: long, Do: &Return{Value: &List{Items: []Node{m}}}},
	}}}})
}
