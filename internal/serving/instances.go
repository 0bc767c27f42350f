package serving

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// InputError is a request that is wrong; the server answers 400 with its text.
type InputError struct{ Problems []string }

// Error lists the problems, each with its position in the request.
func (e *InputError) Error() string { return strings.Join(e.Problems, "; ") }

// maxProblems bounds an answer: who sent a wrong column learns no more from
// the thousandth row.
const maxProblems = 10

func invalid(format string, args ...any) error {
	return &InputError{Problems: []string{fmt.Sprintf(format, args...)}}
}

// rowBlock holds rows of a model's features, in one block.
type rowBlock struct {
	width  int
	values []float64
}

// len is the number of rows.
func (r *rowBlock) len() int {
	if r.width == 0 {
		return 0
	}
	return len(r.values) / r.width
}

// row returns row i.
func (r *rowBlock) row(i int) []float64 { return r.values[i*r.width : (i+1)*r.width] }

// decoder turns the JSON of a request into rows, and gathers what is wrong.
type decoder struct {
	info     *Info
	index    map[string]int
	problems []string
}

func newDecoder(info *Info) *decoder {
	d := &decoder{info: info, index: make(map[string]int, len(info.Features))}
	for i, f := range info.Features {
		d.index[f.Name] = i
	}
	return d
}

func (d *decoder) fail(format string, args ...any) {
	if !d.full() {
		d.problems = append(d.problems, fmt.Sprintf(format, args...))
	}
}

// full tells that there are as many problems as an answer tells; decoding then
// stops.
func (d *decoder) full() bool { return len(d.problems) >= maxProblems }

func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	if d.full() {
		d.problems = append(d.problems, "and perhaps more")
	}
	return &InputError{Problems: d.problems}
}

// instances decodes the list of Vertex AI instances: each a list in the order
// of the features, or an object with every feature by name.
func (d *decoder) instances(list json.RawMessage) (*rowBlock, error) {
	if first(list) != '[' {
		return nil, invalid(`instances: want {"instances": [...]} with at least one instance`)
	}
	// It grows with the rows that are right: a request of many empty instances
	// must not reserve memory for a wide model.
	rows := &rowBlock{width: len(d.info.Features)}
	row := make([]float64, rows.width)
	for i, instance := range elements(list) {
		switch first(instance) {
		case '[':
			d.list(i, instance, row)
		case '{':
			d.object(i, instance, row)
		default:
			d.fail("instances[%d]: want a list of %d values or an object of features, got %s", i, rows.width, excerpt(instance))
		}
		if d.full() {
			break
		}
		rows.values = append(rows.values, row...)
	}
	if rows.len() == 0 && len(d.problems) == 0 {
		return nil, invalid(`instances: want {"instances": [...]} with at least one instance`)
	}
	return rows, d.err()
}

func (d *decoder) list(i int, instance json.RawMessage, row []float64) {
	n := 0
	for j, v := range elements(instance) {
		if n = j + 1; j < len(row) {
			row[j] = d.value(func() string { return fmt.Sprintf("instances[%d][%d]", i, j) }, j, v)
		}
	}
	if n != len(row) {
		d.fail("instances[%d]: %d values, the model has %d features (%s)", i, n, len(row), d.featureList())
	}
}

func (d *decoder) object(i int, instance json.RawMessage, row []float64) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(instance, &values); err != nil {
		d.fail("instances[%d]: %v", i, err)
		return
	}
	for _, name := range sortedKeys(values) {
		j, ok := d.index[name]
		if ok {
			row[j] = d.value(func() string { return fmt.Sprintf("instances[%d].%s", i, name) }, j, values[name])
			continue
		}
		if d.full() { // a hint is dear to find
			return
		}
		d.fail("instances[%d]: unknown feature %q; %s", i, excerpt([]byte(name)), d.hint(name))
	}
	for _, f := range d.info.Features {
		if _, ok := values[f.Name]; !ok {
			d.fail("instances[%d].%s: is absent; send null for a missing value", i, f.Name)
		}
	}
}

// isMissing tells a missing value: null, or "NaN", which Vertex AI's own
// XGBoost server takes, as JSON has no NaN.
func isMissing(text string) bool { return text == "null" || text == `"NaN"` }

// value decodes one value of feature i, at a place of the request.
func (d *decoder) value(at func() string, i int, raw json.RawMessage) float64 {
	text := string(raw)
	if isMissing(text) {
		return math.NaN()
	}
	f := &d.info.Features[i]
	if text[0] == '"' && f.Categories != nil {
		return d.category(at, f, text)
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && f.Categories != nil:
		d.fail("%s: want one of %s, or null; got %s", at(), strings.Join(f.Categories, ", "), excerpt(raw))
	case err != nil:
		d.fail("%s: want a number or null, got %s", at(), excerpt(raw))
	case math.Abs(v) > math.MaxFloat32:
		d.fail("%s: %s is too great for a 32-bit number", at(), excerpt(raw))
	case f.Categories != nil && (v != math.Trunc(v) || v < 0 || v >= float64(len(f.Categories))):
		d.fail("%s: %s is no code of a category: want 0 to %d, or one of %s", at(), excerpt(raw), len(f.Categories)-1, strings.Join(f.Categories, ", "))
	}
	return v
}

func (d *decoder) category(at func() string, f *Feature, text string) float64 {
	var name string
	if err := json.Unmarshal([]byte(text), &name); err != nil {
		d.fail("%s: %v", at(), err)
		return 0
	}
	for code, c := range f.Categories {
		if c == name {
			return float64(code)
		}
	}
	d.fail("%s: unknown category %s; known: %s", at(), excerpt([]byte(text)), strings.Join(f.Categories, ", "))
	return 0
}

func (d *decoder) hint(name string) string {
	if hint := diag.DidYouMean(name, sortedKeys(d.index)); hint != "" {
		return hint
	}
	return "known: " + d.featureList()
}

func (d *decoder) featureList() string {
	const most = 20
	names := make([]string, 0, most)
	for i, f := range d.info.Features {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}
