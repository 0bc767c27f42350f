package run

import (
	"sync"

	"cloud.google.com/go/run/apiv2/runpb"
)

// route is what the data plane knows of a service. It does not change.
type route struct {
	name      serviceName
	targets   []target
	tags      map[string]string // revision by tag
	audiences []string          // that an ID token may have, besides those of a tag
	open      bool              // the invoker check is off
	hidden    bool              // its URLs are off
}

// target is a revision, by short name, with its percentage.
type target struct {
	revision string
	percent  int
}

func (s *Service) newRoute(svc *runpb.Service) *route {
	n, err := s.parseService(svc.Name)
	if err != nil {
		panic(err) // only valid names are stored
	}
	r := &route{
		name: n, tags: map[string]string{}, open: svc.InvokerIamDisabled, hidden: svc.DefaultUriDisabled,
		audiences: append(s.urls(n), svc.CustomAudiences...),
	}
	for _, t := range svc.TrafficStatuses {
		if t.Percent > 0 {
			r.targets = append(r.targets, target{t.Revision, int(t.Percent)})
		}
		if t.Tag != "" {
			r.tags[t.Tag] = t.Revision
		}
	}
	return r
}

// choose returns the revision for a request; ok is false for an unknown tag.
// It is empty if no revision serves yet.
func (r *route) choose(tag string, draw func(n int) int) (revision string, ok bool) {
	if tag != "" {
		revision, ok = r.tags[tag]
		return revision, ok
	}
	if len(r.targets) == 0 {
		return "", true
	}
	x := draw(100)
	for _, t := range r.targets {
		if x < t.percent {
			return t.revision, true
		}
		x -= t.percent
	}
	return r.targets[len(r.targets)-1].revision, true
}

// routeTable holds the routes of all services.
type routeTable struct {
	mu     sync.RWMutex
	byName map[serviceName]*route
}

func (t *routeTable) set(r *route) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byName == nil {
		t.byName = map[serviceName]*route{}
	}
	t.byName[r.name] = r
}

func (t *routeTable) remove(n serviceName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byName, n)
}

func (t *routeTable) get(n serviceName) *route {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byName[n]
}
