package rollout

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var began = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func policy(change func(*Policy)) Policy {
	p := Policy{Interval: 60}.WithDefaults()
	if change != nil {
		change(&p)
	}
	return p
}

// step is the state of a rollout that has come to a step.
func step(index int, change func(*State)) State {
	s := Begin("new", "old", "x", began)
	s.Step = index
	if change != nil {
		change(&s)
	}
	return s
}

func requests(n, bad int) Counts { return Counts{Requests: n, Bad: bad, Timed: n} }

func TestDecide(t *testing.T) {
	later := began.Add(5 * time.Minute)
	for _, tt := range []struct {
		name    string
		now     time.Time
		policy  Policy
		state   State
		sample  Sample
		action  Action
		percent int
		done    bool
		reason  string
	}{
		{name: "first step", state: step(-1, nil), action: Advance, percent: 5, reason: "passed its probe"},
		{name: "no traffic, no move", now: later, state: step(0, nil), sample: Sample{Stable: requests(5000, 0)},
			action: Hold, percent: -1, reason: "0 of 10 requests seen at 5 %"},
		{name: "too early", now: began.Add(time.Second), state: step(0, nil), sample: Sample{Canary: requests(500, 0), Stable: requests(5000, 0)},
			action: Hold, percent: -1, reason: "the step of 5 % lasts until"},
		{name: "a little evidence", now: later, state: step(0, nil), sample: Sample{Canary: requests(12, 0), Stable: requests(200, 0)},
			action: Hold, percent: -1, reason: "the next step needs 3"},
		{name: "enough for the next step", now: later, state: step(0, nil), sample: Sample{Canary: requests(40, 0), Stable: requests(800, 0)},
			action: Advance, percent: 25, reason: "candidate 0 of 40 bad"},
		{name: "much evidence still takes one step", now: later, state: step(0, nil), sample: Sample{Canary: requests(4000, 0), Stable: requests(8000, 0)},
			action: Advance, percent: 25},
		{name: "last step needs more", now: later, state: step(2, nil), sample: Sample{Canary: requests(40, 0), Stable: requests(40, 0)},
			action: Hold, percent: -1, reason: "the next step needs 20"},
		{name: "promote", now: later, state: step(2, nil), sample: Sample{Canary: requests(120, 0), Stable: requests(120, 0)},
			action: Promote, percent: 100, done: true},
		{name: "every answer is an error", now: began.Add(time.Second), state: step(0, nil), sample: Sample{Canary: requests(5, 5), Stable: requests(95, 0)},
			action: RollBack, percent: 0, done: true, reason: "candidate 5 of 5 bad"},
		{name: "one error is no proof", now: later, state: step(0, nil), sample: Sample{Canary: requests(10, 1), Stable: requests(190, 0)},
			action: Hold, percent: -1},
		{name: "an outage of both is nobody's fault", now: later, state: step(1, nil), sample: Sample{Canary: requests(25, 10), Stable: requests(75, 30)},
			action: Hold, percent: -1},
		{name: "without stable traffic the objective counts", now: later, state: step(0, nil), sample: Sample{Canary: requests(40, 6)},
			action: RollBack, percent: 0, done: true},
		{name: "nothing served before", state: Begin("new", "", "x", began), action: Promote, percent: 100, done: true, reason: "no revision served before"},
		{name: "evidence is not available", now: later, state: step(2, nil), sample: Sample{Canary: requests(9000, 0), Failed: "403"},
			action: Hold, percent: -1, reason: "evidence is not available: 403"},
		{name: "deadline, hold", now: later, policy: policy(func(p *Policy) { p.Deadline = 60 }), state: step(0, nil),
			action: Hold, percent: -1, done: true, reason: "undecided at the deadline of 1m0s"},
		{name: "deadline, rollback", now: later, policy: policy(func(p *Policy) { p.Deadline = 60; p.Undecided = UndecidedRollback }), state: step(0, nil),
			action: RollBack, percent: 0, done: true},
		{name: "deadline, promote", now: later, policy: policy(func(p *Policy) { p.Deadline = 60; p.Undecided = UndecidedPromote }), state: step(0, nil),
			sample: Sample{Canary: requests(12, 0)}, action: Promote, percent: 100, done: true},
		{name: "deadline, never on nothing", now: later, policy: policy(func(p *Policy) { p.Deadline = 60; p.Undecided = UndecidedPromote }), state: step(0, nil),
			action: Hold, percent: -1, done: true, reason: "no evidence supports the candidate"},
		{name: "deadline, but convincing", now: later, policy: policy(func(p *Policy) { p.Deadline = 60 }), state: step(2, nil),
			sample: Sample{Canary: requests(120, 0), Stable: requests(120, 0)}, action: Promote, percent: 100, done: true},
		{name: "latency must convince too", now: later, policy: policy(func(p *Policy) { p.P95 = 0.2 }), state: step(2, nil),
			sample: Sample{Canary: Counts{Requests: 200}, Stable: requests(200, 0)}, action: Hold, percent: -1},
		{name: "slow", now: later, policy: policy(func(p *Policy) { p.P95 = 0.2 }), state: step(1, nil),
			sample: Sample{Canary: Counts{Requests: 30, Timed: 30, Slow: 15}, Stable: requests(100, 0)}, action: RollBack, percent: 0, done: true, reason: "slower than 200ms: 15 of 30"},
		{name: "refuses what stable takes", now: later, state: step(1, nil), sample: Sample{Canary: Counts{Requests: 30, Refused: 12}, Stable: requests(100, 0)},
			action: RollBack, percent: 0, done: true, reason: "refused: 12 of 30, stable 0 of 100"},
		{name: "callers make mistakes", now: later, state: step(1, nil), sample: Sample{Canary: Counts{Requests: 60, Refused: 12}, Stable: Counts{Requests: 200, Refused: 40}},
			action: Advance, percent: 50},
		{name: "already promoted", state: step(3, func(s *State) { s.Phase = Promoted }), sample: Sample{Canary: requests(9, 9)}, action: Promote, percent: 100, done: true},
		{name: "already rolled back", state: step(3, func(s *State) { s.Phase = RolledBack }), sample: Sample{Canary: requests(900, 0)}, action: RollBack, percent: 0, done: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.policy.Steps == nil {
				tt.policy = policy(nil)
			}
			if tt.now.IsZero() {
				tt.now = began
			}
			d := Decide(tt.now, tt.policy, tt.state, tt.sample)
			if d.Action != tt.action || d.Percent != tt.percent || d.Done != tt.done || !strings.Contains(d.Reason, tt.reason) {
				t.Errorf("got %s %d%% done=%v %q, want %s %d%% done=%v %q", d.Action, d.Percent, d.Done, d.Reason, tt.action, tt.percent, tt.done, tt.reason)
			}
			if again := Decide(tt.now, tt.policy, tt.state, tt.sample); !cmp.Equal(d, again) {
				t.Errorf("a second decision differs: %s", cmp.Diff(d, again))
			}
		})
	}
}

