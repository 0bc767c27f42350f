package workflow

import (
	"fmt"
	"strings"
	"testing"
)

// longDefinition has n steps of the usual kinds.
func longDefinition(n int) []byte {
	var b strings.Builder
	b.WriteString("main:\n  params: [args]\n  steps:\n    - init:\n        assign:\n          - x: 1\n")
	for i := 1; i < n; i += 4 {
		fmt.Fprintf(&b, `    - fetch_%[1]d:
        call: http.get
        args:
          url: ${args.base + "/items/" + string(%[1]d)}
        result: r
    - keep_%[1]d:
        assign:
          - x: ${x + r.body.count}
    - choose_%[1]d:
        switch:
          - condition: ${x > %[1]d}
            next: fetch_1
    - log_%[1]d:
        call: sys.log
        args:
          text: ${"at " + string(x)}
`, i)
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	src := longDefinition(1000)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := Parse("f.yaml", src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndCheck(b *testing.B) {
	src := longDefinition(1000)
	o := testOptions(src)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		f, err := Parse("f.yaml", src)
		if err != nil {
			b.Fatal(err)
		}
		if l := Check(f, o); len(l) > 0 {
			b.Fatal(l)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	src := longDefinition(1000)
	f, err := Parse("f.yaml", src)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		Format(f)
	}
}
