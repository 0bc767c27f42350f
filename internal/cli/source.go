package cli

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/spec"
)

// maxSource bounds what is read of one source file, in bytes.
const maxSource = 10 << 20

// readSource reads a source file of at most maxSource bytes. That it is larger
// is a diagnostic.
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
		return nil, diag.List{{
			Pos: diag.Pos{File: name, Line: 1, Col: 1}, Code: "too-large",
			Message: fmt.Sprintf("the file is larger than %d MiB, and no pipeline or workflow may be", maxSource>>20),
			Hint:    "give data by gs:// URI, and tasks that are alike by foreach",
		}}
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
	kind := kindOf(src)
	if kind == kindKFP { // its own mistakes come first
		if _, found := parseKFP(file, src); found.HasErrors() {
			return nil, found.Err()
		}
	}
	if err := wrongKind(file, kind, kindSpec); err != nil {
		return nil, err
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
