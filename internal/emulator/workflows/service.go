// Package workflows is the Cloud Workflows of the embedded cloud: the
// Workflows v1 and Workflow Executions v1 APIs over the engine of package
// interp. Each execution is stored before it is acknowledged and journals its
// effects, so that a crash loses none and repeats no completed call.
package workflows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/stub"
)

// Auth checks callers and mints the tokens of workflows.
type Auth interface {
	// Require returns Google's 401 or 403 unless the caller in ctx has the
	// permission on the resource.
	Require(ctx context.Context, permission, resource string) error
	// AccessToken and IDToken mint for a service account, given by its email.
	AccessToken(ctx context.Context, account string, scopes []string) (string, error)
	IDToken(ctx context.Context, account, audience string) (string, error)
	// Account finds a service account by full name, email or unique id.
	Account(name string) (*adminpb.ServiceAccount, error)
}

// Operations keeps long-running operations that are done at once.
type Operations interface {
	// Done stores an operation under parent (projects/P/locations/L) that
	// ended with response, or with err when it is not nil.
	Done(ctx context.Context, parent string, metadata, response proto.Message, err error) (*longrunningpb.Operation, error)
}

// Logs takes Cloud Logging entries; it must not block for long.
type Logs interface {
	Write(entries ...*loggingpb.LogEntry)
}

// Options are the service's surroundings.
type Options struct {
	DB   *store.DB
	Auth Auth
	Ops  Operations
	Logs Logs // nil drops what workflows log
	// Transport carries the HTTP calls of workflows.
	Transport http.RoundTripper
	// Stubs answer calls and requests before they reach Transport, for each
	// execution from the first answer on.
	Stubs []*stub.File
	// Journals is a folder in which each execution leaves its journal as a
	// file; "" keeps none.
	Journals string
	Project  string // such as kakehi-local
	Number   string // the project's number
	Region   string
	// DefaultServiceAccount is the identity of workflows deployed without
	// one; "" means the project's Compute Engine default account.
	DefaultServiceAccount string
	// MaxConcurrent replaces the service's quota of running executions when
	// it is greater than 0.
	MaxConcurrent int
	// StepEvents makes Watch tell the steps, too, which takes memory.
	StepEvents bool
	// Problem is told what goes wrong outside any request, such as a full
	// disk; nil ignores it.
	Problem func(error)

	commit func(func(*store.Tx) error) error // nil: DB.Update; a test cuts the power here
}

func (o Options) report(err error) {
	if o.Problem != nil {
		o.Problem(err)
	}
}

// Service implements both APIs; see [Service.Register] and [Service.REST].
type Service struct {
	workflowspb.UnimplementedWorkflowsServer
	executionspb.UnimplementedExecutionsServer

	opts      Options
	quotas    quotas
	writer    *writer
	revisions *revisions

	// deploying serialises changes of workflows, which read before they write;
	// executions are created under its read lock.
	deploying sync.RWMutex

	lastEntry atomic.Uint64 // the number of the newest journal entry
	left      []*run        // what waits for Resume

	mu      sync.Mutex
	closed  bool
	runs    map[string]*run // by key: all that have not ended
	queue   []*run          // first come first served; those not queued any more are passed over
	waiting int             // of runs, those that have no place yet
	active  int
	ended   sync.WaitGroup
}

// New opens the service. Executions that an earlier process left unfinished
// wait for [Service.Resume].
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Auth == nil || o.Ops == nil {
		return nil, errors.New("workflows: DB, Auth and Ops are required")
	}
	if o.Project == "" || o.Number == "" {
		return nil, errors.New("workflows: Project and Number are required")
	}
	q, err := loadQuotas()
	if err != nil {
		return nil, fmt.Errorf("workflows: %w", err)
	}
	if o.MaxConcurrent > 0 {
		q.ConcurrentExecutions = o.MaxConcurrent
	}
	if o.commit == nil {
		o.commit = o.DB.Update
	}
	if o.DefaultServiceAccount == "" {
		o.DefaultServiceAccount = o.Number + "-compute@developer.gserviceaccount.com"
	}
	s := &Service{
		opts:      o,
		quotas:    q,
		writer:    newWriter(o.commit, flushInterval, o.report),
		revisions: newRevisions(o.Stubs),
		runs:      map[string]*run{},
	}
	if err := s.takeUp(); err != nil {
		return nil, errors.Join(fmt.Errorf("take up executions: %w", err), s.writer.close())
	}
	return s, nil
}

// flushInterval bounds how long what nobody waits for stays in memory. The
// journal, which decides what is repeated, is never behind.
const flushInterval = 200 * time.Millisecond

// Register adds both gRPC services.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	workflowspb.RegisterWorkflowsServer(r, s)
	executionspb.RegisterExecutionsServer(r, s)
}

// Close stops the running executions without ending them: the next process
// resumes them from their journals. It waits until they have stopped or ctx
// is done. Closing twice does nothing.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for _, r := range s.runs {
		r.stop(errClosing)
	}
	s.mu.Unlock()
	s.writer.hasten()

	stopped := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(stopped)
	}()
	var err error
	select {
	case <-stopped:
	case <-ctx.Done():
		err = fmt.Errorf("workflows: executions did not stop: %w", context.Cause(ctx))
	}
	return errors.Join(err, s.writer.close())
}
