package interp_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// TestHistory compares the step history of a definition that has everything
// with testdata/history.txt.
func TestHistory(t *testing.T) {
	src, err := os.ReadFile("testdata/history.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	depth := map[int64]int{}
	cfg := virtual()
	cfg.Variables = true
	cfg.OnStep = func(e interp.StepEvent) {
		if e.State == interp.StepRunning {
			depth[e.ID] = depth[e.Parent] + 1
		}
		fmt.Fprintf(&b, "%s%s %d %s %s.%s:%d", strings.Repeat("  ", depth[e.ID]-1), map[interp.StepState]string{
			interp.StepRunning: "begin", interp.StepSucceeded: "end", interp.StepFailed: "FAIL",
		}[e.State], e.ID, strings.TrimPrefix(e.Type, "STEP_"), e.Routine, e.Step, e.At.Line)
		if e.Thread != "" {
			fmt.Fprintf(&b, " thread %s", e.Thread)
		}
		if e.Iteration != 0 {
			fmt.Fprintf(&b, " #%d", e.Iteration)
		}
		if e.Expected != 0 {
			fmt.Fprintf(&b, " of %d", e.Expected)
		}
		if e.Exception != nil {
			fmt.Fprintf(&b, " exception %s", value.MustJSON(e.Exception))
		}
		if e.Variables != nil {
			fmt.Fprintf(&b, " %s", value.MustJSON(e.Variables()))
		}
		b.WriteByte('\n')
	}
	o := run(t, string(src), `{"x": 1}`, cfg)
	fmt.Fprintf(&b, "%s, %d steps\n", show(o), o.Steps)
	golden(t, "testdata/history.txt", b.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}
