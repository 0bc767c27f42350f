package validate

import (
	"os"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/step/steptest"
)

func TestPenguins(t *testing.T) {
	data, err := os.ReadFile("../../workflows/penguins/penguins.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := steptest.New(t)
	r.Put("gs://data/penguins.csv", string(data))
	out := map[string]string{"clean": "Dataset", "report": "HTML"}
	for name, task := range map[string]steptest.Task{
		"parameter": {Params: map[string]any{"data": "gs://data/penguins.csv"}, Out: out, Handler: handler()},
		"artifact":  {In: map[string]*executor.Artifact{"data": {URI: "gs://data/penguins.csv"}}, Out: out, Handler: handler()},
	} {
		a := r.Call(task)
		if a.Code != 200 || a.ParameterValues["rows"] != 342.0 || a.ParameterValues["dropped"] != 2.0 {
			t.Fatalf("%s: %d %s", name, a.Code, a.Body)
		}
		if clean := a.Artifact("clean"); clean.URI != "gs://b/clean" || clean.Metadata["rows"] != 342.0 || clean.Metadata["schema"] == nil {
			t.Errorf("%s: clean %+v", name, clean)
		}
	}
	clean := r.Get("gs://b/clean")
	const head = "species,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,island,sex\nAdelie,39.1,18.7,181,3750,Torgersen,male\n"
	if !strings.HasPrefix(clean, head) || strings.Count(clean, "\n") != 343 {
		t.Errorf("clean has %d lines and begins %.200q", strings.Count(clean, "\n"), clean)
	}
	report := r.Get("gs://b/report")
	for _, want := range []string{"342 rows kept, 2 dropped", "<td>Chinstrap<td class=\"n\">68", "<td>sex<td class=\"n\">9", "no number is present in the row"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
}

const good = "species,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,island,sex\nAdelie,39.1,18.7,181,3750,Torgersen,male\n"

func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		csv    string
		params map[string]any
		out    map[string]string
		code   int
		want   string
	}{
		"too many bad rows": {csv: good + "Adelie,3910,18.7,181,3750,Torgersen,male\n", code: 422, want: "1 of 2 rows are bad, more than max_dropped=0.1 allows; the first: line 3, bill_length_mm: 3910 is outside 25 to 70"},
		"more are allowed":  {csv: good + "Emperor,39,18.7,181,3750,Torgersen,male\n", params: map[string]any{"max_dropped": 0.5}, code: 200},
		"no rows":           {csv: strings.SplitAfter(good, "\n")[0], code: 422, want: "the file has no rows"},
		"no such column":    {csv: "species,bill\nAdelie,1\n", code: 422, want: `the header has no column "bill_length_mm"`},
		"not CSV":           {csv: "\x89PNG\r\n", code: 422, want: "no column"},
		"script in a cell":  {csv: good + "<script>alert(1)</script>,39,18.7,181,3750,Torgersen,male\n", params: map[string]any{"max_dropped": 0.5}, code: 200},
		"no file":           {params: map[string]any{"data": "gs://data/absent.csv"}, code: 404, want: "gs://data/absent.csv"},
		"bad URI":           {params: map[string]any{"data": "gs://data/../../etc/passwd"}, code: 400, want: "parts"},
		"no data":           {params: map[string]any{"data": ""}, code: 400, want: "data is missing"},
		"unknown parameter": {params: map[string]any{"max_droped": 1}, code: 400, want: `did you mean "max_dropped"`},
		"unknown output":    {csv: good, out: map[string]string{"cleaned": "Dataset"}, code: 400, want: `unknown output artifact "cleaned"`},
		"type of an output": {csv: good, out: map[string]string{"report": "Markdown"}, code: 400, want: "declare report: HTML"},
	} {
		t.Run(name, func(t *testing.T) {
			r := steptest.New(t)
			params := map[string]any{}
			if tt.csv != "" {
				r.Put("gs://data/x.csv", tt.csv)
				params["data"] = "gs://data/x.csv"
			}
			for k, v := range tt.params {
				params[k] = v
			}
			if tt.out == nil {
				tt.out = map[string]string{"clean": "Dataset", "report": "HTML"}
			}
			a := r.Call(steptest.Task{Params: params, Out: tt.out, Handler: handler()})
			if a.Code != tt.code || !strings.Contains(a.Error.Message, tt.want) {
				t.Errorf("%d %s, want %d %q", a.Code, a.Body, tt.code, tt.want)
			}
			if name == "script in a cell" && strings.Contains(r.Get("gs://b/report"), "<script>") {
				t.Error("the report runs what is in the data")
			}
		})
	}
}
