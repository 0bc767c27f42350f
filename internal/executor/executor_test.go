package executor

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const kfpInput = `{"inputs":{"parameterValues":{"a":1,"lr":0.1,"tags":["x"],"big":42.0,"nothing":null,"flag":true,"name":"1.0"},
 "artifacts":{"data":{"artifacts":[{"name":"data","type":{"schemaTitle":"system.Dataset","schemaVersion":"0.0.1"},
  "uri":"gs://b/run/prep/data","metadata":{"rows":3}}]}}},
 "outputs":{"parameters":{"Output":{"outputFile":"/gcs/b/run/train/Output"}},
  "artifacts":{"model":{"artifacts":[{"name":"model","type":{"schemaTitle":"system.Model"},"uri":"gs://b/run/train/model","metadata":{}}]}},
  "outputFile":"/gcs/b/run/train/executor_output.json"},"unknownField":{}}`

func decode(t *testing.T, text string) *Input {
	t.Helper()
	in, err := Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestParams(t *testing.T) {
	type params struct {
		A       int64    `json:"a"`
		LR      float64  `json:"lr"`
		Tags    []string `json:"tags"`
		Big     int      `json:"big"`
		Nothing int      `json:"nothing"`
		Flag    bool     `json:"flag"`
		Name    string   `json:"name"`
		Unset   string   `json:"unset"`
	}
	p := params{Nothing: 7, Unset: "default"}
	if err := decode(t, kfpInput).Params(&p); err != nil {
		t.Fatal(err)
	}
	want := params{1, 0.1, []string{"x"}, 42, 7, true, "1.0", "default"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}

func TestParamsErrors(t *testing.T) {
	for values, want := range map[string]string{
		`{"seed":"x"}`:     `parameter seed: want int, got "x"`,
		`{"seed":1.5}`:     `parameter seed: want int, got 1.5`,
		`{"sed":1}`:        `unknown parameter "sed"; did you mean "seed"?`,
		`{"whatever":1}`:   `unknown parameter "whatever"; known: seed`,
		`{"seed":[1,2,3]}`: `parameter seed: want int, got [1,2,3]`,
		`{"seed":1e400}`:   `parameter seed`,
		`{"seed":{"a":"` + strings.Repeat("x", 500) + `"}}`: `xxx…`,
	} {
		in := decode(t, `{"inputs":{"parameterValues":`+values+`}}`)
		err := in.Params(&struct {
			Seed int `json:"seed"`
		}{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", values, err, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for text, want := range map[string]string{
		``:                           "not valid JSON",
		`{`:                          "not valid JSON",
		`[]`:                         "not valid JSON",
		`{} {}`:                      "text after its end",
		`{"inputs":{"artifacts":3}}`: "not valid JSON",
		`{"inputs":{"artifacts":{"d":{"artifacts":[null]}}}}`:        "inputs.artifacts.d.artifacts[0] has no uri",
		`{"outputs":{"artifacts":{"d":{"artifacts":[{"uri":""}]}}}}`: "outputs.artifacts.d.artifacts[0] has no uri",
	} {
		if _, err := Decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestFromArgs(t *testing.T) {
	for _, args := range [][]string{
		{"--executor_input=" + kfpInput},
		{"--executor_input", kfpInput, "--other"},
		{"--executor_input={}", "--executor_input=" + kfpInput},
	} {
		in, err := FromArgs(args)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := in.Artifact("data"); err != nil || a.URI != "gs://b/run/prep/data" || a.Metadata["rows"] != 3.0 {
			t.Errorf("artifact %+v, %v", a, err)
		}
	}
	for _, args := range [][]string{nil, {"--executor_input"}, {"x"}} {
		if _, err := FromArgs(args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestArtifacts(t *testing.T) {
	in := decode(t, kfpInput)
	if _, err := in.Artifact("dta"); err == nil || !strings.Contains(err.Error(), `input artifact "dta" is missing`) {
		t.Error(err)
	}
	if a, err := in.OutputArtifact("model"); err != nil || a.Type.SchemaTitle != "system.Model" {
		t.Errorf("%+v %v", a, err)
	}
	if err := in.Accept([]string{"data"}, []string{"model"}); err != nil {
		t.Error(err)
	}
	if err := in.Accept([]string{"dataset"}, []string{"model"}); err == nil || !strings.Contains(err.Error(), `unknown input artifact "data"`) {
		t.Error(err)
	}
	list := decode(t, `{"inputs":{"artifacts":{"d":{"artifacts":[{"uri":"gs://b/1"},{"uri":"gs://b/2"}]}}}}`)
	if _, err := list.Artifact("d"); err == nil || !strings.Contains(err.Error(), "list of 2") {
		t.Error(err)
	}
}

func TestPath(t *testing.T) {
	f := Files{Root: "/data/gcs"}
	for uri, want := range map[string]string{
		"gs://b/o":           "/data/gcs/b/o",
		"gs://b/x/y.csv":     "/data/gcs/b/x/y.csv",
		"gs://b/folder/":     "/data/gcs/b/folder",
		"/gcs/b/o":           "/data/gcs/b/o",
		"/data/gcs/b/o":      "/data/gcs/b/o",
		"gs://b":             "",
		"gs://b/":            "",
		"gs:///o":            "",
		"s3://b/o":           "",
		"/etc/passwd":        "",
		"gs://b/../../x":     "",
		"gs://../x":          "",
		"gs://b//o":          "",
		"gs://b/./o":         "",
		"gs://b/o\x00":       "",
		"":                   "",
		"/data/gcs/../x":     "",
		"/data/gcsother/b/o": "",
	} {
		got, err := f.Path(uri)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Path(%q) = %q, %v; want %q", uri, got, err, want)
		}
	}
	if uri, err := f.URI("/data/gcs/b/x/y"); err != nil || uri != "gs://b/x/y" {
		t.Errorf("URI: %q %v", uri, err)
	}
	if _, err := f.URI("/data/other"); err == nil {
		t.Error("a file outside of the root has a URI")
	}
	if got, _ := (Files{}).Path("gs://b/o"); got != "/gcs/b/o" {
		t.Errorf("default root: %q", got)
	}
}

func TestFinish(t *testing.T) {
	f := Files{Root: t.TempDir()}
	in := decode(t, kfpInput)
	var out Output
	if err := f.Finish(in, &out); err == nil || !strings.Contains(err.Error(), `"Output" was declared but not produced`) {
		t.Errorf("missing parameter: %v", err)
	}
	out.Set("Output", 3)
	model, err := in.OutputArtifact("model")
	if err != nil {
		t.Fatal(err)
	}
	model.Put(map[string]any{"framework": "sk"})
	out.Add("model", model)
	if err := f.Finish(in, &out); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Output":               "3",
		"executor_output.json": `{"parameterValues":{"Output":3},"artifacts":{"model":{"artifacts":[{"name":"model","type":{"schemaTitle":"system.Model"},"uri":"gs://b/run/train/model","metadata":{"framework":"sk"}}]}}}`,
	}
	got := map[string]string{}
	entries, err := os.ReadDir(filepath.Join(f.Root, "b/run/train"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		body, err := os.ReadFile(filepath.Join(f.Root, "b/run/train", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A write that fails leaves the content before it, and no temporary file.
func TestCreateIsAtomic(t *testing.T) {
	f := Files{Root: t.TempDir()}
	a := &Artifact{Name: "x", URI: "gs://b/x"}
	text := func(s string, err error) func(io.Writer) error {
		return func(w io.Writer) error { _, _ = io.WriteString(w, s); return err }
	}
	if err := f.Create(a, text("first", nil)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := f.Create(a, text("second", broken)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	r, err := f.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if body, _ := io.ReadAll(r); string(body) != "first" {
		t.Errorf("content %q", body)
	}
	if entries, _ := os.ReadDir(filepath.Join(f.Root, "b")); len(entries) != 1 {
		t.Errorf("%d files", len(entries))
	}
	if _, err := f.Open(&Artifact{Name: "y", URI: "gs://b/y"}); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), f.Root) {
		t.Errorf("error %v", err)
	}
}

func TestClassification(t *testing.T) {
	c := NewClassification([]string{"a", "b"})
	if c.Accuracy() != 0 {
		t.Error("no rows have an accuracy")
	}
	for range 3 {
		c.Add(0, 0)
	}
	c.Add(0, 1)
	c.Add(1, 1)
	if c.Accuracy() != 0.8 || c.Total() != 5 || c.String() != "0.800 (5 rows)" {
		t.Errorf("%v", c)
	}
	want := []ClassScores{{"a", 1, 0.75, 4}, {"b", 0.5, 1, 1}}
	if diff := cmp.Diff(want, c.ByClass()); diff != "" {
		t.Error(diff)
	}
	body, err := json.Marshal(c.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	const kfp = `{"confusionMatrix":{"annotationSpecs":[{"displayName":"a"},{"displayName":"b"}],"rows":[{"row":[3,1]},{"row":[0,1]}]}}`
	if string(body) != kfp {
		t.Errorf("metadata %s, KFP has %s", body, kfp)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(kfpInput)
	f.Add(`{"inputs":{"parameterValues":{"a":1.},"artifacts":{"":{"artifacts":[{"uri":"gs://"}]}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Decode(strings.NewReader(text))
		if err != nil {
			return
		}
		_ = in.Params(&struct {
			A float64 `json:"a"`
		}{})
		files := Files{Root: "/mnt/gcs"}
		for name := range in.Inputs.Artifacts {
			a, err := in.Artifact(name)
			if err != nil {
				continue
			}
			if path, err := files.Path(a.URI); err == nil && !strings.HasPrefix(path, "/mnt/gcs/") {
				t.Errorf("%q leads out of the root: %s", a.URI, path)
			}
		}
	})
}
