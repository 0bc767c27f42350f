package workflows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
)

// Why a run ends before its execution does.
var (
	errClosing = errors.New("the service is closing")
	errDeleted = errors.New("the workflow was deleted")
)

// run is the life of an execution in this process, from its creation or
// resumption to its end.
type run struct {
	svc      *Service
	name     executionName
	revision *revision // the one it is pinned to
	feed     *feed
	life     context.Context
	end      context.CancelCauseFunc
	done     chan struct{} // closed once the end is stored, or the run stopped

	replay    []interp.Entry // what an earlier process journaled
	journaled []string       // keys of all entries; the scheduler's while it runs

	mu      sync.Mutex
	rec     record
	history history
	live    *interp.Execution // nil while queued
	queued  bool              // it waits for a place; guarded by Service.mu
	ending  bool              // the end is being stored: the record must not be written any more
}

func (s *Service) newRun(rec record, revision *revision) *run {
	life, end := context.WithCancelCause(context.Background())
	r := &run{
		svc: s, name: rec.name, revision: revision, rec: rec,
		feed: newFeed(), life: life, end: end, done: make(chan struct{}),
	}
	r.history.detailed = r.detailed()
	return r
}

// stop ends the run's life, but not the execution.
func (r *run) stop(cause error) { r.end(cause) }

// stopped says why the life ended, or returns nil.
func (r *run) stopped() error { return context.Cause(r.life) }

// snapshot returns the record as it is now.
func (r *run) snapshot() record {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.rec
	rec.pb = proto.CloneOf(rec.pb)
	if rec.pb.State == executionspb.Execution_ACTIVE {
		rec.pb.Duration = durationpb.New(time.Since(rec.pb.StartTime.AsTime()))
		rec.pb.Status = r.status()
	}
	return rec
}

// status lists the current steps, or the last ones. The caller holds r.mu.
func (r *run) status() *executionspb.Execution_Status {
	if r.live == nil {
		return nil
	}
	status := &executionspb.Execution_Status{}
	for _, f := range r.live.Current() {
		status.CurrentSteps = append(status.CurrentSteps, &executionspb.Execution_Status_Step{Routine: f.Routine, Step: f.Step})
	}
	return status
}

// execute runs the execution to its end, or until the life ends.
func (r *run) execute() {
	defer r.feed.close()
	r.logState()
	outcome := r.outcome()
	if outcome.State == interp.Active {
		if r.stopped() == nil {
			r.svc.opts.report(fmt.Errorf("execution %s stopped: %w", r.name.id, outcome.Cause))
		}
		return
	}
	if err := r.finish(outcome); err != nil {
		r.svc.opts.report(err)
	}
}

func (r *run) outcome() interp.Outcome {
	program, err := r.revision.program()
	if err != nil {
		return failure(fmt.Sprintf("the workflow cannot be built any more: %v", err))
	}
	var argument value.Value = value.Null{}
	if text := r.rec.pb.Argument; text != "" {
		if argument, err = value.FromJSON([]byte(text)); err != nil {
			return failure(fmt.Sprintf("the argument cannot be read any more: %v", err))
		}
	}
	cfg := r.config()
	recording := r.record(&cfg, argument)
	r.replay = nil // the engine has it
	live := program.Start(r.life, argument, cfg)
	r.mu.Lock()
	r.live = live
	cancelled := r.rec.cancelled
	r.mu.Unlock()
	if cancelled {
		live.Cancel()
	}
	o := live.Wait()
	recording.end(o)
	return o
}

func failure(message string) interp.Outcome {
	payload := value.NewMap().Put("message", value.String(message)).
		Put("tags", value.NewList(value.String(value.SystemError)))
	return interp.Outcome{State: interp.Failed, Err: &interp.Error{Payload: payload, Context: message}}
}

func (r *run) config() interp.Config {
	cfg := interp.Config{
		HTTP:        r.svc.opts.Transport,
		Tokens:      identity{r.svc.opts.Auth, email(r.revision.pb)},
		Env:         r.env(),
		Journal:     journal{r},
		Replay:      r.replay,
		CallbackURL: r.callbackURL,
		Log:         r.onLog,
		OnStep:      r.onStep,
		Variables:   r.history.detailed,
	}
	if stubs := r.svc.opts.Stubs; len(stubs) > 0 {
		cfg.Stubs = stub.NewSet(stubs...)
	}
	return cfg
}

