package run

import (
	"errors"
	"slices"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Tables of the database. Keys are resource names.
const (
	jobsTable       = "run.jobs"
	executionsTable = "run.executions"
	tasksTable      = "run.tasks"
	runsTable       = "run.executions.state"
)

// runState is what is kept of an execution beside the API's own fields.
type runState struct {
	Operation string `json:"operation"` // of the call that began it
	Cancel    string `json:"cancel,omitempty"`
	// Cancelled says that the execution is to end, also after a restart.
	Cancelled bool `json:"cancelled,omitempty"`
}

// read reads a message by name; absent is the error if there is none.
func read[M proto.Message](tx *store.Tx, table, name string, into M, absent error) (M, error) {
	err := tx.GetProto(table, name, into)
	if errors.Is(err, store.ErrNotFound) {
		err = absent
	}
	return into, err
}

func (s *Service) readJob(tx *store.Tx, n jobName) (*runpb.Job, error) {
	n.execution, n.task = "", ""
	return read(tx, jobsTable, n.job(), &runpb.Job{}, n.notFound())
}

func (s *Service) job(n jobName) (job *runpb.Job, err error) {
	err = s.DB.View(func(tx *store.Tx) error {
		job, err = s.readJob(tx, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return job, nil
}

func readExecution(tx *store.Tx, n jobName) (*runpb.Execution, error) {
	n.task = ""
	return read(tx, executionsTable, n.String(), &runpb.Execution{}, n.notFound())
}

func (s *Service) execution(n jobName) (x *runpb.Execution, err error) {
	err = s.DB.View(func(tx *store.Tx) error {
		x, err = readExecution(tx, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return x, nil
}

func readRun(tx *store.Tx, n jobName) (st runState, err error) {
	err = tx.GetJSON(runsTable, n.String(), &st)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return st, err
}

// prefix is what the names of a list's resources begin with.
func prefix(parent, collection string) string {
	before, _, wild := strings.Cut(parent+"/", "/-/")
	if wild {
		return before + "/"
	}
	return parent + "/" + collection + "/"
}

// listed reads the resources of a table below a parent, newest first. "-" in
// the parent stands for any.
func listed[M interface {
	proto.Message
	GetName() string
}](s *Service, table, parent, collection string, empty func() M, newest func(a, b M) int) (list []M, err error) {
	depth := strings.Count(parent, "/") + 2
	fixed := strings.Split(parent, "/")
	err = s.DB.View(func(tx *store.Tx) error {
		return scan(tx, table, prefix(parent, collection), empty, func(m M) {
			f := strings.Split(m.GetName(), "/")
			if len(f)-1 == depth && slices.EqualFunc(fixed, f[:len(fixed)], func(want, got string) bool { return want == "-" || want == got }) {
				list = append(list, m)
			}
		})
	})
	slices.SortFunc(list, newest)
	return list, err
}

func (s *Service) jobsIn(parent string) ([]*runpb.Job, error) {
	return listed(s, jobsTable, parent, "jobs", func() *runpb.Job { return &runpb.Job{} }, func(a, b *runpb.Job) int {
		return newestFirst(a.CreateTime, b.CreateTime, a.Name, b.Name)
	})
}

func (s *Service) executionsOf(job string) ([]*runpb.Execution, error) {
	return listed(s, executionsTable, job, "executions", func() *runpb.Execution { return &runpb.Execution{} }, func(a, b *runpb.Execution) int {
		return newestFirst(a.CreateTime, b.CreateTime, a.Name, b.Name)
	})
}

// tasksOf returns the tasks of an execution by index.
func (s *Service) tasksOf(execution string) ([]*runpb.Task, error) {
	return listed(s, tasksTable, execution, "tasks", func() *runpb.Task { return &runpb.Task{} }, func(a, b *runpb.Task) int {
		return int(a.Index) - int(b.Index)
	})
}

// dropExecution removes an execution with its tasks.
func dropExecution(tx *store.Tx, name string) error {
	var keys []string
	tx.Scan(tasksTable, name+"/tasks/", func(key string, _ []byte) bool {
		keys = append(keys, strings.Clone(key))
		return true
	})
	errs := []error{tx.Delete(executionsTable, name), tx.Delete(runsTable, name)}
	for _, key := range keys {
		errs = append(errs, tx.Delete(tasksTable, key))
	}
	return errors.Join(errs...)
}
