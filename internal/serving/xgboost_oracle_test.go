package serving

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// python returns an interpreter that has xgboost, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	name := os.Getenv("KAKEHI_PYTHON")
	if name == "" {
		t.Skip("set KAKEHI_PYTHON to a Python that has xgboost, scikit-learn and numpy to compare with the real XGBoost")
	}
	if out, err := exec.Command(name, "-c", "import xgboost, sklearn, numpy").CombinedOutput(); err != nil {
		t.Skipf("KAKEHI_PYTHON=%s has no xgboost, scikit-learn and numpy: %v\n%s", name, err, out)
	}
	return name
}

// nullable reads null as NaN.
type nullable float64

func (v *nullable) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = nullable(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(v))
}

// TestAgreesWithXGBoost scores models that the real XGBoost trained: margins
// must be equal to the last bit, but for a base_score that goes through the C
// library's logf; predictions to a few units in the last place of float32, for
// its logf and expf are not exact.
func TestAgreesWithXGBoost(t *testing.T) {
	folder := t.TempDir()
	cmd := exec.Command(python(t), "testdata/oracle.py", folder)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var oracle struct {
		Version string
		Cases   map[string]struct {
			Rows                 [][]nullable
			Margins, Predictions []json.RawMessage
		}
	}
	if err := json.Unmarshal(out, &oracle); err != nil {
		t.Fatal(err)
	}
	t.Logf("XGBoost %s", oracle.Version)
	if len(oracle.Cases) < 10 {
		t.Fatalf("only %d cases", len(oracle.Cases))
	}
	for _, name := range sortedKeys(oracle.Cases) {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(folder, name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := ParseXGBoost(data)
			if err != nil {
				t.Fatal(err)
			}
			f, c := p.(*forest), oracle.Cases[name]
			var m xgbModel
			if err := json.Unmarshal(withoutNaN(data), &m); err != nil {
				t.Fatal(err)
			}
			linked := objectives[m.Learner.Objective.Name].link != nil
			for i, values := range c.Rows {
				row := make([]float64, len(values))
				for j, v := range values {
					row[j] = float64(v)
				}
				margins := f.Margins(row, make([]float32, f.info.Outputs))
				for j, want := range numbers(t, c.Margins[i]) {
					if f.info.ClassIndex && len(margins) != len(numbers(t, c.Margins[i])) {
						break
					}
					if float64(margins[j]) != want && !(linked && math.Abs(float64(margins[j])-want) < 2.5e-7) {
						t.Fatalf("row %d %v: margin %d is %v, XGBoost has %v", i, row, j, margins[j], want)
					}
				}
				out := make([]float64, f.info.Outputs)
				f.Score(row, out)
				if f.info.ClassIndex {
					out = []float64{float64(likeliest(out))}
				}
				for j, want := range numbers(t, c.Predictions[i]) {
					if !nearFloat32(out[j], want) {
						t.Fatalf("row %d %v: prediction %d is %v, XGBoost has %v", i, row, j, out[j], want)
					}
				}
			}
		})
	}
}

// numbers reads one number or a list of them.
func numbers(t *testing.T, raw json.RawMessage) []float64 {
	t.Helper()
	var list []float64
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var v float64
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return []float64{v}
}

// nearFloat32 allows four units in the last place.
func nearFloat32(a, b float64) bool {
	x, y := float32(a), float32(b)
	for range 4 {
		if x == y {
			return true
		}
		x = math.Nextafter32(x, y)
	}
	return x == y
}
