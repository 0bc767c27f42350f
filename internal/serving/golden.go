package serving

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Golden is one golden row: an instance with the prediction that whoever
// trained the model computed for it. A golden file has one as JSON in each
// line; a deployment that does not repeat them serves another model.
type Golden struct {
	Instance   json.RawMessage `json:"instance"`
	Prediction json.RawMessage `json:"prediction"`
}

// maxGolden bounds a golden file: rows, and bytes of one.
const (
	maxGoldenRows = 100_000
	maxGoldenLine = 1 << 20
)

// ReadGolden reads a golden file.
func ReadGolden(r io.Reader) ([]Golden, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxGoldenLine)
	var rows []Golden
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var g Golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			return nil, fmt.Errorf("line %d: want a golden row as JSON: %w", n, err)
		}
		if g.Instance == nil || g.Prediction == nil {
			return nil, fmt.Errorf(`line %d: want {"instance":…,"prediction":…}`, n)
		}
		if rows = append(rows, g); len(rows) > maxGoldenRows {
			return nil, fmt.Errorf("more than %d golden rows", maxGoldenRows)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(rows)+1, err)
	}
	return rows, nil
}

// Difference is the greatest absolute difference between the numbers of two
// JSON values. It fails where they differ in anything else.
func Difference(want, got json.RawMessage) (float64, error) {
	var a, b any
	if err := json.Unmarshal(want, &a); err != nil {
		return 0, fmt.Errorf("expected value: %w", err)
	}
	if err := json.Unmarshal(got, &b); err != nil {
		return 0, fmt.Errorf("answered value: %w", err)
	}
	return difference("", a, b)
}

func difference(at string, want, got any) (float64, error) {
	switch w := want.(type) {
	case float64:
		if g, ok := got.(float64); ok {
			return math.Abs(w - g), nil
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			return worst(len(w), func(i int) (float64, error) { return difference(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]) })
		}
	case map[string]any:
		if g, ok := got.(map[string]any); ok && len(g) == len(w) {
			keys := sortedKeys(w)
			return worst(len(keys), func(i int) (float64, error) {
				return difference(at+"."+keys[i], w[keys[i]], g[keys[i]])
			})
		}
	default:
		if want == got {
			return 0, nil
		}
	}
	return 0, fmt.Errorf("%s: want %v, got %v", at, want, got)
}

func worst(n int, each func(int) (float64, error)) (float64, error) {
	most := 0.0
	for i := range n {
		d, err := each(i)
		if err != nil {
			return 0, err
		}
		most = math.Max(most, d)
	}
	return most, nil
}
