package run

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/google/uuid"

	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

// instance is a started container of a revision.
type instance struct {
	container runtime.Container
	address   string // host:port
	ended     chan struct{}
	done      context.Context // over when it takes no more requests
	give      context.CancelFunc
	probes    *http.Client
	stopping  atomic.Bool
}

func (i *instance) Done() <-chan struct{} { return i.done.Done() }

func (i *instance) Stop(grace time.Duration) {
	i.stopping.Store(true)
	i.container.Stop(grace)
}

// startError says why an instance did not become ready.
type startError struct {
	err       error
	container runtime.Container // nil if there never was one
	log       []string          // the last lines it wrote
}

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// startInstance starts a container and waits until its start-up probe passes.
// Its error is a startError.
func (s *Service) startInstance(ctx context.Context, rev *runpb.Revision) (worker, error) {
	port, err := s.ports.take()
	if err != nil {
		return nil, &startError{err: err}
	}
	i, out, err := s.startContainer(ctx, rev, port)
	if err != nil {
		s.ports.give(port)
		return nil, &startError{err: err}
	}
	go func() {
		exit := i.container.Wait()
		out.close(exit, i.stopping.Load())
		s.ports.give(port)
		i.give()
		close(i.ended)
	}()
	if err := i.awaitStart(ctx, rev.Containers[0].StartupProbe); err != nil {
		i.Stop(0)
		<-i.ended
		return nil, &startError{err: err, container: i.container, log: out.tail.Lines()}
	}
	if p := rev.Containers[0].LivenessProbe; p != nil {
		go i.watch(p)
	}
	return i, nil
}

func (s *Service) startContainer(ctx context.Context, rev *runpb.Revision, port int) (*instance, *output, error) {
	spec, err := s.spec(rev, port)
	if err != nil {
		return nil, nil, err
	}
	n, _ := s.parseService(rev.Service) // only valid names are stored
	out := s.newOutput(n.resource(lastSegment(rev.Name)), map[string]string{"instanceId": uuid.NewString()})
	spec.Stdout, spec.Stderr = out.stdout, out.stderr
	container, err := s.Runtime.Start(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	i := &instance{container: container, address: address, ended: make(chan struct{}), probes: s.probes}
	i.done, i.give = context.WithCancel(context.Background())
	return i, out, nil
}

// spec is the container of a revision, as Cloud Run would run it.
func (s *Service) spec(rev *runpb.Revision, port int) (runtime.Spec, error) {
	c := rev.Containers[0]
	service, revision := lastSegment(rev.Service), lastSegment(rev.Name)
	env := []string{"GOOGLE_CLOUD_PROJECT=" + s.Project}
	reach, err := s.ProcessEnv(rev.ServiceAccount)
	if err != nil {
		return runtime.Spec{}, fmt.Errorf("environment of service account %s: %w", rev.ServiceAccount, err)
	}
	env = append(env, reach...)
	for _, e := range c.Env {
		env = append(env, e.Name+"="+e.GetValue())
	}
	env = append(env,
		"PORT="+strconv.Itoa(port), "K_SERVICE="+service, "K_REVISION="+revision, "K_CONFIGURATION="+service)
	return runtime.Spec{Name: revision, Image: c.Image, Command: c.Command, Args: c.Args, Env: env, Port: port}, nil
}

// exitReason words how a container ended.
func exitReason(e runtime.Exit) string {
	switch {
	case e.Err != nil:
		return "it could not be run: " + e.Err.Error()
	case e.Signal != "":
		return fmt.Sprintf("it was ended by a signal (%s), exit code %d", e.Signal, e.Code)
	}
	return fmt.Sprintf("it exited with code %d", e.Code)
}
