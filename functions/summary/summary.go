// Package summary is the step that writes what a run did, as Markdown: its
// parameters are whatever the pipeline wants said.
package summary

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/step"
)

func init() { functions.HTTP("summary", handler()) }

func handler() http.HandlerFunc {
	return step.JSON(func(_ context.Context, in *executor.Input) (*executor.Output, error) {
		return summarise(step.EnvFromOS(), in)
	})
}

func summarise(env step.Env, in *executor.Input) (*executor.Output, error) {
	if n := len(in.Outputs.Artifacts); n != 1 {
		return nil, step.Invalid(fmt.Errorf("want one Markdown output artifact, got %d", n))
	}
	var out executor.Output
	for name := range in.Outputs.Artifacts {
		err := step.WriteArtifact(env, in, &out, name, "Markdown", nil, func(w io.Writer) error {
			_, err := io.WriteString(w, render(in.Inputs.ParameterValues))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// render puts state (or KFP's status) and error first, then every other
// parameter by name.
func render(values map[string]json.RawMessage) string {
	var b strings.Builder
	b.WriteString("# Run")
	var names []string
	for name := range values {
		switch name {
		case "state", "status":
			fmt.Fprintf(&b, ": %s", inline(state(values[name])))
		case "error":
		default:
			names = append(names, name)
		}
	}
	b.WriteString("\n\n")
	if text, ok := values["error"]; ok && string(text) != "null" && string(text) != `""` {
		fmt.Fprintf(&b, "> %s\n\n", inline(text))
	}
	if len(names) == 0 {
		return b.String()
	}
	sort.Strings(names)
	b.WriteString("| | |\n|---|---|\n")
	for _, name := range names {
		fmt.Fprintf(&b, "| %s | %s |\n", escape(strings.ReplaceAll(name, "_", " ")), inline(values[name]))
	}
	return b.String()
}

// state is the status itself, or the state of KFP's PipelineTaskFinalStatus.
func state(raw json.RawMessage) json.RawMessage {
	var final struct {
		State json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(raw, &final); err == nil && final.State != nil {
		return final.State
	}
	return raw
}

// inline shows a value in one line: text as it is, null as a dash, anything
// else as JSON.
func inline(raw json.RawMessage) string {
	var text string
	switch err := json.Unmarshal(raw, &text); {
	case string(raw) == "null":
		return "–"
	case err == nil:
		return escape(text)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return escape(string(raw))
	}
	if raw[0] == '{' || raw[0] == '[' {
		return "`" + strings.ReplaceAll(escape(compact.String()), "`", "'") + "`"
	}
	return escape(compact.String())
}

func escape(text string) string {
	return strings.NewReplacer("\r", "", "\n", " ", "|", `\|`).Replace(text)
}
