package run

import (
	"context"
	"sync"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
)

// served is a revision with its instances.
type served struct {
	*pool
	revision *runpb.Revision
}

// instancesOf returns the instances of a revision, by full name.
func (s *Service) instancesOf(name string) (*served, error) {
	if v := s.started(name); v != nil {
		return v, nil
	}
	rev, err := s.revision(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.pools[name]; v != nil {
		return v, nil
	}
	if s.closed {
		return nil, errClosed
	}
	v := &served{revision: rev}
	v.pool = newPool(poolConfig{
		concurrency: int(rev.MaxInstanceRequestConcurrency),
		max:         int(rev.Scaling.MaxInstanceCount),
		idle:        s.IdleTimeout,
		startup:     startupPeriod(rev.Containers[0].StartupProbe),
	}, func(ctx context.Context) (worker, error) { return s.startInstance(ctx, rev) })
	s.pools[name] = v
	return v, nil
}

// started returns the instances of a revision if any were ever needed.
func (s *Service) started(name string) *served {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pools[name]
}

// takePools removes the pools of some revisions; the caller stops them.
func (s *Service) takePools(of func(revision string) bool) []*pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken []*pool
	for name, p := range s.pools {
		if of(name) {
			taken = append(taken, p.pool)
			delete(s.pools, name)
		}
	}
	return taken
}

func stopPools(pools []*pool, grace time.Duration) {
	var stopping sync.WaitGroup
	for _, p := range pools {
		stopping.Go(func() { p.close(grace) })
	}
	stopping.Wait()
}
