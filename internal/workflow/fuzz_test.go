package workflow

import (
	"os"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
)

// FuzzParsePrint feeds sources of any kind. Nothing may panic; what parses is
// printed, read again as the same tree, and printed the same again.
func FuzzParsePrint(f *testing.F) {
	for _, folder := range []string{"ok", "err"} {
		for _, file := range inputs(f, folder) {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Add([]byte("[]"))
	for _, value := range scalars {
		f.Add([]byte("- a:\n    return:\n      - " + quoteString(value) + "\n"))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<16 {
			return
		}
		tree, err := Parse("f.yaml", src)
		if err != nil {
			if list, ok := diag.From(err); !ok || len(list) == 0 {
				t.Fatalf("not a list of diagnostics: %#v", err)
			}
			return
		}
		Check(tree, testOptions(src))
		checkPositions(t, "f.yaml", src)
		checkRoundTrip(t, tree)
	})
}
