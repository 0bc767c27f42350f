package run

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// reconcileLater brings a service to its wanted state in the background, and
// finishes the operation, if it has one.
func (s *Service) reconcileLater(svc *runpb.Service, op string) {
	s.background(func() {
		lane := s.lane(svc.Name)
		lane.Lock()
		defer lane.Unlock()
		result, err := s.reconcile(svc)
		if s.life.Err() != nil || op == "" {
			return // what Close interrupts, Resume takes up
		}
		// A store that cannot be written to cannot be told so.
		_ = s.Ops.Finish(op, result, err)
	})
}

func (s *Service) lane(service string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	lane := s.lanes[service]
	if lane == nil {
		lane = &sync.Mutex{}
		s.lanes[service] = lane
	}
	return lane
}

// reconcile verifies the newest revision of asked, a service as one change left
// it, and settles the service. Its error is why the change failed: a change
// that made no revision does not fail for one that could not be started before
// it.
func (s *Service) reconcile(asked *runpb.Service) (*runpb.Service, error) {
	n, err := s.parseService(asked.Name)
	if err != nil {
		return nil, err
	}
	broken, err := s.verify(asked.LatestCreatedRevision)
	if err != nil {
		return nil, err
	}
	var svc *runpb.Service
	if err := s.DB.Update(func(tx *store.Tx) (err error) {
		svc, err = s.settleStored(tx, n, asked)
		return err
	}); err != nil {
		return nil, err
	}
	if err := s.scale(svc); err != nil {
		return nil, err
	}
	if broken != nil {
		return nil, status.Error(codes.FailedPrecondition, notReady(lastSegment(broken.Name), broken)) // the cloud's code 9
	}
	if message := failureOf(svc, routesReady); message != "" {
		return nil, status.Error(codes.Internal, message) // the cloud's code 13
	}
	return svc, nil
}

// settleStored settles a service unless a later change came meanwhile: that one
// will, and this one ends with its own revision's outcome. What the cloud does
// then is not documented.
func (s *Service) settleStored(tx *store.Tx, n serviceName, asked *runpb.Service) (*runpb.Service, error) {
	svc, err := readService(tx, n)
	if err != nil {
		return nil, err
	}
	if svc == nil || svc.Uid != asked.Uid {
		return nil, status.Errorf(codes.Aborted, "Service '%s' was deleted while it was being updated.", n.id)
	}
	if svc.Generation != asked.Generation {
		return svc, nil
	}
	revisions := map[string]*runpb.Revision{}
	if err := scan(tx, revisionsTable, n.String()+"/revisions/", func() *runpb.Revision { return &runpb.Revision{} },
		func(rev *runpb.Revision) { revisions[lastSegment(rev.Name)] = rev }); err != nil {
		return nil, err
	}
	s.settle(svc, n, revisions)
	s.routes.set(s.newRoute(svc)) // here, for a deletion comes before or after this transaction
	return svc, tx.PutProto(servicesTable, svc.Name, svc)
}

// failureOf returns the message of a condition that failed.
func failureOf(svc *runpb.Service, kind string) string {
	for _, c := range svc.Conditions {
		if c.Type == kind && c.State == runpb.Condition_CONDITION_FAILED {
			return c.Message
		}
	}
	return ""
}

// verify starts a revision that was never started, as Cloud Run does before it
// sends requests to one, and stores the outcome. It returns the revision if
// that failed.
func (s *Service) verify(name string) (broken *runpb.Revision, err error) {
	rev, err := s.revision(name)
	if status.Code(err) == codes.NotFound {
		return nil, nil // deleted meanwhile
	}
	if err != nil || !rev.Reconciling {
		return nil, err
	}
	v, err := s.instancesOf(name)
	if err != nil {
		return nil, err
	}
	startErr := v.probe(s.life)
	if s.life.Err() != nil {
		return nil, s.life.Err()
	}
	err = s.DB.Update(func(tx *store.Tx) error {
		rev, err := readRevision(tx, name)
		if err != nil || rev == nil {
			return err
		}
		judge(rev, startErr)
		if startErr != nil {
			broken = rev
		}
		return tx.PutProto(revisionsTable, name, rev)
	})
	return broken, err
}

// judge sets a revision's status after its first start.
func judge(rev *runpb.Revision, startErr error) {
	now := timestamppb.Now()
	rev.Reconciling, rev.ObservedGeneration, rev.UpdateTime = false, rev.Generation, now
	if startErr == nil {
		rev.Conditions = []*runpb.Condition{succeeded(ready, now), succeeded(containerHealthy, now), succeeded(resourcesAvailable, now)}
		return
	}
	message := startFailure(startErr)
	rev.Conditions = []*runpb.Condition{failed(ready, message, true, now), failed(containerHealthy, message, true, now)}
}

