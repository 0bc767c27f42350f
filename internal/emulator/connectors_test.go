//go:build unix

package emulator_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected results")

func indented(t *testing.T, result string) string {
	t.Helper()
	if strings.HasPrefix(result, "! ") {
		t.Fatal(result)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(result), "", "  "); err != nil {
		t.Fatalf("%q: %v", result, err)
	}
	return b.String() + "\n"
}

// TestConnectors runs a definition for each connector that the cloud has a
// service for. Each returns what it saw, which its file ends with after a line
// of dashes.
func TestConnectors(t *testing.T) {
	files, err := filepath.Glob("testdata/connectors/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions: %v", err)
	}
	c := start(t)
	for _, file := range files {
		id := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(id, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source, want, ok := strings.Cut(string(text), "\n---\n")
			if !ok {
				t.Fatalf("%s has no expected result", file)
			}
			c := &cloud{t, c.base, c.token}
			c.deploy(id, strings.ReplaceAll(source, "IMAGE", image))
			got := indented(t, c.run(id))
			if *update {
				if err := os.WriteFile(file, []byte(source+"\n---\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (-want +got), rewrite with -update:\n%s", file, d)
			}
		})
	}
}
