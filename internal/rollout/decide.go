package rollout

import (
	"fmt"
	"math"
	"time"
)

// Action is what a decision does.
type Action string

// The actions.
const (
	Advance  Action = "advance"
	Hold     Action = "hold"
	Promote  Action = "promote"
	RollBack Action = "rollback"
)

// Phase is how far a rollout is.
type Phase string

// The phases. Only a progressing rollout still decides.
const (
	Progressing Phase = "progressing"
	Promoted    Phase = "promoted"
	RolledBack  Phase = "rolled_back"
	Held        Phase = "held" // undecided at the deadline
)

// State is a rollout's memory: the JSON of the service annotation
// kakehi.dev/rollout.
type State struct {
	Candidate string    `json:"candidate"` // revision; frozen by name
	Stable    string    `json:"stable,omitempty"`
	Execution string    `json:"execution,omitempty"`
	Phase     Phase     `json:"phase"`
	Step      int       `json:"step"` // index of the step in force; -1 before the first
	Started   time.Time `json:"started"`
	Moved     time.Time `json:"moved"`  // when the step in force began
	Cursor    time.Time `json:"cursor"` // log entries received up to here are counted
	Canary    Counts    `json:"canary"` // since Started
	Base      Counts    `json:"base"`   // of Stable, since Started
	AtStep    int       `json:"atStep"` // candidate requests since Moved
	Errors    Evidence  `json:"errors"`
	Latency   Evidence  `json:"latency"`
	Refusals  Evidence  `json:"refusals"`
	Reason    string    `json:"reason,omitempty"` // of the last decision
}

// Counts are requests of one revision.
type Counts struct {
	Requests int `json:"requests"`
	Bad      int `json:"bad"`     // answered 5xx or 429
	Refused  int `json:"refused"` // answered another 4xx
	Timed    int `json:"timed"`   // not cold: the ones whose latency counts
	Slow     int `json:"slow"`    // timed, and above the latency objective
}

// Sample is what came in since the last decision.
type Sample struct {
	Canary, Stable Counts
	Through        time.Time // receive time of the last entry; zero: none
	// Failed says why the evidence could not be read; nothing is then
	// promoted, and no entry counts as seen.
	Failed string
}

// Decision is what to do now, and what to remember.
type Decision struct {
	Action  Action
	Percent int // of the candidate; -1: leave the traffic as it is
	State   State
	Reason  string
	Done    bool
}

// Begin is the state of a rollout that has not moved any traffic.
func Begin(candidate, stable, execution string, started time.Time) State {
	return State{
		Candidate: candidate, Stable: stable, Execution: execution, Phase: Progressing,
		Step: -1, Started: started, Moved: started, Cursor: started,
	}
}

// Decide is the whole of the policy: same arguments, same decision. It never
// promotes without evidence, and evidence against the candidate wins over
// everything else. p must be valid, with its defaults.
func Decide(now time.Time, p Policy, s State, x Sample) Decision {
	if s.Phase != Progressing {
		return finished(s)
	}
	s.Step = min(max(s.Step, -1), len(p.Steps)-1) // the policy may have changed since, or the annotation
	if x.Failed == "" {
		s = s.observe(p, x)
	}
	late := p.Deadline > 0 && !now.Before(s.Started.Add(seconds(p.Deadline)))
	wait := s.wants(now, p)
	switch against := s.logRollback(p); {
	case s.Stable == "":
		return s.finish(now, Promote, "no revision served before: there is nothing to compare with or to return to")
	case against >= math.Log(1/p.Alpha):
		return s.finish(now, RollBack, fmt.Sprintf("evidence against the candidate is %s, limit %s: %s", evalue(against), evalue(math.Log(1/p.Alpha)), s.compared(p)))
	case late && (wait != "" || x.Failed != ""):
		return s.undecided(now, p, x, wait)
	case x.Failed != "":
		return s.hold("evidence is not available: " + x.Failed)
	case wait != "":
		return s.hold(wait)
	default:
		return s.next(now, p)
	}
}

// finished repeats the end of a rollout, so that asking again is harmless.
func finished(s State) Decision {
	d := Decision{Action: Hold, Percent: -1, State: s, Reason: s.Reason, Done: true}
	switch s.Phase {
	case Promoted:
		d.Action, d.Percent = Promote, 100
	case RolledBack:
		d.Action, d.Percent = RollBack, 0
	}
	return d
}

func (s State) observe(p Policy, x Sample) State {
	s.Canary, s.Base = s.Canary.plus(x.Canary), s.Base.plus(x.Stable)
	s.AtStep += x.Canary.Requests
	if x.Through.After(s.Cursor) {
		s.Cursor = x.Through
	}
	s.Errors = s.Errors.add(
		arms{x.Canary.Requests, x.Canary.Bad, x.Stable.Requests, x.Stable.Bad},
		p.MaxErrors, sick(s.Base.Bad, s.Base.Requests, p.MaxErrors))
	if p.P95 > 0 {
		s.Latency = s.Latency.add(
			arms{x.Canary.Timed, x.Canary.Slow, x.Stable.Timed, x.Stable.Slow},
			slowShare, sick(s.Base.Slow, s.Base.Timed, slowShare))
	}
	s.Refusals = s.Refusals.compare(arms{x.Canary.Requests, x.Canary.Refused, x.Stable.Requests, x.Stable.Refused})
	return s
}

