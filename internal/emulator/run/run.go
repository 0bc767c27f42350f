// Package run is Cloud Run in the embedded cloud: the Admin API v2 and the
// knative-style v1 that gcloud uses, over one store, a data plane that starts
// containers on demand, splits traffic and scales to zero, and jobs, which run
// containers to their end.
package run

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/runtime"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Authority answers who may do what.
type Authority interface {
	// Require returns Google's error unless the caller in ctx has the
	// permission on the resource; without a caller only allUsers counts.
	Require(ctx context.Context, permission, resource string) error
	// VerifyID checks an ID token's signature, expiry and that its audience is
	// one of those given, and returns whose it is.
	VerifyID(token string, audiences []string) (iam.Principal, error)
	// Granted returns those of the permissions that the caller has.
	Granted(ctx context.Context, resource string, permissions []string) []string
	Policy(resource string) (*iampb.Policy, error)
	SetPolicy(resource string, p *iampb.Policy) (*iampb.Policy, error)
	DropPolicy(resource string) error
	// Account finds a service account by its email.
	Account(name string) (*adminpb.ServiceAccount, error)
}

// Operations keeps long-running operations.
type Operations interface {
	// Start stores an unfinished operation below parent, projects/P/locations/L.
	Start(parent string, metadata proto.Message) (*longrunningpb.Operation, error)
	// Finish stores an operation's outcome: a result or an error.
	Finish(name string, result proto.Message, err error) error
	// Adopt says that an operation that a restart interrupted goes on.
	Adopt(name string)
}

// Logs is Cloud Logging.
type Logs interface {
	Write(entries ...*loggingpb.LogEntry)
}

// Options are what the service runs on; all but those with a default are
// required.
type Options struct {
	DB      *store.DB
	Auth    Authority
	Ops     Operations
	Runtime runtime.Runtime
	Logs    Logs

	Project string // project id
	Number  string // project number, part of each service's URL
	Region  string // of a knative call whose host names none

	// IdleTimeout is how long an instance without requests is kept; 15 min if
	// zero, as in the cloud.
	IdleTimeout time.Duration
	// ProcessEnv returns the environment, KEY=value, that lets a container of a
	// service account (an e-mail address) reach the embedded cloud. It may be
	// nil.
	ProcessEnv func(serviceAccount string) ([]string, error)
	// Draw returns a random number in [0, n), to split traffic; a good source if
	// nil.
	Draw func(n int) int
}

// Service is the emulated Cloud Run.
type Service struct {
	Options
	ports   portAllocator
	proxy   *http.Transport // to containers
	probes  *http.Client
	routes  routeTable
	life    context.Context // ends with Close
	end     context.CancelFunc
	running sync.WaitGroup // background work

	mu     sync.Mutex
	closed bool
	pools  map[string]*served     // by revision name
	lanes  map[string]*sync.Mutex // by service name: one reconciliation at a time

	runners map[string]*runner // of executions of jobs, by name
}

// New returns a Service that serves what the database holds, with no instance
// started.
func New(o Options) (*Service, error) {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 15 * time.Minute
	}
	if o.Draw == nil {
		o.Draw = rand.IntN
	}
	if o.ProcessEnv == nil {
		o.ProcessEnv = func(string) ([]string, error) { return nil, nil }
	}
	s := &Service{
		Options: o,
		proxy:   newProxyTransport(),
		probes:  newProbeClient(),
		pools:   map[string]*served{},
		lanes:   map[string]*sync.Mutex{},
		runners: map[string]*runner{},
	}
	s.life, s.end = context.WithCancel(context.Background())
	services, err := s.loadServices()
	if err != nil {
		return nil, fmt.Errorf("load Cloud Run services: %w", err)
	}
	for _, svc := range services {
		s.routes.set(s.newRoute(svc))
	}
	return s, nil
}

// Resume goes on with the deployments and executions of jobs that a restart
// interrupted, and starts minimum instances. It is called once the embedded cloud serves, because
// containers call it while they start.
func (s *Service) Resume() error {
	services, err := s.loadServices()
	if err != nil {
		return fmt.Errorf("load Cloud Run services: %w", err)
	}
	for _, svc := range services {
		if svc.Reconciling {
			op, err := s.pendingOperation(svc.Name)
			if err != nil {
				return err
			}
			if op != "" {
				s.Ops.Adopt(op)
			}
			s.reconcileLater(svc, op)
			continue
		}
		if err := s.scale(svc); err != nil {
			return err
		}
	}
	return s.resumeExecutions()
}

// background does work that Close waits for; false if it is too late.
func (s *Service) background(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Go(f)
	}
	return !s.closed
}

// Register adds the gRPC services of the Admin API v2.
func (s *Service) Register(r grpc.ServiceRegistrar) {
	runpb.RegisterServicesServer(r, admin{s})
	runpb.RegisterRevisionsServer(r, admin{s})
	runpb.RegisterJobsServer(r, jobs{s})
	runpb.RegisterExecutionsServer(r, jobs{s})
	runpb.RegisterTasksServer(r, jobs{s})
}

// Close stops all instances, with the cloud's 10 s of grace, and waits for
// them; when ctx ends they are killed.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	grace := stopGrace
	if deadline, ok := ctx.Deadline(); ok {
		grace = max(0, min(grace, time.Until(deadline)))
	}
	stopPools(s.takePools(func(string) bool { return true }), grace)
	s.running.Wait()
	s.proxy.CloseIdleConnections()
	return ctx.Err()
}
