package cli

import (
	"encoding/json"
	"testing"

	"github.com/kakehi/kakehi/internal/value"
)

func TestFailure(t *testing.T) {
	branch := func(payloads ...string) string {
		type branch struct {
			Error failure `json:"error"`
		}
		var branches []branch
		for _, p := range payloads {
			branches = append(branches, branch{failure{Payload: p, Context: "context of " + p}})
		}
		data, err := json.Marshal(map[string]any{"message": "UnhandledBranchError: …", "branches": branches})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	const a, b = `{"message":"task a: no rows","task":"a","code":422}`, `{"message":"task b: it diverged","task":"b"}`
	for payload, want := range map[string]string{
		a:                                "task a: no rows",
		branch(a, b, a):                  "task a: no rows\ntask b: it diverged",
		branch(branch(b)):                "task b: it diverged",
		`{"message":"key not found: x"}`: "where",
		`"cancelled"`:                    "cancelled",
		`not JSON`:                       "where",
		branch(`{"message":"m"}`):        `context of {"message":"m"}`,
	} {
		if got := (failure{Payload: payload, Context: "where"}).String(); got != want {
			t.Errorf("%s: got %q, want %q", payload, got, want)
		}
	}
}

func TestMessageOf(t *testing.T) {
	for src, want := range map[string]string{
		`{"message":"key not found: x","tags":["KeyError"]}`: "key not found: x",
		`"text"`: "text", `{"code":3}`: `{"code":3}`, `[1]`: "[1]", `{"message":{"a":1}}`: `{"a":1}`,
	} {
		v, err := value.FromJSON([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if got := messageOf(v); got != want {
			t.Errorf("%s: got %q, want %q", src, got, want)
		}
	}
}
