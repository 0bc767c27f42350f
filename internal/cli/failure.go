package cli

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/value"
)

// failure is the error of an execution or of a branch, as Cloud Workflows has
// it.
type failure struct {
	Payload string `json:"payload"` // JSON
	Context string `json:"context"` // the payload, and where it was raised
}

// String says what failed. The error of a task says it by itself; where the
// workflow raised it is of interest only if it is another one. The error of a
// parallel step stands for those of its branches.
func (f failure) String() string {
	var payload struct {
		Message  json.RawMessage
		Task     string
		Branches []struct{ Error failure }
	}
	if json.Unmarshal([]byte(f.Payload), &payload) != nil {
		var text string
		if json.Unmarshal([]byte(f.Payload), &text) == nil {
			return text
		}
		return f.Context
	}
	if len(payload.Branches) > 0 {
		var texts []string
		for _, branch := range payload.Branches {
			if text := branch.Error.String(); !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, "\n")
	}
	if payload.Task != "" {
		return text(payload.Message)
	}
	return f.Context
}

// text is a JSON string's, or else the JSON.
func text(data json.RawMessage) string {
	var s string
	if json.Unmarshal(data, &s) == nil {
		return s
	}
	return string(data)
}

// messageOf is what a raised value says.
func messageOf(v value.Value) string {
	data, err := value.ToJSON(v)
	if err != nil {
		return err.Error()
	}
	var raised struct{ Message json.RawMessage }
	if json.Unmarshal(data, &raised) == nil && raised.Message != nil {
		return text(raised.Message)
	}
	return text(data)
}
