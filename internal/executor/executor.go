// Package executor is the KFP executor protocol: what a step is told
// (ExecutorInput), what it answers (ExecutorOutput), and where its artifacts
// are on the file system. Native steps, in functions and in Vertex CustomJobs,
// speak it just as KFP components do.
//
// The messages are those of kfp's pipeline_spec.proto, in the JSON form that
// kfp.dsl.executor reads and writes.
package executor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// Input is a KFP ExecutorInput.
type Input struct {
	Inputs  Inputs  `json:"inputs"`
	Outputs Outputs `json:"outputs"`
}

// Inputs are the values and artifacts that a step is given.
type Inputs struct {
	ParameterValues map[string]json.RawMessage `json:"parameterValues,omitempty"`
	Artifacts       map[string]ArtifactList    `json:"artifacts,omitempty"`
}

// Outputs says where a step must leave what it makes.
type Outputs struct {
	Parameters map[string]OutputParameter `json:"parameters,omitempty"`
	Artifacts  map[string]ArtifactList    `json:"artifacts,omitempty"`
	OutputFile string                     `json:"outputFile,omitempty"` // for the Output; "" when it is answered over HTTP
}

// OutputParameter is where the text of an output parameter goes.
type OutputParameter struct {
	OutputFile string `json:"outputFile"`
}

// Output is a KFP ExecutorOutput.
type Output struct {
	ParameterValues map[string]any          `json:"parameterValues,omitempty"`
	Artifacts       map[string]ArtifactList `json:"artifacts,omitempty"`
}

// ArtifactList holds the artifacts bound to one name; most have one.
type ArtifactList struct {
	Artifacts []*Artifact `json:"artifacts"`
}

// Artifact is a KFP RuntimeArtifact.
type Artifact struct {
	Name       string         `json:"name,omitempty"`
	Type       ArtifactType   `json:"type,omitzero"`
	URI        string         `json:"uri"`
	Metadata   map[string]any `json:"metadata,omitempty"`
	CustomPath string         `json:"custom_path,omitempty"`
}

// ArtifactType names an artifact's class, such as system.Dataset.
type ArtifactType struct {
	SchemaTitle    string `json:"schemaTitle,omitempty"`
	SchemaVersion  string `json:"schemaVersion,omitempty"`
	SchemaURI      string `json:"schemaUri,omitempty"`
	InstanceSchema string `json:"instanceSchema,omitempty"`
}

// Decode reads one ExecutorInput. Fields that it does not know are passed
// over, as KFP's own launcher does, for the message grows with KFP.
func Decode(r io.Reader) (*Input, error) {
	d := json.NewDecoder(r)
	var in Input
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("executor input is not valid JSON of an ExecutorInput: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("executor input has text after its end, at byte %d", d.InputOffset())
	}
	return &in, in.check()
}

// FromArgs finds --executor_input among a container's arguments, where the
// last one counts.
func FromArgs(args []string) (*Input, error) {
	const flag = "--executor_input"
	for i := len(args) - 1; i >= 0; i-- {
		if text, ok := strings.CutPrefix(args[i], flag+"="); ok {
			return Decode(strings.NewReader(text))
		}
		if args[i] == flag && i+1 < len(args) {
			return Decode(strings.NewReader(args[i+1]))
		}
	}
	return nil, fmt.Errorf("no %s=JSON among the %d arguments: run this as a KFP container", flag, len(args))
}

func (in *Input) check() error {
	for where, lists := range map[string]map[string]ArtifactList{"inputs": in.Inputs.Artifacts, "outputs": in.Outputs.Artifacts} {
		for name, list := range lists {
			for i, a := range list.Artifacts {
				if a == nil || a.URI == "" {
					return fmt.Errorf("%s.artifacts.%s.artifacts[%d] has no uri", where, name, i)
				}
			}
		}
	}
	return nil
}

// Params decodes the input parameters into the struct that p points to, by its
// json tags. A parameter that is absent or null leaves the field as it is, so
// the caller sets defaults first; one that the struct does not have is an
// error. Integers may be written as whole doubles (42.0), as protobuf does.
func (in *Input) Params(p any) error {
	fields, err := fieldNames(p)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(in.Inputs.ParameterValues) {
		if !fields[name] {
			return unknown("parameter", name, sortedKeys(fields))
		}
		raw := in.Inputs.ParameterValues[name]
		if string(raw) == "null" {
			continue
		}
		body, err := json.Marshal(map[string]json.RawMessage{name: wholeNumber(raw)})
		if err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
		if err := json.Unmarshal(body, p); err != nil {
			return fmt.Errorf("parameter %s: %s", name, describe(err, raw))
		}
	}
	return nil
}

// Artifact returns the one input artifact of that name.
func (in *Input) Artifact(name string) (*Artifact, error) {
	return one("input", in.Inputs.Artifacts, name)
}

// OutputArtifact returns the output artifact of that name, with the URI where
// its content belongs.
func (in *Input) OutputArtifact(name string) (*Artifact, error) {
	return one("output", in.Outputs.Artifacts, name)
}

// Accept fails when the input names artifacts that the step does not know:
// a misspelt edge must not pass in silence.
func (in *Input) Accept(inputs, outputs []string) error {
	for _, name := range sortedKeys(in.Inputs.Artifacts) {
		if !contains(inputs, name) {
			return unknown("input artifact", name, inputs)
		}
	}
	for _, name := range sortedKeys(in.Outputs.Artifacts) {
		if !contains(outputs, name) {
			return unknown("output artifact", name, outputs)
		}
	}
	return nil
}

func one(role string, lists map[string]ArtifactList, name string) (*Artifact, error) {
	list, ok := lists[name]
	if !ok {
		return nil, fmt.Errorf("%s artifact %q is missing: bind it in the pipeline", role, name)
	}
	if len(list.Artifacts) != 1 {
		return nil, fmt.Errorf("%s artifact %q is a list of %d, want one artifact", role, name, len(list.Artifacts))
	}
	return list.Artifacts[0], nil
}

func unknown(kind, name string, known []string) error {
	hint := diag.DidYouMean(name, known)
	if hint == "" {
		hint = "known: " + strings.Join(known, ", ")
	}
	return fmt.Errorf("unknown %s %q; %s", kind, name, hint)
}

// wholeNumber drops the zero fraction of a number, so that 42.0 fits an
// integer field as well as a double one.
func wholeNumber(raw json.RawMessage) json.RawMessage {
	whole, fraction, ok := bytes.Cut(raw, []byte("."))
	if ok && len(fraction) > 0 && len(bytes.Trim(fraction, "0")) == 0 && raw[0] != '"' {
		return json.RawMessage(whole)
	}
	return raw
}

func describe(err error, raw json.RawMessage) string {
	const most = 60
	text := string(raw)
	if len(text) > most {
		text = text[:most] + "…"
	}
	if t, ok := err.(*json.UnmarshalTypeError); ok {
		return fmt.Sprintf("want %s, got %s", t.Type, text)
	}
	return err.Error()
}

// fieldNames lists the parameters that a struct takes: encoding/json itself
// is asked, so that tags mean the same in both places.
func fieldNames(p any) (map[string]bool, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("parameters of %T: %w", p, err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("parameters of %T: %w", p, err)
	}
	names := make(map[string]bool, len(fields))
	for name := range fields {
		names[name] = true
	}
	return names, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
