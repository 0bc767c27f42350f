package serving

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The Open Inference Protocol v2 over REST
// (github.com/kserve/open-inference-protocol, specification/protocol).
//
// A model's inputs are one tensor for each feature, of shape [rows] or
// [rows,1]: FP64, or BYTES for a categorical one. A request may instead send
// one numeric tensor of shape [rows, features] under any name.

type tensor struct {
	Name     string          `json:"name"`
	Shape    []int           `json:"shape"`
	Datatype string          `json:"datatype"`
	Data     json.RawMessage `json:"data"`
}

type outputTensor struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Datatype string `json:"datatype"`
	Data     any    `json:"data"`
}

type inferRequest struct {
	ID      string   `json:"id"`
	Inputs  []tensor `json:"inputs"`
	Outputs []struct {
		Name string `json:"name"`
	} `json:"outputs"`
}

type inferResponse struct {
	ModelName    string         `json:"model_name"`
	ModelVersion string         `json:"model_version"`
	ID           string         `json:"id,omitempty"`
	Outputs      []outputTensor `json:"outputs"`
}

type tensorMetadata struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

var numericTypes = []string{"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"}

func (s *Server) inferenceProtocol() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, answer func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if allow(w, r, http.MethodGet) && s.knows(w, r) {
				writeJSON(w, http.StatusOK, answer())
			}
		})
	}
	get("/v2", func() any {
		return map[string]any{"name": "kakehi", "version": "2", "extensions": []string{}}
	})
	get("/v2/health/live", func() any { return map[string]bool{"live": true} })
	mux.HandleFunc("/v2/health/ready", s.health)
	for _, model := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		get(model, func() any { return s.metadata() })
		mux.HandleFunc(model+"/ready", func(w http.ResponseWriter, r *http.Request) {
			if s.knows(w, r) {
				s.health(w, r)
			}
		})
		mux.HandleFunc(model+"/infer", func(w http.ResponseWriter, r *http.Request) {
			if s.knows(w, r) {
				s.logged(w, r, s.infer)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, fmt.Sprintf("no route %s; there are %s, %s and /v2/…", r.URL.Path, s.opt.PredictRoute, s.opt.HealthRoute))
	})
	return mux
}

// knows answers 404 for a model or version that this server does not have.
func (s *Server) knows(w http.ResponseWriter, r *http.Request) bool {
	model, version := r.PathValue("model"), r.PathValue("version")
	if model != "" && model != s.opt.Name || version != "" && version != s.opt.Version {
		writeError(w, http.StatusNotFound, fmt.Sprintf("model %q is not here; this server has %q, version %q", strings.TrimSuffix(model+"/"+version, "/"), s.opt.Name, s.opt.Version))
		return false
	}
	return true
}

func (s *Server) metadata() any {
	inputs := make([]tensorMetadata, len(s.info.Features))
	for i, f := range s.info.Features {
		inputs[i] = tensorMetadata{Name: f.Name, Datatype: "FP64", Shape: []int{-1}}
		if f.Categories != nil {
			inputs[i].Datatype = "BYTES"
		}
	}
	outputs := []tensorMetadata{}
	for _, o := range s.outputs(nil) {
		shape := slices.Clone(o.Shape)
		shape[0] = -1
		outputs = append(outputs, tensorMetadata{Name: o.Name, Datatype: o.Datatype, Shape: shape})
	}
	return map[string]any{
		"name": s.opt.Name, "versions": []string{s.opt.Version}, "platform": s.info.Platform,
		"inputs": inputs, "outputs": outputs,
	}
}

func (s *Server) infer(w http.ResponseWriter, r *http.Request) (int, error) {
	var req inferRequest
	if err := s.decode(w, r, &req); err != nil {
		return 0, err
	}
	rows, err := newDecoder(&s.info).tensors(req.Inputs)
	if err != nil {
		return 0, err
	}
	all := make([][]float64, 0, rows.len())
	if err := score(r.Context(), s.model, rows, func(out []float64) { all = append(all, slices.Clone(out)) }); err != nil {
		return 0, err
	}
	outputs := s.outputs(all)
	if len(req.Outputs) > 0 {
		var chosen []outputTensor
		for i, want := range req.Outputs {
			j := slices.IndexFunc(outputs, func(o outputTensor) bool { return o.Name == want.Name })
			if j < 0 {
				return 0, invalid("outputs[%d]: the model has no output %q", i, want.Name)
			}
			chosen = append(chosen, outputs[j])
		}
		outputs = chosen
	}
	writeJSON(w, http.StatusOK, inferResponse{ModelName: s.opt.Name, ModelVersion: s.opt.Version, ID: req.ID, Outputs: outputs})
	return rows.len(), nil
}

