package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/emulator"
	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/local"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/value"
)

// defaultDataDir is where the embedded cloud keeps its data.
const defaultDataDir = ".kakehi"

type runOptions struct {
	params     []string
	paramsFile string
	dataDir    string
	output     string
	traffic    float64
	allowHosts []string
	stubs      []string
	timeout    time.Duration
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run SPEC|DIR",
		Short: "Run a pipeline on this machine's embedded Google Cloud",
		Long: "Compiles a pipeline, deploys it to the embedded Google Cloud of the data\ndirectory, and runs it, showing each task. What it leaves there (buckets, models,\nservices) stays: kakehi dev serves it.\n\n" +
			"While a service is being rolled out, golden rows of its model are sent to it as\ntraffic, since nobody else calls it here; --traffic sets their rate.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.params, "param", nil, "set a parameter, as `NAME=VALUE`; repeatable")
	f.StringVar(&o.paramsFile, "params-file", "", "read parameters from a JSON `FILE`")
	f.StringVar(&o.dataDir, "data-dir", defaultDataDir, "data `DIR` of the embedded cloud")
	f.StringVarP(&o.output, "output", "o", "text", "output `FORMAT`: text or json")
	f.Float64Var(&o.traffic, "traffic", 100, "requests a second to services under rollout; 0 for none")
	f.StringArrayVar(&o.allowHosts, "allow-host", nil, "let workloads reach `HOST` outside; repeatable; * for any")
	stubsFlag(cmd, &o.stubs)
	f.DurationVar(&o.timeout, "timeout", 0, "cancel the run after this `DURATION`")
	return cmd
}

func (a *app) run(ctx context.Context, arg string, o runOptions) (err error) {
	if o.output != "text" && o.output != "json" {
		return usageError("--output takes text or json, not %q", o.output)
	}
	if o.timeout < 0 {
		return usageError("--timeout takes a positive duration, not %s", o.timeout)
	}
	loaded, err := loadPipeline(arg)
	if err != nil {
		return err
	}
	a.printDiagnostics(loaded.warnings)
	args, err := runArguments(loaded.pipeline, o.paramsFile, o.params)
	if err != nil {
		return err
	}
	_, text, err := compilePipeline(loaded)
	if err != nil {
		return err
	}
	cloud, err := a.openCloud("127.0.0.1:0", cloudOptions{dataDir: o.dataDir, allowHosts: o.allowHosts, stubs: o.stubs, stepEvents: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCloud(cloud)) }()
	r := &localRun{app: a, cloud: cloud, loaded: loaded, options: o}
	return r.run(ctx, args, text)
}

// cloudOptions are flags of the commands that open the embedded cloud.
type cloudOptions struct {
	dataDir    string
	journals   string
	allowHosts []string
	stubs      []string
	stepEvents bool
}

// openCloud opens the embedded cloud of a data directory.
func (a *app) openCloud(addr string, o cloudOptions) (*local.Cloud, error) {
	files, err := a.loadStubs(o.stubs)
	if err != nil {
		return nil, err
	}
	if o.journals != "" {
		if err := os.MkdirAll(o.journals, 0o700); err != nil {
			return nil, err
		}
	}
	cloud, err := local.Open(addr, emulator.Options{
		DataDir: o.dataDir, AllowHosts: o.allowHosts, Stubs: files, Journals: o.journals, StepEvents: o.stepEvents,
		Problem: func(err error) { fmt.Fprintf(a.Err, "kakehi: %v\n", err) },
	})
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%w: stop it, or choose another with --data-dir", err)
	}
	return cloud, err
}

// closeCloud lets containers end, for as long as Cloud Run would.
func closeCloud(c *local.Cloud) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		return fmt.Errorf("stop the embedded cloud: %w", err)
	}
	return nil
}

// localRun is one run of a pipeline on the embedded cloud.
type localRun struct {
	*app
	cloud   *local.Cloud
	loaded  *loadedSpec
	options runOptions
}

