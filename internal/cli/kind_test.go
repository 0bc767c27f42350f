package cli

import "testing"

func TestKindOf(t *testing.T) {
	for src, want := range map[string]sourceKind{
		"pipeline: p\ntasks: {}\n":                           kindSpec,
		"# a comment\n---\npipeline: p\ntask:\n  a: {}\n":    kindSpec, // a misspelt key is still a spec's
		"pipline: p\ntasks:\n  a: {}\n":                      kindSpec,
		"pipeline: p\ntasks: {a: [\n":                        kindSpec, // neither is it valid
		"\ufeffpipeline: p\n":                                kindSpec,
		`{"pipeline": "p", "tasks": {"a": {}}}`:              kindSpec,
		`{"pipeline": "\ud83d", "tasks": {"a": `:             kindSpec,
		"{pipeline: p, tasks: {a: {function: a}}}":           kindSpec,
		"main:\n  steps: []\n":                               kindWorkflow,
		"main:\n  steps: []\ntasks:\n  steps: []\n":          kindWorkflow, // a subworkflow of that name
		`{"main": {"steps": []}}`:                            kindWorkflow,
		"pipelineInfo: {name: p}\nroot: {dag: {}}\n":         kindKFP,
		"\"pipelineInfo\": {name: p}\n'root': {}\n":          kindKFP,
		`{"pipelineSpec": {"root": {}}}`:                     kindKFP,
		"":                                                   kindUnknown,
		"# steps - of one\n---\n- a: {return: 1}\n":          kindWorkflow,
		`[{"a": {"call": "sys.log"}}]`:                       kindWorkflow,
		"- name: x\n  hosts: all\n":                          kindUnknown,
		"---\nsteps:\n  - name: build\n":                     kindUnknown, // of Cloud Build
		"other:\n  pipeline: p\n  tasks: {}\n  main: none\n": kindUnknown,
		"\xff\xfep\x00i\x00":                                 kindUnknown,
	} {
		if got := kindOf([]byte(src)); got != want {
			t.Errorf("%q is %d, want %d", src, got, want)
		}
	}
}
