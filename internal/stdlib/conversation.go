package stdlib

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// conversation is what a connector says to an API until its method is done:
// requests, which are repeated by the ready-made retry policies, and polls.
type conversation struct {
	c           *interp.Context
	deadline    time.Time
	auth        *interp.Auth
	polling     delays
	skipPolling bool
}

// delays grow from initial by multiplier up to most, in seconds.
type delays struct{ initial, multiplier, most float64 }

func (d *delays) next() time.Duration {
	now := min(d.initial, d.most)
	d.initial = min(d.initial*d.multiplier, d.most)
	return interp.Seconds(now)
}

func standardDelays() delays { return delays{initialDelay, multiplier, maxDelay} }

// newConversation reads connector_params, which may be missing.
func newConversation(c *interp.Context, waits bool, args *value.Map) (*conversation, error) {
	k := &conversation{c: c, polling: standardDelays()}
	params := value.NewMap()
	if v, ok := args.Get("connector_params"); ok && given(v) {
		var err error
		if params, err = mapArg(v, "connector_params"); err != nil {
			return nil, err
		}
	}
	limits := c.Limits()
	most := limits.ConnectorTimeout
	if waits {
		most = limits.ConnectorMaxWaitTimeout
	}
	v, _ := params.Get("timeout")
	timeout, err := durationArg(v, "connector_params.timeout", limits.ConnectorTimeout, most)
	if err != nil {
		return nil, err
	}
	k.deadline = c.Now().Add(timeout)
	v, _ = params.Get("skip_polling")
	if k.skipPolling, err = boolArg(v, "connector_params.skip_polling", false); err != nil {
		return nil, err
	}
	if v, ok := params.Get("polling_policy"); ok && given(v) {
		if err := k.polling.read(v); err != nil {
			return nil, err
		}
	}
	scopes, err := scopesOf(params)
	k.auth = &interp.Auth{Scopes: scopes}
	return k, err
}

func (d *delays) read(v value.Value) error {
	m, err := mapArg(v, "connector_params.polling_policy")
	if err != nil {
		return err
	}
	settings := map[string]*float64{"initial_delay": &d.initial, "multiplier": &d.multiplier, "max_delay": &d.most}
	for _, key := range sortedKeys(settings) {
		to := settings[key]
		v, _ := m.Get(key)
		if !given(v) {
			continue
		}
		n, err := numberArg(v, "polling_policy."+key)
		if err != nil {
			return err
		}
		if !(n > 0) {
			return value.Errorf(value.ValueError, "argument 'polling_policy.%s' must be positive", key)
		}
		*to = n
	}
	return nil
}

// send makes a request, again where the policy for its method says so, and
// goes on with the decoded body.
func (k *conversation) send(verb, url string, h http.Header, body []byte, then func(value.Value) interp.Next) interp.Next {
	retry := nonIdempotent
	if verb == http.MethodGet {
		retry = idempotent
	}
	backoff := standardDelays()
	retries := 0
	var try func() interp.Next
	now := time.Time{}
	try = func() interp.Next {
		left := time.Duration(k.c.Limits().HTTPTimeout) * time.Second
		if !now.IsZero() {
			left = min(left, k.deadline.Sub(now))
		}
		req := &interp.Request{Method: verb, URL: url, Header: h, Body: body, Auth: k.auth, Timeout: left}
		return interp.Do(req, func(r interp.Result) interp.Next {
			now = r.At
			next := answer(r)
			var failed *value.Error
			if next.Err != nil {
				failed, _ = next.Err.(*value.Error)
			}
			if failed == nil {
				v, _ := next.Value.(*value.Map).Get("body")
				return then(v)
			}
			if failed.Fatal || retries >= maxRetries || !retry.holds(failed.Payload) {
				return next
			}
			retries++
			return k.pause(r.At, backoff.next(), try)
		})
	}
	return try()
}

// pause waits, unless the time of the whole call runs out before.
func (k *conversation) pause(now time.Time, d time.Duration, then func() interp.Next) interp.Next {
	if left := k.deadline.Sub(now); d >= left {
		return interp.Do(interp.Sleep{For: left}, func(interp.Result) interp.Next {
			return interp.Fail(value.NewError("connector timed out", value.TimeoutError))
		})
	}
	return interp.Do(interp.Sleep{For: d}, func(interp.Result) interp.Next { return then() })
}

// waiter looks at a resource and says whether it is done, and how it ended.
type waiter func(v *value.Map) (done bool, result value.Value, err error)

var waits = map[string]waiter{"operation": operationDone, "job": jobDone}

// poll reads the resource that v names until it is done. Each poll counts as a
// step.
func (k *conversation) poll(base string, v value.Value, done waiter) interp.Next {
	m, ok := v.(*value.Map)
	if !ok {
		return interp.Fail(value.NewError("the API did not answer with a resource to wait for", value.ResponseTypeError))
	}
	finished, result, err := done(m)
	switch {
	case err != nil:
		return interp.Fail(err)
	case finished:
		return interp.Done(result)
	}
	name, _ := m.Get("name")
	s, ok := name.(value.String)
	if !ok || s == "" {
		return interp.Fail(value.NewError("the resource to wait for has no name", value.ResponseTypeError))
	}
	return k.pause(k.c.Now(), k.polling.next(), func() interp.Next {
		if err := k.c.CountStep(); err != nil {
			return interp.Fail(err)
		}
		h := http.Header{"User-Agent": {userAgent}}
		return k.send(http.MethodGet, base+string(s), h, nil, func(v value.Value) interp.Next { return k.poll(base, v, done) })
	})
}

func operationError(message string, resource *value.Map) *value.Error {
	return value.NewError(message, value.OperationError).With("operation", resource)
}

// operationDone waits for a google.longrunning.Operation.
func operationDone(op *value.Map) (bool, value.Value, error) {
	if done, _ := op.Get("done"); done != value.Value(value.Bool(true)) {
		return false, nil, nil
	}
	if failure, ok := op.Get("error"); ok {
		message := "the operation failed"
		if m, ok := failure.(*value.Map); ok {
			if s, ok := m.Get("message"); ok {
				message, _ = interp.Text(s)
			}
		}
		return true, nil, operationError(message, op).With("error", failure)
	}
	if response, ok := op.Get("response"); ok {
		return true, response, nil
	}
	return true, value.Null{}, nil
}

// jobDone waits for a Vertex AI job. That a cancelled or expired job is an
// error is a choice.
func jobDone(job *value.Map) (bool, value.Value, error) {
	v, _ := job.Get("state")
	state, _ := v.(value.String)
	switch {
	case state == "JOB_STATE_SUCCEEDED" || state == "JOB_STATE_PARTIALLY_SUCCEEDED":
		return true, job, nil
	case slices.Contains([]value.String{"JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}, state):
		e := operationError("the job ended in state "+strings.TrimPrefix(string(state), "JOB_STATE_"), job)
		if failure, ok := job.Get("error"); ok {
			e.With("error", failure)
		}
		return true, nil, e
	}
	return false, nil, nil
}
