package kfp

import (
	"fmt"
	"strings"
	"testing"
)

// chain is a pipeline of n tasks, each of a component of its own, as the KFP SDK
// writes it.
func chain(n int) []byte {
	var b strings.Builder
	b.WriteString("# PIPELINE DEFINITION\n# Name: chain\n# Inputs:\n#    start: int [Default: 3.0]\ncomponents:\n")
	for i := range n {
		fmt.Fprintf(&b, `  comp-step-%d:
    executorLabel: exec-step-%d
    inputDefinitions:
      parameters:
        label:
          parameterType: STRING
        value:
          parameterType: NUMBER_INTEGER
    outputDefinitions:
      parameters:
        Output:
          parameterType: NUMBER_INTEGER
`, i, i)
	}
	b.WriteString("deploymentSpec:\n  executors:\n")
	for i := range n {
		fmt.Fprintf(&b, `    exec-step-%d:
      container:
        args:
        - --executor_input
        - '{{$}}'
        - --function_to_execute
        - step
        command:
        - sh
        - -c
        - "\nif ! command -v pip > /dev/null; then\n    python3 -m ensurepip ||\
          \ python3 -m ensurepip --user\nfi\n\nPIP_DISABLE_PIP_VERSION_CHECK=1\
          \ python3 -m pip install --quiet 'kfp==2.15.2' '--no-deps' 'typing-extensions>=3.7.4,<5;\
          \ python_version<\"3.9\"' && \"$0\" \"$@\"\n"
        - sh
        - -ec
        - 'program_path=$(mktemp -d)


          printf "%%s" "$0" > "$program_path/ephemeral_component.py"

          _KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path                         "$program_path/ephemeral_component.py"                         "$@"

          '
        - "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import\
          \ *\n\ndef step(value: int, label: str) -> int:\n    \"\"\"Adds.\"\"\"\n \
          \   print(label)\n    return value + len(label)\n\n"
        image: python:3.11
`, i)
	}
	b.WriteString("pipelineInfo:\n  name: chain\nroot:\n  dag:\n    tasks:\n")
	for i := range n {
		after, from := "", "componentInputParameter: start"
		if i > 0 {
			after = fmt.Sprintf("        dependentTasks:\n        - step-%d\n", i-1)
			from = fmt.Sprintf("taskOutputParameter:\n                outputParameterKey: Output\n                producerTask: step-%d", i-1)
		}
		fmt.Fprintf(&b, `      step-%d:
        cachingOptions:
          enableCache: true
        componentRef:
          name: comp-step-%d
%s        inputs:
          parameters:
            label:
              runtimeValue:
                constant: step %d
            value:
              %s
        taskInfo:
          name: step-%d
`, i, i, after, i, from, i)
	}
	b.WriteString("  inputDefinitions:\n    parameters:\n      start:\n        defaultValue: 3.0\n        isOptional: true\n        parameterType: NUMBER_INTEGER\nschemaVersion: 2.1.0\nsdkVersion: kfp-2.15.2\n")
	return []byte(b.String())
}

func BenchmarkParse1000Tasks(b *testing.B) {
	src := chain(1000)
	b.ReportAllocs()
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if s, diags := Parse("chain.yaml", src, Options{}); diags != nil || len(s.Root.DAG.Tasks) != 1000 {
			b.Fatal(diags)
		}
	}
}

func BenchmarkIs(b *testing.B) {
	src := chain(1000)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if !Is(src) {
			b.Fatal("not recognized")
		}
	}
}
