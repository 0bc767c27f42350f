package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// BenchmarkThousandSteps reads, checks and runs a definition of 1,000 literal
// steps, as exec does.
func BenchmarkThousandSteps(b *testing.B) {
	var src strings.Builder
	src.WriteString("main:\n  steps:\n    - init:\n        assign:\n          - x: 0\n")
	for i := range 1000 {
		fmt.Fprintf(&src, "    - step_%d:\n        assign:\n          - x: ${x + 1}\n", i)
	}
	src.WriteString("    - done:\n        return: ${x}\n")
	source := []byte(src.String())
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		p, found := deploy(source)
		if p == nil {
			b.Fatal(found)
		}
		o := p.Run(context.Background(), nil, interp.Config{})
		if o.Result != value.Value(value.Int(1000)) {
			b.Fatal(o)
		}
	}
}
