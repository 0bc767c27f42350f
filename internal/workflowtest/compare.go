package workflowtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/value"
)

// compare lists what is not as expected.
func (w *want) compare(t *Test, s seen) []Failure {
	var all []Failure
	fail := func(at diag.Pos, details []string, format string, args ...any) {
		all = append(all, Failure{at, fmt.Sprintf(format, args...), details})
	}
	switch {
	case s.outcome.State == interp.Active:
		fail(t.At, nil, "the run was stopped: %v", s.outcome.Cause)
		return all
	case w.err == nil && s.outcome.State != interp.Succeeded:
		fail(t.At, lines(s.outcome.Err.Context), "the run failed with %s", stub.Show(s.outcome.Err.Payload))
	case w.err != nil && s.outcome.State == interp.Succeeded:
		fail(w.errAt, nil, "the run succeeded with %s, want an error", stub.Show(s.outcome.Result))
	case w.err != nil:
		if d := errorDifferences(s.outcome.Err.Payload, w.err); len(d) > 0 {
			fail(w.errAt, append(d, lines(s.outcome.Err.Context)...), "the error is another one")
		}
	case w.result != nil:
		if d := stub.Differences("result", s.outcome.Result, w.result, true); len(d) > 0 {
			fail(w.resultAt, d, "the result is another one")
		}
	}
	all = append(all, w.compareCalls(s.calls)...)
	all = append(all, w.compareSteps(s.steps)...)
	if w.took != nil && *w.took != s.took {
		fail(w.tookAt, nil, "the run took %s of virtual time, want %s", s.took, *w.took)
	}
	return all
}

func lines(text string) []string { return strings.Split(text, "\n") }

// errorDifferences compares an error with what is wanted of it.
func errorDifferences(payload, wanted value.Value) []string {
	text := stub.Show(payload)
	m, isMap := payload.(*value.Map)
	if isMap {
		if message, ok := m.Get("message"); ok {
			text, _ = interp.Text(message)
		}
	}
	part := func(want value.Value) []string {
		if s, ok := want.(value.String); ok && strings.Contains(text, string(s)) {
			return nil
		}
		return []string{fmt.Sprintf("the message is %q, want one with %s", text, stub.Show(want))}
	}
	wantMap, ok := wanted.(*value.Map)
	switch {
	case !ok:
		return part(wanted)
	case !isMap:
		return []string{fmt.Sprintf("the error is %s, want a map", text)}
	}
	var all []string
	for key, want := range wantMap.All() {
		got, _ := m.Lookup(key)
		switch list, isList := want.(*value.List); {
		case key.String() == "message":
			all = append(all, part(want)...)
		case key.String() == "tags" && isList:
			tags, _ := got.(*value.List)
			for _, tag := range list.Items() {
				if tags == nil || !slices.Contains(tags.Items(), tag) {
					all = append(all, fmt.Sprintf("the tags are %s, want %s among them", stub.Show(got), stub.Show(tag)))
				}
			}
		default:
			all = append(all, stub.Differences(key.String(), got, want, false)...)
		}
	}
	return all
}

// compareCalls looks for the expected calls.
func (w *want) compareCalls(calls []event) []Failure {
	var all []Failure
	var inTurn []*wantCall
	for _, c := range w.calls {
		if c.times < 0 {
			inTurn = append(inTurn, c)
			continue
		}
		var found []string
		for _, e := range calls {
			if c.covers(e) {
				found = append(found, e.String())
			}
		}
		if int64(len(found)) != c.times {
			all = append(all, Failure{c.at, fmt.Sprintf("%d calls match %s, want %d", len(found), c.Match, c.times), listed(found)})
		}
	}
	missing, after := inOrder(inTurn, calls)
	if w.anyway {
		missing, after = anyhow(inTurn, calls), 0
	}
	if missing != nil {
		var rest []string
		for _, e := range calls[after:] {
			rest = append(rest, e.String())
		}
		message := fmt.Sprintf("no call matches %s", missing.Match)
		if after > 0 {
			message += fmt.Sprintf(" after %s", calls[after-1])
		}
		all = append(all, Failure{missing.at, message, listed(rest)})
	}
	return all
}

// covers reports whether an event is such a call.
func (c *wantCall) covers(e event) bool {
	return c.OfRequest() == (e.request != nil) && c.Matches(e.call, e.request)
}

// inOrder returns the first expected call that is not there, and how many
// calls come before the place where it was looked for.
func inOrder(wanted []*wantCall, calls []event) (missing *wantCall, after int) {
	for _, c := range wanted {
		i := slices.IndexFunc(calls[after:], c.covers)
		if i < 0 {
			return c, after
		}
		after += i + 1
	}
	return nil, 0
}

// anyhow returns an expected call for which none is left, each call standing
// for one expected call at most.
func anyhow(wanted []*wantCall, calls []event) *wantCall {
	taken := map[int]*wantCall{}
	var place func(c *wantCall, tried map[int]bool) bool
	place = func(c *wantCall, tried map[int]bool) bool {
		for i, e := range calls {
			if tried[i] || !c.covers(e) {
				continue
			}
			tried[i] = true
			if taken[i] == nil || place(taken[i], tried) {
				taken[i] = c
				return true
			}
		}
		return false
	}
	for _, c := range wanted {
		if !place(c, map[int]bool{}) {
			return c
		}
	}
	return nil
}

// compareSteps looks for the expected steps, and for those that are not.
func (w *want) compareSteps(steps []interp.StepEvent) []Failure {
	var all []Failure
	after := 0
	for _, s := range w.steps {
		i := slices.IndexFunc(steps[after:], func(e interp.StepEvent) bool { return s.matches(e.Routine, e.Step) })
		if i < 0 {
			message := fmt.Sprintf("step %s does not run", s.name)
			if after > 0 {
				message += fmt.Sprintf(" after %s.%s", steps[after-1].Routine, steps[after-1].Step)
			}
			all = append(all, Failure{s.at, message, listed(stepNames(steps[after:]))})
			break
		}
		after += i + 1
	}
	for _, s := range w.skipped {
		if slices.ContainsFunc(steps, func(e interp.StepEvent) bool { return s.matches(e.Routine, e.Step) }) {
			all = append(all, Failure{At: s.at, Message: fmt.Sprintf("step %s runs", s.name)})
		}
	}
	return all
}

// stepNames lists steps, those that repeat once.
func stepNames(steps []interp.StepEvent) []string {
	var names []string
	for _, e := range steps {
		if name := e.Routine + "." + e.Step; len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// listed heads a list of what was seen, and cuts it.
func listed(items []string) []string {
	const most = 30
	if len(items) == 0 {
		return []string{"seen: nothing"}
	}
	if more := len(items) - most; more > 0 {
		items = append(items[:most:most], fmt.Sprintf("… and %d more", more))
	}
	return append([]string{"seen:"}, items...)
}

// String describes an event.
func (e event) String() string {
	text := fmt.Sprintf("%s.%s: %s", e.call.Routine, e.call.Step, e.call.Func)
	if e.request != nil {
		return text + " sends " + e.request.Method + " " + e.request.URL
	}
	return text + " " + stub.Show(e.call.Args)
}
