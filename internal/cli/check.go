package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/compile"
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
		Long: "Checks pipeline specs, Cloud Workflows definitions, their tests and stub files, and\n" +
			"the compiled pipelines and component.yaml of Kubeflow Pipelines, told apart by\n" +
			"content, and prints every problem with its place: what a deploy would refuse, and\n" +
			"what deploys but is surely not meant. A folder stands for those of its files that\n" +
			"are of these kinds.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c := checked{app: a}
			for _, arg := range args {
				if err := c.add(arg); err != nil {
					return err
				}
			}
			return c.conclude()
		},
	}
}

// checked gathers what check finds.
type checked struct {
	*app
	found  diag.List
	files  int
	passed []string // files of folders that are none of ours
}

// add checks a file, or those of a folder that are of a kind that we know.
func (c *checked) add(arg string) error {
	files, err := sources(arg)
	if err != nil {
		return err
	}
	for _, file := range files {
		src, err := readSource(file)
		list, isList := diag.From(err)
		switch kind := kindOf(src); {
		case isList:
			c.found.Add(list...)
		case err != nil:
			return err
		case kind == kindUnknown && file != arg:
			c.passed = append(c.passed, file)
			continue
		default:
			c.found.Add(checkSource(file, src, kind)...)
		}
		c.files++
	}
	return nil
}

func (c *checked) conclude() error {
	c.printDiagnostics(c.found)
	if n := len(c.passed); n > 0 {
		const most = 5
		names := strings.Join(c.passed[:min(n, most)], ", ")
		if n > most {
			names += ", …"
		}
		fmt.Fprintf(c.Err, "%s passed over, which are neither pipelines nor workflows: %s\n", plural(n, "file"), names)
	}
	switch {
	case c.found.HasErrors():
		return exitWith(exitCheckFailed, nil)
	case c.files == 0:
		return errors.New("no pipeline and no workflow was found")
	}
	fmt.Fprintf(c.Err, "%s: ok\n", plural(c.files, "file"))
	return nil
}

// checkSource returns what is wrong with a source file.
func checkSource(file string, src []byte, kind sourceKind) diag.List {
	switch kind {
	case kindWorkflow, kindUnknown:
		f, err := workflow.Parse(file, src)
		if err != nil {
			return asList(file, err)
		}
		found := checkWorkflow(f, src)
		if !found.HasErrors() && !compile.IsOutput(src) { // whose author is our compiler
			found.Add(lint.Check(f)...)
		}
		return found
	case kindTest:
		if _, err := workflowtest.Load(file, readSource); err != nil {
			return asList(file, err)
		}
		return nil
	case kindStubs:
		_, found, err := stub.Parse(file, src)
		if err != nil {
			return asList(file, err)
		}
		return found
	case kindKFP:
		_, found := parseKFP(file, src)
		return found
	}
	loaded, err := loadPipeline(file)
	if err == nil {
		_, _, err = compilePipeline(loaded)
	}
	if err != nil {
		return asList(file, err)
	}
	return loaded.warnings
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
