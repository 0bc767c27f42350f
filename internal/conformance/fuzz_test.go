package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// FuzzSource reads, checks and runs sources of any kind. Each is refused with a
// place, or ends; a result has a JSON form.
func FuzzSource(f *testing.F) {
	for _, s := range suites(f) {
		for _, one := range s.sentences {
			if len(one.source) < 4000 {
				f.Add([]byte(one.source))
			}
			for _, probe := range one.table {
				f.Add([]byte("- a: {assign: [{m: {a: {b: 1}}}, {list: [1, 2]}]}\n- r:\n    return: ${" + probe[:min(len(probe), 100)] + "}\n"))
			}
		}
	}
	limits := workflow.DefaultLimits()
	limits.Steps = 1000
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 {
			return
		}
		p, found := deploy(src)
		if p == nil {
			if !found.HasErrors() || found[0].Message == "" {
				t.Fatalf("refused without a reason: %v", found)
			}
			return
		}
		o := p.Run(context.Background(), nil, interp.Config{
			Clock: interp.NewVirtualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), Limits: limits,
		})
		switch o.State {
		case interp.Succeeded:
			value.MustJSON(o.Result)
		case interp.Failed:
			value.MustJSON(o.Err.Payload)
		default:
			t.Fatalf("did not end: %v", o.Cause)
		}
	})
}
