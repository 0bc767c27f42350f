package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/workflowtest"
)

func (a *app) testCommand() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run tests of Cloud Workflows definitions",
		Long: "Runs the workflow tests of files, or of all *.test.yaml below folders. Each test\n" +
			"is a run in virtual time with stubs in the place of the outside; kakehi schema\n" +
			"test describes the file. It exits with 1 if a test fails, and with 5 if a test\n" +
			"file or a definition is refused.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.test(cmd.Context(), args, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.run, "run", "", "run only tests whose name matches `REGEXP`")
	flags.BoolVar(&o.coverage, "coverage", false, "show what share of steps and switch arms is reached, and the lines that are not")
	flags.StringVar(&o.junit, "junit", "", "write the results to `FILE` as JUnit XML")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "name tests that pass, too")
	flags.StringVarP(&o.output, "output", "o", "text", "output `FORMAT`: text, json")
	return cmd
}

type testOptions struct {
	run      string
	coverage bool
	junit    string
	verbose  bool
	output   string
}

func (a *app) test(ctx context.Context, paths []string, o testOptions) error {
	if o.output != "text" && o.output != "json" {
		return usageError("--output takes text or json, not %q", o.output)
	}
	chosen, err := regexp.Compile(o.run)
	if err != nil {
		return usageError("--run: %v", err)
	}
	files, err := testFiles(paths)
	if err != nil {
		return err
	}
	loaded, err := a.loadTests(files)
	if err != nil {
		return err
	}
	suites := runSuites(ctx, loaded, chosen)
	if ctx.Err() != nil {
		return exitWith(exitInterrupted, nil)
	}
	report := newTestReport(suites)
	if report.total() == 0 {
		return usageError("no test matches --run %s", o.run)
	}
	if o.junit != "" {
		if err := writeJUnit(o.junit, suites); err != nil {
			return err
		}
	}
	if o.output == "json" {
		err = a.printJSON(report)
	} else {
		err = report.print(a.Out, o)
	}
	if err == nil && report.Failed > 0 {
		return exitWith(exitFailure, nil)
	}
	return err
}

const testSuffix = ".test.yaml"

// testFiles lists the test files that paths stand for; none is the current
// folder.
func testFiles(paths []string) ([]string, error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		all, err := sources(path)
		if err != nil {
			return nil, err
		}
		found := len(files)
		for _, file := range all {
			if strings.HasSuffix(file, testSuffix) {
				files = append(files, file)
			}
		}
		if len(files) == found {
			return nil, fmt.Errorf("%s holds no *%s: kakehi schema test describes such files", path, testSuffix)
		}
	}
	return files, nil
}

// loadTests reads test files, and reports what is wrong with all of them.
func (a *app) loadTests(files []string) ([]*workflowtest.File, error) {
	var loaded []*workflowtest.File
	var found diag.List
	for _, name := range files {
		f, err := workflowtest.Load(filepath.Clean(name), readSource)
		list, ok := diag.From(err)
		switch {
		case ok:
			found.Add(list...)
		case err != nil:
			return nil, err
		default:
			loaded = append(loaded, f)
			found.Add(f.Warnings...)
		}
	}
	if err := found.Err(); err != nil {
		return nil, exitWith(exitCheckFailed, err)
	}
	a.printDiagnostics(found)
	return loaded, nil
}

// runSuites runs the files side by side, and the tests of each in order.
func runSuites(ctx context.Context, files []*workflowtest.File, chosen *regexp.Regexp) []workflowtest.Suite {
	suites := make([]workflowtest.Suite, len(files))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range files {
		suites[i].File = f
		g.Go(func() error {
			for _, t := range f.Tests {
				if chosen.MatchString(t.Name) && ctx.Err() == nil {
					suites[i].Results = append(suites[i].Results, f.Run(ctx, t))
				}
			}
			return nil
		})
	}
	_ = g.Wait() // none fails
	return suites
}

func writeJUnit(name string, suites []workflowtest.Suite) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(workflowtest.WriteJUnit(f, suites), f.Close())
}
