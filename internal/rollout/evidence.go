package rollout

import "math"

// Rates of the alternatives that the tests mix over. A mixture needs no
// knowledge of how bad a bad candidate is.
var (
	oddsRatios = []float64{2, 4, 8, 16, 32, 64}
	badRates   = []float64{0.05, 0.10, 0.20, 0.40, 0.80}
	// goodShares are the better rates, as shares of the rate that is bad.
	goodShares = []float64{0.001, 1.0 / 8, 1.0 / 3}
)

// badRate is the rate that must not be promoted: five times the objective, but
// never more than halfway from it to a candidate that is always bad.
func badRate(objective float64) float64 { return min(5*objective, (1+objective)/2) }

// slowShare is the share of requests above the 95th percentile's objective,
// when the objective is just met.
const slowShare = 0.05

// Evidence is the state of the e-processes of one signal: natural logarithms,
// one for each alternative. Empty slices stand for no evidence (all zero).
type Evidence struct {
	Relative []float64 `json:"relative,omitempty"` // candidate worse than stable
	Absolute []float64 `json:"absolute,omitempty"` // candidate worse than the objective
	Good     []float64 `json:"good,omitempty"`     // candidate better than a bad one
}

// arms are the trials of a window: n requests of which k were bad.
type arms struct {
	canaryN, canaryK int
	stableN, stableK int
}

// add returns the evidence after a window. The absolute part is left out when
// stable itself misses the objective: a candidate that is no worse than a sick
// baseline must not be rolled back.
func (e Evidence) add(w arms, objective float64, stableSick bool) Evidence {
	out := e.compare(w)
	out.Absolute, out.Good = make([]float64, len(badRates)), make([]float64, len(goodShares))
	for j, rate := range badRates {
		out.Absolute[j] = at(e.Absolute, j)
		if rate > objective && !stableSick {
			out.Absolute[j] += logLikelihoodRatio(w.canaryN, w.canaryK, rate, objective)
		}
	}
	bad := badRate(objective)
	for j, share := range goodShares {
		out.Good[j] = at(e.Good, j) + logLikelihoodRatio(w.canaryN, w.canaryK, share*bad, bad)
	}
	return out.rounded()
}

// compare returns the evidence after a window, of the relative part only.
func (e Evidence) compare(w arms) Evidence {
	out := Evidence{Relative: make([]float64, len(oddsRatios))}
	for j, psi := range oddsRatios {
		out.Relative[j] = at(e.Relative, j) + logOddsFactor(w, psi)
	}
	return out.rounded()
}

// logRollback is the log e-value against "the candidate is no worse than
// stable and meets the objective".
func (e Evidence) logRollback() float64 {
	return logMean([]float64{logMean(e.Relative), logMean(e.Absolute)})
}

// logPromote is the log e-value against "the candidate is bad".
func (e Evidence) logPromote() float64 { return logMean(e.Good) }

// logOddsFactor is the log of the likelihood ratio of odds ratio psi against 1
// for the 2×2 table of a window, given its margins: Fisher's non-central over
// the central hypergeometric distribution. The base rate, its drift in time
// and the weight in force cancel out.
func logOddsFactor(w arms, psi float64) float64 {
	k := w.canaryK + w.stableK
	if w.canaryN == 0 || w.stableN == 0 || k == 0 {
		return 0
	}
	low, high := max(0, k-w.stableN), min(k, w.canaryN)
	total := logChoose(w.canaryN+w.stableN, k)
	terms := make([]float64, 0, high-low+1)
	for i := low; i <= high; i++ {
		terms = append(terms, logChoose(w.canaryN, i)+logChoose(w.stableN, k-i)-total+float64(i)*math.Log(psi))
	}
	return float64(w.canaryK)*math.Log(psi) - logSum(terms)
}

// logLikelihoodRatio is that of k bad among n for rate p1 against p0.
func logLikelihoodRatio(n, k int, p1, p0 float64) float64 {
	return float64(k)*math.Log(p1/p0) + float64(n-k)*(math.Log1p(-p1)-math.Log1p(-p0))
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

func logSum(logs []float64) float64 {
	top := math.Inf(-1)
	for _, v := range logs {
		top = math.Max(top, v)
	}
	sum := 0.0
	for _, v := range logs {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

// logMean is the log of the mean of the e-values: an e-value itself.
func logMean(logs []float64) float64 {
	if len(logs) == 0 {
		return 0
	}
	return logSum(logs) - math.Log(float64(len(logs)))
}

func at(logs []float64, j int) float64 {
	if j < len(logs) {
		return logs[j]
	}
	return 0
}

// rounded keeps six decimals: annotations are small, and a millionth of a nat
// decides nothing.
func (e Evidence) rounded() Evidence {
	for _, logs := range [][]float64{e.Relative, e.Absolute, e.Good} {
		for j := range logs {
			logs[j] = math.Round(logs[j]*1e6) / 1e6
		}
	}
	return e
}
