package stub

import (
	"fmt"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/form"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Match describes calls or requests. Parts that are not given match all.
type Match struct {
	Call   string // the function; * stands for any characters
	Step   string // that calls, or ROUTINE.STEP
	URL    string // of a request; * as in Call
	Method string
	Args   value.Value // what the arguments have to contain; nil for none

	callAt, stepAt diag.Pos
}

// MatchFields are the keys of a map that holds a Match.
func MatchFields[T any](of func(*T) *Match) []form.Field[T] {
	return []form.Field[T]{
		{Key: "call", Doc: "name of the function, connector or subworkflow that is called; * stands for any characters", Schema: form.Text(),
			Read: func(r *form.Reader, n workflow.Node, to *T) { of(to).Call, of(to).callAt = r.Text(n), n.Pos() }},
		{Key: "step", Doc: "name of the step that calls, or ROUTINE.STEP", Schema: form.Text(),
			Read: func(r *form.Reader, n workflow.Node, to *T) { of(to).Step, of(to).stepAt = r.Text(n), n.Pos() }},
		{Key: "args", Doc: "what the arguments contain, by name; maps may have more keys than given here", Schema: form.MapOf(form.Any()),
			Read: func(r *form.Reader, n workflow.Node, to *T) {
				if _, ok := n.(*workflow.Map); !ok {
					r.Errorf(n.Pos(), "wrong-type", "", "args is a map of arguments by name, not %s", form.Describe(n))
					return
				}
				of(to).Args = r.Value(n)
			}},
		{Key: "url", Doc: "URL of an HTTP request, of http.* or of a connector; * stands for any characters; without ? any query matches", Schema: form.Text(),
			Read: func(r *form.Reader, n workflow.Node, to *T) { of(to).URL = r.Text(n) }},
		{Key: "method", Doc: "HTTP method of a request", Schema: form.Text(),
			Read: func(r *form.Reader, n workflow.Node, to *T) { of(to).Method = strings.ToUpper(r.Text(n)) }},
	}
}

// IsZero says that nothing is given, so that all matches.
func (m Match) IsZero() bool {
	return m.Call == "" && m.Step == "" && m.URL == "" && m.Method == "" && m.Args == nil
}

// OfRequest says that m describes requests, not calls.
func (m Match) OfRequest() bool { return m.URL != "" || m.Method != "" }

// Matches reports whether a call matches or, if r is not nil, a request of it.
func (m Match) Matches(c interp.Call, r *interp.Request) bool {
	switch {
	case m.Call != "" && !glob(m.Call, c.Func),
		m.Step != "" && m.Step != c.Step && m.Step != c.Routine+"."+c.Step,
		m.Args != nil && !contains(c.Args, m.Args):
		return false
	}
	return r == nil || m.matchesRequest(r)
}

func (m Match) matchesRequest(r *interp.Request) bool {
	url := r.URL
	if !strings.Contains(m.URL, "?") {
		url, _, _ = strings.Cut(url, "?")
	}
	return (m.Method == "" || m.Method == r.Method) && (m.URL == "" || glob(m.URL, url))
}

// String describes m for a message.
func (m Match) String() string {
	var parts []string
	add := func(name, text string) {
		if text != "" {
			parts = append(parts, name+" "+text)
		}
	}
	add("call", m.Call)
	add("step", m.Step)
	add("method", m.Method)
	add("url", m.URL)
	if m.Args != nil {
		add("args", string(value.MustJSON(value.Printable(m.Args))))
	}
	return strings.Join(parts, ", ")
}

// Check reports a function or step that the definition does not have.
func (m Match) Check(r *form.Reader, names Names) {
	if m.Call != "" && !names.hasCall(m.Call) {
		r.Errorf(m.callAt, "unknown-function", form.DidYouMean(m.Call, names.Calls), "no step of the definition calls %q", m.Call)
	}
	if m.Step != "" && !names.HasStep(m.Step) {
		r.Errorf(m.stepAt, "unknown-step", form.DidYouMean(m.Step, names.Steps), "the definition has no step %q", m.Step)
	}
}

// Names are those of a definition that a Match may refer to.
type Names struct {
	Calls []string
	Steps []string // STEP and ROUTINE.STEP
}

// NamesOf collects the names of a definition.
func NamesOf(f *workflow.File) Names {
	names := Names{Calls: workflow.Calls(f)}
	for _, w := range f.Workflows {
		workflow.Walk(w.Steps, func(s *workflow.Step) bool {
			if s.Name != "" {
				names.Steps = append(names.Steps, s.Name, w.Name+"."+s.Name)
			}
			return true
		})
	}
	return names
}

// HasStep reports whether there is a step of that name.
func (n Names) HasStep(name string) bool {
	for _, s := range n.Steps {
		if s == name {
			return true
		}
	}
	return false
}

func (n Names) hasCall(pattern string) bool {
	for _, name := range n.Calls {
		if glob(pattern, name) {
			return true
		}
	}
	return false
}

// glob matches text with a pattern, in which * stands for any characters.
func glob(pattern, text string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	for ok {
		var part string
		part, rest, more = strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		_, text, ok = strings.Cut(text, part)
	}
	return false
}

// contains reports whether v has all that want has: maps may have more keys.
func contains(v, want value.Value) bool { return len(Differences("", v, want, false)) == 0 }

// Differences lists where v differs from want, each with its path below at.
// Unless exact, maps may have more keys than wanted.
func Differences(at string, v, want value.Value, exact bool) []string {
	switch want := want.(type) {
	case *value.Map:
		if m, ok := v.(*value.Map); ok {
			return mapDifferences(at, m, want, exact)
		}
	case *value.List:
		if l, ok := v.(*value.List); ok {
			return listDifferences(at, l, want, exact)
		}
	default:
		if value.Equal(v, want) {
			return nil
		}
	}
	return []string{fmt.Sprintf("%s is %s, want %s", at, Show(v), Show(want))}
}

func mapDifferences(at string, m, want *value.Map, exact bool) []string {
	var all []string
	for k, w := range want.All() {
		part, ok := m.Lookup(k)
		if !ok {
			all = append(all, fmt.Sprintf("%s is missing, want %s", path(at, k.String()), Show(w)))
			continue
		}
		all = append(all, Differences(path(at, k.String()), part, w, exact)...)
	}
	if !exact {
		return all
	}
	for k, v := range m.All() {
		if _, ok := want.Lookup(k); !ok {
			all = append(all, fmt.Sprintf("%s is %s, and not wanted", path(at, k.String()), Show(v)))
		}
	}
	return all
}

func listDifferences(at string, l, want *value.List, exact bool) []string {
	var all []string
	for i := range max(l.Len(), want.Len()) {
		item := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case i >= l.Len():
			all = append(all, fmt.Sprintf("%s is missing, want %s", item, Show(want.At(i))))
		case i >= want.Len():
			all = append(all, fmt.Sprintf("%s is %s, and not wanted", item, Show(l.At(i))))
		default:
			all = append(all, Differences(item, l.At(i), want.At(i), exact)...)
		}
	}
	return all
}

func path(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// Show is v as JSON, cut where it is long.
func Show(v value.Value) string {
	if v == nil {
		return "nothing"
	}
	const most = 400
	text := string(value.MustJSON(value.Printable(v)))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
