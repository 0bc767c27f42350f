package summary

import (
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/step/steptest"
)

func TestSummary(t *testing.T) {
	for _, tt := range []struct {
		params map[string]any
		want   string
	}{
		{nil, "# Run\n\n"},
		{map[string]any{"state": "SUCCEEDED", "accuracy": 0.988, "decision": "promoted", "champion_accuracy": nil, "error": nil},
			"# Run: SUCCEEDED\n\n| | |\n|---|---|\n| accuracy | 0.988 |\n| champion accuracy | – |\n| decision | promoted |\n"},
		{map[string]any{"status": map[string]any{"state": "FAILED", "error": map[string]any{"code": 9}}, "error": "train exited with 1\nlast line | x"},
			"# Run: FAILED\n\n> train exited with 1 last line \\| x\n\n"},
		{map[string]any{"traffic": []any{map[string]any{"revision": "`a`", "percent": 5}}},
			"# Run\n\n| | |\n|---|---|\n| traffic | `[{\"percent\":5,\"revision\":\"'a'\"}]` |\n"},
	} {
		r := steptest.New(t)
		a := r.Call(steptest.Task{Params: tt.params, Out: map[string]string{"report": "Markdown"}, Handler: handler()})
		if a.Code != 200 || r.Get("gs://b/report") != tt.want {
			t.Errorf("%d %s: %q, want %q", a.Code, a.Body, r.Get("gs://b/report"), tt.want)
		}
	}
	r := steptest.New(t)
	if a := r.Call(steptest.Task{Handler: handler()}); a.Code != 400 || !strings.Contains(a.Error.Message, "want one Markdown output artifact, got 0") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}
