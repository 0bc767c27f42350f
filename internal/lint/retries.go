package lint

import (
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/workflow"
)

// policy is a ready-made retry policy.
type policy int

const (
	noPolicy policy = iota
	idempotent
	nonIdempotent
)

// policyOf tells which ready-made policy a retry uses, whole or in part.
func policyOf(r *workflow.Retry) policy {
	if r == nil {
		return noPolicy
	}
	for _, n := range []workflow.Node{r.Policy, r.Predicate} {
		switch name(n) {
		case "http.default_retry", "http.default_retry_predicate":
			return idempotent
		case "http.default_retry_non_idempotent", "http.default_retry_predicate_non_idempotent":
			return nonIdempotent
		}
	}
	return noPolicy
}

func (l *linter) try(t *workflow.Try, a around) {
	inner := around{repeats: a.repeats, caught: a.caught || t.Except != nil}
	p := policyOf(t.Retry)
	if p == idempotent {
		inner.repeats = p
	}
	if p != noPolicy && !inner.caught && requests(t.Body) {
		l.warn(t.Retry.At, "retry-500", "write a predicate of your own that also takes code 500, or handle it in an except",
			"no ready-made policy retries on HTTP status 500, so that it fails at once, and nothing here catches it")
	}
	l.step(t.Body, inner)
	if t.Except != nil {
		l.steps(t.Except.Steps, a)
	}
}

// requests reports whether a step makes HTTP requests of its own.
func requests(s *workflow.Step) bool {
	found := false
	workflow.Walk([]*workflow.Step{s}, func(s *workflow.Step) bool {
		c, ok := s.Do.(*workflow.Call)
		found = found || ok && strings.HasPrefix(c.Func, "http.")
		return !found
	})
	return found
}

// guards are query parameters and headers, in lower case, by which a server
// knows a request that it has had.
var guards = []string{"ifgenerationmatch", "ifmetagenerationmatch", "requestid", "request_id", "if-match", "if-none-match", "idempotency-key", "x-idempotency-key"}

func recognizable(c *workflow.Call) bool {
	for _, of := range []string{"query", "headers"} {
		m, ok := argument(c, of).(*workflow.Map)
		if !ok {
			continue
		}
		for _, e := range m.Entries {
			if slices.Contains(guards, strings.ToLower(text(e.Key))) {
				return true
			}
		}
	}
	return false
}

// repeated warns of a request that a retry may send twice.
func (l *linter) repeated(c *workflow.Call, a around) {
	if a.repeats != idempotent {
		return
	}
	method := ""
	switch c.Func {
	case "http.post", "http.patch":
		method = strings.ToUpper(strings.TrimPrefix(c.Func, "http."))
	case "http.request":
		method = strings.ToUpper(text(argument(c, "method")))
	}
	if (method == "POST" || method == "PATCH") && !recognizable(c) {
		l.warn(c.At, "retry-post", "use http.default_retry_non_idempotent, unless the server knows a repeated request",
			"http.default_retry may send this "+method+" twice: it also retries after an answer that was lost")
	}
}
