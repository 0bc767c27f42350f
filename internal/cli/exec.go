package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/journal"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

func (a *app) execCommand() *cobra.Command {
	var o execOptions
	cmd := &cobra.Command{
		Use:   "exec WORKFLOW",
		Short: "Run one Cloud Workflows definition, without any emulated service",
		Long: "Runs a Cloud Workflows definition (YAML or JSON) on the engine and prints its\n" +
			"result. HTTP steps go to the real network; nothing is emulated, but what --stubs\n" +
			"answers. A stub file may also be a hook file of gcw-emulator.\n\n" +
			"With --virtual-time, sleeps, retries and timeouts take no time, and the run is\n" +
			"repeatable: the same definition, argument, seed and answers give the same\n" +
			"journal. It begins at the start of 2026 unless --start says otherwise.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.exec(cmd.Context(), args[0], o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.data, "data", "", "runtime argument, as `JSON`")
	flags.StringArrayVar(&o.env, "env", nil, "environment variable for sys.get_env, as `KEY=VALUE`")
	flags.BoolVar(&o.virtual, "virtual-time", false, "let waiting take no time")
	flags.StringVar(&o.start, "start", "", "`TIME` (RFC 3339) at which virtual time begins")
	flags.Int64Var(&o.seed, "seed", 0, "`NUMBER` that chooses the interleaving of branches in virtual time; 0 is the fixed order")
	stubsFlag(cmd, &o.stubs)
	flags.StringVar(&o.journal, "journal", "", "record the run in `FILE`, for kakehi replay")
	flags.StringVarP(&o.output, "output", "o", "json", "output `FORMAT`: json")
	return cmd
}

type execOptions struct {
	data    string
	env     []string
	virtual bool
	start   string
	seed    int64
	stubs   []string
	journal string
	output  string
}

// clock is nil, which is the real one, without --virtual-time.
func (o execOptions) clock() (interp.Clock, error) {
	if !o.virtual {
		if o.start != "" || o.seed != 0 {
			return nil, usageError("--start and --seed need --virtual-time: in real time the outside decides")
		}
		return nil, nil
	}
	if o.start == "" {
		return interp.NewVirtualClock(time.Time{}), nil
	}
	t, err := time.Parse(time.RFC3339, o.start)
	if err != nil {
		return nil, usageError("--start takes a time such as 2026-01-02T15:04:05Z, not %q", o.start)
	}
	return interp.NewVirtualClock(t), nil
}

func (a *app) exec(ctx context.Context, file string, o execOptions) error {
	if o.output != "json" {
		return usageError("--output takes json, not %q", o.output)
	}
	env, err := keyValues("--env", o.env)
	if err != nil {
		return err
	}
	arg, err := argument(o.data)
	if err != nil {
		return err
	}
	clock, err := o.clock()
	if err != nil {
		return err
	}
	stubs, err := a.loadStubs(o.stubs)
	if err != nil {
		return err
	}
	src, err := readSource(file)
	if err != nil {
		return err
	}
	program, stubbed, err := a.prepare(file, src, stubs)
	if err != nil {
		return err
	}
	cfg := interp.Config{HTTP: http.DefaultTransport, Tokens: nobody{}, Clock: clock, Seed: o.seed, Env: stdlib.Environment(env), Log: a.printLog}
	if len(stubs) > 0 {
		cfg.Stubs = stub.NewSet(stubs...)
	}
	finish := func(*journal.Result) error { return nil }
	if o.journal != "" {
		header := journal.Header{Workflow: file, Source: string(src), Argument: value.MustJSON(arg), Env: cfg.Env, Stubbed: stubbed}
		w, err := journal.Create(o.journal, header)
		if err != nil {
			return err
		}
		cfg.Journal, finish = w, w.End
	}
	outcome := program.Run(ctx, arg, cfg)
	result, err := journal.NewResult(outcome)
	if err != nil {
		return err
	}
	if err := errors.Join(finish(result), a.printJSON(result)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return exitWith(exitInterrupted, nil)
	}
	return exitOf(outcome)
}

// nobody is the identity of a workflow under exec, which has none.
type nobody struct{}

var errNobody = errors.New("kakehi exec has no service account; kakehi dev has one, and --stubs FILE gives calls canned answers")

func (nobody) AccessToken(context.Context, []string) (string, error) { return "", errNobody }

func (nobody) IDToken(context.Context, string) (string, error) { return "", errNobody }

// prepare parses, checks and compiles a workflow, as a deploy does. It also
// names the functions that only the stubs know.
func (a *app) prepare(file string, src []byte, stubs []*stub.File) (*interp.Program, []string, error) {
	if err := wrongKind(file, kindOf(src), kindWorkflow); err != nil {
		return nil, nil, err
	}
	f, err := workflow.Parse(file, src)
	if err != nil {
		return nil, nil, exitWith(exitCheckFailed, err)
	}
	stubbed := stub.Stubbed(f, stdlib.Funcs(), stubs...)
	program, err := a.compile(f, src, stubbed)
	if err == nil {
		a.printDiagnostics(stub.Unused(f, stubs...))
	}
	return program, stubbed, err
}

func (a *app) compile(f *workflow.File, src []byte, stubbed []string) (*interp.Program, error) {
	found := checkWorkflow(f, src, stubbed...)
	if err := found.Err(); err != nil {
		return nil, exitWith(exitCheckFailed, err)
	}
	a.printDiagnostics(found)
	program, err := interp.New(f, stub.Library(stdlib.Funcs(), stubbed))
	if err != nil {
		return nil, exitWith(exitCheckFailed, err)
	}
	return program, nil
}

// argument decodes --data; no data is null.
func argument(data string) (value.Value, error) {
	if data == "" {
		return value.Null{}, nil
	}
	if limit := workflow.DefaultLimits().ArgumentBytes; len(data) > limit {
		return nil, usageError("--data has %d bytes; the limit is %d", len(data), limit)
	}
	v, err := value.FromJSON([]byte(data))
	if err != nil {
		return nil, usageError("--data is no JSON: %v", err)
	}
	return v, nil
}

// keyValues parses repeated KEY=VALUE flags.
func keyValues(flag string, pairs []string) (map[string]string, error) {
	m := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, usageError("%s takes KEY=VALUE, not %q", flag, pair)
		}
		m[k] = v
	}
	return m, nil
}

// printLog shows what sys.log writes.
func (a *app) printLog(e interp.LogEntry) {
	text := e.Text
	if e.JSON != nil {
		if data, err := value.ToJSON(e.JSON); err == nil {
			text = string(data)
		}
	}
	fmt.Fprintf(a.Err, "%s %-8s %s\n", e.Time.UTC().Format(time.RFC3339), e.Severity, text)
}
