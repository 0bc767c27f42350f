package kfp

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Is reports whether a file is meant as one of Kubeflow Pipelines, by the keys
// at its top level. It also recognizes one that is not valid YAML, for Parse to
// say why, and reads no more than it must: files may be large.
func Is(src []byte) bool {
	found := map[string]bool{}
	count := 0
	note := func(key string) {
		key = camel(key)
		switch key {
		case "pipelineInfo", "root", "components", "deploymentSpec", "schemaVersion", "sdkVersion":
			if !found[key] {
				count++
			}
		}
		found[key] = true
	}
	if start := bytes.TrimLeft(src, "\ufeff \t\r\n"); len(start) > 0 && start[0] == '{' {
		jsonKeys(start, note)
	} else {
		yamlKeys(src, note)
	}
	if found["main"] { // of a workflow, whose subworkflows have names of all kinds
		return false
	}
	return count > 1 || found["pipelineSpec"] || found["implementation"]
}

// jsonKeys calls f for the keys of a JSON object, as far as it can be read.
func jsonKeys(src []byte, f func(string)) {
	d := json.NewDecoder(bytes.NewReader(src))
	if _, err := d.Token(); err != nil {
		return
	}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return
		}
		f(name)
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return
		}
	}
}

// yamlKeys calls f for what stands before a colon at the start of a line of the
// first document.
func yamlKeys(src []byte, f func(string)) {
	began := false
	for line := range bytes.Lines(src) {
		switch c := line[0]; {
		case bytes.HasPrefix(line, []byte("---")):
			if began {
				return
			}
		case c == '"' || c == '\'' || c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z':
			began = true
			if key, _, ok := bytes.Cut(line, []byte(":")); ok {
				f(strings.Trim(string(key), "\"' "))
			}
		}
	}
}
