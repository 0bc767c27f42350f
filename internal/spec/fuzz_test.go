package spec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	for _, folder := range []string{"testdata/ok", "testdata/err"} {
		files, err := filepath.Glob(folder + "/*.yaml")
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		files := map[string][]byte{"fuzz.yaml": src}
		p, err := Parse("fuzz.yaml", src, Options{ReadFile: func(name string) ([]byte, error) { return nil, os.ErrNotExist }})
		if (p == nil) == (err == nil) {
			t.Fatalf("pipeline %v and error %v", p, err)
		}
		if err != nil {
			l := positioned(t, files, err)
			diag.Render(&bytes.Buffer{}, l, func(string) []byte { return src }, true)
			return
		}
		for _, task := range p.Tasks {
			task.Deps()
		}
	})
}

// hundred is a spec of n tasks that each use the two before.
func hundred(n int) []byte {
	var b strings.Builder
	b.WriteString("pipeline: hundred\nparams: {seed: 1, least: 0.5}\ntasks:\n")
	b.WriteString("  t0: {function: first, out: {data: Dataset, score: double}}\n  t1: {function: first, out: {data: Dataset, score: double}}\n")
	for i := 2; i < n; i++ {
		fmt.Fprintf(&b, `  t%d:
    when: t%d.score >= params.least and t%d.score < 1
    job: {image: ko://./train, machine: n1-standard-8, accelerator: 2 × NVIDIA_TESLA_T4, timeout: 1h, env: {SEED: $params.seed}}
    in: {data: $t%d.data, other: $t%d.data, out: gs://$bucket/t/$execution, seed: '${params.seed + %d}'}
    out: {data: Dataset, score: double}
    retry: {max: 3, backoff: 10s}
`, i, i-1, i-2, i-1, i-2, i)
	}
	return []byte(b.String())
}

func BenchmarkParse100(b *testing.B) {
	src := hundred(100)
	b.ReportAllocs()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := Parse("hundred.yaml", src, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// Hostile files must not cost more than honest ones by much.
func TestHostileFilesAreCheap(t *testing.T) {
	for name, src := range map[string]string{
		"many unknown references": "pipeline: p\ntasks:\n" + repeat(4000, func(i int) string { return fmt.Sprintf("  task_%d: {function: f, in: {x: $missing_%d.y}}\n", i, i) }),
		"a long chain":            "pipeline: p\ntasks:\n  t_0: {function: f}\n" + repeat(5000, func(i int) string { return fmt.Sprintf("  t_%d: {function: f, after: t_%d}\n", i+1, i) }),
		"a long circle":           "pipeline: p\ntasks:\n  t_0: {function: f, after: t_5000}\n" + repeat(5000, func(i int) string { return fmt.Sprintf("  t_%d: {function: f, after: t_%d}\n", i+1, i) }),
		"one long text":           "pipeline: p\ntasks: {t: {function: f, in: {x: " + strings.Repeat("$bucket ", 50000) + "}}}",
		"one long expression":     "pipeline: p\ntasks: {t: {function: f, in: {x: '${" + strings.Repeat("1 + ", 15000) + "1}'}}}",
		"many expressions":        "pipeline: p\ntasks: {t: {function: f, in: {x: [" + strings.Repeat("$bucket, ", 30000) + "]}}}",
		"deep flow":               strings.Repeat("{a: ", 200000),
		"deep blocks":             strings.Repeat("- ", 400000),
		"many aliases":            "a: &a 1\nb: [" + strings.Repeat("*a, ", 50000) + "]",
		"many unknown keys":       "pipeline: p\n" + repeat(5000, func(i int) string { return fmt.Sprintf("descriptio%d: x\n", i) }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("hostile.yaml", []byte(src), Options{})
			if err != nil {
				if l := positioned(t, map[string][]byte{"hostile.yaml": []byte(src)}, err); len(l) > maxErrors+1 {
					t.Errorf("%d mistakes reported", len(l))
				}
			}
		})
	}
}

func repeat(n int, f func(int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}
