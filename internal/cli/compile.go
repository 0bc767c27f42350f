package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/workflow"
)

func (a *app) compileCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "compile SPEC|DIR",
		Short: "Compile a pipeline to Cloud Workflows YAML",
		Long:  "Compiles a pipeline to Cloud Workflows YAML on standard output. The same input\ngives the same bytes.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			loaded, err := loadPipeline(args[0])
			if err != nil {
				return err
			}
			a.printDiagnostics(loaded.warnings)
			_, text, err := compilePipeline(loaded)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = a.Out.Write(text)
				return err
			}
			return writeFile(out, text)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE` instead of standard output")
	return cmd
}

// compilePipeline compiles a loaded pipeline and checks the result as a deploy
// would.
func compilePipeline(l *loadedSpec) (*workflow.File, []byte, error) {
	f, err := compile.Compile(l.pipeline, compile.Options{File: filepath.Base(l.file), Source: l.source})
	if err != nil {
		return nil, nil, err
	}
	text := workflow.Format(f)
	if err := checkWorkflow(f, text).Err(); err != nil {
		return nil, nil, fmt.Errorf("the compiled workflow breaks a limit of Cloud Workflows: %w", err)
	}
	return f, text, nil
}

// writeFile replaces a file whole or not at all.
func writeFile(name string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(text); err != nil {
		tmp.Close()
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(tmp.Name(), name)
}
