package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/pipeline"
)

func TestRunArguments(t *testing.T) {
	p := &pipeline.Pipeline{Name: "p", Params: []*pipeline.Param{
		{Name: "i", Type: pipeline.Int}, {Name: "d", Type: pipeline.Double, Default: &pipeline.Lit{V: 0.5}},
		{Name: "b", Type: pipeline.Bool, Default: &pipeline.Lit{V: true}}, {Name: "s", Type: pipeline.String, Default: &pipeline.Lit{V: ""}},
		{Name: "l", Type: pipeline.List, Default: &pipeline.Items{}}, {Name: "m", Type: pipeline.Struct, Default: &pipeline.Fields{}},
		{Name: "data", Type: pipeline.Dataset, Default: &pipeline.Lit{V: "gs://b/x"}},
	}}
	for _, c := range []struct {
		file  string // of parameters; "" for none
		flags []string
		want  string // JSON, or what the error says
	}{
		{"", []string{"i=3"}, `{"i":3}`},
		{`{"i": 9007199254740993, "d": 2, "b": false, "s": "x", "l": [1], "m": {"k": null}, "data": "gs://b/y"}`, nil,
			`{"b":false,"d":2,"data":"gs://b/y","i":9007199254740993,"l":[1],"m":{"k":null},"s":"x"}`},
		{`{"i": 1}`, []string{"i=2", "s=3"}, `{"i":2,"s":"3"}`},
		{`{}`, []string{"i=1", `l=[1,"x"]`, `m={"k":1}`, "b=true", "d=1e3"}, `{"b":true,"d":1000,"i":1,"l":[1,"x"],"m":{"k":1}}`},
		{"null", []string{"i=1"}, "is no JSON map"},
		{"[1]", nil, "is no JSON map"},
		{"", []string{"j=3"}, `no parameter j`},
		{`{"i": 1} more`, nil, "text after the value"},
		{`{"i": 1`, nil, "unexpected EOF"},
		{`{"i": "1"}`, nil, `parameter i: "1" is no int`},
		{`{"i": 1.5}`, nil, `parameter i: "1.5" is no int`},
		{`{"i": null}`, nil, `parameter i: null is no int`},
		{`{"i": 1, "d": 1e400}`, nil, `parameter d: "1e400" is no finite double`},
		{`{"i": 1, "b": "true"}`, nil, `parameter b: "true" is no bool`},
		{`{"i": 1, "s": 3}`, nil, `parameter s: 3 is no string`},
		{`{"i": 1, "l": {}}`, nil, `parameter l: {} is no JSON list`},
		{`{"i": 1, "m": []}`, nil, `parameter m: [] is no JSON map`},
		{`{"i": 1, "data": {"uri": "gs://b/y"}}`, nil, `is no Dataset`},
		{`{"i": 1, "seed": 1}`, nil, "no parameter seed"},
		{"", nil, "parameter i (int) has no default"},
		{"", []string{"i=1", "l=[1]x"}, "text after the value"},
		{"", []string{"i=1", "m=[1]"}, "[1] is no JSON map"},
		{"", []string{"i=1", "data=params_test.go"}, `{"data":"params_test.go","i":1}`},
		{"", []string{"i=1", "data=gs://b"}, "write gs://BUCKET/OBJECT"},
		{"", []string{"i=1", "data="}, `"" is neither a gs:// URI nor a file`},
		{"", []string{"i=1", "data=."}, `"." is neither`},
		{`{"i": 1, "data": "s3://b/x"}`, nil, `parameter data: "s3://b/x" is neither`},
	} {
		file := ""
		if c.file != "" {
			file = filepath.Join(t.TempDir(), "params.json")
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args, err := runArguments(p, file, c.flags)
		got := ""
		if err != nil {
			got = err.Error()
		} else if data, err := json.Marshal(args); err == nil {
			got = string(data)
		}
		if strings.HasPrefix(c.want, "{") && got != c.want || !strings.Contains(got, c.want) {
			t.Errorf("%s %v: got %s, want %s", c.file, c.flags, got, c.want)
		}
	}
}

// All mistakes are told at once.
func TestRunArgumentsTellsAll(t *testing.T) {
	p := &pipeline.Pipeline{Name: "p", Params: []*pipeline.Param{{Name: "a", Type: pipeline.Int}, {Name: "b", Type: pipeline.Int}}}
	_, err := runArguments(p, "", []string{"a=x", "c=1"})
	for _, want := range []string{"parameter a", "no parameter c", "parameter b (int) has no default"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
