package cli

import (
	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/spec"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of pipeline specs, for editors",
		Long:  "Prints the JSON Schema of pipeline specs. Save it and name it in the first line\nof a spec:\n\n  # yaml-language-server: $schema=kakehi.schema.json",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.Out.Write(spec.Schema())
			return err
		},
	}
}
