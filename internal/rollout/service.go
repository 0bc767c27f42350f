package rollout

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"
)

// The annotations of a Cloud Run service that hold its rollout.
const (
	Annotation          = "kakehi.dev/rollout"   // JSON of State
	ExecutionAnnotation = "kakehi.dev/execution" // the execution that deployed the candidate
)

// Service is what a rollout reads of a Cloud Run v2 Service.
type Service struct {
	Name                string            `json:"name"` // projects/P/locations/L/services/S
	URI                 string            `json:"uri,omitempty"`
	ETag                string            `json:"etag,omitempty"`
	Annotations         map[string]string `json:"annotations,omitempty"`
	Traffic             []Target          `json:"traffic,omitempty"`
	LatestReadyRevision string            `json:"latestReadyRevision,omitempty"` // full name
}

// Answer is what to write to the service: it is the response of
// functions/rollout.
type Answer struct {
	Action Action `json:"action"`
	// Traffic and Annotations are whole: patch both with the etag of the
	// service that the answer was made from.
	Traffic     []Target          `json:"traffic"`
	Annotations map[string]string `json:"annotations"`
	Reason      string            `json:"reason"`
	Done        bool              `json:"done"`
	Summary     Summary           `json:"summary"`
}

// Summary is a rollout for people: the CLI shows it, reports quote it.
type Summary struct {
	Service   string    `json:"service"`
	Phase     Phase     `json:"phase"`
	Candidate string    `json:"candidate,omitempty"`
	Stable    string    `json:"stable,omitempty"`
	Percent   int       `json:"percent"` // of the candidate
	Started   time.Time `json:"started,omitzero"`
	Canary    Counts    `json:"canary"`
	Base      Counts    `json:"base"`
	Reason    string    `json:"reason,omitempty"`
	Traffic   []Target  `json:"traffic"`
}

// ParseService reads the JSON of a Cloud Run v2 Service.
func ParseService(body []byte) (*Service, error) {
	var s Service
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("not the JSON of a Cloud Run v2 service: %w", err)
	}
	if parts := strings.Split(s.Name, "/"); len(parts) != 6 || parts[0] != "projects" || parts[4] != "services" {
		return nil, fmt.Errorf("service name %q is not projects/P/locations/L/services/S", s.Name)
	}
	return &s, nil
}

// Project is the project of the service, by id or number as in its name.
func (s *Service) Project() string { return strings.Split(s.Name, "/")[1] }

// ID is the last part of the service's name.
func (s *Service) ID() string { return path.Base(s.Name) }

// State returns the rollout of candidate that the service's annotations hold,
// or a new one that begins at started. It fails when execution no longer owns
// the candidate: a later run took the service over.
func (s *Service) State(candidate, execution string, started time.Time) (State, error) {
	if owner := s.Annotations[ExecutionAnnotation]; execution != "" && owner != "" && owner != execution {
		return State{}, &SupersededError{Service: s.ID(), Execution: owner}
	}
	deployed, err := s.deployed()
	if err != nil {
		return State{}, err
	}
	if deployed != "" && deployed != candidate { // another task of the same execution
		return State{}, &SupersededError{Service: s.ID(), Execution: execution}
	}
	kept, found, err := s.saved()
	if err != nil {
		return State{}, err
	}
	if found && kept.Candidate == candidate && kept.Execution == execution {
		return kept, nil
	}
	return Begin(candidate, s.stable(candidate, kept.onTrial()), execution, started), nil
}

// SupersededError says that another execution deployed a candidate since.
type SupersededError struct{ Service, Execution string }

func (e *SupersededError) Error() string {
	return fmt.Sprintf("superseded: execution %s deployed another candidate to service %s", e.Execution, e.Service)
}

