package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/spec"
)

// maxSource bounds what is read of one source file, in bytes.
const maxSource = 10 << 20

// sourceKind is what a file holds, told from its content.
type sourceKind int

const (
	kindWorkflow sourceKind = iota
	kindSpec
	kindKFP
	kindTest
	kindStubs
)

// kindOf tells the kinds of source apart by their top-level keys. What is none
// of the others is taken for a workflow, whose parser says what is wrong.
func kindOf(src []byte) sourceKind {
	if spec.Is(src) {
		return kindSpec
	}
	switch top := topKeys(src); {
	case top["pipelineSpec"], top["pipelineInfo"] && top["root"]:
		return kindKFP
	case top["main"]:
		return kindWorkflow
	case top["tests"]:
		return kindTest
	case top["stubs"], top["connectors"]:
		return kindStubs
	}
	return kindWorkflow
}

// topKey is a key at the start of a line.
var topKey = lazyregexp.New(`(?m)^["']?([A-Za-z]\w*)["']?[ \t]*:`)

// topKeys returns the keys at the top of YAML or JSON, without reading more of
// it than that takes: it may be of any size, and hostile.
func topKeys(src []byte) map[string]bool {
	keys := make(map[string]bool)
	if text := bytes.TrimSpace(src); len(text) == 0 || text[0] != '{' {
		for _, m := range topKey.FindAllStringSubmatch(string(src), -1) {
			keys[m[1]] = true
		}
		return keys
	}
	d := json.NewDecoder(bytes.NewReader(src))
	if _, err := d.Token(); err != nil {
		return keys
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			break
		}
		if name, ok := key.(string); ok {
			keys[name] = true
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			break
		}
	}
	return keys
}

// readSource reads a source file of at most maxSource bytes.
func readSource(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(src) > maxSource {
		return nil, fmt.Errorf("%s is larger than %d MiB: no pipeline or workflow is", name, maxSource>>20)
	}
	return src, nil
}

// specFile resolves SPEC|DIR to a file: a folder stands for its pipeline.yaml.
func specFile(arg string) (string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return arg, nil
	}
	for _, name := range []string{"pipeline.yaml", "pipeline.yml", "pipeline.json"} {
		file := filepath.Join(arg, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s has no pipeline.yaml: name the file of the pipeline, or create it", arg)
}

// sources lists the YAML and JSON files that arg stands for, those of a folder
// in order of name.
func sources(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{arg}, nil
	}
	var files []string
	err = filepath.WalkDir(arg, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != arg && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		switch filepath.Ext(name) {
		case ".yaml", ".yml", ".json":
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no .yaml, .yml or .json file", arg)
	}
	sort.Strings(files)
	return files, nil
}

// loadedSpec is a pipeline with the bytes that it was read from.
type loadedSpec struct {
	file     string
	source   []byte
	pipeline *pipeline.Pipeline
	warnings diag.List
}

// loadPipeline reads, parses and validates the pipeline of SPEC|DIR.
func loadPipeline(arg string) (*loadedSpec, error) {
	file, err := specFile(arg)
	if err != nil {
		return nil, err
	}
	src, err := readSource(file)
	if err != nil {
		return nil, err
	}
	if kindOf(src) == kindKFP {
		return nil, exitWith(exitCheckFailed, errKFP(file))
	}
	p, err := spec.Parse(file, src, spec.Options{ReadFile: readSource})
	if err != nil {
		return nil, err
	}
	found := p.Validate()
	if err := found.Err(); err != nil {
		return nil, err
	}
	return &loadedSpec{file: file, source: src, pipeline: p, warnings: found}, nil
}

// errKFP refuses a Kubeflow Pipelines file, which this version recognises but
// has no front end for.
func errKFP(file string) error {
	var l diag.List
	l.Errorf(diag.Pos{File: file, Line: 1, Col: 1}, "kfp-unsupported", "this is a compiled Kubeflow pipeline, which this version of Kakehi cannot compile")
	l[0].Hint = "write the pipeline as a Kakehi spec: see workflows/penguins/pipeline.yaml and kakehi schema"
	return l.Err()
}