// env is what sys.get_env reads.
//
// Source: cloud.google.com/workflows/docs/reference/environment-variables.
func (r *run) env() map[string]string {
	env := maps.Clone(r.revision.pb.UserEnvVars)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, map[string]string{
		"GOOGLE_CLOUD_PROJECT_ID":            r.svc.opts.Project,
		"GOOGLE_CLOUD_PROJECT_NUMBER":        r.svc.opts.Number,
		"GOOGLE_CLOUD_LOCATION":              r.name.workflow.region,
		"GOOGLE_CLOUD_WORKFLOW_ID":           r.name.workflow.id,
		"GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": r.name.id,
		"GOOGLE_CLOUD_WORKFLOW_REVISION_ID":  r.revision.pb.RevisionId,
		"GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME":  email(r.revision.pb),
	})
	return env
}

// detailed says whether step entries keep variables.
func (r *run) detailed() bool {
	const detailed = "EXECUTION_HISTORY_DETAILED"
	if r.rec.history != "" {
		return r.rec.history == detailed
	}
	return r.revision.pb.ExecutionHistoryLevel.String() == detailed
}

// finish stores the end of the execution and forgets its journal. Nobody sees
// the end before it is on disk.
func (r *run) finish(o interp.Outcome) error {
	w := r.svc.writer
	r.mu.Lock()
	end := r.rec
	end.pb = ended(r.rec.pb, o)
	end.pb.Status = r.status()
	put, err := end.write()
	if err == nil {
		r.ending = true
		writes := append(r.history.store(r.name), put, write{table: tableUnfinished, key: end.key()})
		err = w.put(writes...)
	}
	r.mu.Unlock()
	if err == nil {
		err = w.sync()
	}
	if err != nil {
		return fmt.Errorf("store the end of execution %s: %w", r.name.id, err)
	}
	r.mu.Lock()
	r.rec = end
	r.mu.Unlock()
	r.logState()
	r.feed.add(Event{Execution: r.snapshot().pb})
	if err := r.svc.forgetJournal(r.journaled); !errors.Is(err, errWriterClosed) {
		return err
	}
	return nil // the next process forgets it
}

// ended returns a copy of the message with the outcome.
func ended(pb *executionspb.Execution, o interp.Outcome) *executionspb.Execution {
	pb = proto.CloneOf(pb)
	now := time.Now()
	pb.EndTime = timestamppb.New(now)
	if pb.StartTime != nil {
		pb.Duration = durationpb.New(now.Sub(pb.StartTime.AsTime()))
	}
	fill(pb, o)
	return pb
}

// fill sets the outcome on the message.
func fill(pb *executionspb.Execution, o interp.Outcome) {
	switch o.State {
	case interp.Succeeded:
		pb.State = executionspb.Execution_SUCCEEDED
		pb.Result = string(value.MustJSON(o.Result))
		return
	case interp.Cancelled:
		pb.State = executionspb.Execution_CANCELLED
	default:
		pb.State = executionspb.Execution_FAILED
	}
	if o.Err == nil {
		return
	}
	trace := &executionspb.Execution_StackTrace{}
	for _, f := range o.Err.Stack {
		trace.Elements = append(trace.Elements, &executionspb.Execution_StackTraceElement{
			Step: f.Step, Routine: f.Routine,
			Position: &executionspb.Execution_StackTraceElement_Position{
				Line: int64(f.At.Line), Column: int64(f.At.Col),
			},
		})
	}
	pb.Error = &executionspb.Execution_Error{
		Payload: string(value.MustJSON(o.Err.Payload)), Context: o.Err.Context, StackTrace: trace,
	}
}

// onStep takes a step event of the engine.
func (r *run) onStep(e interp.StepEvent) {
	if r.stopped() != nil {
		return
	}
	r.mu.Lock()
	r.history.on(e)
	var block []write
	if r.history.full() {
		block = r.history.store(r.name)
	}
	r.mu.Unlock()
	if len(block) > 0 {
		r.svc.writer.room()
		if err := r.svc.writer.put(block...); err != nil && !errors.Is(err, errWriterClosed) {
			r.svc.opts.report(fmt.Errorf("step history of execution %s: %w", r.name.id, err))
		}
	}
	if r.svc.opts.StepEvents {
		event := e
		event.Variables = nil // it must not be called later
		r.feed.add(Event{Step: &event})
	}
	r.logCall(e)
}

// unstoredSteps are the step entries that are not in the database.
func (r *run) unstoredSteps() ([]stepEntry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.history.entries(nil)
}

// identity mints tokens of a workflow's service account.
type identity struct {
	auth  Auth
	email string
}

func (i identity) AccessToken(ctx context.Context, scopes []string) (string, error) {
	return i.auth.AccessToken(ctx, i.email, scopes)
}

func (i identity) IDToken(ctx context.Context, audience string) (string, error) {
	return i.auth.IDToken(ctx, i.email, audience)
}
