// Package validate is the step that lets only sound penguin measurements into
// the pipeline: it checks columns, species, categories and ranges, writes the
// rows that pass, and a report on those that do not.
package validate

import (
	"context"
	_ "embed"
	"errors"
	"html/template"
	"io"
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/kakehi/kakehi/internal/dataset"
	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/step"
)

func init() { functions.HTTP("validate", handler()) }

func handler() http.HandlerFunc {
	return step.Executor([]string{"data"}, []string{"clean", "report"}, validate)
}

// penguins is what the Palmer Station measurements may hold. The ranges are
// wide of what adult birds of these species measure: outside of them a unit or
// a digit is wrong.
var penguins = dataset.Schema{
	Label:   "species",
	Classes: []string{"Adelie", "Chinstrap", "Gentoo"},
	Features: []dataset.Feature{
		{Name: "bill_length_mm", Min: 25, Max: 70},
		{Name: "bill_depth_mm", Min: 10, Max: 26},
		{Name: "flipper_length_mm", Min: 150, Max: 250},
		{Name: "body_mass_g", Min: 2000, Max: 7500},
		{Name: "island", Categories: []string{"Biscoe", "Dream", "Torgersen"}},
		{Name: "sex", Categories: []string{"female", "male"}},
	},
}

//go:embed report.html
var reportText string

var report = template.Must(template.New("report").Parse(reportText))

type params struct {
	Data       string  `json:"data"`        // gs:// URI, when data is no artifact
	MaxDropped float64 `json:"max_dropped"` // share of rows
}

func validate(_ context.Context, env step.Env, in *executor.Input, out *executor.Output) error {
	p := params{MaxDropped: 0.1}
	if err := in.Params(&p); err != nil {
		return step.Invalid(err)
	}
	source, err := data(in, p)
	if err != nil {
		return step.Invalid(err)
	}
	file, err := env.Files.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	table, problems, err := dataset.Read(file, &penguins)
	if err != nil {
		return step.Refused("%s: %v", source.URI, err)
	}
	dropped := droppedRows(problems)
	if err := writeReport(env, in, out, source.URI, table, problems); err != nil {
		return err
	}
	if total := len(table.Rows) + dropped; len(table.Rows) == 0 || float64(dropped) > p.MaxDropped*float64(total) {
		return step.Refused("%s: %d of %d rows are bad, more than max_dropped=%v allows; the first: %v", source.URI, dropped, total, p.MaxDropped, first(problems))
	}
	out.Set("rows", len(table.Rows))
	out.Set("dropped", dropped)
	return step.WriteTable(env, in, out, "clean", table)
}

func data(in *executor.Input, p params) (*executor.Artifact, error) {
	_, bound := in.Inputs.Artifacts["data"]
	switch {
	case bound && p.Data != "":
		return nil, errors.New("data is bound twice: as an artifact and as a parameter")
	case bound:
		return in.Artifact("data")
	case p.Data == "":
		return nil, errors.New("data is missing: bind an artifact, or a gs:// URI as a parameter")
	}
	return &executor.Artifact{Name: "data", URI: p.Data}, nil
}

func writeReport(env step.Env, in *executor.Input, out *executor.Output, source string, t *dataset.Table, problems []dataset.Problem) error {
	const most = 200
	type missing struct {
		Name string
		Rows int
	}
	view := struct {
		Source        string
		Rows, Dropped int
		Classes       []string
		Counts        []int
		Missing       []missing
		Problems      []dataset.Problem
		Hidden        int
	}{Source: source, Rows: len(t.Rows), Dropped: droppedRows(problems), Classes: penguins.Classes, Counts: t.Count()}
	view.Problems = problems[:min(len(problems), most)]
	view.Hidden = len(problems) - len(view.Problems)
	for i, f := range penguins.Features {
		n := 0
		for _, row := range t.Rows {
			if row.X[i] != row.X[i] { // NaN: missing
				n++
			}
		}
		view.Missing = append(view.Missing, missing{f.Name, n})
	}
	return step.WriteArtifact(env, in, out, "report", "HTML", nil, func(w io.Writer) error { return report.Execute(w, view) })
}

// droppedRows counts the rows with problems, which come in order of lines.
func droppedRows(problems []dataset.Problem) int {
	n := 0
	for i, p := range problems {
		if i == 0 || p.Line != problems[i-1].Line {
			n++
		}
	}
	return n
}

func first(problems []dataset.Problem) string {
	if len(problems) == 0 {
		return "the file has no rows"
	}
	return problems[0].String()
}
