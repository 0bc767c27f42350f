package step

import (
	"fmt"
	"io"
	"strings"

	"github.com/kakehi/kakehi/internal/dataset"
	"github.com/kakehi/kakehi/internal/executor"
)

// WriteArtifact writes the output artifact of that name, if the pipeline asks
// for it, and adds it to the output. kind is what the step writes, such as
// Markdown: the pipeline must have declared it so, or as a plain Artifact.
func WriteArtifact(env Env, in *executor.Input, out *executor.Output, name, kind string, metadata map[string]any, write func(io.Writer) error) error {
	if _, wanted := in.Outputs.Artifacts[name]; !wanted {
		return nil
	}
	a, err := in.OutputArtifact(name)
	if err != nil {
		return Invalid(err)
	}
	if declared := strings.TrimPrefix(a.Type.SchemaTitle, "system."); declared != kind && declared != "Artifact" && declared != "" {
		return Invalid(fmt.Errorf("output %s is declared as %s, but the step writes %s: declare %s: %s", name, declared, kind, name, kind))
	}
	if err := env.Files.Create(a, write); err != nil {
		return err
	}
	a.Put(metadata)
	out.Add(name, a)
	return nil
}

// WriteTable writes a Dataset artifact: CSV, with the schema in its metadata.
func WriteTable(env Env, in *executor.Input, out *executor.Output, name string, t *dataset.Table) error {
	schema, err := t.Schema.ToMetadata()
	if err != nil {
		return err
	}
	return WriteArtifact(env, in, out, name, "Dataset", map[string]any{"rows": len(t.Rows), dataset.Metadata: schema}, t.Write)
}

// ReadTable reads a Dataset artifact that WriteTable wrote. A row that breaks
// the schema is an error: the data was changed after it was validated.
func ReadTable(env Env, in *executor.Input, name string) (*dataset.Table, error) {
	a, err := in.Artifact(name)
	if err != nil {
		return nil, Invalid(err)
	}
	schema, err := dataset.FromMetadata(a.Metadata)
	if err != nil {
		return nil, Refused("artifact %s (%s): %v", name, a.URI, err)
	}
	file, err := env.Files.Open(a)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	table, problems, err := dataset.Read(file, schema)
	if err != nil {
		return nil, Refused("artifact %s (%s): %v", name, a.URI, err)
	}
	if len(problems) > 0 {
		return nil, Refused("artifact %s (%s): %v", name, a.URI, problems[0])
	}
	if len(table.Rows) == 0 {
		return nil, Refused("artifact %s (%s) has no rows", name, a.URI)
	}
	return table, nil
}
