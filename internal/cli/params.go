package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	args, err := readParams(file)
	if err != nil {
		return nil, err
	}
	given, err := keyValues("--param", flags)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for _, name := range sortedNames(args) {
		if param := p.Param(name); param == nil {
			wrong = append(wrong, unknownParam(p, name))
		} else if err := hasType(param.Type, args[name]); err != nil {
			wrong = append(wrong, fmt.Sprintf("parameter %s: %v", name, err))
		}
	}
	for _, name := range sortedNames(given) {
		param := p.Param(name)
		if param == nil {
			wrong = append(wrong, unknownParam(p, name))
			continue
		}
		v, err := parseParam(param.Type, given[name])
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("parameter %s: %v", name, err))
		}
		args[name] = v
	}
	for _, param := range p.Params {
		if _, has := args[param.Name]; param.Default == nil && !has {
			wrong = append(wrong, fmt.Sprintf("parameter %s (%s) has no default: give it with --param %s=VALUE", param.Name, param.Type, param.Name))
		}
	}
	if len(wrong) > 0 {
		return nil, usageError("%s", strings.Join(wrong, "\nkakehi: "))
	}
	return args, nil
}

// readParams reads a JSON map; without a file it is empty.
func readParams(file string) (map[string]any, error) {
	if file == "" {
		return map[string]any{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	v, err := decodeJSON(data)
	if err != nil {
		return nil, usageError("--params-file %s is no JSON: %v", file, err)
	}
	args, ok := v.(map[string]any)
	if !ok {
		return nil, usageError("--params-file %s is no JSON map of parameters", file)
	}
	return args, nil
}

// decodeJSON decodes one JSON value. Numbers stay as they are written: 2^53+1 is
// an integer, too.
func decodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the value")
	}
	return v, nil
}

// hasType checks a value of a parameters file.
func hasType(t pipeline.Type, v any) error {
	number, isNumber := v.(json.Number)
	_, isBool := v.(bool)
	text, isText := v.(string)
	ok := true
	switch t {
	case pipeline.Int, pipeline.Double:
		if isNumber {
			_, err := parseParam(t, number.String())
			return err
		}
		ok = false
	case pipeline.Bool:
		ok = isBool
	case pipeline.List, pipeline.Struct:
		return isCollection(t, v)
	case pipeline.String:
		ok = isText
	default:
		if isText {
			return isArtifact(text)
		}
		ok = false
	}
	if !ok {
		return fmt.Errorf("%s is no %s", shownJSON(v), t)
	}
	return nil
}

func shownJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return cut(string(data), 40)
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
	case pipeline.String:
		return text, nil
	}
	return text, isArtifact(text)
}

// isArtifact checks the text that gives an artifact: its URI, or a file.
func isArtifact(text string) error {
	if rest, ok := strings.CutPrefix(text, "gs://"); ok {
		if bucket, object, _ := strings.Cut(rest, "/"); bucket == "" || object == "" {
			return fmt.Errorf("%q is no URI: write gs://BUCKET/OBJECT", text)
		}
		return nil
	}
	if info, err := os.Stat(text); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%q is neither a gs:// URI nor a file of this machine", text)
	}
	return nil
}

func parseJSONParam(t pipeline.Type, text string) (any, error) {
	v, err := decodeJSON([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%q is no JSON: %v", text, err)
	}
	return v, isCollection(t, v)
}

// isCollection checks that JSON is a list or a map.
func isCollection(t pipeline.Type, v any) error {
	_, isList := v.([]any)
	_, isMap := v.(map[string]any)
	if t == pipeline.List && !isList || t == pipeline.Struct && !isMap {
		return fmt.Errorf("%s is no JSON %s", shownJSON(v), map[pipeline.Type]string{pipeline.List: "list", pipeline.Struct: "map"}[t])
	}
	return nil
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
