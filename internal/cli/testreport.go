package cli

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/kakehi/kakehi/internal/workflowtest"
)

// testReport is what test prints with -o json.
type testReport struct {
	Passed   int              `json:"passed"`
	Failed   int              `json:"failed"`
	Tests    []testRecord     `json:"tests"`
	Coverage []coverageRecord `json:"coverage"`
}

// testRecord is one test.
type testRecord struct {
	File     string          `json:"file"`
	Line     int             `json:"line"`
	Name     string          `json:"name"`
	State    string          `json:"state"` // PASSED, FAILED
	Steps    int64           `json:"steps"`
	Virtual  string          `json:"virtualTime"`
	Real     float64         `json:"seconds"`
	Failures []failureRecord `json:"failures"`
	result   workflowtest.Result
}

type failureRecord struct {
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Column  int      `json:"column"`
	Message string   `json:"message"`
	Details []string `json:"details"`
}

// coverageRecord is the coverage of one definition by all tests of it.
type coverageRecord struct {
	Workflow string        `json:"workflow"`
	Steps    countRecord   `json:"steps"`
	Arms     countRecord   `json:"arms"`
	Missed   []placeRecord `json:"missed"`
}

type countRecord struct {
	Reached int     `json:"reached"`
	Total   int     `json:"total"`
	Percent float64 `json:"percent"`
}

type placeRecord struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Kind    string `json:"kind"` // step, arm
	Routine string `json:"routine"`
	Step    string `json:"step"`
}

func newTestReport(suites []workflowtest.Suite) *testReport {
	r := &testReport{Tests: []testRecord{}, Coverage: []coverageRecord{}}
	covered := map[string]*workflowtest.Coverage{}
	for _, s := range suites {
		for _, result := range s.Results {
			r.add(s.File, result)
		}
		if all := covered[s.File.Workflow]; all != nil {
			all.Merge(s.File.Coverage())
		} else {
			covered[s.File.Workflow] = s.File.Coverage()
		}
	}
	for _, c := range covered {
		r.Coverage = append(r.Coverage, newCoverageRecord(c))
	}
	sort.Slice(r.Coverage, func(i, j int) bool { return r.Coverage[i].Workflow < r.Coverage[j].Workflow })
	return r
}

func (r *testReport) total() int { return r.Passed + r.Failed }

func (r *testReport) add(f *workflowtest.File, result workflowtest.Result) {
	t := testRecord{
		File: f.Name, Line: result.Test.At.Line, Name: result.Test.Name, State: "PASSED", Steps: result.Steps,
		Virtual: result.Virtual.String(), Real: result.Real.Seconds(), Failures: []failureRecord{}, result: result,
	}
	for _, failure := range result.Failures {
		t.State = "FAILED"
		t.Failures = append(t.Failures, failureRecord{
			File: failure.At.File, Line: failure.At.Line, Column: failure.At.Col, Message: failure.Message,
			Details: append([]string{}, failure.Details...),
		})
	}
	if t.State == "FAILED" {
		r.Failed++
	} else {
		r.Passed++
	}
	r.Tests = append(r.Tests, t)
}

func newCoverageRecord(c *workflowtest.Coverage) coverageRecord {
	count := func(arms bool) countRecord {
		reached, total := c.Count(arms)
		percent := 100.0
		if total > 0 {
			percent = 100 * float64(reached) / float64(total)
		}
		return countRecord{reached, total, percent}
	}
	r := coverageRecord{Workflow: c.Workflow, Steps: count(false), Arms: count(true), Missed: []placeRecord{}}
	for _, p := range c.Missed() {
		kind := "step"
		if p.Arm {
			kind = "arm"
		}
		r.Missed = append(r.Missed, placeRecord{p.At.Line, p.At.Col, kind, p.Routine, p.Step})
	}
	return r
}

// print shows the report to people.
func (r *testReport) print(w io.Writer, o testOptions) error {
	for _, t := range r.Tests {
		if t.State == "PASSED" && !o.verbose {
			continue
		}
		mark := "ok  "
		if t.State == "FAILED" {
			mark = "FAIL"
		}
		fmt.Fprintf(w, "%s %s:%d: %s (%d steps, %s of virtual time)\n", mark, t.File, t.Line, t.Name, t.Steps, t.Virtual)
		for _, failure := range t.result.Failures {
			fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(failure.String(), "\n", "\n  "))
		}
	}
	if o.coverage {
		for _, c := range r.Coverage {
			c.print(w)
		}
	}
	_, err := fmt.Fprintf(w, "%d passed, %d failed\n", r.Passed, r.Failed)
	return err
}

func (c coverageRecord) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %.1f %% of the steps (%d of %d), %.1f %% of the switch arms (%d of %d)\n", c.Workflow,
		c.Steps.Percent, c.Steps.Reached, c.Steps.Total, c.Arms.Percent, c.Arms.Reached, c.Arms.Total)
	for _, p := range c.Missed {
		kind := "step " + p.Routine + "." + p.Step
		if p.Kind == "arm" {
			kind = "arm of " + p.Routine + "." + p.Step
		}
		fmt.Fprintf(w, "  %s:%d: %s is not reached\n", c.Workflow, p.Line, kind)
	}
}
