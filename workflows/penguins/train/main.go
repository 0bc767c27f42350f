// Command train is the training job of the penguins pipeline: gradient-boosted
// trees, written as an XGBoost model. It is a KFP container: it takes
// --executor_input=JSON.
//
//	inputs   train (Dataset), l2, seed, rounds, depth, learning_rate
//	outputs  model (Model: a folder with model.json), metrics (Metrics),
//	         golden (Dataset: rows with the predictions expected of a server)
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kakehi/kakehi/internal/dataset"
	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/serving"
)

func main() {
	files := executor.Files{Root: os.Getenv("KAKEHI_GCS_ROOT")}
	if err := run(os.Args[1:], files, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

// params are the hyperparameters, by the names that XGBoost's users know in
// brackets.
type params struct {
	L2           float64 `json:"l2"` // penalty on leaf values [lambda]
	Seed         int64   `json:"seed"`
	Rounds       int     `json:"rounds"` // [num_boost_round]
	Depth        int     `json:"depth"`  // [max_depth]
	LearningRate float64 `json:"learning_rate"`
}

func (p params) check() error {
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf("parameter "+format, args...))
		}
	}
	add(!(p.L2 >= 0 && p.L2 <= 1e6), "l2 is %v, want 0 or more", p.L2)
	add(p.Rounds < 1 || p.Rounds > 5000, "rounds is %d, want 1 to 5000", p.Rounds)
	add(p.Depth < 1 || p.Depth > 12, "depth is %d, want 1 to 12", p.Depth)
	add(!(p.LearningRate > 0 && p.LearningRate <= 1), "learning_rate is %v, want more than 0, up to 1", p.LearningRate)
	return errors.Join(problems...)
}

func run(args []string, files executor.Files, log io.Writer) error {
	in, err := executor.FromArgs(args)
	if err != nil {
		return err
	}
	if err := in.Accept([]string{"train"}, []string{"model", "metrics", "golden"}); err != nil {
		return err
	}
	p := params{L2: 0.01, Seed: 42, Rounds: 40, Depth: 3, LearningRate: 0.3}
	if err := in.Params(&p); err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	table, err := read(files, in)
	if err != nil {
		return err
	}
	booster := newBooster(table, p)
	model := booster.train(func(round int, loss float64) {
		if round%10 == 0 || round == p.Rounds {
			fmt.Fprintf(log, "round %d of %d: training log loss %.4f\n", round, p.Rounds, loss)
		}
	})
	out, err := write(files, in, table, model)
	if err != nil {
		return err
	}
	return files.Finish(in, out)
}

func read(files executor.Files, in *executor.Input) (*dataset.Table, error) {
	a, err := in.Artifact("train")
	if err != nil {
		return nil, err
	}
	schema, err := dataset.FromMetadata(a.Metadata)
	if err != nil {
		return nil, fmt.Errorf("artifact train: %w", err)
	}
	f, err := files.Open(a)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	table, problems, err := dataset.Read(f, schema)
	if err != nil {
		return nil, fmt.Errorf("artifact train (%s): %w", a.URI, err)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("artifact train (%s): %v", a.URI, problems[0])
	}
	if len(table.Rows) == 0 {
		return nil, fmt.Errorf("artifact train (%s) has no rows", a.URI)
	}
	return table, nil
}

// write leaves the output artifacts that the pipeline asks for.
func write(files executor.Files, in *executor.Input, t *dataset.Table, m *model) (*executor.Output, error) {
	loss, accuracy := m.measure(t)
	metrics := executor.Metrics{
		"train_accuracy": accuracy, "train_log_loss": loss, "train_rows": float64(len(t.Rows)),
		"rounds": float64(m.params.Rounds), "trees": float64(len(m.trees)),
	}
	var out executor.Output
	put := func(name, file string, metadata map[string]any, write func(io.Writer) error) error {
		if _, wanted := in.Outputs.Artifacts[name]; !wanted {
			return nil
		}
		a, err := in.OutputArtifact(name)
		if err != nil {
			return err
		}
		content := *a
		content.URI += file
		if err := files.Create(&content, write); err != nil {
			return err
		}
		a.Put(metadata)
		out.Add(name, a)
		return nil
	}
	encode := func(v any) func(io.Writer) error {
		return func(w io.Writer) error { return json.NewEncoder(w).Encode(v) }
	}
	framework := map[string]any{"framework": "xgboost", "format": "json", "objective": "multi:softprob", "rounds": m.params.Rounds}
	golden := m.golden(t)
	return &out, errors.Join(
		put("model", "/"+serving.ModelFile, framework, encode(m.xgboost())),
		put("metrics", "", metrics.Metadata(), encode(metrics)),
		put("golden", "", map[string]any{"rows": len(golden)}, func(w io.Writer) error {
			e := json.NewEncoder(w)
			for _, row := range golden {
				if err := e.Encode(row); err != nil {
					return err
				}
			}
			return nil
		}),
	)
}