// TestHighObjectives: five times an objective of 20 % is no rate, and evidence
// that is no number is none.
func TestHighObjectives(t *testing.T) {
	for _, objective := range []float64{0.1, 0.15, 0.2} {
		p := policy(func(p *Policy) { p.MaxErrors = objective })
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []int{0, 30, 60} {
			d := Decide(began.Add(time.Hour), p, step(0, nil), Sample{Canary: requests(60, bad), Stable: requests(60, 1)})
			if _, err := json.Marshal(d.State); err != nil {
				t.Errorf("objective %v, %d bad: %v", objective, bad, err)
			}
			if want := map[int]Action{0: Advance, 30: RollBack, 60: RollBack}[bad]; d.Action != want {
				t.Errorf("objective %v, %d bad: %s %s, want %s", objective, bad, d.Action, d.Reason, want)
			}
		}
	}
	s := step(0, func(s *State) { s.Errors.Good = []float64{math.NaN()} })
	if d := Decide(began.Add(time.Hour), policy(nil), s, Sample{Canary: requests(60, 0)}); d.Action != Hold {
		t.Errorf("without a number: %s %s", d.Action, d.Reason)
	}
}

// Failed evidence must not move the cursor: the entries are read again.
func TestFailedSampleIsNotCounted(t *testing.T) {
	s := step(1, nil)
	d := Decide(began.Add(time.Hour), policy(nil), s, Sample{Canary: requests(50, 9), Through: began.Add(time.Hour), Failed: "timeout"})
	d.State.Reason = ""
	if diff := cmp.Diff(s, d.State); diff != "" {
		t.Error(diff)
	}
}

