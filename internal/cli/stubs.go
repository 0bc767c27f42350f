package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/stub"
)

// stubsFlag adds --stubs. The environment variable of gcw-emulator names a
// file, too.
func stubsFlag(cmd *cobra.Command, to *[]string) {
	var byDefault []string
	if name := os.Getenv("CONNECTOR_HOOKS"); name != "" {
		byDefault = []string{name}
	}
	cmd.Flags().StringArrayVar(to, "stubs", byDefault, "`FILE` of answers in the place of the outside, or a hook file of gcw-emulator ($CONNECTOR_HOOKS); repeatable")
}

// loadStubs reads stub files.
func (a *app) loadStubs(names []string) ([]*stub.File, error) {
	files := make([]*stub.File, len(names))
	for i, name := range names {
		src, err := readSource(name)
		if err != nil {
			return nil, err
		}
		var found diag.List
		if files[i], found, err = stub.Parse(name, src); err != nil {
			return nil, exitWith(exitCheckFailed, err)
		}
		a.printDiagnostics(found)
	}
	return files, nil
}
