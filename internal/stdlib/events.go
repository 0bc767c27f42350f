package stdlib

import (
	"maps"
	"slices"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

var events = []Entry{
	{Name: "events.await_callback", Example: `events.await_callback: {callback: ${endpoint}, timeout: 3600}`,
		Func: interp.Func{Params: []string{"callback", "timeout"}, Required: 1, Start: awaitCallback}},
	{Name: "events.create_callback_endpoint", Example: `events.create_callback_endpoint("POST")`,
		Func: interp.Func{Params: []string{"http_callback_method"}, Eval: createCallback}},
}

var callbackMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}

// createCallback is not among the calls that the reference lists as blocking
// (syntax/expressions), so an expression may make it.
func createCallback(c *interp.Context, a []value.Value) (value.Value, error) {
	method, err := optionalText(a[0], "http_callback_method", "POST")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(callbackMethods, method) {
		return nil, value.Errorf(value.ValueError, "unknown HTTP method %q", method)
	}
	return value.NewMap().Put("url", value.String(c.CreateCallback(method))), nil
}

func awaitCallback(c *interp.Context, a []value.Value) interp.Next {
	m, err := mapArg(a[0], "callback")
	if err != nil {
		return interp.Fail(err)
	}
	v, ok := m.Get("url")
	if !ok {
		return interp.Fail(value.Errorf(value.ValueError, "argument 'callback' has no url: it must come from events.create_callback_endpoint"))
	}
	url, err := textArg(v, "callback.url")
	if err != nil {
		return interp.Fail(err)
	}
	limits := c.Limits()
	timeout, err := durationArg(a[1], "timeout", limits.CallbackTimeout, limits.ExecutionSeconds)
	if err != nil {
		return interp.Fail(err)
	}
	return interp.Do(interp.Await{URL: url, Timeout: timeout}, func(r interp.Result) interp.Next {
		if r.Err != nil {
			return interp.Fail(r.Err)
		}
		return interp.Done(value.NewMap().
			Put("http_request", callbackRequest(r.Callback)).
			Put("received_time", seconds(r.At)).
			Put("type", value.String("HTTP")))
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
