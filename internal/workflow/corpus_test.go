package workflow

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kakehi/kakehi/internal/diag"
)

// corpusDir holds real definitions; it is no part of the repository.
const corpusDir = "../../../shared/corpus/workflows"

type corpusFile struct {
	path, kind string
	src        []byte
}

// fragment says that the file is a piece of a definition, from a document.
func (f corpusFile) fragment() bool { return strings.Contains(f.path, "/_embedded/") }

func corpus(t testing.TB) []corpusFile {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(corpusDir, "INDEX.tsv"))
	if err != nil {
		t.Skip("the corpus of real workflow definitions is not on this machine")
	}
	var files []corpusFile
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		cols := strings.Split(line, "\t")
		src, err := os.ReadFile(filepath.Join(corpusDir, cols[0]))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, corpusFile{cols[0], cols[3], src})
	}
	return files
}

// refused are the real definitions with errors, and why that is right: the
// diagnostic's code and the reason.
var refused = map[string]string{
	"GoogleCloudPlatform__magic-modules/mmv1/templates/terraform/samples/services/eventarc/eventarc_pipeline_with_workflow_destination.tf.tmpl": "yaml: Terraform, not YAML",
	"GoogleCloudPlatform__magic-modules/mmv1/templates/terraform/samples/services/workflows/workflow_basic.tf.tmpl":                             "yaml: Terraform, not YAML",
	"GoogleCloudPlatform__document-ai-samples/document-processing-workflows/src/workflows/process_result.yaml":                                  "unknown-name: callbackResult is never assigned",
	"GoogleCloudPlatform__terraform-google-analytics-lakehouse/src/yaml/copy-data.yaml":                                                         "unknown-name: Terraform fills its ${…} in",
	"sano307__cloud-workflows-demo/modules/integration-cloud-source-repository/workflow.yaml":                                                   "unknown-name: Terraform fills its ${…} in",
	"GoogleCloudPlatform__workflows-demos/terraform/import-multiple-yamls/subworkflow.yaml":                                                     "no-main: Terraform joins it with workflow.yaml",
	"GoogleCloudPlatform__workflows-demos/terraform/import-multiple-yamls/workflow.yaml":                                                        "unknown-function: Terraform joins it with subworkflow.yaml",
	"GoogleCloudPlatform__workflows-demos/workflows-executes-commands/using-standard-library/workflow-gcloud.yaml":                              "unknown-function: shell.gcloud is in no reference",
	"GoogleCloudPlatform__workflows-demos/workflows-executes-commands/using-standard-library/workflow-kubectl.yaml":                             "unknown-function: shell.kubectl is in no reference",
	// What a code generator makes, quotes inside strings and all.
	"awfl-us__workflows/yaml_gens/BusinessAnalysis.yaml":                   "expression: a map literal with interpolation",
	"awfl-us__workflows/yaml_gens/Summaries-Convo.yaml":                    "expression: a quote inside a string",
	"awfl-us__workflows/yaml_gens/Summaries-Term.yaml":                     "expression: a quote inside a string",
	"awfl-us__workflows/yaml_gens/assistant-ExtractTopics-Convo.yaml":      "expression: a map literal with interpolation",
	"awfl-us__workflows/yaml_gens/assistant-ExtractTopics-Session.yaml":    "expression: a map literal with interpolation",
	"awfl-us__workflows/yaml_gens/assistant-ExtractTopics-Term.yaml":       "expression: a map literal with interpolation",
	"awfl-us__workflows/yaml_gens/assistant-ExtractTopics-Week.yaml":       "expression: a map literal with interpolation",
	"awfl-us__workflows/yaml_gens/context-ContextCollapser-SegKala.yaml":   "expression: a quote inside a string",
	"awfl-us__workflows/yaml_gens/Sutradhara-prompts.yaml":                 "limit: 466 characters in an expression",
	"awfl-us__workflows/yaml_gens/codebase-jobs-ContextAgent-prompts.yaml": "limit: 471 characters in an expression",
	"awfl-us__workflows/yaml_gens/helpers-links-SaveReflection.yaml":       "limit: 607 characters in an expression",
}

// fragmentCodes are the errors that a piece of a definition may have: what it
// refers to is missing.
var fragmentCodes = map[string]bool{"unknown-name": true, "unknown-step": true, "unknown-function": true, "no-main": true}

// TestCorpusAccepted checks that every real definition would deploy.
func TestCorpusAccepted(t *testing.T) {
	accepted, total := 0, 0
	seen := make(map[string]bool)
	for _, f := range corpus(t) {
		seen[f.path] = true
		if f.kind == "peer" {
			continue // made for other engines, right or wrong
		}
		total++
		// Terraform's templates double the dollar.
		src := bytes.ReplaceAll(f.src, []byte("$${"), []byte("${"))
		tree, err := Parse(filepath.Base(f.path), src)
		list, _ := diag.From(err)
		if err == nil {
			list = Check(tree, testOptions(src))
		}
		wrong := ""
		for _, d := range list {
			if d.Severity == diag.Error && (!f.fragment() || !fragmentCodes[d.Code]) {
				wrong = d.Code
			}
		}
		if !list.HasErrors() {
			accepted++
		}
		reason, known := refused[f.path]
		switch want, _, _ := strings.Cut(reason, ":"); {
		case wrong != "" && !known:
			t.Errorf("%s is refused:\n%v", f.path, list)
		case known && wrong != want:
			t.Errorf("%s: the error is %q, want %q: %v", f.path, wrong, want, list)
		}
	}
	for path := range refused {
		if !seen[path] {
			t.Errorf("%s is not in the corpus", path)
		}
	}
	t.Logf("of %d real definitions and fragments %d have no errors", total, accepted)
}
