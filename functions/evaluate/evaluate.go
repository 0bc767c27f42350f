// Package evaluate is the step that measures a new model on held-out rows and
// compares it with the champion, the model that is served now.
package evaluate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/kakehi/kakehi/internal/dataset"
	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/identity"
	"github.com/kakehi/kakehi/internal/serving"
	"github.com/kakehi/kakehi/internal/step"
)

func init() {
	e := evaluator{client: &http.Client{Timeout: time.Minute}, identity: identity.Metadata{}}
	functions.HTTP("evaluate", e.handler())
}

func (e *evaluator) handler() http.HandlerFunc {
	return step.Executor([]string{"model", "test"}, []string{"metrics", "confusion", "report"}, e.evaluate)
}

type params struct {
	Champion    string  `json:"champion"`     // Cloud Run service; "" or one that does not exist: none
	MinAccuracy float64 `json:"min_accuracy"` // that passed asks for
}

// result is what evaluation found, for the outputs and the report.
type result struct {
	scores   *executor.Classification
	champion *executor.Classification // nil: none
	note     string                   // why there is no champion
	params
}

// passed: good enough, and no worse than the champion on the same rows.
func (r *result) passed() bool {
	return r.scores.Accuracy() >= r.MinAccuracy && (r.champion == nil || r.scores.Accuracy() >= r.champion.Accuracy())
}

func (e *evaluator) evaluate(ctx context.Context, env step.Env, in *executor.Input, out *executor.Output) error {
	var r result
	if err := in.Params(&r.params); err != nil {
		return step.Invalid(err)
	}
	table, err := step.ReadTable(env, in, "test")
	if err != nil {
		return err
	}
	if r.scores, err = scoreModel(ctx, env, in, table); err != nil {
		return err
	}
	if r.champion, r.note, err = e.scoreChampion(ctx, r.Champion, table); err != nil {
		return err
	}
	accuracy, championAccuracy := r.scores.Accuracy(), -1.0
	metrics := executor.Metrics{"accuracy": accuracy, "test_rows": float64(r.scores.Total())}
	if r.champion != nil {
		championAccuracy = r.champion.Accuracy()
		metrics["champion_accuracy"] = championAccuracy
	}
	out.Set("accuracy", accuracy)
	out.Set("champion_accuracy", championAccuracy)
	out.Set("passed", r.passed())
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	if err := step.WriteArtifact(env, in, out, "metrics", "Metrics", metrics.Metadata(), text(r.line()+"\n")); err != nil {
		return err
	}
	if err := step.WriteArtifact(env, in, out, "confusion", "ClassificationMetrics", r.scores.Metadata(), text(r.confusion())); err != nil {
		return err
	}
	return step.WriteArtifact(env, in, out, "report", "Markdown", nil, text(r.report()))
}

// scoreModel runs the new model on the test rows in this process.
func scoreModel(ctx context.Context, env step.Env, in *executor.Input, table *dataset.Table) (*executor.Classification, error) {
	artifact, err := in.Artifact("model")
	if err != nil {
		return nil, step.Invalid(err)
	}
	file, err := env.Files.Path(artifact.URI)
	if err != nil {
		return nil, step.Invalid(err)
	}
	model, err := serving.Loader{}.Load(ctx, file)
	if err != nil {
		return nil, step.Refused("artifact model (%s): %v", artifact.URI, err)
	}
	ask := func(ctx context.Context, instances []any) ([]prediction, error) {
		return predictHere(ctx, model, instances)
	}
	scores, err := score(ctx, table, ask)
	if err != nil {
		return nil, step.Refused("artifact model (%s): %v", artifact.URI, err)
	}
	return scores, nil
}

// score asks for the test rows' labels in batches, and counts.
func score(ctx context.Context, t *dataset.Table, ask func(context.Context, []any) ([]prediction, error)) (*executor.Classification, error) {
	const batch = 500
	counts := executor.NewClassification(t.Schema.Classes)
	for from := 0; from < len(t.Rows); from += batch {
		rows := t.Rows[from:min(from+batch, len(t.Rows))]
		instances := make([]any, len(rows))
		for i, row := range rows {
			instances[i] = t.Instance(row)
		}
		predictions, err := ask(ctx, instances)
		if err != nil {
			return nil, err
		}
		if len(predictions) != len(rows) {
			return nil, fmt.Errorf("%d predictions for %d instances", len(predictions), len(rows))
		}
		for i, p := range predictions {
			class := indexOf(t.Schema.Classes, p.Label)
			if class < 0 {
				return nil, fmt.Errorf("it predicts class %q, the data has %s", p.Label, strings.Join(t.Schema.Classes, ", "))
			}
			counts.Add(rows[i].Label, class)
		}
	}
	return counts, nil
}

func indexOf(list []string, s string) int {
	for i, x := range list {
		if x == s {
			return i
		}
	}
	return -1
}
