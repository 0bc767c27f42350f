package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// Table is a set of labelled rows.
type Table struct {
	Schema *Schema
	Rows   []Row
}

// Row is one labelled example. X is in the order of the schema's features: a
// number, the index of a category, or NaN for a missing value.
type Row struct {
	Line  int // in the file, from 1
	Label int // index of the class
	X     []float64
	text  []string // the fields as they were written, for Write
}

// Problem is what is wrong with a row.
type Problem struct {
	Line   int
	Column string
	Reason string
}

// String formats p as line 7, sex: ….
func (p Problem) String() string { return fmt.Sprintf("line %d, %s: %s", p.Line, p.Column, p.Reason) }

// maxRows bounds a table in memory; larger data needs another step than this.
const maxRows = 1_000_000

// Read reads CSV with a header line. A row that breaks the schema is left out
// and its problems are returned; a file that is no such table is an error.
// "NA" and empty fields are missing values.
func Read(r io.Reader, s *Schema) (*Table, []Problem, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	header, err := c.Read()
	if err != nil {
		return nil, nil, fmt.Errorf("no header line: %w", err)
	}
	header = append([]string(nil), header...)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	at, err := locate(header, s.Columns())
	if err != nil {
		return nil, nil, err
	}
	t := &Table{Schema: s}
	var problems []Problem
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return t, problems, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("not CSV: %w", err)
		}
		if len(t.Rows) == maxRows {
			return nil, nil, fmt.Errorf("more than %d rows", maxRows)
		}
		line, _ := c.FieldPos(0)
		row, wrong := s.row(line, record, at)
		problems = append(problems, wrong...)
		if len(wrong) == 0 {
			t.Rows = append(t.Rows, row)
		}
	}
}

// locate finds the columns in the header, and reports all that are absent.
func locate(header, columns []string) ([]int, error) {
	at := make([]int, len(columns))
	var problems []error
	for i, name := range columns {
		if at[i] = index(header, name); at[i] < 0 {
			problem := fmt.Sprintf("the header has no column %q", name)
			if near := diag.Suggest(name, header); near != "" {
				problem += fmt.Sprintf(" (it has %q)", near)
			}
			problems = append(problems, errors.New(problem))
		}
	}
	return at, errors.Join(problems...)
}

func (s *Schema) row(line int, record []string, at []int) (Row, []Problem) {
	var wrong []Problem
	fail := func(column, format string, args ...any) {
		wrong = append(wrong, Problem{line, column, fmt.Sprintf(format, args...)})
	}
	row := Row{Line: line, X: make([]float64, len(s.Features)), text: make([]string, 0, len(at))}
	for _, column := range at {
		row.text = append(row.text, strings.TrimSpace(record[column]))
	}
	if row.Label = index(s.Classes, row.text[0]); row.Label < 0 {
		fail(s.Label, "%q is not one of %s", clip(row.text[0]), strings.Join(s.Classes, ", "))
	}
	present := 0
	for i, f := range s.Features {
		v, reason := f.parse(row.text[i+1])
		if reason != "" {
			fail(f.Name, "%s", reason)
		}
		if row.X[i] = v; !math.IsNaN(v) && f.Categories == nil {
			present++
		}
	}
	if present == 0 && len(wrong) == 0 && s.numeric() > 0 {
		fail(s.Features[0].Name, "no number is present in the row")
	}
	return row, wrong
}

func (s *Schema) numeric() int {
	n := 0
	for _, f := range s.Features {
		if f.Categories == nil {
			n++
		}
	}
	return n
}

func (f *Feature) parse(text string) (float64, string) {
	if text == "" || text == "NA" {
		return math.NaN(), ""
	}
	if f.Categories != nil {
		if i := index(f.Categories, text); i >= 0 {
			return float64(i), ""
		}
		return math.NaN(), fmt.Sprintf("%q is not one of %s", clip(text), strings.Join(f.Categories, ", "))
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return math.NaN(), fmt.Sprintf("%q is not a number", clip(text))
	}
	if f.Min < f.Max && (v < f.Min || v > f.Max) {
		return math.NaN(), fmt.Sprintf("%v is outside %v to %v", v, f.Min, f.Max)
	}
	return v, ""
}

// Write writes the columns of the schema as CSV, the fields as they were read.
func (t *Table) Write(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(t.Schema.Columns()); err != nil {
		return err
	}
	for _, row := range t.Rows {
		if err := c.Write(row.text); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// Instance is a row's features by name, as a model server takes them: a
// number, the name of a category, or nil for a missing value.
func (t *Table) Instance(row Row) map[string]any {
	instance := make(map[string]any, len(row.X))
	for i, f := range t.Schema.Features {
		switch v := row.X[i]; {
		case math.IsNaN(v):
			instance[f.Name] = nil
		case f.Categories != nil:
			instance[f.Name] = f.Categories[int(v)]
		default:
			instance[f.Name] = v
		}
	}
	return instance
}

// Count is the number of rows of each class.
func (t *Table) Count() []int {
	n := make([]int, len(t.Schema.Classes))
	for _, row := range t.Rows {
		n[row.Label]++
	}
	return n
}

func clip(text string) string {
	const most = 40
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