// TestProperties walks random rollouts: traffic never jumps a step, a
// promotion is never without evidence, and the end stays the end.
func TestProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		p := policy(func(p *Policy) {
			p.Steps = [][]int{{5, 25, 50, 100}, {1, 100}, {10, 20, 100}, {50, 75, 99, 100}}[random.IntN(4)]
			p.Undecided = []string{UndecidedHold, UndecidedPromote, UndecidedRollback}[random.IntN(3)]
			p.Deadline = float64(random.IntN(3) * 3000)
			p.P95 = float64(random.IntN(2)) * 0.2
		})
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		rate, now, s := math.Pow(random.Float64(), 3), began, Begin("new", "old", "x", began)
		traffic := []Target{{Type: ToRevision, Revision: "old", Percent: 100}, {Type: ToRevision, Revision: "new", Tag: "candidate"}}
		for range 60 {
			x := Sample{Canary: draw(random, random.IntN(60), rate), Stable: draw(random, random.IntN(200), 0.005)}
			if random.IntN(5) == 0 {
				x.Failed = "down"
			}
			before := s.Step
			d := Decide(now, p, s, x)
			share := percentOf(traffic, "new")
			switch {
			case d.Action == Advance && (d.State.Step != before+1 || d.Percent != p.Steps[before+1]):
				t.Fatalf("advanced from step %d to %d, %d %%", before, d.State.Step, d.Percent)
			case d.Action == Promote && s.Phase == Progressing && d.State.Canary.Requests == 0:
				t.Fatal("promoted without a request")
			case (d.Action == Promote || d.Action == Advance && before >= 0) && x.Failed != "" && s.Phase == Progressing:
				t.Fatal("moved up without evidence")
			case d.Action == Hold && d.Percent != -1:
				t.Fatalf("held at %d %%", d.Percent)
			}
			if d.Percent >= 0 {
				traffic = Shift(traffic, "new", d.Percent, s.Stable)
			}
			if got := total(traffic); got != 100 {
				t.Fatalf("traffic sums to %d: %v", got, traffic)
			}
			if now := percentOf(traffic, "new"); d.Action == Advance && now < share {
				t.Fatalf("advanced from %d to %d %%", share, now)
			}
			if s.Phase != Progressing && (d.State.Phase != s.Phase || !d.Done) {
				t.Fatalf("%s became %s", s.Phase, d.State.Phase)
			}
			s, now = d.State, now.Add(seconds(p.Interval))
		}
	}
}

func draw(random *rand.Rand, n int, rate float64) Counts {
	c := Counts{Requests: n, Timed: n}
	for range n {
		if random.Float64() < rate {
			c.Bad++
		}
		if random.Float64() < rate/3 {
			c.Slow++
		}
	}
	return c
}

// TestErrorRates simulates whole rollouts and compares the shares of wrong
// ends with what the policy states, as reference D6 does.
func TestErrorRates(t *testing.T) {
	const runs = 300
	for _, tt := range []struct {
		name            string
		canary, stable  float64
		perLook, looks  int // requests between two looks; looks until it counts as held
		wrong           Phase
		most, leastGood float64 // share of wrong ends, of right ends
		right           Phase
	}{
		{"good, thin traffic", 0.005, 0.005, 20, 3000, RolledBack, 0.10, 0.85, Promoted},
		{"good, thick traffic", 0.005, 0.005, 2000, 3000, RolledBack, 0.10, 0.85, Promoted},
		{"at five times the objective", 0.05, 0.005, 200, 3000, Promoted, 0.05, 0.90, RolledBack},
		{"very bad", 0.30, 0.005, 200, 3000, Promoted, 0.01, 0.99, RolledBack},
		{"no worse than a sick stable", 0.04, 0.04, 200, 60, RolledBack, 0.10, 0, Promoted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			ends := map[Phase]int{}
			for range runs {
				ends[simulate(random, tt.canary, tt.stable, tt.perLook, tt.looks)]++
			}
			t.Logf("of %d: %v", runs, ends)
			slack := 2 * math.Sqrt(tt.most*(1-tt.most)/runs) // Monte Carlo noise
			if got := float64(ends[tt.wrong]) / runs; got > tt.most+slack {
				t.Errorf("%s in %.1f %%, stated %.0f %%", tt.wrong, 100*got, 100*tt.most)
			}
			if got := float64(ends[tt.right]) / runs; got < tt.leastGood {
				t.Errorf("%s only in %.1f %%", tt.right, 100*got)
			}
		})
	}
}

