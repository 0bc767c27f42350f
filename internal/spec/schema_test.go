package spec

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// jsonOf is a YAML file as a JSON Schema sees it.
func jsonOf(t *testing.T, src []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(joinSurrogates(src), &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestSchemaFile keeps the file that specs name for editors.
func TestSchemaFile(t *testing.T) { golden(t, "schema.json", string(Schema())) }

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	s := compileSchema(t)
	for _, file := range append(specs(t, "testdata/ok"), penguins) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(jsonOf(t, src)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := s.Validate(jsonOf(t, []byte(good))); err != nil {
		t.Error(err)
	}
}

func TestSchemaRefusesUnknownKeysAndShapes(t *testing.T) {
	s := compileSchema(t)
	for _, file := range []string{"keys.yaml", "machines.yaml", "names.yaml", "list.yaml"} {
		src, err := os.ReadFile(filepath.Join("testdata/err", file))
		if err != nil {
			t.Fatal(err)
		}
		if file == "keys.yaml" { // the library refuses its repeated key first
			src = bytes.Replace(src, []byte("  one:\n    function: again\n"), nil, 1)
		}
		if err := s.Validate(jsonOf(t, src)); err == nil {
			t.Errorf("%s is accepted", file)
		}
	}
}

func TestSchemaRefusesShapes(t *testing.T) {
	s := compileSchema(t)
	for task, ok := range map[string]bool{
		`{function: f}`: true, `{function: ""}`: false, `{function: f, http: "https://example.com"}`: false, `{in: {x: 1}}`: false,
		`{serve: {service: s, model: $m.m}, rollout: {steps: [100]}}`: true, `{serve: {service: s, model: $m.m}, function: f}`: false,
		`{job: {}}`: false, `{job: {image: ko://./x}}`: true, `{job: {jobSpec: {}}}`: true,
		`{http: $params.url}`: true, `{http: example.com}`: false, `{http: {url: "ftp://x"}}`: false, `{approve: ""}`: false,
		`{pipeline: ./a.yaml}`: true, `{pipeline: a.yaml}`: false, `{function: f, out: {selfLink: string}}`: true, `{function: f, out: {a-b: int}}`: false,
	} {
		if err := s.Validate(jsonOf(t, []byte("pipeline: p\ntasks: {t: "+task+"}\n"))); (err == nil) != ok {
			t.Errorf("%s: valid is %v, want %v (%v)", task, err == nil, ok, err)
		}
	}
}

// TestSchemaHasTheParsersKeys compares each map's properties in the schema with
// the keys that the parser looks up.
func TestSchemaHasTheParsersKeys(t *testing.T) {
	var root struct {
		Properties map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]any `json:"properties"`
			AnyOf      []struct {
				Properties map[string]any `json:"properties"`
			} `json:"anyOf"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	parsers := map[string][]string{
		"pipeline": pipelineObject().keys(), "task": taskObject().keys(), "param": paramObject().keys(),
		"foreach": foreachObject().keys(), "retry": retryObject().keys(), "http": httpObject().keys(),
		"job": jobObject().keys(), "disk": diskObject().keys(), "serve": serveObject().keys(),
		"rollout": rolloutObject().keys(), "slo": sloObject().keys(), "trigger": triggerObject().keys(),
	}
	for name, def := range root.Defs {
		properties := def.Properties
		if name == "param" {
			properties = def.AnyOf[0].Properties
		}
		if len(properties) == 0 {
			continue // a scalar
		}
		want := slices.Sorted(slices.Values(parsers[name]))
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(properties))); diff != "" {
			t.Errorf("%s (-parser +schema):\n%s", name, diff)
		}
		delete(parsers, name)
	}
	if len(parsers) > 0 {
		t.Errorf("not in the schema: %v", slices.Sorted(maps.Keys(parsers)))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(pipelineObject().keys())), slices.Sorted(maps.Keys(root.Properties))); diff != "" {
		t.Errorf("the file (-parser +schema):\n%s", diff)
	}
}
