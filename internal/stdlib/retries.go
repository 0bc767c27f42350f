package stdlib

import (
	"slices"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// condition is what a ready-made policy retries on.
//
// Source: cloud.google.com/workflows/docs/reference/syntax/retrying.
type condition struct {
	codes []int64
	tags  []value.Tag
}

var (
	idempotent = condition{
		codes: []int64{429, 502, 503, 504},
		tags:  []value.Tag{value.ConnectionError, value.ConnectionFailedError, value.TimeoutError},
	}
	nonIdempotent = condition{
		codes: []int64{429, 503},
		tags:  []value.Tag{value.ConnectionFailedError},
	}
)

func (c condition) holds(payload value.Value) bool {
	m, ok := payload.(*value.Map)
	if !ok {
		return false
	}
	if code, ok := m.Get("code"); ok {
		if n, ok := code.(value.Int); ok && slices.Contains(c.codes, int64(n)) {
			return true
		}
	}
	e := value.Error{Payload: payload}
	return slices.ContainsFunc(c.tags, e.HasTag)
}

func (c condition) predicate(name string) Entry {
	return pure(name, name+"(e)", []string{"e"}, 1, func(a []value.Value) (value.Value, error) {
		return value.Bool(c.holds(a[0])), nil
	})
}

// The ready-made backoff, in seconds.
const (
	maxRetries   = 5
	initialDelay = 1.0
	maxDelay     = 60.0
	multiplier   = 1.25
)

func named(name, example string, v value.Value) Entry {
	return Entry{Name: name, Example: example, Func: interp.Func{Value: value.Freeze(v)}}
}

func backoff() *value.Map {
	return value.NewMap().
		Put("initial_delay", value.Int(initialDelay)).
		Put("max_delay", value.Int(maxDelay)).
		Put("multiplier", value.Double(multiplier))
}

func retryPolicy(predicate string) *value.Map {
	return value.NewMap().
		Put("predicate", value.Func(predicate)).
		Put("max_retries", value.Int(maxRetries)).
		Put("backoff", backoff())
}

var retries = []Entry{
	named("http.default_retry", `retry: ${http.default_retry}`, retryPolicy("http.default_retry_predicate")),
	named("http.default_retry_non_idempotent", `retry: ${http.default_retry_non_idempotent}`, retryPolicy("http.default_retry_predicate_non_idempotent")),
	idempotent.predicate("http.default_retry_predicate"),
	nonIdempotent.predicate("http.default_retry_predicate_non_idempotent"),
	pure("retry.always", `predicate: ${retry.always}`, []string{"exception"}, 1, func([]value.Value) (value.Value, error) { return value.Bool(true), nil }),
	pure("retry.never", `predicate: ${retry.never}`, []string{"exception"}, 1, func([]value.Value) (value.Value, error) { return value.Bool(false), nil }),
	named("retry.default_backoff", `backoff: ${retry.default_backoff}`, backoff()),
}
