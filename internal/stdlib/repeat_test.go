package stdlib_test

import (
	"context"
	"testing"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// TestSameError: of two mistakes in an argument the same one is reported each
// time, or a run could not be repeated.
func TestSameError(t *testing.T) {
	for _, src := range []string{
		`[{a: {assign: [{bad: {prefix: 1, indent: 2}}]}}, {b: {return: '${json.encode_to_string(1, bad)}'}}]`,
		`[{a: {call: googleapis.run.v2.projects.locations.jobs.run, args: {name: x, connector_params: {polling_policy: {initial_delay: a, multiplier: b, max_delay: c}}}}}]`,
	} {
		f, err := workflow.Parse("main.yaml", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		p, err := interp.New(f, stdlib.Funcs())
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for range 50 {
			o := p.Run(context.Background(), nil, interp.Config{})
			if o.State != interp.Failed {
				t.Fatalf("%s: %s", src, o.State)
			}
			seen[string(value.MustJSON(o.Err.Payload))] = true
		}
		if len(seen) != 1 {
			t.Errorf("%s: %d errors: %v", src, len(seen), seen)
		}
	}
}
