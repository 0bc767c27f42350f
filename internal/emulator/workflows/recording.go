package workflows

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kakehi/kakehi/internal/interp"
	file "github.com/kakehi/kakehi/internal/journal"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// recording writes the journal of an execution to a file as well, for kakehi
// replay. What is wrong with the file is reported, and hinders nothing.
type recording struct {
	interp.Journal
	run  *run
	file *file.Writer // nil once it failed
}

// record makes a recording if the service keeps them.
func (r *run) record(cfg *interp.Config, argument value.Value) *recording {
	rec := &recording{Journal: cfg.Journal, run: r}
	dir := r.svc.opts.Journals
	if dir == "" {
		return rec
	}
	source := r.revision.pb.GetSourceContents()
	h := file.Header{Workflow: sourceName, Source: source, Argument: value.MustJSON(argument), Env: cfg.Env}
	if f, err := workflow.Parse(sourceName, []byte(source)); err == nil {
		h.Stubbed = stub.Stubbed(f, stdlib.Funcs(), r.svc.opts.Stubs...)
	}
	w, err := file.Create(filepath.Join(dir, r.name.workflow.id+"-"+r.name.id+".journal"), h)
	rec.file = w
	rec.check(err)
	for _, e := range cfg.Replay {
		rec.write(e)
	}
	cfg.Journal = rec
	return rec
}

// Append implements interp.Journal.
func (rec *recording) Append(e interp.Entry) error {
	if err := rec.Journal.Append(e); err != nil {
		return err
	}
	rec.write(e)
	return nil
}

func (rec *recording) write(e interp.Entry) {
	if rec.file != nil {
		rec.check(rec.file.Append(e))
	}
}

// end completes the file, unless the execution goes on in another process.
func (rec *recording) end(o interp.Outcome) {
	if rec.file == nil {
		return
	}
	result, err := file.NewResult(o)
	if err != nil {
		err = errors.Join(err, rec.file.Close())
	} else {
		err = rec.file.End(result)
	}
	rec.check(err)
}

func (rec *recording) check(err error) {
	if err != nil {
		rec.file = nil
		rec.run.svc.opts.report(fmt.Errorf("the journal file of execution %s: %w", rec.run.name.id, err))
	}
}