// outputs are the output tensors for the raw outputs of some rows:
// "probabilities" and, with known class names, "label" for a classifier, else
// "prediction".
func (s *Server) outputs(all [][]float64) []outputTensor {
	n := len(all)
	if s.info.Task == Regression {
		flat := make([]float64, 0, n)
		for _, out := range all {
			flat = append(flat, out...)
		}
		return []outputTensor{{Name: "prediction", Shape: []int{n}, Datatype: "FP64", Data: flat}}
	}
	width := max(2, s.info.Outputs)
	flat, labels := make([]float64, 0, n*width), make([]string, 0, n)
	for _, out := range all {
		p := s.info.probabilities(out)
		flat = append(flat, p...)
		if s.info.Classes != nil {
			labels = append(labels, s.info.Classes[likeliest(p)])
		}
	}
	outputs := []outputTensor{{Name: "probabilities", Shape: []int{n, width}, Datatype: "FP64", Data: flat}}
	if s.info.Classes != nil {
		outputs = append(outputs, outputTensor{Name: "label", Shape: []int{n}, Datatype: "BYTES", Data: labels})
	}
	return outputs
}

// tensors decodes the inputs of an infer request.
func (d *decoder) tensors(inputs []tensor) (*rowBlock, error) {
	width := len(d.info.Features)
	if len(inputs) == 0 {
		return nil, invalid("inputs: want one tensor [rows,%d], or a tensor for each feature", width)
	}
	if len(inputs) == 1 && len(inputs[0].Shape) == 2 && (width > 1 || inputs[0].Shape[1] != 1) {
		return d.matrix(&inputs[0], width)
	}
	n := -1
	columns := make([][]json.RawMessage, width)
	for i := range inputs {
		t := &inputs[i]
		at := fmt.Sprintf("inputs[%d]", i)
		column, known := d.index[t.Name]
		if !known {
			d.fail("%s: unknown input %q; %s", at, t.Name, d.hint(t.Name))
			continue
		}
		if len(t.Shape) == 0 || len(t.Shape) > 2 || len(t.Shape) == 2 && t.Shape[1] != 1 {
			d.fail("%s (%s): shape %v, want [rows] or [rows,1]", at, t.Name, t.Shape)
			continue
		}
		values := d.elements(at, t, d.info.Features[column].Categories != nil)
		if n >= 0 && len(values) != n {
			d.fail("%s (%s): %d rows, the inputs before have %d", at, t.Name, len(values), n)
		}
		n, columns[column] = len(values), values
	}
	for i, f := range d.info.Features {
		if columns[i] == nil && !d.full() {
			d.fail("inputs: no tensor for feature %s", f.Name)
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	rows := &rowBlock{width: width, values: make([]float64, n*width)}
	for i, column := range columns {
		for r, raw := range column {
			if rows.values[r*width+i] = d.value(fmt.Sprintf("%s[%d]", d.info.Features[i].Name, r), i, raw); d.full() {
				return nil, d.err()
			}
		}
	}
	return rows, d.err()
}

func (d *decoder) matrix(t *tensor, width int) (*rowBlock, error) {
	if t.Shape[1] != width {
		return nil, invalid("inputs[0]: shape %v, the model has %d features (%s)", t.Shape, width, d.featureList())
	}
	values := d.elements("inputs[0]", t, false)
	if err := d.err(); err != nil {
		return nil, err
	}
	rows := &rowBlock{width: width, values: make([]float64, len(values))}
	for i, raw := range values {
		if rows.values[i] = d.value(fmt.Sprintf("inputs[0].data[%d,%d]", i/width, i%width), i%width, raw); d.full() {
			break
		}
	}
	return rows, d.err()
}

// elements returns the data of a tensor, flat, after checking its datatype and
// that there is as much data as its shape says. The data may be nested.
func (d *decoder) elements(at string, t *tensor, text bool) []json.RawMessage {
	if !slices.Contains(numericTypes, t.Datatype) && !(text && t.Datatype == "BYTES") {
		d.fail("%s (%s): datatype %q does not fit the feature", at, t.Name, t.Datatype)
		return nil
	}
	want := 1
	for _, n := range t.Shape {
		if n < 0 || n > math.MaxInt32 || want > math.MaxInt32 {
			d.fail("%s (%s): shape %v is out of range", at, t.Name, t.Shape)
			return nil
		}
		want *= n
	}
	values := []json.RawMessage{}
	if err := flatten(t.Data, len(t.Shape), &values); err != nil {
		d.fail("%s (%s): data: %v", at, t.Name, err)
		return nil
	}
	if len(values) != want || want == 0 {
		d.fail("%s (%s): data has %s values, shape %v says %d", at, t.Name, strconv.Itoa(len(values)), t.Shape, want)
		return nil
	}
	return values
}

// flatten appends the scalars of a list nested at most depth deep.
func flatten(raw json.RawMessage, depth int, out *[]json.RawMessage) error {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("want a list, got %s", excerpt(raw))
	}
	for _, v := range list {
		if first(v) != '[' {
			*out = append(*out, v)
			continue
		}
		if depth <= 1 {
			return fmt.Errorf("lists are nested deeper than the shape")
		}
		if err := flatten(v, depth-1, out); err != nil {
			return err
		}
	}
	return nil
}
