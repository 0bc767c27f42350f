// Package vertex is the Vertex AI of the embedded cloud: custom jobs, which run
// as real processes through a container runtime, and the model registry.
package vertex

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"sync"
	"time"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Auth checks callers.
type Auth interface {
	// Require returns Google's 401 or 403 unless the caller in ctx has the
	// permission on the resource.
	Require(ctx context.Context, permission, resource string) error
	// Account finds a service account by full name, email or unique id.
	Account(name string) (*adminpb.ServiceAccount, error)
}

// Operations keeps long-running operations that are done at once.
type Operations interface {
	Done(ctx context.Context, parent string, metadata, response proto.Message, err error) (*longrunningpb.Operation, error)
}

// Logs takes Cloud Logging entries; it must not block for long.
type Logs interface {
	Write(entries ...*loggingpb.LogEntry)
}

// Options are the service's surroundings; all but those with a default are
// required.
type Options struct {
	DB      *store.DB
	Auth    Auth
	Ops     Operations
	Runtime runtime.Runtime
	Logs    Logs   // nil drops the output of jobs
	Project string // such as kakehi-local
	Number  string // the project's number
	Region  string
	// ProcessEnv returns the environment, KEY=value, that lets a container of a
	// service account (an email address) reach the embedded cloud. It may be
	// nil.
	ProcessEnv func(serviceAccount string) ([]string, error)
	// DefaultServiceAccount, an email address, runs jobs that name none; ""
	// means trainer@PROJECT.iam.gserviceaccount.com. It stands in for Vertex's
	// Custom Code Service Agent.
	DefaultServiceAccount string
	// MaxRunning is how many jobs run at once, in the place of a quota; the
	// others stay queued. 0 means one per processor, but at least two.
	MaxRunning int
	// Problem is told what goes wrong outside any request, such as a full
	// disk; nil ignores it.
	Problem func(error)
}

// Service implements the job and model services of Vertex AI.
type Service struct {
	jobServer
	modelServer
}

// core is what both services share.
type core struct{ Options }

// jobServer implements JobService; methods of other kinds of jobs are
// unimplemented.
type jobServer struct {
	aiplatformpb.UnimplementedJobServiceServer
	*core
	ids      ids
	training training
	closing  chan struct{}

	mu      sync.Mutex
	closed  bool
	jobs    map[string]*job // by key: all that have not ended
	queue   []*job          // waiting for a place, first come first served
	running int
	ended   sync.WaitGroup
}

// modelServer implements ModelService; methods other than those of the
// registry are unimplemented.
type modelServer struct {
	aiplatformpb.UnimplementedModelServiceServer
	*core
	ids ids
	// uploading serialises changes of models, which read before they write.
	uploading sync.Mutex
}

// New opens the service. Jobs that an earlier process left unfinished wait for
// [Service.Resume].
func New(o Options) (*Service, error) {
	if o.DB == nil || o.Auth == nil || o.Ops == nil || o.Runtime == nil {
		return nil, errors.New("vertex: DB, Auth, Ops and Runtime are required")
	}
	if o.Project == "" || o.Number == "" {
		return nil, errors.New("vertex: Project and Number are required")
	}
	if o.ProcessEnv == nil {
		o.ProcessEnv = func(string) ([]string, error) { return nil, nil }
	}
	if o.DefaultServiceAccount == "" {
		o.DefaultServiceAccount = "trainer@" + o.Project + ".iam.gserviceaccount.com"
	}
	if o.MaxRunning == 0 {
		o.MaxRunning = max(2, goruntime.NumCPU())
	}
	t, err := loadTraining()
	if err != nil {
		return nil, fmt.Errorf("vertex: %w", err)
	}
	c := &core{o}
	return &Service{
		jobServer{core: c, training: t, closing: make(chan struct{}), jobs: map[string]*job{}},
		modelServer{core: c},
	}, nil
}

// Register adds both gRPC services.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	aiplatformpb.RegisterJobServiceServer(r, &s.jobServer)
	aiplatformpb.RegisterModelServiceServer(r, &s.modelServer)
}

// Close stops the processes of running jobs without ending the jobs: the next
// process runs them again. It waits until they have stopped or ctx is done.
func (s *jobServer) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	for _, j := range s.jobs {
		j.end(errClosing)
	}
	s.mu.Unlock()
	stopped := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("vertex: jobs did not stop: %w", context.Cause(ctx))
	}
}

func (c *core) report(err error) {
	if c.Problem != nil {
		c.Problem(err)
	}
}

// ids makes numeric ids that grow with time, so that keys sort by age.
type ids struct {
	mu   sync.Mutex
	last int64
}

// next returns an id of 19 digits.
func (i *ids) next() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last = max(i.last+1, time.Now().UnixNano())
	return fmt.Sprintf("%019d", i.last)
}
