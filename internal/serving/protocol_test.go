package serving

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInferenceProtocol(t *testing.T) {
	const (
		out   = `"model_name":"penguins","model_version":"3"`
		row   = `{"name":"probabilities","shape":[1,3],"datatype":"FP64","data":[0.1769210547208786,0.6848097443580627,0.13826918601989746]}`
		label = `{"name":"label","shape":[1],"datatype":"BYTES","data":["b"]}`
	)
	for _, tt := range []struct{ name, method, path, body, want string }{
		{"server", "GET", "/v2", "", `{"extensions":[],"name":"kakehi","version":"2"}`},
		{"live", "GET", "/v2/health/live", "", `{"live":true}`},
		{"metadata", "GET", "/v2/models/penguins", "", `{"inputs":[{"name":"size","datatype":"FP64","shape":[-1]},{"name":"island","datatype":"BYTES","shape":[-1]}],` +
			`"name":"penguins","outputs":[{"name":"probabilities","datatype":"FP64","shape":[-1,3]},{"name":"label","datatype":"BYTES","shape":[-1]}],"platform":"xgboost_json","versions":["3"]}`},
		{"ready", "GET", "/v2/health/ready", "", `{"ready":true}`},
		{"model ready", "GET", "/v2/models/penguins/versions/3/ready", "", `{"name":"penguins","ready":true}`},
		{"booleans", "POST", "/v2/models/penguins/infer",
			`{"inputs":[{"name":"size","shape":[1],"datatype":"FP16","data":[39.5]},{"name":"island","shape":[1],"datatype":"BOOL","data":[true]}],"outputs":[{"name":"label"}]}`,
			`{` + out + `,"outputs":[` + label + `]}`},
		{"missing values", "POST", "/v2/models/penguins/infer",
			`{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT8","data":[null,"NaN"]}],"outputs":[{"name":"label"}]}`,
			`{` + out + `,"outputs":[` + strings.Replace(label, `["b"]`, `["a"]`, 1) + `]}`},
		{"one tensor", "POST", "/v2/models/penguins/infer", `{"id":"7","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[39.5,1]}]}`,
			`{` + out + `,"id":"7","outputs":[` + row + `,` + label + `]}`},
		{"nested data", "POST", "/v2/models/penguins/versions/3/infer", `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[39.5,1]]}],"outputs":[{"name":"label"}]}`,
			`{` + out + `,"outputs":[` + label + `]}`},
		{"a tensor for each feature", "POST", "/v2/models/penguins/infer",
			`{"inputs":[{"name":"island","shape":[1,1],"datatype":"BYTES","data":["Y"]},{"name":"size","shape":[1],"datatype":"FP64","data":[39.5]}]}`,
			`{` + out + `,"outputs":[` + row + `,` + label + `]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := server(t, "classifier", Options{Name: "penguins", Version: "3"})
			w := ask(s, tt.method, tt.path, tt.body)
			if diff := cmp.Diff(tt.want+"\n", w.Body.String()); diff != "" || w.Code != 200 {
				t.Errorf("%d %s", w.Code, diff)
			}
		})
	}
	w := ask(server(t, "regressor", Options{}), "POST", "/v2/models/model/infer", `{"inputs":[{"name":"x","shape":[2,2],"datatype":"INT32","data":[40,1,null,null]}]}`)
	if !strings.Contains(w.Body.String(), `{"name":"prediction","shape":[2],"datatype":"FP64","data":[`) {
		t.Errorf("regression: %s", w.Body)
	}
}

func TestInferenceProtocolErrors(t *testing.T) {
	infer := "/v2/models/penguins/infer"
	for _, tt := range []struct {
		name, method, path, body string
		code                     int
		want                     string
	}{
		{"other model", "GET", "/v2/models/other", "", 404, `model "other" is not here; this server has "penguins"`},
		{"other version", "GET", "/v2/models/penguins/versions/9/ready", "", 404, `model "penguins/9" is not here`},
		{"method", "GET", infer, "", 405, "use POST"},
		{"nothing", "POST", infer, `{}`, 400, "want one tensor [rows,2], or a tensor for each feature"},
		{"width", "POST", infer, `{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}`, 400, "shape [1 3], the model has 2 features (size, island)"},
		{"too little data", "POST", infer, `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3]}]}`, 400, "data has 3 values, shape [2 2] says 4"},
		{"huge shape", "POST", infer, `{"inputs":[{"name":"x","shape":[2000000000,2],"datatype":"FP32","data":[]}]}`, 400, "shape [2000000000 2] is out of range"},
		{"overflowing shape", "POST", infer, `{"inputs":[{"name":"x","shape":[9223372036854775807,2],"datatype":"FP32","data":[]}]}`, 400, "out of range"},
		{"negative shape", "POST", infer, `{"inputs":[{"name":"x","shape":[-1,2],"datatype":"FP32","data":[]}]}`, 400, "out of range"},
		{"datatype", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"STRING","data":[1,2]}]}`, 400, `datatype "STRING" is not one of the protocol`},
		{"position", "POST", infer, `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,"x",0]}]}`, 400, `inputs[0].data[1,0]: "x" does not fit datatype FP32`},
		{"unknown input", "POST", infer, `{"inputs":[{"name":"sise","shape":[1],"datatype":"FP32","data":[1]}]}`, 400, `unknown input "sise"; did you mean "size"?`},
		{"missing input", "POST", infer, `{"inputs":[{"name":"size","shape":[1],"datatype":"FP32","data":[1]}]}`, 400, "inputs: no tensor for feature island"},
		{"rows differ", "POST", infer, `{"inputs":[{"name":"size","shape":[1],"datatype":"FP32","data":[1]},{"name":"island","shape":[2],"datatype":"BYTES","data":["X","X"]}]}`, 400, "2 rows, the inputs before have 1"},
		{"no rows", "POST", infer, `{"inputs":[{"name":"x","shape":[0,2],"datatype":"FP32","data":[]}]}`, 400, "shape [0 2] is out of range"},
		{"no data", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32"}]}`, 400, "data must be a list, got nothing"},
		{"data is no list", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":{"a":1}}]}`, 400, `data must be a list, got {"a":1}`},
		{"ragged", "POST", infer, `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2,3],[4]]}]}`, 400, "data has 3 values, shape [2] says 2"},
		{"half nested", "POST", infer, `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,[3,4]]}]}`, 400, "data has lists beside other elements"},
		{"half flat", "POST", infer, `{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],3,4]}]}`, 400, "data has lists beside other elements"},
		{"twice", "POST", infer, `{"inputs":[{"name":"size","shape":[1],"datatype":"FP32","data":[1]},{"name":"size","shape":[1],"datatype":"FP32","data":[2]}]}`, 400, "inputs[1] (size): is there twice"},
		{"fraction in an integer", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT32","data":[1.5,1]}]}`, 400, "inputs[0].data[0,0]: 1.5 does not fit datatype INT32"},
		{"out of the datatype", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"UINT8","data":[-4,300]}]}`, 400, "-4 does not fit datatype UINT8; inputs[0].data[0,1]: 300 is no code"},
		{"text as a number", "POST", infer, `{"inputs":[{"name":"size","shape":[1],"datatype":"FP32","data":[1]},{"name":"island","shape":[1],"datatype":"FP32","data":["X"]}]}`, 400, `inputs[1].data[0]: "X" does not fit datatype FP32`},
		{"number as text", "POST", infer, `{"inputs":[{"name":"size","shape":[1],"datatype":"FP32","data":[1]},{"name":"island","shape":[1],"datatype":"BYTES","data":[0]}]}`, 400, `inputs[1].data[0]: 0 does not fit datatype BYTES`},
		{"text for a number", "POST", infer, `{"inputs":[{"name":"size","shape":[1],"datatype":"BYTES","data":["1"]}]}`, 400, "datatype BYTES, but the feature is a number"},
		{"rows of text", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"BYTES","data":["1","X"]}]}`, 400, "datatype BYTES, want numbers"},
		{"a boolean is no number", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[true,1]}]}`, 400, "want a number or null, got true"},
		{"fraction of a row", "POST", infer, `{"inputs":[{"name":"x","shape":[0.5,2],"datatype":"FP32","data":[1,1]}]}`, 400, "inputs.shape: want a whole number, got number 0.5"},
		{"inputs is no list", "POST", infer, `{"inputs":{}}`, 400, "inputs: want a list, got object"},
		{"id", "POST", infer, `{"id":7,"inputs":[]}`, 400, "id: want a string, got number"},
		{"too deep", "POST", infer, `{"inputs":[{"name":"size","shape":[1],"datatype":"FP32","data":[[1]]}]}`, 400, "nested deeper than the shape"},
		{"unknown output", "POST", infer, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"outputs":[{"name":"margin"}]}`, 400, `outputs[0]: the model has no output "margin"`},
		{"no route", "GET", "/v3", "", 404, "no route /v3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := server(t, "classifier", Options{Name: "penguins"})
			w := ask(s, tt.method, tt.path, tt.body)
			var e struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != tt.code || !strings.Contains(e.Error, tt.want) {
				t.Errorf("%d %s (%v), want %d %q", w.Code, w.Body, err, tt.code, tt.want)
			}
		})
	}
}
