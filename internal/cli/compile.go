package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/diag"
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
	if err := blame(l, checkWorkflow(f, text)).Err(); err != nil {
		return nil, nil, err
	}
	return f, text, nil
}

// compiledName is what package compile calls the file that it makes.
const compiledName = "workflow.yaml"

// blame lays what a deploy of the compiled workflow would refuse on the
// pipeline: that is what its author can change.
func blame(l *loadedSpec, found diag.List) diag.List {
	for i, d := range found {
		ours := d.Pos.File == compiledName || strings.HasPrefix(d.Pos.File, "runtime/")
		if d.Pos.IsValid() && !ours {
			continue
		}
		found[i].Pos, found[i].Width = l.pipeline.At, 0
		found[i].Message = "the compiled workflow: " + d.Message
		if d.Code == "limit" && d.Hint == "" {
			found[i].Hint = "run tasks that are alike with foreach, or split the pipeline in two"
		}
	}
	return found
}

// writeFile replaces a file whole or not at all. What is no regular file, such as
// /dev/stdout, is written to.
func writeFile(name string, text []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return writeTo(name, text)
		}
		target, err := filepath.EvalSymlinks(name) // a link stays one
		if err != nil {
			return err
		}
		name, mode = target, info.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".kakehi-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, reason(err))
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, reason(err))
	}
	return nil
}

func writeTo(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// reason is an error of the file system without the name of a file that the
// user does not know.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
