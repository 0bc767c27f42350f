package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

func (a *app) execCommand() *cobra.Command {
	var o execOptions
	cmd := &cobra.Command{
		Use:   "exec WORKFLOW",
		Short: "Run one Cloud Workflows definition, without any emulated service",
		Long:  "Runs a Cloud Workflows definition (YAML or JSON) on the engine and prints its\nresult. HTTP steps go to the real network; nothing is emulated.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.exec(cmd.Context(), args[0], o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.data, "data", "", "runtime argument, as `JSON`")
	flags.StringArrayVar(&o.env, "env", nil, "environment variable for sys.get_env, as `KEY=VALUE`")
	flags.BoolVar(&o.virtual, "virtual-time", false, "let waiting take no time")
	flags.StringVarP(&o.output, "output", "o", "json", "output `FORMAT`: json")
	return cmd
}

type execOptions struct {
	data    string
	env     []string
	virtual bool
	output  string
}

// execResult is what exec prints; see the contract in ARCHITECTURE.md.
type execResult struct {
	State  interp.State    `json:"state"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *execError      `json:"error,omitempty"`
	Steps  int64           `json:"steps"`
}

type execError struct {
	Payload    json.RawMessage `json:"payload"`
	Context    string          `json:"context"`
	StackTrace []execFrame     `json:"stackTrace"`
}

type execFrame struct {
	Step    string `json:"step"`
	Routine string `json:"routine"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
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
	program, err := a.loadProgram(file)
	if err != nil {
		return err
	}
	cfg := interp.Config{HTTP: http.DefaultTransport, Env: execEnvironment(env), Log: a.printLog}
	if o.virtual {
		cfg.Clock = interp.NewVirtualClock(time.Now())
	}
	outcome := program.Start(ctx, arg, cfg).Wait()
	result, err := newExecResult(outcome)
	if err != nil {
		return err
	}
	if err := a.printJSON(result); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, nil)
	case outcome.State != interp.Succeeded:
		return exitWith(exitRunFailed, nil)
	}
	return nil
}

// loadProgram parses, checks and prepares a workflow, as a deploy does.
func (a *app) loadProgram(file string) (*interp.Program, error) {
	src, err := readSource(file)
	if err != nil {
		return nil, err
	}
	f, err := workflow.Parse(file, src)
	if err != nil {
		return nil, exitWith(exitCheckFailed, err)
	}
	found := checkWorkflow(f, src)
	if err := found.Err(); err != nil {
		return nil, exitWith(exitCheckFailed, err)
	}
	a.printDiagnostics(found)
	program, err := interp.New(f, stdlib.Funcs())
	if err != nil {
		return nil, exitWith(exitCheckFailed, err)
	}
	return program, nil
}

// execEnvironment adds the built-in variables, with names of their own, to
// those given.
func execEnvironment(given map[string]string) map[string]string {
	env := map[string]string{
		"GOOGLE_CLOUD_PROJECT_ID":            "kakehi-local",
		"GOOGLE_CLOUD_PROJECT_NUMBER":        "123456789012",
		"GOOGLE_CLOUD_LOCATION":              "us-central1",
		"GOOGLE_CLOUD_WORKFLOW_ID":           "exec",
		"GOOGLE_CLOUD_WORKFLOW_REVISION_ID":  "000001-000",
		"GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": "00000000-0000-0000-0000-000000000000",
		"GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME":  "workflows@kakehi-local.iam.gserviceaccount.com",
	}
	for k, v := range given {
		env[k] = v
	}
	return env
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

func newExecResult(o interp.Outcome) (*execResult, error) {
	r := &execResult{State: o.State, Steps: o.Steps}
	if o.State == interp.Succeeded {
		data, err := value.ToJSON(o.Result)
		if err != nil {
			return nil, fmt.Errorf("the workflow's result is not JSON: %w", err)
		}
		r.Result = data
		return r, nil
	}
	payload, err := value.ToJSON(o.Err.Payload)
	if err != nil {
		return nil, fmt.Errorf("the workflow's error is not JSON: %w", err)
	}
	r.Error = &execError{Payload: payload, Context: o.Err.Context, StackTrace: []execFrame{}}
	for _, f := range o.Err.Stack {
		r.Error.StackTrace = append(r.Error.StackTrace, execFrame{Step: f.Step, Routine: f.Routine, Line: f.At.Line, Column: f.At.Col})
	}
	return r, nil
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

// printJSON writes v to standard output as indented JSON.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
