// Package rollout decides how the traffic of a Cloud Run service moves from
// its stable revision to a candidate.
//
// The decision is a pure function of the policy, the state kept in the
// service's annotations, and what the two revisions answered since. Evidence
// is measured by e-processes, so one may look as often as one likes, stop and
// resume, and shift the weight by what was seen, and the stated error rates
// still hold (Ville's inequality; Turner, Ly, Grünwald 2022, arXiv 2106.02693).
package rollout

import (
	"errors"
	"fmt"
	"time"
)

// Policy says how far and how surely a rollout moves. Durations are seconds.
// A field that is zero has the default of [Policy.WithDefaults].
type Policy struct {
	Steps     []int   `json:"steps"`     // percentages for the candidate, rising, the last 100
	Interval  float64 `json:"interval"`  // least time at a step
	MaxErrors float64 `json:"maxErrors"` // objective: share of bad answers, such as 0.01
	P95       float64 `json:"p95"`       // objective: 95th percentile of latency; 0: latency is not judged
	Undecided string  `json:"undecided"` // at the deadline: hold, promote or rollback
	Deadline  float64 `json:"deadline"`  // from the start of the rollout; 0: none
	MinSample int     `json:"minSample"` // candidate requests needed at each step before the next
	Alpha     float64 `json:"alpha"`     // chance to roll back a candidate that meets the objective and is no worse than stable
	Beta      float64 `json:"beta"`      // chance to promote one that is bad (five times the objective)
}

// The values of Policy.Undecided.
const (
	UndecidedHold     = "hold"
	UndecidedPromote  = "promote"
	UndecidedRollback = "rollback"
)

// WithDefaults fills what is zero. A false rollback costs a retry and a wrong
// promotion lasts, so Beta is the stricter one.
func (p Policy) WithDefaults() Policy {
	if len(p.Steps) == 0 {
		p.Steps = []int{5, 25, 50, 100}
	}
	if p.MaxErrors == 0 {
		p.MaxErrors = 0.01
	}
	if p.Undecided == "" {
		p.Undecided = UndecidedHold
	}
	if p.MinSample == 0 {
		p.MinSample = 10
	}
	if p.Alpha == 0 {
		p.Alpha = 0.10
	}
	if p.Beta == 0 {
		p.Beta = 0.05
	}
	return p
}

// Validate returns everything that is wrong with p, defaults filled in.
func (p Policy) Validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf("policy: "+format, args...)) }
	for i, step := range p.Steps {
		if step < 1 || step > 100 || i > 0 && step <= p.Steps[i-1] {
			add("steps[%d] is %d: steps are percentages from 1 to 100 that rise", i, step)
		}
	}
	if n := len(p.Steps); n == 0 || p.Steps[n-1] != 100 {
		add("the last step must be 100, got %v", p.Steps)
	} else if n == 1 {
		add("steps need one below 100: a candidate without live traffic gives no evidence")
	}
	between := func(name string, v, low, high float64) {
		if !(v >= low && v <= high) {
			add("%s is %v, want %v to %v", name, v, low, high)
		}
	}
	between("maxErrors", p.MaxErrors, 0.0001, 0.2)
	between("alpha", p.Alpha, 0.0001, 0.5)
	between("beta", p.Beta, 0.0001, 0.3)
	const year = 366 * 24 * 3600
	between("interval", p.Interval, 0, year)
	between("deadline", p.Deadline, 0, year)
	between("p95", p.P95, 0, 3600)
	if p.MinSample < 0 {
		add("minSample is %d, want 0 or more", p.MinSample)
	}
	switch p.Undecided {
	case UndecidedHold, UndecidedPromote, UndecidedRollback:
	default:
		add("undecided is %q, want hold, promote or rollback", p.Undecided)
	}
	return errors.Join(problems...)
}

// Latency is the objective P95; 0 when latency is not judged.
func (p Policy) Latency() time.Duration { return seconds(p.P95) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
