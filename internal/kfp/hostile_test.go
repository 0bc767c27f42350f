package kfp

import (
	"fmt"
	"strings"
	"testing"
)

func repeat(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(f(i))
	}
	return b.String()
}

const oneTask = "pipelineInfo: {name: x}\nroot: {dag: {tasks: {a: {componentRef: {name: comp-a}}}}}\ndeploymentSpec: {executors: {exec-a: {container: {image: a}}}}\n"

// Hostile files must not cost more than honest ones by much: none of these may
// take more time than its size asks for.
func TestHostileFilesAreCheap(t *testing.T) {
	const n = 20_000
	for name, src := range map[string]string{
		"many unknown components": "pipelineInfo: {name: x}\nroot:\n  dag:\n    tasks:\n" + repeat(n, func(i int) string { return fmt.Sprintf("      t%d: {componentRef: {name: comp-%d}}\n", i, i) }) +
			"components:\n" + repeat(n, func(i int) string { return fmt.Sprintf("  comp_%d: {}\n", i) }),
		"many inputs": oneTask + "components:\n  comp-a:\n    executorLabel: exec-a\n    inputDefinitions:\n      parameters:\n" + repeat(n, func(i int) string { return fmt.Sprintf("        p%d: {parameterType: STRING}\n", i) }),
		"many inputs given": "pipelineInfo: {name: x}\nroot:\n  dag:\n    tasks:\n      a:\n        componentRef: {name: comp-a}\n        inputs:\n          parameters:\n" +
			repeat(n, func(i int) string {
				return fmt.Sprintf("            p%d: {runtimeValue: {constant: \"{{$.inputs.parameters['q%d']}}\"}}\n            r%d: {runtimeValue: {constant: 1}}\n", i, i, i)
			}) +
			"components: {comp-a: {executorLabel: exec-a}}\ndeploymentSpec: {executors: {exec-a: {container: {image: a}}}}\n",
		"a long circle": "pipelineInfo: {name: x}\nroot:\n  dag:\n    tasks:\n      t0: {componentRef: {name: comp-a}, dependentTasks: [t20000]}\n" + repeat(n, func(i int) string {
			return fmt.Sprintf("      t%d: {componentRef: {name: comp-a}, dependentTasks: [t%d]}\n", i+1, i)
		}) + "components: {comp-a: {executorLabel: exec-a}}\ndeploymentSpec: {executors: {exec-a: {container: {image: a}}}}\n",
		"many unknown keys": oneTask + "components: {comp-a: {executorLabel: exec-a}}\n" + repeat(n, func(i int) string { return fmt.Sprintf("schemaVersio%d: x\n", i) }),
		"many placeholders": oneTask + "components: {comp-a: {executorLabel: exec-a}}\nsdkVersion: '" + strings.Repeat("{{$.inputs.parameters['x']}}", n) + "'\ndefaultPipelineRoot: '" + strings.Repeat("{{$.inputs.", n) + "'\n",
		"a wide ladder of DAGs": "pipelineInfo: {name: x}\nroot: {dag: {tasks: {a: {componentRef: {name: comp-0}}}}}\ncomponents:\n" + repeat(40, func(i int) string {
			return fmt.Sprintf("  comp-%d: {dag: {tasks: {a: {componentRef: {name: comp-%d}}, b: {componentRef: {name: comp-%d}}}}}\n", i, i+1, i+1)
		}) + "  comp-40: {executorLabel: exec-a}\ndeploymentSpec: {executors: {exec-a: {container: {image: a}}}}\n",
		"many ports of version 1": "name: x\ninputs:\n" + repeat(n, func(i int) string { return fmt.Sprintf("- {name: p%d}\n", i) }) + "implementation:\n  container:\n    image: a\n    args:\n" + repeat(n, func(i int) string { return fmt.Sprintf("    - {inputValue: p%d}\n", i) }),
		"many tasks of version 1": "name: x\nimplementation:\n  graph:\n    tasks:\n" + repeat(2_000, func(i int) string {
			return fmt.Sprintf("      Task %d: {componentRef: {spec: {name: Same, implementation: {container: {image: a}}}}}\n", i)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if _, diags := Parse("hostile.yaml", []byte(src), Options{}); len(diags) > 2*(maxErrors+1) {
				t.Errorf("%d mistakes reported", len(diags))
			}
		})
	}
}

// nested is a pipeline of DAGs that many deep.
func nested(depth int) string {
	return "pipelineInfo: {name: x}\nroot: {dag: {tasks: {t0: {componentRef: {name: comp-1}}}}}\ncomponents:\n" +
		repeat(depth, func(i int) string {
			return fmt.Sprintf("  comp-%d: {dag: {tasks: {t%d: {componentRef: {name: comp-%d}}}}}\n", i+1, i+1, i+2)
		}) +
		fmt.Sprintf("  comp-%d: {executorLabel: exec-a}\ndeploymentSpec: {executors: {exec-a: {container: {image: a}}}}\n", depth+1)
}

func TestNesting(t *testing.T) {
	if _, diags := Parse("f", []byte(nested(maxNesting)), Options{}); diags != nil {
		t.Error(diags)
	}
	_, diags := Parse("f", []byte(nested(maxNesting+1)), Options{})
	want := "f:19:27: DAGs are nested more than 16 deep: … → t7 → t8 → t9 → t10 → t11 → t12 → t13 → t14 → t15 → t16 [too-deep]"
	if len(diags) != 1 || diags[0].Error() != want {
		t.Errorf("got %v, want %s", diags, want)
	}
}

// TestManyWarnings: warnings do not keep errors from being shown, nor become
// one.
func TestManyWarnings(t *testing.T) {
	src := oneTask + "components: {comp-a: {executorLabel: exec-a}}\n" + repeat(300, func(i int) string { return fmt.Sprintf("x%d: 1\n", i) })
	if _, diags := Parse("f", []byte(src), Options{}); diags.HasErrors() || len(diags) != maxErrors+1 {
		t.Errorf("%d diagnostics, the last %v", len(diags), diags[len(diags)-1])
	}
	if _, diags := Parse("f", []byte(src+"components: {}\n"), Options{}); !diags.HasErrors() {
		t.Error("the error is lost")
	}
}
