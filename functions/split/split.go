// Package split is the step that holds test rows back from training.
package split

import (
	"context"
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/step"
)

func init() { functions.HTTP("split", handler()) }

func handler() http.HandlerFunc {
	return step.Executor([]string{"data"}, []string{"train", "test"}, split)
}

type params struct {
	TestShare float64 `json:"test_share"`
	Seed      int64   `json:"seed"`
}

// split is stratified by class. The same data, share and seed give the same
// files.
func split(_ context.Context, env step.Env, in *executor.Input, out *executor.Output) error {
	p := params{TestShare: 0.25, Seed: 42}
	if err := in.Params(&p); err != nil {
		return step.Invalid(err)
	}
	table, err := step.ReadTable(env, in, "data")
	if err != nil {
		return err
	}
	if !(p.TestShare > 0 && p.TestShare < 1) {
		return step.Refused("parameter test_share is %v, want a number between 0 and 1", p.TestShare)
	}
	train, test, err := table.Split(p.TestShare, p.Seed)
	if err != nil {
		return step.Refused("split: %v", err)
	}
	out.Set("train_rows", len(train.Rows))
	out.Set("test_rows", len(test.Rows))
	if err := step.WriteTable(env, in, out, "train", train); err != nil {
		return err
	}
	return step.WriteTable(env, in, out, "test", test)
}
