package kfp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
)

// A Part of a text is text as it is, or a placeholder.
type Part struct {
	Text        string
	Placeholder *Placeholder // nil: Text
}

// Placeholder stands for something that is known when a task runs.
type Placeholder struct {
	At   diag.Pos
	Text string // as it is written, such as {{$.inputs.parameters['x']}}
	Of   Of
	Name string // of the input or output
	Key  string // of the metadata
}

// Of is what a placeholder stands for.
type Of string

// What a placeholder stands for. What is fixed has the text of its placeholder.
const (
	ExecutorInput    Of = "$"                   // the ExecutorInput as JSON
	InputParameter   Of = "input parameter"     // its value as text
	InputArtifact    Of = "input artifact"      // its artifacts, as JSON
	InputURI         Of = "input uri"           // of the first artifact
	InputPath        Of = "input path"          //
	InputName        Of = "input name"          //
	InputMetadata    Of = "input metadata"      // of the key, or all of it as JSON
	OutputParameter  Of = "output parameter"    // the file to write it to
	OutputArtifact   Of = "output artifact"     // its artifacts, as JSON
	OutputURI        Of = "output uri"          //
	OutputPath       Of = "output path"         //
	OutputName       Of = "output name"         //
	OutputMetadata   Of = "output metadata"     // of the key, or all of it as JSON
	OutputFile       Of = "outputs.output_file" // the file for the ExecutorOutput
	OutputFileURI    Of = "outputMetadataUri"   // the same
	OutputFileOldURI Of = "outputs.output_metadata_uri"
	EscapedInput     Of = "json_escape[1]" // the ExecutorInput as the text of a JSON string

	JobName         Of = "pipeline_job_name"
	JobResourceName Of = "pipeline_job_resource_name"
	JobUUID         Of = "pipeline_job_uuid"
	JobCreateTime   Of = "pipeline_job_create_time_utc"
	ScheduleTime    Of = "pipeline_job_schedule_time_utc"
	TaskName        Of = "pipeline_task_name"
	TaskUUID        Of = "pipeline_task_uuid"
	PipelineRoot    Of = "pipeline_root"
	WorkspacePath   Of = "workspace_path"

	// Those of Vertex AI Pipelines only.
	GoogleProject      Of = "pipeline_google_cloud_project_id"
	GoogleLocation     Of = "pipeline_google_cloud_location"
	ServiceAccount     Of = "pipeline_service_account"
	PersistentResource Of = "pipeline_persistent_resource_id"
)

// fixed are the placeholders that name nothing of the task.
var fixed = []Of{
	OutputFile, OutputFileURI, OutputFileOldURI, EscapedInput,
	JobName, JobResourceName, JobUUID, JobCreateTime, ScheduleTime, TaskName, TaskUUID, PipelineRoot, WorkspacePath,
	GoogleProject, GoogleLocation, ServiceAccount, PersistentResource,
}

// placeholderFields are the forms of the placeholders of inputs and outputs, without the names in them.
var placeholderFields = map[string]Of{
	"inputs.parameters":              InputParameter,
	"inputs.artifacts":               InputArtifact,
	"inputs.artifacts.uri":           InputURI,
	"inputs.artifacts.path":          InputPath,
	"inputs.artifacts.name":          InputName,
	"inputs.artifacts.metadata":      InputMetadata,
	"outputs.parameters.output_file": OutputParameter,
	"outputs.artifacts":              OutputArtifact,
	"outputs.artifacts.uri":          OutputURI,
	"outputs.artifacts.path":         OutputPath,
	"outputs.artifacts.name":         OutputName,
	"outputs.artifacts.metadata":     OutputMetadata,
}

// parsePlaceholders splits a text at its placeholders; it gives nil if there are
// none. locate tells where a byte of the text stands in the file.
func parsePlaceholders(text string, locate func(offset int) diag.Pos) ([]Part, diag.List) {
	var parts []Part
	var diags diag.List
	rest := 0
	for at := 0; ; {
		i := strings.Index(text[at:], "{{$")
		if i < 0 {
			break
		}
		at += i
		token := text[at:]
		if end := strings.Index(token, "}}"); end >= 0 {
			token = token[:end+len("}}")]
		}
		p := parsePlaceholder(token)
		if p == nil {
			diags.Add(noPlaceholder(token, locate(at))...)
			at += len("{{$")
			continue
		}
		if at > rest {
			parts = append(parts, Part{Text: text[rest:at]})
		}
		p.At, p.Text = locate(at), token
		parts = append(parts, Part{Placeholder: p})
		at += len(token)
		rest = at
	}
	if parts != nil && rest < len(text) {
		parts = append(parts, Part{Text: text[rest:]})
	}
	return parts, diags
}

