package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// runArguments reads --params-file and --param into the argument of an
// execution. A value is read by its parameter's declared type; all mistakes are
// reported at once.
func runArguments(p *pipeline.Pipeline, file string, flags []string) (map[string]any, error) {
	args := map[string]any{}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber() // 2^53+1 is an integer, too
		if err := dec.Decode(&args); err != nil {
			return nil, usageError("--params-file %s is not a JSON map: %v", file, err)
		}
	}
	given, err := keyValues("--param", flags)
	if err != nil {
		return nil, err
	}
	byName := map[string]*pipeline.Param{}
	for _, param := range p.Params {
		byName[param.Name] = param
	}
	var wrong []string
	for _, name := range sortedNames(given) {
		param := byName[name]
		if param == nil {
			continue // reported below
		}
		v, err := parseParam(param.Type, given[name])
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("parameter %s: %v", name, err))
			continue
		}
		args[name] = v
	}
	for _, name := range append(sortedNames(args), sortedNames(given)...) {
		if byName[name] == nil {
			wrong = append(wrong, unknownParam(p, name))
		}
	}
	for _, param := range p.Params {
		_, has := args[param.Name]
		if _, tried := given[param.Name]; param.Default == nil && !has && !tried {
			wrong = append(wrong, fmt.Sprintf("parameter %s (%s) has no default: give it with --param %s=VALUE", param.Name, param.Type, param.Name))
		}
	}
	if len(wrong) > 0 {
		return nil, usageError("%s", strings.Join(wrong, "\nkakehi: "))
	}
	return args, nil
}

func unknownParam(p *pipeline.Pipeline, name string) string {
	var names []string
	for _, param := range p.Params {
		names = append(names, param.Name)
	}
	text := fmt.Sprintf("pipeline %s has no parameter %s", p.Name, name)
	if hint := diag.DidYouMean(name, names); hint != "" {
		return text + ": " + hint
	}
	return text + ": it has " + strings.Join(names, ", ")
}

// parseParam reads the text of a --param flag by the parameter's type.
func parseParam(t pipeline.Type, text string) (any, error) {
	switch t {
	case pipeline.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no int", text)
		}
		return n, nil
	case pipeline.Double:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != f || f-f != 0 {
			return nil, fmt.Errorf("%q is no finite double", text)
		}
		return f, nil
	case pipeline.Bool:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is no bool: write true or false", text)
	case pipeline.List, pipeline.Struct:
		return parseJSONParam(t, text)
	}
	return text, nil // strings, and artifacts by their URI or file
}

func parseJSONParam(t pipeline.Type, text string) (any, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%q is no JSON: %v", text, err)
	}
	_, isList := v.([]any)
	_, isMap := v.(map[string]any)
	if t == pipeline.List && !isList || t == pipeline.Struct && !isMap {
		return nil, fmt.Errorf("%q is no JSON %s", text, map[pipeline.Type]string{pipeline.List: "list", pipeline.Struct: "map"}[t])
	}
	return v, nil
}

// localFile says which file an artifact parameter names, if it is one of this
// machine rather than a gs:// URI.
func localFile(param *pipeline.Param, v any) (string, bool) {
	text, ok := v.(string)
	if !ok || !param.Type.IsArtifact() || strings.HasPrefix(text, "gs://") {
		return "", false
	}
	return filepath.Clean(text), true
}
