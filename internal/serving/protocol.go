package serving

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
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
	// value is element i of the data, row-major.
	value func(i int) any
}

type inferRequest struct {
	ID      string   `json:"id"`
	Inputs  []tensor `json:"inputs"`
	Outputs []struct {
		Name string `json:"name"`
	} `json:"outputs"`
}

type inferResponse struct { // without outputs
	ModelName    string `json:"model_name"`
	ModelVersion string `json:"model_version"`
	ID           string `json:"id,omitempty"`
}

type tensorMetadata struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

func (s *Server) inferenceProtocol() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, answer func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if allow(w, r, http.MethodGet, http.MethodHead) && s.knows(w, r) {
				writeJSON(w, http.StatusOK, answer())
			}
		})
	}
	get("/v2", func() any {
		return map[string]any{"name": "kakehi", "version": "2", "extensions": []string{}}
	})
	get("/v2/health/live", func() any { return map[string]bool{"live": true} })
	ready := func(w http.ResponseWriter, r *http.Request) {
		if allow(w, r, http.MethodGet, http.MethodHead) && s.knows(w, r) && s.ready(w) {
			answer := map[string]any{"ready": true}
			if r.PathValue("model") != "" {
				answer["name"] = s.opt.Name
			}
			writeJSON(w, http.StatusOK, answer)
		}
	}
	mux.HandleFunc("/v2/health/ready", ready)
	for _, model := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		get(model, func() any { return s.metadata() })
		mux.HandleFunc(model+"/ready", ready)
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
	for _, o := range s.outputs(&rowBlock{}) {
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
	out, err := score(r.Context(), s.model, &s.info, rows)
	if err != nil {
		return 0, err
	}
	outputs := s.outputs(out)
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
	writeStream(w, func(b *bufio.Writer) {
		writeOpen(b, inferResponse{ModelName: s.opt.Name, ModelVersion: s.opt.Version, ID: req.ID})
		b.WriteString(`,"outputs":[`)
		for i := range outputs {
			if i > 0 {
				b.WriteByte(',')
			}
			outputs[i].write(b)
		}
		b.WriteString("]}\n")
	})
	return rows.len(), nil
}

func (t *outputTensor) write(b *bufio.Writer) {
	size := 1
	for _, n := range t.Shape {
		size *= n
	}
	writeOpen(b, t)
	b.WriteString(`,"data":`)
	writeList(b, size, t.value)
	b.WriteByte('}')
}

// writeOpen writes a JSON object without its end, so that more can follow.
func writeOpen(b *bufio.Writer, object any) {
	if body, err := json.Marshal(object); err == nil {
		b.Write(bytes.TrimSuffix(body, []byte("}")))
	}
}

// outputs are the output tensors for the raw outputs of some rows:
// "probabilities" and, with known class names, "label" for a classifier, else
// "prediction".
func (s *Server) outputs(out *rowBlock) []outputTensor {
	n, info := out.len(), &s.info
	if info.Task == Regression {
		return []outputTensor{{Name: "prediction", Shape: []int{n}, Datatype: "FP64", value: func(i int) any { return out.values[i] }}}
	}
	width := max(2, info.Outputs)
	outputs := []outputTensor{{Name: "probabilities", Shape: []int{n, width}, Datatype: "FP64", value: func(i int) any {
		return info.probabilities(out.row(i / width))[i%width]
	}}}
	if info.Classes != nil {
		outputs = append(outputs, outputTensor{Name: "label", Shape: []int{n}, Datatype: "BYTES", value: func(i int) any {
			return info.Classes[likeliest(info.probabilities(out.row(i)))]
		}})
	}
	return outputs
}
