package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/lint"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/workflow"
	"github.com/kakehi/kakehi/internal/workflowtest"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE|DIR...",
		Short: "Check pipelines and workflows: types, references, limits",
		Long:  "Checks pipeline specs, Cloud Workflows definitions, their tests and stub files,\ntold apart by content, and prints every problem with its place: what a deploy\nwould refuse, and what deploys but is surely not meant. A folder stands for all\nits files.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var all diag.List
			checked := 0
			for _, arg := range args {
				files, err := sources(arg)
				if err != nil {
					return err
				}
				for _, file := range files {
					found, err := checkFile(file)
					if err != nil {
						return err
					}
					all.Add(found...)
					checked++
				}
			}
			a.printDiagnostics(all)
			if all.HasErrors() {
				return exitWith(exitCheckFailed, nil)
			}
			fmt.Fprintf(a.Err, "%s: ok\n", plural(checked, "file"))
			return nil
		},
	}
}

// checkFile returns what is wrong with a source file; the error is about
// reading it.
func checkFile(file string) (diag.List, error) {
	src, err := readSource(file)
	if list, ok := diag.From(err); ok {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	switch kindOf(src) {
	case kindWorkflow, kindUnknown:
		f, err := workflow.Parse(file, src)
		if err != nil {
			return asList(file, err), nil
		}
		found := checkWorkflow(f, src)
		if !found.HasErrors() {
			found.Add(lint.Check(f)...)
		}
		return found, nil
	case kindTest:
		if _, err := workflowtest.Load(file, readSource); err != nil {
			return asList(file, err), nil
		}
		return nil, nil
	case kindStubs:
		_, found, err := stub.Parse(file, src)
		if err != nil {
			return asList(file, err), nil
		}
		return found, nil
	}
	loaded, err := loadPipeline(file)
	if err == nil {
		_, _, err = compilePipeline(loaded)
	}
	if err != nil {
		return asList(file, err), nil
	}
	return loaded.warnings, nil
}

// checkWorkflow makes the checks of a deploy, where functions that only stubs
// know are there too.
func checkWorkflow(f *workflow.File, src []byte, stubbed ...string) diag.List {
	return workflow.Check(f, workflow.CheckOptions{
		Source: src, Functions: stub.Signature(stdlib.Signature, stubbed), FunctionNames: stdlib.Names(), Connectors: stdlib.Connectors,
	})
}

// asList turns any error about a file into diagnostics.
func asList(file string, err error) diag.List {
	if list, ok := diag.From(err); ok {
		return list
	}
	var list diag.List
	list.Errorf(diag.Pos{File: file}, "", "%v", err)
	return list
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
