package interp_test

import (
	"context"
	"testing"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// BenchmarkSteps runs 99,990 steps that touch nothing outside: 49,992
// iterations with an assign each, and the steps around them.
func BenchmarkSteps(b *testing.B) {
	p := program(b, `
- init:
    assign:
      - sum: 0
      - m: {total: 0}
- loop:
    for:
      value: i
      range: [1, 49992]
      steps:
        - add:
            assign:
              - sum: ${sum + i % 7}
              - m.total: ${m.total + 1}
- done:
    return: ${sum}
`)
	b.ReportAllocs()
	steps := int64(0)
	for b.Loop() {
		o := p.Run(context.Background(), value.Null{}, interp.Config{})
		if o.State != interp.Succeeded {
			b.Fatal(o.Err)
		}
		steps += o.Steps
	}
	b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
}

// BenchmarkCalls calls a subworkflow and a library function in a loop that
// jumps.
func BenchmarkCalls(b *testing.B) {
	p := program(b, `
main:
  steps:
    - init:
        assign:
          - n: 0
    - again:
        call: next
        args: {n: '${n}'}
        result: n
    - check:
        switch:
          - condition: ${n < 10000}
            next: again
    - done:
        return: ${n}
next:
  params: [n]
  steps:
    - r:
        return: ${math.max(n, 0) + 1}
`)
	b.ReportAllocs()
	steps := int64(0)
	for b.Loop() {
		o := p.Run(context.Background(), value.Null{}, interp.Config{})
		if o.State != interp.Succeeded {
			b.Fatal(o.Err)
		}
		steps += o.Steps
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
}
