package source

import (
	"fmt"
	"strings"
	"testing"
)

// plainYAML is YAML of the kind that PyYAML writes, of about a megabyte.
func plainYAML() []byte {
	var b strings.Builder
	b.WriteString("executors:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, `  exec-step-%d:
    container:
      args:
      - --executor_input
      - '{{$}}'
      command:
      - sh
      - -c
      - "\nif ! command -v pip > /dev/null; then\n    python3 -m ensurepip ||\
        \ python3 -m ensurepip --user\nfi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1\
        \ python3 -m pip install --quiet 'kfp==2.15.2' '--no-deps' && \"$0\" \"$@\"\n"
      - 'program_path=$(mktemp -d)


        printf "%%s" "$0" > "$program_path/ephemeral_component.py"

        python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"

        '
      image: python:3.11
      resources:
        cpuLimit: 2.0
        retries: 3
        spot: true
`, i)
	}
	return []byte(b.String())
}

func BenchmarkRead(b *testing.B) {
	src := plainYAML()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if docs, _ := Read("f", src); len(docs) != 1 {
			b.Fatal("not read")
		}
	}
}

// BenchmarkLibrary reads the same with the library alone.
func BenchmarkLibrary(b *testing.B) {
	src := plainYAML()
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		r := &reader{File: newFile("f", src)}
		if docs := r.library(src); len(docs) != 1 {
			b.Fatal("not read")
		}
	}
}