func (r *localRun) run(ctx context.Context, args map[string]any, text []byte) error {
	p := r.loaded.pipeline
	begun := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(r.Err, "  %s\n", r.term.paint(colorDim, fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(r.Err, "%s  %s\n", r.term.paint(colorBold, p.Name), r.term.paint(colorDim, r.loaded.file))
	if err := r.uploadFiles(ctx, args); err != nil {
		return err
	}
	if err := r.cloud.Deploy(ctx, local.Pipeline{File: r.loaded.file, Pipeline: p, Workflow: text}, say); err != nil {
		return err
	}
	say("ready in %s", shortDuration(time.Since(begun)))
	argument, err := json.Marshal(args)
	if err != nil {
		return err
	}
	x, err := r.cloud.Client.Execute(ctx, p.Name, string(argument))
	if err != nil {
		return err
	}
	record, err := r.follow(ctx, x)
	if err != nil {
		return err
	}
	return r.conclude(ctx, record)
}

// uploadFiles replaces artifact parameters that name files of this machine by
// the objects that they become.
func (r *localRun) uploadFiles(ctx context.Context, args map[string]any) error {
	for _, param := range r.loaded.pipeline.Params {
		file, ok := localFile(param, args[param.Name])
		if !ok {
			continue
		}
		object := path.Join(r.loaded.pipeline.Name, "params", param.Name, filepath.Base(file))
		if err := r.cloud.CreatePipelineBucket(); err != nil {
			return err
		}
		if err := r.cloud.Upload(ctx, file, object); err != nil {
			return fmt.Errorf("parameter %s: %w", param.Name, err)
		}
		args[param.Name] = "gs://" + local.Bucket(r.cloud.Project) + "/" + object
	}
	return nil
}

// follow shows an execution until it ends. When ctx ends first, it cancels the
// execution and the jobs that it started, and takes back what it was rolling out.
func (r *localRun) follow(ctx context.Context, x *executionspb.Execution) (*runRecord, error) {
	b := newBoard(r.Err, r.term, taskNames(r.loaded.pipeline))
	defer b.close()
	rec := newRecorder(b, r.loaded.pipeline, path.Base(x.Name))
	rec.callback = func(url string) string {
		return strings.Replace(url, "https://workflowexecutions.googleapis.com/", "http://"+r.cloud.Addr+"/", 1)
	}
	traffic := r.cloud.StartTraffic(r.options.traffic, func(format string, args ...any) {
		b.say("  %s", r.term.paint(colorDim, fmt.Sprintf(format, args...)))
	})
	defer traffic.Stop()

	events, stop, err := r.cloud.Workflows.Watch(x.Name)
	if err != nil {
		return nil, err
	}
	defer stop()
	limit := ctx
	if r.options.timeout > 0 {
		var cancel context.CancelFunc
		limit, cancel = context.WithTimeout(ctx, r.options.timeout)
		defer cancel()
	}
	interrupted := limit.Done()
	for {
		select {
		case <-interrupted:
			interrupted = nil // once; then wait for the end
			b.say("  cancelling")
			if err := r.cancel(x.Name); err != nil {
				return nil, err
			}
		case e, ok := <-events:
			switch {
			case !ok:
				return r.ended(limit, x.Name, rec, b.say)
			case e.Log != nil && e.Log.JSON != nil:
				if data, err := value.ToJSON(e.Log.JSON); err == nil {
					rec.take(data)
				}
			case e.Step != nil:
				rec.step(e.Step)
			}
		}
	}
}

// cancel stops an execution with its jobs, whatever became of the run's own
// context.
func (r *localRun) cancel(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.cloud.Client.CancelExecution(ctx, name); err != nil {
		return fmt.Errorf("cancel the execution: %w", err)
	}
	if _, err := r.cloud.Client.CancelJobs(ctx, path.Base(name)); err != nil {
		return fmt.Errorf("cancel the execution's jobs: %w", err)
	}
	return nil
}

// errTimedOut ends a run that --timeout cut off.
var errTimedOut = errors.New("the run took longer than --timeout and was cancelled")

func (r *localRun) ended(limit context.Context, name string, rec *recorder, say func(format string, args ...any)) (*runRecord, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	x, err := r.cloud.Client.WaitExecution(ctx, name, 10*time.Millisecond)
	if err != nil {
		return nil, err
	}
	if x.State == executionspb.Execution_CANCELLED {
		r.takeBack(ctx, path.Base(name), say)
	}
	why := ""
	if e := x.GetError(); e != nil {
		why = failure{Payload: e.Payload, Context: e.Context}.String()
	}
	if err := rec.finish(x.State.String(), []byte(x.Result), why); err != nil {
		return nil, err
	}
	rec.record.timedOut = errors.Is(limit.Err(), context.DeadlineExceeded) && x.State == executionspb.Execution_CANCELLED
	return &rec.record, nil
}

// conclude prints the outcome and chooses the exit code.
func (r *localRun) conclude(ctx context.Context, record *runRecord) error {
	if r.options.output == "json" {
		if err := r.printJSON(record); err != nil {
			return err
		}
	} else {
		r.printSummary(ctx, record)
	}
	switch {
	case record.State == "SUCCEEDED":
		return nil
	case record.timedOut:
		return exitWith(exitTimeout, errTimedOut)
	case ctx.Err() != nil:
		return exitWith(exitInterrupted, nil)
	}
	return exitWith(exitRunFailed, nil)
}

// printSummary tells how the run ended, its outputs, and how to call what it
// serves.
func (r *localRun) printSummary(ctx context.Context, record *runRecord) {
	color := colorOK
	if record.State != "SUCCEEDED" {
		color = colorFailed
	}
	fmt.Fprintf(r.Err, "%s in %s  %s\n", r.term.paint(color, record.State), record.Duration, r.term.paint(colorDim, "execution "+record.Execution))
	if record.Error != "" {
		fmt.Fprintf(r.Err, "\n%s\n", plain(record.Error))
	}
	for _, name := range sortedNames(record.Outputs) {
		fmt.Fprintf(r.Out, "%s\t%s\n", name, outputText(record.Outputs[name]))
	}
	if record.State != "SUCCEEDED" {
		return
	}
	for _, service := range compile.Requires(r.loaded.pipeline).Services {
		fmt.Fprintf(r.Err, "\nServe it:  kakehi dev --addr 127.0.0.1:8787%s\n", dataDirFlag(r.options.dataDir))
		if body := r.cloud.ExampleRequest(ctx, service); body != "" {
			fmt.Fprintf(r.Err, "Call it:   curl -d '%s' http://127.0.0.1:8787/run/%s/predict\n", body, service)
		}
	}
}

// outputText shows an artifact by its URI and anything else as JSON, strings
// without quotes.
func outputText(v json.RawMessage) string {
	var artifact struct {
		URI string `json:"uri"`
	}
	if json.Unmarshal(v, &artifact) == nil && artifact.URI != "" {
		return artifact.URI
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

func dataDirFlag(dir string) string {
	if dir == defaultDataDir {
		return ""
	}
	return " --data-dir " + dir
}

func taskNames(p *pipeline.Pipeline) []string {
	var names []string
	for _, t := range append(append([]*pipeline.Task{}, p.Tasks...), p.OnExit...) {
		names = append(names, t.Name)
	}
	return names
}
