package serving

import (
	"bytes"
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
	d.problems = append(d.problems, fmt.Sprintf(format, args...))
}

func (d *decoder) full() bool { return len(d.problems) >= maxProblems }

func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	if d.full() {
		d.problems = append(d.problems[:maxProblems], "and perhaps more")
	}
	return &InputError{Problems: d.problems}
}

// instances decodes Vertex AI instances: each a list in the order of the
// features, or an object with every feature by name.
func (d *decoder) instances(raw []json.RawMessage) (*rowBlock, error) {
	// It grows with the rows that are right: a request of many empty instances
	// must not reserve memory for a wide model.
	rows := &rowBlock{width: len(d.info.Features)}
	for i, instance := range raw {
		at := fmt.Sprintf("instances[%d]", i)
		row := make([]float64, rows.width)
		switch first(instance) {
		case '[':
			d.list(at, instance, row)
		case '{':
			d.object(at, instance, row)
		default:
			d.fail("%s: want a list of %d values or an object of features, got %s", at, rows.width, excerpt(instance))
		}
		if d.full() {
			break
		}
		rows.values = append(rows.values, row...)
	}
	return rows, d.err()
}

func (d *decoder) list(at string, instance json.RawMessage, row []float64) {
	var values []json.RawMessage
	if err := json.Unmarshal(instance, &values); err != nil {
		d.fail("%s: %v", at, err)
		return
	}
	if len(values) != len(row) {
		d.fail("%s: %d values, the model has %d features (%s)", at, len(values), len(row), d.featureList())
		return
	}
	for i, v := range values {
		row[i] = d.value(fmt.Sprintf("%s[%d]", at, i), i, v)
	}
}

func (d *decoder) object(at string, instance json.RawMessage, row []float64) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(instance, &values); err != nil {
		d.fail("%s: %v", at, err)
		return
	}
	for _, name := range sortedKeys(values) {
		i, ok := d.index[name]
		if !ok {
			d.fail("%s: unknown feature %q; %s", at, name, d.hint(name))
			continue
		}
		row[i] = d.value(at+"."+name, i, values[name])
	}
	for _, f := range d.info.Features {
		if _, ok := values[f.Name]; !ok {
			d.fail("%s.%s: is absent; send null for a missing value", at, f.Name)
		}
	}
}

// value decodes one value of feature i. null and "NaN" (which Vertex AI's own
// XGBoost server takes, as JSON has no NaN) are a missing value.
func (d *decoder) value(at string, i int, raw json.RawMessage) float64 {
	text := string(bytes.TrimSpace(raw))
	if text == "null" || text == `"NaN"` {
		return math.NaN()
	}
	f := &d.info.Features[i]
	if text != "" && text[0] == '"' && f.Categories != nil {
		return d.category(at, f, text)
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && f.Categories != nil:
		d.fail("%s: want one of %s, or null; got %s", at, strings.Join(f.Categories, ", "), excerpt(raw))
	case err != nil:
		d.fail("%s: want a number or null, got %s", at, excerpt(raw))
	case math.Abs(v) > math.MaxFloat32:
		d.fail("%s: %s is too great for a 32-bit number", at, excerpt(raw))
	case f.Categories != nil && (v != math.Trunc(v) || v < 0 || v >= float64(len(f.Categories))):
		d.fail("%s: %s is no code of a category: want 0 to %d, or one of %s", at, text, len(f.Categories)-1, strings.Join(f.Categories, ", "))
	}
	return v
}

func (d *decoder) category(at string, f *Feature, text string) float64 {
	var name string
	if err := json.Unmarshal([]byte(text), &name); err != nil {
		d.fail("%s: %v", at, err)
		return 0
	}
	for code, c := range f.Categories {
		if c == name {
			return float64(code)
		}
	}
	d.fail("%s: unknown category %s; known: %s", at, excerpt([]byte(text)), strings.Join(f.Categories, ", "))
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

func first(raw json.RawMessage) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

func excerpt(raw []byte) string {
	const most = 40
	if len(raw) > most {
		return strings.ToValidUTF8(string(raw[:most]), "") + "…"
	}
	return string(raw)
}
