package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/journal"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

func (a *app) replayCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay JOURNAL",
		Short: "Run a recorded execution again, from its journal",
		Long: "Runs again what kakehi exec --journal recorded: nothing goes out, each answer\n" +
			"comes from the journal. It prints what exec printed, and checks that the result\n" +
			"is the same. With --workflow a changed definition takes the place of the recorded\n" +
			"one, and the first entry of the journal that it does not fit is shown.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.replay(cmd.Context(), args[0], o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.workflow, "workflow", "", "`FILE` of a definition to run instead of the recorded one")
	flags.BoolVar(&o.steps, "steps", false, "show each step with its time")
	flags.BoolVar(&o.variables, "variables", false, "show each step with its variables")
	flags.StringVarP(&o.output, "output", "o", "json", "output `FORMAT`: json, text")
	return cmd
}

type replayOptions struct {
	workflow  string
	steps     bool
	variables bool
	output    string
}

func (a *app) replay(ctx context.Context, name string, o replayOptions) error {
	if o.output != "json" && o.output != "text" {
		return usageError("--output takes json or text, not %q", o.output)
	}
	recorded, err := journal.Read(name)
	if err != nil {
		return err
	}
	program, err := a.recordedProgram(recorded, o.workflow)
	if err != nil {
		return err
	}
	arg, err := value.FromJSON(recorded.Argument)
	if err != nil {
		return journalProblem(name, 1, "the argument is no value: "+err.Error(), "")
	}
	steps := newHistory()
	cfg := interp.Config{Env: recorded.Env, Replay: recorded.Entries, ReplayOnly: true, Variables: o.variables}
	if o.steps || o.variables {
		cfg.OnStep = steps.on
	}
	outcome := program.Run(ctx, arg, cfg)
	if err := a.showReplay(outcome, steps, o.output); err != nil {
		return err
	}
	if err := compareReplay(name, recorded, outcome); err != nil {
		return exitWith(exitCheckFailed, err)
	}
	return exitOf(outcome)
}

// recordedProgram prepares the recorded definition, or the one of a file.
func (a *app) recordedProgram(recorded *journal.File, file string) (*interp.Program, error) {
	name, src := recorded.Workflow, []byte(recorded.Source)
	if file != "" {
		var err error
		if src, err = readSource(file); err != nil {
			return nil, err
		}
		name = file
	}
	f, err := workflow.Parse(name, src)
	if err != nil {
		return nil, exitWith(exitCheckFailed, err)
	}
	return a.compile(f, src, recorded.Stubbed)
}

// showReplay prints what there is to see of a replay. One that diverged has no
// result.
func (a *app) showReplay(o interp.Outcome, steps *history, output string) error {
	if output == "text" {
		steps.print(a.Out)
	}
	if o.Cause != nil && o.State != interp.Active {
		return nil
	}
	result, err := journal.NewResult(o)
	if err != nil {
		return err
	}
	if output == "text" {
		_, err := fmt.Fprintf(a.Out, "%s after %d steps: %s\n", result.State, result.Steps, result.Line())
		return err
	}
	return a.printJSON(struct {
		*journal.Result
		History []*historyStep `json:"history,omitempty"`
	}{result, steps.steps})
}

// compareReplay says where a replay does not fit the journal.
func compareReplay(name string, recorded *journal.File, o interp.Outcome) error {
	var diverged *interp.JournalError
	last := int64(len(recorded.Entries))
	switch {
	case errors.As(o.Cause, &diverged):
		hint := ""
		if s := diverged.Step; s.Routine != "" {
			hint = fmt.Sprintf("the definition is at step %q of %s, %s", s.Step, s.Routine, s.At)
		}
		return journalProblem(name, journal.Line(diverged.Seq), diverged.Error(), hint)
	case errors.Is(o.Cause, interp.ErrJournalEnd) && recorded.End != nil:
		return journalProblem(name, journal.Line(last+1), "the execution ended here, where this definition goes on", "")
	case errors.Is(o.Cause, interp.ErrJournalEnd):
		return journalProblem(name, journal.Line(last), "the journal stops after this entry, without the end of the execution: its run was interrupted, or the file was cut off", "")
	case o.Cause != nil:
		return nil
	case o.Entries < last:
		return journalProblem(name, journal.Line(o.Entries+1), fmt.Sprintf("this definition ends as %s, where the execution went on", o.State), "")
	}
	return compareEnd(name, recorded, o)
}

func compareEnd(name string, recorded *journal.File, o interp.Outcome) error {
	result, err := journal.NewResult(o)
	if err != nil {
		return err
	}
	if recorded.End == nil {
		return journalProblem(name, journal.Line(o.Entries), "the journal stops after this entry, without the end of the execution: there is nothing to compare with", "")
	}
	got, err := json.Marshal(result)
	if err != nil || bytes.Equal(got, recorded.End) {
		return err
	}
	var then journal.Result
	if err := json.Unmarshal(recorded.End, &then); err != nil {
		return err
	}
	return journalProblem(name, journal.Line(int64(len(recorded.Entries))+1),
		fmt.Sprintf("the execution ended as %s after %d steps with %s, and this definition ends as %s after %d steps with %s",
			then.State, then.Steps, then.Line(), result.State, result.Steps, result.Line()), "")
}

func journalProblem(name string, line int, message, hint string) error {
	return diag.List{{Pos: diag.Pos{File: name, Line: line, Col: 1}, Code: "replay", Message: message, Hint: hint}}
}