func simulate(random *rand.Rand, canary, stable float64, perLook, looks int) Phase {
	p := policy(nil)
	s := Begin("new", "old", "x", began)
	now, percent := began, 0
	for range looks {
		var x Sample
		for range perLook {
			arm, rate := &x.Stable, stable
			if random.IntN(100) < percent {
				arm, rate = &x.Canary, canary
			}
			arm.Requests++
			if random.Float64() < rate {
				arm.Bad++
			}
		}
		d := Decide(now, p, s, x)
		if d.Done {
			return d.State.Phase
		}
		if d.Percent >= 0 {
			percent = d.Percent
		}
		s, now = d.State, now.Add(seconds(p.Interval))
	}
	return Progressing
}

// TestEvidence checks the e-values against values computed by hand.
func TestEvidence(t *testing.T) {
	// One bad answer among 1+1 requests, the candidate's: odds ratio 2 gives
	// 2/(1/2·1+1/2·2) = 4/3.
	if got := math.Exp(logOddsFactor(arms{1, 1, 1, 0}, 2)); math.Abs(got-4.0/3) > 1e-9 {
		t.Errorf("factor %v, want 4/3", got)
	}
	// The mean of the factor under the null is 1: it is an e-value.
	mean := 0.5*math.Exp(logOddsFactor(arms{1, 1, 1, 0}, 8)) + 0.5*math.Exp(logOddsFactor(arms{1, 0, 1, 1}, 8))
	if math.Abs(mean-1) > 1e-9 {
		t.Errorf("mean %v, want 1", mean)
	}
	for _, w := range []arms{{}, {5, 0, 9, 0}, {5, 3, 0, 0}, {0, 0, 5, 3}} {
		if got := logOddsFactor(w, 4); got != 0 {
			t.Errorf("%v: factor %v, want 1 (no comparison)", w, got)
		}
	}
	// 59 good answers exclude 5 % at 5 %: ln 20 / -ln 0.95 = 58.4.
	if e := logLikelihoodRatio(59, 0, 1e-12, 0.05); e < math.Log(20) {
		t.Errorf("evidence of 59 good answers is %v", math.Exp(e))
	}
	if e := (Evidence{}); e.logPromote() != 0 || e.logRollback() != 0 {
		t.Error("no evidence must be 1")
	}
	big := Evidence{}.add(arms{100_000, 5_000, 1_000_000, 400}, 0.01, false)
	for _, v := range append(big.Relative, append(big.Absolute, big.Good...)...) {
		if !(math.Abs(v) < math.MaxFloat32) {
			t.Errorf("evidence of a large window is %v", v)
		}
	}
}

func TestPolicyValidate(t *testing.T) {
	for want, change := range map[string]func(*Policy){
		"steps[1] is 5":           func(p *Policy) { p.Steps = []int{5, 5, 100} },
		"steps[0] is 0":           func(p *Policy) { p.Steps = []int{0, 100} },
		"last step must be 100":   func(p *Policy) { p.Steps = []int{5, 50} },
		"need one below 100":      func(p *Policy) { p.Steps = []int{100} },
		"maxErrors is 0.9":        func(p *Policy) { p.MaxErrors = 0.9 },
		"alpha is NaN":            func(p *Policy) { p.Alpha = math.NaN() },
		"beta is -1":              func(p *Policy) { p.Beta = -1 },
		"interval is -5":          func(p *Policy) { p.Interval = -5 },
		"minSample is -1":         func(p *Policy) { p.MinSample = -1 },
		`undecided is "whatever"`: func(p *Policy) { p.Undecided = "whatever" },
	} {
		if err := policy(change).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if err := policy(nil).Validate(); err != nil {
		t.Error(err)
	}
	both := policy(func(p *Policy) { p.Alpha, p.Beta = 2, 2 }).Validate()
	if both == nil || !strings.Contains(both.Error(), "alpha") || !strings.Contains(both.Error(), "beta") {
		t.Errorf("not all problems: %v", both)
	}
}
