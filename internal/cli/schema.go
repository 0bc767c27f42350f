package cli

import (
	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/spec"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/workflowtest"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [pipeline|stubs|test]",
		Short: "Print the JSON Schema of pipeline specs, stub files or workflow tests, for editors",
		Long: "Prints the JSON Schema of pipeline specs, or of stub files or workflow tests. Save\n" +
			"it and name it in the first line of a file:\n\n  # yaml-language-server: $schema=kakehi.schema.json",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"pipeline", "stubs", "test"},
		RunE: func(_ *cobra.Command, args []string) error {
			text := spec.Schema
			switch {
			case len(args) > 0 && args[0] == "stubs":
				text = stub.Schema
			case len(args) > 0 && args[0] == "test":
				text = workflowtest.Schema
			}
			_, err := a.Out.Write(text())
			return err
		},
	}
}