// startFailure words a failed start as Cloud Run does, then tells what it keeps
// in the logs: how the container ended and its last lines.
func startFailure(err error) string {
	var e *startError
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := "The user-provided container failed to start and listen on the port defined provided by the PORT environment variable within the allocated timeout. This can happen when the container port is misconfigured or if the timeout is too short. The health check timeout can be extended."
	if e.container == nil {
		text = "The container could not be started."
	}
	text += " Cause: " + e.Error() + "."
	if len(e.log) > 0 {
		text += "\nThe log's end:\n" + strings.Join(e.log, "\n")
	}
	return text
}

// settle sets the status of a service whose newest revision was verified;
// revisions are those of the service, by short name. The targets in force
// change only if every wanted one can serve.
func (s *Service) settle(svc *runpb.Service, n serviceName, revisions map[string]*runpb.Revision) {
	now := timestamppb.Now()
	svc.Reconciling = false
	configured, routed := succeeded(configurationsReady, now), succeeded(routesReady, now)
	newest := lastSegment(svc.LatestCreatedRevision)
	if rev := revisions[newest]; isReady(rev) {
		svc.LatestReadyRevision = rev.Name
	} else {
		configured = failed(configurationsReady, notReady(newest, rev), true, now)
	}
	if statuses, problem := s.targets(svc, n, revisions); problem != "" {
		routed = failed(routesReady, problem, false, now)
	} else {
		svc.TrafficStatuses = statuses
	}
	svc.Conditions = []*runpb.Condition{routed, configured}
	svc.TerminalCondition = succeeded(ready, now)
	for _, c := range svc.Conditions {
		if c.State == runpb.Condition_CONDITION_FAILED {
			svc.TerminalCondition = proto.CloneOf(c)
			svc.TerminalCondition.Type = ready
		}
	}
	if svc.TerminalCondition.State == runpb.Condition_CONDITION_SUCCEEDED {
		svc.ObservedGeneration = svc.Generation
	}
}

func notReady(id string, rev *runpb.Revision) string {
	return fmt.Sprintf("Revision '%s' is not ready and cannot serve traffic. %s", id, messageOf(rev.GetConditions(), ready))
}

// targets resolves the wanted traffic, or says why it cannot be served.
func (s *Service) targets(svc *runpb.Service, n serviceName, revisions map[string]*runpb.Revision) (statuses []*runpb.TrafficTargetStatus, problem string) {
	for _, t := range svc.Traffic {
		id := t.Revision
		if t.Type == latest {
			id = lastSegment(svc.LatestReadyRevision)
		}
		if id == "" { // none was ever ready; the newest says why
			id = lastSegment(svc.LatestCreatedRevision)
		}
		rev := revisions[id]
		if rev == nil {
			return nil, fmt.Sprintf("Revision '%s' does not exist or is deleted. Update all traffic to route to currently available revisions.", id)
		}
		if !isReady(rev) {
			return nil, notReady(id, rev)
		}
		st := &runpb.TrafficTargetStatus{Type: t.Type, Revision: id, Percent: t.Percent, Tag: t.Tag}
		if t.Tag != "" {
			st.Uri = s.url(n, t.Tag)
		}
		statuses = append(statuses, st)
	}
	return statuses, ""
}

// scale sets how many instances each revision has at least and at most: the
// template's numbers, and its share of the service's, while it can be reached.
// How the cloud rounds a share is not published; to the nearest is a choice.
func (s *Service) scale(svc *runpb.Service) error {
	percents := map[string]int32{}
	for _, t := range svc.TrafficStatuses {
		percents[t.Revision] += t.Percent
	}
	revisions, err := s.scanRevisions(svc.Name + "/revisions/")
	if err != nil {
		return err
	}
	for _, rev := range revisions {
		percent, reachable := percents[lastSegment(rev.Name)]
		share := func(n int32) int32 { return (n*percent + 50) / 100 }
		least, most := int32(0), rev.Scaling.GetMaxInstanceCount()
		if reachable {
			least = max(rev.Scaling.GetMinInstanceCount(), share(svc.Scaling.GetMinInstanceCount()))
		}
		if total := svc.Scaling.GetMaxInstanceCount(); total > 0 {
			most = min(most, max(1, share(total)))
		}
		v := s.started(rev.Name)
		if v == nil && reachable {
			if v, err = s.instancesOf(rev.Name); err != nil {
				return err
			}
		}
		if v != nil {
			v.setLimits(int(least), int(most))
		}
	}
	return nil
}