// sick tells whether stable misses the objective. One bad answer alone is no
// proof of that (a choice: the reference leaves the rule open).
func sick(bad, n int, objective float64) bool {
	return bad >= 2 && float64(bad) > objective*float64(n)
}

// logRollback averages the signals: a mean of e-values is an e-value, so no
// correction for their number is needed. Requests that are refused have no
// objective, since callers make mistakes; but they make them with both
// revisions alike.
func (s State) logRollback(p Policy) float64 {
	signals := []float64{s.Errors.logRollback(), logMean(s.Refusals.Relative)}
	if p.P95 > 0 {
		signals = append(signals, s.Latency.logRollback())
	}
	return logMean(signals)
}

// logPromote is the weakest of the signals: each must be convincing.
func (s State) logPromote(p Policy) float64 {
	if p.P95 == 0 {
		return s.Errors.logPromote()
	}
	return math.Min(s.Errors.logPromote(), s.Latency.logPromote())
}

// needed is the log evidence that the step after s.Step takes: it rises
// geometrically from 3 to 1/Beta, so the ramp follows the evidence.
func (p Policy) needed(step int) float64 {
	last := math.Log(1 / p.Beta)
	first := math.Min(math.Log(3), last)
	moves := len(p.Steps) - 1 // the first move, to Steps[0], is before any evidence
	if moves < 2 {
		return last
	}
	return first + (last-first)*float64(step)/float64(moves-1)
}

// wants says what is missing for the next step; "" if nothing is.
func (s State) wants(now time.Time, p Policy) string {
	if s.Step < 0 {
		return ""
	}
	if end := s.Moved.Add(seconds(p.Interval)); now.Before(end) {
		return fmt.Sprintf("the step of %d %% lasts until %s", p.Steps[s.Step], end.UTC().Format(time.RFC3339))
	}
	if least := max(1, p.MinSample); s.AtStep < least {
		return fmt.Sprintf("%d of %d requests seen at %d %%", s.AtStep, least, p.Steps[s.Step])
	}
	if have, need := s.logPromote(p), p.needed(s.Step); !(have >= need) { // so that NaN is no evidence
		return fmt.Sprintf("evidence for the candidate is %s, the next step needs %s: %s", evalue(have), evalue(need), s.compared(p))
	}
	return ""
}

func (s State) next(now time.Time, p Policy) Decision {
	s.Step++
	if s.Step >= len(p.Steps)-1 {
		return s.finish(now, Promote, fmt.Sprintf("evidence for the candidate is %s: %s", evalue(s.logPromote(p)), s.compared(p)))
	}
	reason := "first step: the candidate passed its probe"
	if s.Step > 0 {
		reason = fmt.Sprintf("evidence for the candidate is %s: %s", evalue(s.logPromote(p)), s.compared(p))
	}
	s.Moved, s.AtStep, s.Reason = now, 0, reason
	return Decision{Action: Advance, Percent: p.Steps[s.Step], State: s, Reason: reason}
}

func (s State) hold(reason string) Decision {
	s.Reason = reason
	return Decision{Action: Hold, Percent: -1, State: s, Reason: reason}
}

func (s State) finish(now time.Time, a Action, reason string) Decision {
	d := Decision{Action: a, Done: true, Reason: reason}
	switch a {
	case Promote:
		s.Phase, d.Percent = Promoted, 100
	case RollBack:
		s.Phase, d.Percent = RolledBack, 0
	default:
		s.Phase, d.Percent = Held, -1
	}
	s.Moved, s.AtStep, s.Reason = now, 0, reason
	d.State = s
	return d
}

// undecided applies the policy at the deadline. Even then a promotion needs
// evidence that leans to the candidate.
func (s State) undecided(now time.Time, p Policy, x Sample, wait string) Decision {
	reason := fmt.Sprintf("undecided at the deadline of %s", seconds(p.Deadline))
	if wait != "" {
		reason += ": " + wait
	}
	switch p.Undecided {
	case UndecidedRollback:
		return s.finish(now, RollBack, reason)
	case UndecidedPromote:
		if x.Failed == "" && s.Canary.Requests > 0 && s.logPromote(p) > 0 {
			return s.finish(now, Promote, reason)
		}
		reason += "; not promoted, for no evidence supports the candidate"
	}
	return s.finish(now, Hold, reason)
}

func (s State) compared(p Policy) string {
	text := fmt.Sprintf("candidate %d of %d bad, stable %d of %d", s.Canary.Bad, s.Canary.Requests, s.Base.Bad, s.Base.Requests)
	if s.Canary.Refused+s.Base.Refused > 0 {
		text += fmt.Sprintf("; refused: %d of %d, stable %d of %d", s.Canary.Refused, s.Canary.Requests, s.Base.Refused, s.Base.Requests)
	}
	if p.P95 > 0 {
		text += fmt.Sprintf("; slower than %s: %d of %d, stable %d of %d", seconds(p.P95), s.Canary.Slow, s.Canary.Timed, s.Base.Slow, s.Base.Timed)
	}
	return text
}

func (c Counts) plus(d Counts) Counts {
	return Counts{c.Requests + d.Requests, c.Bad + d.Bad, c.Refused + d.Refused, c.Timed + d.Timed, c.Slow + d.Slow}
}

// evalue shows an e-value; beyond a million the digits say nothing.
func evalue(log float64) string {
	if log > math.Log(1e6) {
		return "over 1000000"
	}
	return fmt.Sprintf("%.3g", math.Exp(log))
}
