// Package emulator is the embedded Google Cloud: one project, in one process
// and one data directory, served on a loopback address.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/kakehi/kakehi/internal/emulator/gateway"
	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/logging"
	"github.com/kakehi/kakehi/internal/emulator/operations"
	"github.com/kakehi/kakehi/internal/emulator/run"
	"github.com/kakehi/kakehi/internal/emulator/runtime"
	"github.com/kakehi/kakehi/internal/emulator/secrets"
	"github.com/kakehi/kakehi/internal/emulator/storage"
	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/emulator/vertex"
	"github.com/kakehi/kakehi/internal/emulator/workflows"
	"github.com/kakehi/kakehi/internal/stub"
)

// Options of an embedded cloud; all but DataDir have defaults.
type Options struct {
	DataDir string
	Project string // kakehi-local
	Number  string // the project's number: 123456789012
	Region  string // us-central1
	// AllowHosts are hosts outside that workflows and containers may reach.
	AllowHosts []string
	// Stubs answer what workflows call in the place of this cloud and of what is
	// outside.
	Stubs []*stub.File
	// Journals is a folder for the journals of executions; "" keeps none.
	Journals string
	// IdleTimeout is how long a Cloud Run instance without requests is kept.
	IdleTimeout time.Duration
	// StepEvents makes Workflows.Watch tell the steps, too.
	StepEvents bool
	// Problem is told what goes wrong outside of any request, such as a full
	// disk.
	Problem func(error)
}

// Defaults are the project and region of an embedded cloud for which Options
// name none.
func Defaults() Options { return Options{}.withDefaults() }

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *string
		value string
	}{
		{&o.Project, "kakehi-local"}, {&o.Number, "123456789012"}, {&o.Region, "us-central1"},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if o.Problem == nil {
		o.Problem = func(error) {}
	}
	return o
}

// Emulator is an open embedded cloud.
type Emulator struct {
	Options
	db        *store.DB
	auth      *iam.Authority
	ops       *operations.Store
	gateway   *gateway.Gateway
	server    *http.Server
	logs      *logging.Service
	run       *run.Service
	vertex    *vertex.Service
	Storage   *storage.Service
	Workflows *workflows.Service
}

// Open opens the cloud of a data directory, which it creates. Nothing runs and
// nothing is served before Serve.
func Open(o Options) (*Emulator, error) {
	o = o.withDefaults()
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, err
	}
	o.DataDir = dir
	db, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	e := &Emulator{Options: o, db: db}
	if err := e.assemble(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return e, nil
}

// assemble makes the services and registers them with the gateway.
func (e *Emulator) assemble() (err error) {
	if e.auth, err = iam.Open(e.db, e.Project, e.Number); err != nil {
		return err
	}
	if e.ops, err = operations.Open(e.db); err != nil {
		return err
	}
	e.logs = logging.New(e.db, e.auth)
	if e.gateway, err = gateway.New(gateway.Options{
		Auth: e.auth, Ops: e.ops, Dir: e.DataDir, Region: e.Region, AllowNetwork: e.allowed,
	}); err != nil {
		return err
	}
	containers, err := runtime.NewProcess(e.DataDir)
	if err != nil {
		return err
	}
	if e.Storage, err = storage.New(storage.Options{
		DB: e.db, Auth: e.auth, Root: filepath.Join(e.DataDir, "gcs"), Number: e.Number,
	}); err != nil {
		return err
	}
	if e.run, err = run.New(run.Options{
		DB: e.db, Auth: e.auth, Ops: e.ops, Runtime: containers, Logs: e.logs,
		Project: e.Project, Number: e.Number, Region: e.Region,
		IdleTimeout: e.IdleTimeout, ProcessEnv: e.gateway.ProcessEnv,
	}); err != nil {
		return err
	}
	if e.vertex, err = vertex.New(vertex.Options{
		DB: e.db, Auth: e.auth, Ops: e.ops, Runtime: containers, Logs: e.logs,
		Project: e.Project, Number: e.Number, Region: e.Region, ProcessEnv: e.gateway.ProcessEnv,
	}); err != nil {
		return err
	}
	if e.Workflows, err = workflows.New(workflows.Options{
		DB: e.db, Auth: e.auth, Ops: e.ops, Logs: e.logs, Transport: e.gateway.Transport(), Stubs: e.Stubs, Journals: e.Journals,
		Project: e.Project, Number: e.Number, Region: e.Region,
		DefaultServiceAccount: e.ServiceAccount("workflows"), StepEvents: e.StepEvents, Problem: e.Problem,
	}); err != nil {
		return err
	}
	e.register()
	return os.WriteFile(filepath.Join(e.DataDir, "token"), []byte(e.auth.DeveloperToken()), 0o600)
}

func (e *Emulator) register() {
	g := e.gateway
	e.Workflows.Register(g.GRPC())
	e.vertex.Register(g.GRPC())
	e.run.Register(g.GRPC())
	loggingpb.RegisterLoggingServiceV2Server(g.GRPC(), e.logs)
	secrets.New(secrets.Options{DB: e.db, Auth: e.auth, Project: e.Project, Number: e.Number}).Register(g.GRPC())
	e.auth.Register(g.GRPC(), g)
	for _, pattern := range workflows.RESTPatterns() {
		g.Handle(pattern, e.Workflows.REST())
	}
	// gcloud beta calls v1beta, which is a part of v1. The v1alpha1 of the hidden
	// gcloud alpha is not public and has other messages.
	g.Alias("v1beta", "v1", "workflows.googleapis.com", "workflowexecutions.googleapis.com")
	for _, path := range []string{"apis/{rest...}", "v1/projects/{project}/locations/{location}/services/{rest...}", "v1/projects/{project}/locations/{location}/services", "v1/projects/{project}/locations/{location}/jobs/{verb}"} {
		g.Handle("run.googleapis.com/"+path, e.run.Knative())
	}
	g.Handle("storage.googleapis.com/", e.Storage)
	g.Handle("/", e.Storage) // its paths have no version in front
	g.HandleRunApp(e.run)
}

// allowed says whether workloads may reach a host outside.
func (e *Emulator) allowed(host string) bool {
	for _, h := range e.AllowHosts {
		if h == "*" || strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

// ServiceAccount is the address of one of the project's service accounts.
func (e *Emulator) ServiceAccount(id string) string {
	return id + "@" + e.Project + ".iam.gserviceaccount.com"
}

// Serve serves the cloud on l, and takes up what an earlier life left
// unfinished. It returns at once; problems of the server go to Problem.
func (e *Emulator) Serve(l net.Listener) error {
	e.gateway.SetAddr(l.Addr().String())
	e.server = e.gateway.Server()
	go func() {
		if err := e.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			e.Problem(fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	}()
	for _, resume := range []func() error{e.run.Resume, e.vertex.Resume, e.Workflows.Resume, e.ops.AbortRest} {
		if err := resume(); err != nil {
			return fmt.Errorf("take up unfinished work: %w", err)
		}
	}
	e.auth.Warm()
	return nil
}

// Close stops the cloud: executions rest in the data directory, and containers
// end.
func (e *Emulator) Close(ctx context.Context) error {
	var errs []error
	errs = append(errs, e.Workflows.Close(ctx), e.vertex.Close(ctx), e.run.Close(ctx))
	if e.server != nil {
		e.server.SetKeepAlivesEnabled(false)
		errs = append(errs, e.server.Close())
	}
	e.ops.Close()
	errs = append(errs, e.gateway.Close(), e.logs.Close(), e.db.Close())
	return errors.Join(errs...)
}