// noPlaceholder reports what looks like a placeholder and is none. KFP leaves it
// as it is, and it may be of another template language: it is a mistake only if
// it begins as those of KFP do.
func noPlaceholder(token string, at diag.Pos) diag.List {
	d := diag.Diagnostic{Pos: at, Code: "placeholder", Message: "this is no placeholder of KFP", Hint: placeholderHint(token)}
	line, _, _ := strings.Cut(token, "\n")
	d.Width = width(line)
	if !strings.HasSuffix(token, "}}") {
		d.Width, d.Message, d.Hint = width("{{$."), "the placeholder has no closing }}", ""
	}
	switch {
	case strings.HasPrefix(token, "{{$.inputs"), strings.HasPrefix(token, "{{$.outputs"), strings.HasPrefix(token, "{{$.pipeline_"):
	case strings.HasPrefix(token, "{{$."):
		d.Severity = diag.Warning
	default:
		return nil
	}
	return diag.List{d}
}

// parsePlaceholder parses a placeholder, such as
// {{$.inputs.artifacts['model'].metadata['accuracy']}}.
func parsePlaceholder(token string) *Placeholder {
	s, ok := strings.CutSuffix(strings.TrimPrefix(token, "{{"), "}}")
	if !ok {
		return nil
	}
	if s == string(ExecutorInput) {
		return &Placeholder{Of: ExecutorInput}
	}
	if s, ok = strings.CutPrefix(s, "$."); !ok {
		return nil
	}
	if slices.Contains(fixed, Of(s)) {
		return &Placeholder{Of: Of(s)}
	}
	of, s, ok := strings.Cut(s, "[")
	if !ok {
		return nil
	}
	p := &Placeholder{}
	if p.Name, s, ok = cutName(s); !ok {
		return nil
	}
	field, key, keyed := strings.Cut(s, "[")
	p.Of = placeholderFields[of+field]
	switch {
	case p.Of == "":
		return nil
	case !keyed:
		return p
	case p.Of != InputMetadata && p.Of != OutputMetadata:
		return nil
	}
	if p.Key, s, ok = cutName(key); !ok || s != "" {
		return nil
	}
	return p
}

// cutName reads a quoted name and the closing bracket behind it. Quotes that were
// doubled for YAML may still be so.
func cutName(s string) (name, rest string, ok bool) {
	for _, quote := range []string{"''", "'", `"`} {
		if strings.HasPrefix(s, quote) {
			name, rest, ok = strings.Cut(s[len(quote):], quote+"]")
			return name, rest, ok && name != ""
		}
	}
	return "", "", false
}

// maxToken is longer than any placeholder whose name is misspelt.
const maxToken = 60

// placeholderHint names the placeholder that is meant, or their forms.
func placeholderHint(token string) string {
	words := make([]string, len(fixed))
	for i, of := range fixed {
		words[i] = "{{$." + string(of) + "}}"
	}
	if near := diag.Suggest(token[:min(len(token), maxToken)], words); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return "those of inputs are {{$.inputs.parameters['…']}} and {{$.inputs.artifacts['…'].uri}}"
}

// write is the text of a placeholder.
func (p *Placeholder) write() string {
	for form, of := range placeholderFields {
		if of == p.Of {
			words := strings.SplitN(form, ".", 3)
			s := "{{$." + words[0] + "." + words[1] + "['" + p.Name + "']"
			if len(words) > 2 {
				s += "." + words[2]
			}
			if p.Key != "" {
				s += "['" + p.Key + "']"
			}
			return s + "}}"
		}
	}
	if p.Of == ExecutorInput {
		return "{{$}}"
	}
	return "{{$." + string(p.Of) + "}}"
}