// Apply turns a decision into what to write to the service.
func (s *Service) Apply(d Decision) (Answer, error) {
	body, err := json.Marshal(d.State)
	if err != nil {
		return Answer{}, fmt.Errorf("encode the rollout state: %w", err)
	}
	annotations := maps.Clone(s.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[Annotation] = string(body)
	traffic := s.traffic()
	if serving := d.State.serving(); serving != "" {
		if traffic, err = s.settle(traffic, annotations, d.State.Candidate, serving); err != nil {
			return Answer{}, err
		}
	}
	if d.Percent >= 0 {
		traffic = Shift(traffic, d.State.Candidate, d.Percent, d.State.Stable)
	}
	return Answer{
		Action: d.Action, Traffic: traffic, Annotations: annotations,
		Reason: d.Reason, Done: d.Done, Summary: s.summary(d.State, traffic),
	}, nil
}

// Keep is the answer that leaves the service as it is and ends the loop.
func (s *Service) Keep(reason string) Answer {
	state, _, _ := s.saved()
	summary := s.summary(state, s.traffic())
	summary.Reason = reason
	return Answer{Action: Hold, Traffic: s.traffic(), Annotations: s.Annotations, Reason: reason, Done: true, Summary: summary}
}

// Status is the rollout of a service. Phase is empty when it never had one.
func Status(s *Service) (Summary, error) {
	state, _, err := s.saved()
	return s.summary(state, s.traffic()), err
}

// Force ends a rollout by hand, with action Promote or RollBack; the workflow
// that runs it stops at its next look. A promoted rollout can be rolled back
// as long as its stable revision exists, and a candidate before its rollout has
// begun.
func Force(s *Service, a Action, why string, now time.Time) (Answer, error) {
	state, found, err := s.latest(now)
	if err != nil {
		return Answer{}, err
	}
	if !found {
		return Answer{}, fmt.Errorf("service %s has no rollout (no annotation %s)", s.ID(), Annotation)
	}
	if a == RollBack && state.Stable == "" {
		return Answer{}, fmt.Errorf("service %s has no stable revision to roll back to", s.ID())
	}
	if a != Promote && a != RollBack {
		return Answer{}, fmt.Errorf("cannot force %q: want %s or %s", a, Promote, RollBack)
	}
	if a == Promote && state.Phase == Progressing && state.Step < 0 {
		return Answer{}, fmt.Errorf("the rollout of revision %s has not begun: wait for its probe", state.Candidate)
	}
	return s.Apply(state.finish(now, a, string(a)+" "+why))
}

// Unfinished says whether a candidate that the execution deployed is on trial,
// next to a stable revision, and nothing is decided yet.
func (s *Service) Unfinished(execution string) bool {
	state, found, err := s.latest(time.Time{})
	return err == nil && found && state.Stable != "" && state.Phase == Progressing &&
		state.Execution == execution && s.Annotations[ExecutionAnnotation] == execution
}

// latest is the rollout of the candidate that was deployed last, which may not
// have begun.
func (s *Service) latest(now time.Time) (State, bool, error) {
	state, found, err := s.saved()
	if err != nil {
		return State{}, false, err
	}
	deployed, err := s.deployed()
	if err != nil || deployed == "" || deployed == state.Candidate {
		return state, found, err
	}
	return Begin(deployed, s.stable(deployed, state.onTrial()), s.Annotations[ExecutionAnnotation], now), true, nil
}

func (s *Service) saved() (State, bool, error) {
	text, ok := s.Annotations[Annotation]
	if !ok {
		return State{}, false, nil
	}
	var state State
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return State{}, false, fmt.Errorf("annotation %s of service %s is damaged (remove it to start anew): %w", Annotation, s.ID(), err)
	}
	return state, true, nil
}

// traffic names the revision behind LATEST, and revisions by short name.
func (s *Service) traffic() []Target {
	given := s.Traffic
	if len(given) == 0 { // Cloud Run's default
		given = []Target{{Type: ToLatest, Percent: 100}}
	}
	out := make([]Target, len(given))
	for i, t := range given {
		if t.Revision == "" {
			t.Revision = s.LatestReadyRevision
		}
		t.Type, t.Revision = ToRevision, path.Base(t.Revision)
		out[i] = t
	}
	return out
}

// serving is the revision that an ended rollout leaves with the traffic, "" as
// long as it is not decided.
func (s State) serving() string {
	switch s.Phase {
	case Promoted:
		return s.Candidate
	case RolledBack:
		return s.Stable
	}
	return ""
}

// onTrial is the candidate that the rollout has neither promoted nor rolled back,
// "" if there is none.
func (s State) onTrial() string {
	if s.Phase == Progressing || s.Phase == Held {
		return s.Candidate
	}
	return ""
}

// stable is the revision, other than the candidate, with most of the traffic.
// The one that an earlier rollout left on trial counts only where nothing else
// serves: much traffic is no promotion.
func (s *Service) stable(candidate, onTrial string) string {
	shares, order := merge(s.traffic())
	if onTrial != candidate && shares[candidate]+shares[onTrial] < 100 {
		shares[onTrial] = 0
	}
	best := ""
	for _, name := range order {
		if name != candidate && shares[name] > 0 && (best == "" || shares[name] > shares[best]) {
			best = name
		}
	}
	return best
}

func (s *Service) summary(state State, traffic []Target) Summary {
	shares, _ := merge(traffic)
	return Summary{
		Service: s.ID(), Phase: state.Phase, Candidate: state.Candidate, Stable: state.Stable,
		Percent: shares[state.Candidate], Started: state.Started, Canary: state.Canary, Base: state.Base,
		Reason: state.Reason, Traffic: traffic,
	}
}
