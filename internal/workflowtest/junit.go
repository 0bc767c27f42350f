package workflowtest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The JUnit report, in the form that CI systems read: testsuites of one
// testsuite for each file.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Suite is the results of one file.
type Suite struct {
	File    *File
	Results []Result
}

// Failed counts the tests that failed.
func (s Suite) Failed() int {
	n := 0
	for _, r := range s.Results {
		if len(r.Failures) > 0 {
			n++
		}
	}
	return n
}

// WriteJUnit writes results as JUnit XML.
func WriteJUnit(w io.Writer, suites []Suite) error {
	var out junitSuites
	total := 0.0
	for _, s := range suites {
		suite := junitSuite{Name: s.File.Name, Tests: len(s.Results), Failures: s.Failed()}
		seconds := 0.0
		for _, r := range s.Results {
			seconds += r.Real.Seconds()
			suite.Cases = append(suite.Cases, junitOf(s.File, r))
		}
		suite.Time = fmt.Sprintf("%.3f", seconds)
		total += seconds
		out.Tests += suite.Tests
		out.Failures += suite.Failures
		out.Suites = append(out.Suites, suite)
	}
	out.Time = fmt.Sprintf("%.3f", total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(f *File, r Result) junitCase {
	c := junitCase{
		Name: r.Test.Name, Class: f.Workflow, File: f.Name, Line: r.Test.At.Line,
		Time: fmt.Sprintf("%.3f", r.Real.Seconds()),
	}
	if len(r.Failures) > 0 {
		var b strings.Builder
		for _, failure := range r.Failures {
			fmt.Fprintf(&b, "%s\n", failure)
		}
		c.Failure = &junitFailure{Message: r.Failures[0].Message, Text: b.String()}
	}
	return c
}

// String formats a failure, with its details on lines of their own.
func (f Failure) String() string {
	text := fmt.Sprintf("%s: %s", f.At, f.Message)
	for _, line := range f.Details {
		text += "\n    " + line
	}
	return text
}
