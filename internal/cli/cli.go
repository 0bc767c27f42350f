// Package cli is the command line of Kakehi, one file per command. Data goes to
// standard output, talk to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/diag"
)

// The exit codes, a contract with scripts.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitRunFailed   = 3
	exitDenied      = 4
	exitCheckFailed = 5
	exitTimeout     = 124
	exitInterrupted = 130
)

// Streams are the standard streams of a command.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// exitError ends a command with an exit code of its own. A nil err means that
// all was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, err error) error { return &exitError{code: code, err: err} }

// usageError marks a misuse of the command line.
func usageError(format string, args ...any) error {
	return exitWith(exitUsage, fmt.Errorf(format, args...))
}

// app is what the commands share.
type app struct {
	Streams
	term    terminal
	started bool // a command's own code runs: an error is no longer a matter of usage
}

// Main runs the command line and returns its exit code.
func Main(ctx context.Context, args []string, s Streams) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{Streams: s, term: terminalOf(s.Err)}
	out := &watchedWriter{Writer: s.Out}
	a.Out = out
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.err
	}
	return a.report(ctx, err)
}

// A watchedWriter keeps the first error of its writer: a command whose output
// got lost has failed.
type watchedWriter struct {
	io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "kakehi",
		Short:         "ML pipelines on Cloud Workflows, here and on Google Cloud",
		Long:          "Kakehi compiles ML pipelines to Google Cloud Workflows and runs them: on this\nmachine's embedded Google Cloud, or on Google's.",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.Version = version()
	root.SetVersionTemplate("kakehi {{.Version}}\n")
	root.AddCommand(
		a.checkCommand(), a.compileCommand(), a.runCommand(), a.execCommand(),
		a.replayCommand(), a.testCommand(),
		a.devCommand(), a.envCommand(), a.rolloutCommand(), a.schemaCommand(),
		a.doctorCommand(), a.versionCommand(),
	)
	needShell(root)
	return root
}

// needShell makes completion without the name of a shell, or with one that it
// does not know, a misuse.
func needShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.RunE = func(*cobra.Command, []string) error {
				return usageError("completion needs a shell: bash, zsh, fish or powershell")
			}
		}
	}
}

// report prints err and chooses the exit code.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	var exit *exitError
	isExit := errors.As(err, &exit)
	switch {
	case isExit && exit.err == nil:
		return exit.code
	case !a.started:
		fmt.Fprintf(a.Err, "kakehi: %v\n", err)
		fmt.Fprintln(a.Err, `Run "kakehi --help" for the commands, "kakehi COMMAND --help" for one.`)
		return exitUsage
	}
	if list, ok := diag.From(err); ok {
		a.printDiagnostics(list)
		if isExit {
			return exit.code
		}
		return exitCheckFailed
	}
	fmt.Fprintf(a.Err, "kakehi: %s\n", plainError(err))
	switch {
	case isExit:
		return exit.code
	case ctx.Err() != nil:
		return exitInterrupted
	}
	return exitFailure
}

// printDiagnostics shows each diagnostic with its source line.
func (a *app) printDiagnostics(list diag.List) {
	list.Sort()
	files := map[string][]byte{}
	source := func(name string) []byte {
		text, ok := files[name]
		if !ok {
			text, _ = os.ReadFile(name) // without it the diagnostic has no snippet
			files[name] = text
		}
		return text
	}
	diag.Render(a.Err, list, source, a.term.color)
}

// plainError is the text of an error without what gRPC puts before each message.
func plainError(err error) string {
	text := err.Error()
	for {
		before, rest, found := strings.Cut(text, "rpc error: code = ")
		_, message, cut := strings.Cut(rest, " desc = ")
		if !found || !cut {
			return text
		}
		text = before + message
	}
}
