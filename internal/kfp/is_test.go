package kfp

import (
	"path/filepath"
	"testing"
)

func TestIs(t *testing.T) {
	for src, want := range map[string]bool{
		"pipelineInfo: {name: x}\nroot: {}\n":                           true,
		"# a comment\n\n\"pipeline_info\": {}\n'schema_version': 2.1.0": true,
		"---\ncomponents: {}\ndeploymentSpec: [\n":                      true,
		"schemaVersion: 2.1.0\n---\nsdkVersion: x\n":                    false,
		"pipelineSpec: {}\n":                                            true,
		`{"pipelineSpec": {}}`:                                          true,
		` {"runtimeConfig": {"a": [1, {}]}, "pipeline_spec": {"x": `:    true,
		`{"pipelineInfo": {}, "root"`:                                   true,
		"name: x\nimplementation:\n  container: {}\n":                   true,
		"implementation: x\nmain: [{a: {return: 1}}]\n":                 false,
		"pipeline: x\ntasks: {}\n":                                      false,
		"main:\n  steps: []\nroot:\n  steps: []\ncomponents: {}\n":      false,
		"- init:\n    return: 1\n":                                      false,
		"{":                                                             false,
		"[]":                                                            false,
		"":                                                              false,
	} {
		if got := Is([]byte(src)); got != want {
			t.Errorf("%q: %v", src, got)
		}
	}
}

// TestIsNoWorkflow tells pipelines from the workflows of the corpus.
func TestIsNoWorkflow(t *testing.T) {
	for _, file := range corpusFiles(t, "workflows") {
		if ext := filepath.Ext(file); (ext == ".yaml" || ext == ".json") && Is(read(t, file)) {
			t.Errorf("%s is taken for a pipeline", file)
		}
	}
}
