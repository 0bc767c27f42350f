package serving

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// datatype is one of the protocol's: the numbers it holds.
type datatype struct {
	low, high float64
	whole     bool
}

// datatypes are the numeric ones. BYTES is text: the name of a category.
var datatypes = map[string]datatype{
	"BOOL":  {0, 1, true},
	"UINT8": {0, math.MaxUint8, true}, "UINT16": {0, math.MaxUint16, true}, "UINT32": {0, math.MaxUint32, true}, "UINT64": {0, math.MaxUint64, true},
	"INT8": {math.MinInt8, math.MaxInt8, true}, "INT16": {math.MinInt16, math.MaxInt16, true},
	"INT32": {math.MinInt32, math.MaxInt32, true}, "INT64": {math.MinInt64, math.MaxInt64, true},
	"FP16": {-65504, 65504, false}, "FP32": {-math.MaxFloat32, math.MaxFloat32, false}, "FP64": {-math.MaxFloat64, math.MaxFloat64, false},
}

// tensors decodes the inputs of an infer request.
func (d *decoder) tensors(inputs []tensor) (*rowBlock, error) {
	width := len(d.info.Features)
	if len(inputs) == 0 {
		return nil, invalid("inputs: want one tensor [rows,%d], or a tensor for each feature", width)
	}
	if t := &inputs[0]; len(inputs) == 1 && len(t.Shape) == 2 && (width > 1 || t.Shape[1] != 1) {
		return d.matrix(t)
	}
	columns := make([][]float64, width)
	for i := range inputs {
		if d.full() {
			break
		}
		d.column(i, &inputs[i], columns)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	n := -1
	for i, column := range columns {
		switch {
		case column == nil:
			d.fail("inputs: no tensor for feature %s", d.info.Features[i].Name)
		case n >= 0 && len(column) != n:
			d.fail("inputs (%s): %d rows, the inputs before have %d", d.info.Features[i].Name, len(column), n)
		default:
			n = len(column)
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	rows := &rowBlock{width: width, values: make([]float64, n*width)}
	for i, column := range columns {
		for r, v := range column {
			rows.values[r*width+i] = v
		}
	}
	return rows, nil
}

// column decodes the tensor of one feature into its place in columns.
func (d *decoder) column(i int, t *tensor, columns [][]float64) {
	feature, known := d.index[t.Name]
	switch {
	case !known:
		d.fail("inputs[%d]: unknown input %q; %s", i, excerpt([]byte(t.Name)), d.hint(t.Name))
	case columns[feature] != nil:
		d.fail("inputs[%d] (%s): is there twice", i, t.Name)
	case len(t.Shape) == 0 || len(t.Shape) > 2 || len(t.Shape) == 2 && t.Shape[1] != 1:
		d.fail("inputs[%d] (%s): shape %v, want [rows] or [rows,1]", i, t.Name, t.Shape)
	case t.Datatype == "BYTES" && d.info.Features[feature].Categories == nil:
		d.fail("inputs[%d] (%s): datatype BYTES, but the feature is a number", i, t.Name)
	default:
		columns[feature] = d.data(i, t, func(int) int { return feature })
	}
}

// matrix decodes a tensor of whole rows, under any name.
func (d *decoder) matrix(t *tensor) (*rowBlock, error) {
	width := len(d.info.Features)
	if t.Shape[1] != width {
		return nil, invalid("inputs[0]: shape %v, the model has %d features (%s)", t.Shape, width, d.featureList())
	}
	if t.Datatype == "BYTES" {
		return nil, invalid("inputs[0] (%s): datatype BYTES, want numbers; or send a tensor for each feature", t.Name)
	}
	values := d.data(0, t, func(j int) int { return j % width })
	return &rowBlock{width: width, values: values}, d.err()
}

// data decodes the elements of input i, whose feature is given by their place.
// It checks that they are as many as the shape says, and fit the datatype.
func (d *decoder) data(i int, t *tensor, feature func(j int) int) []float64 {
	kind, numeric := datatypes[t.Datatype]
	if !numeric && t.Datatype != "BYTES" {
		d.fail("inputs[%d] (%s): datatype %q is not one of the protocol", i, t.Name, t.Datatype)
		return nil
	}
	for _, n := range t.Shape {
		if n < 1 || n > math.MaxInt32 || product(t.Shape) > math.MaxInt32 {
			d.fail("inputs[%d] (%s): shape %v is out of range", i, t.Name, t.Shape)
			return nil
		}
	}
	values := []float64{}
	err := walk(t.Data, t.Shape, func(raw json.RawMessage) error {
		j := len(values)
		at := func() string { return fmt.Sprintf("inputs[%d].data[%s]", i, place(j, t.Shape)) }
		values = append(values, d.element(at, t.Datatype, kind, feature(j), raw))
		if d.full() {
			return errFull
		}
		return nil
	})
	if err != nil {
		d.fail("inputs[%d] (%s): data %v", i, t.Name, err)
	}
	return values
}

// errFull ends a walk: there are as many problems as an answer tells.
var errFull = errors.New("too many problems")

// place says where element j of a tensor is: its row, and its column if there
// are some.
func place(j int, shape []int) string {
	if len(shape) == 2 && shape[1] > 1 {
		return fmt.Sprintf("%d,%d", j/shape[1], j%shape[1])
	}
	return strconv.Itoa(j)
}

// product is the number of elements of a tensor, or a number out of range.
func product(shape []int) int {
	size := 1
	for _, n := range shape {
		if size *= n; size > math.MaxInt32 {
			break
		}
	}
	return size
}

// element decodes one element of a tensor, which must fit the datatype. The
// protocol has no missing values; null is one here, as in Vertex AI's instances.
func (d *decoder) element(at func() string, name string, kind datatype, feature int, raw json.RawMessage) float64 {
	switch text := string(raw); {
	case isMissing(text):
	case name == "BOOL" && text == "true":
		raw = json.RawMessage("1")
	case name == "BOOL" && text == "false":
		raw = json.RawMessage("0")
	case (text[0] == '"') != (name == "BYTES"):
		d.fail("%s: %s does not fit datatype %s", at(), excerpt(raw), name)
		return 0
	}
	v := d.value(at, feature, raw)
	if name != "BYTES" && (v < kind.low || v > kind.high || kind.whole && v != math.Trunc(v) && !math.IsNaN(v)) {
		d.fail("%s: %s does not fit datatype %s", at(), excerpt(raw), name)
	}
	return v
}

// walk calls each with the elements of a tensor's data, row-major, until one
// fails. The data is flat, or nested as the shape says.
func walk(data json.RawMessage, shape []int, each func(json.RawMessage) error) error {
	if first(data) != '[' {
		return fmt.Errorf("must be a list, got %s", cmp.Or(excerpt(data), "nothing"))
	}
	n, want, nested := 0, product(shape), false
	for i, v := range elements(data) {
		isList := v[0] == '['
		if i == 0 && isList {
			nested, want = true, shape[0]
		}
		var err error
		switch {
		case isList && len(shape) == 1:
			err = errors.New("is nested deeper than the shape")
		case isList != nested:
			err = errors.New("has lists beside other elements")
		case isList:
			err = walk(v, shape[1:], each)
		default:
			err = each(v)
		}
		if err != nil {
			return err
		}
		n++
	}
	if n != want {
		return fmt.Errorf("has %d values, shape %v says %d", n, shape, want)
	}
	return nil
}
