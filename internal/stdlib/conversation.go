package stdlib

import (
	"net/http"
	"time"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// conversation is what a connector says to an API until its method is done:
// requests, which are repeated by the ready-made retry policies, and polls.
type conversation struct {
	c           *interp.Context
	connector   string    // its name, for errors
	at          time.Time // of the latest answer, or of the begin
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
	k.at = c.Now()
	k.deadline = k.at.Add(timeout)
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
//
// Source: cloud.google.com/workflows/docs/connectors.
func (k *conversation) send(verb, url string, h http.Header, body []byte, then func(value.Value) interp.Next) interp.Next {
	retry := nonIdempotent
	if verb == http.MethodGet {
		retry = idempotent
	}
	backoff := standardDelays()
	retries := 0
	var try func() interp.Next
	try = func() interp.Next {
		timeout := min(time.Duration(k.c.Limits().ConnectorTimeout)*time.Second, k.deadline.Sub(k.at))
		req := &interp.Request{Method: verb, URL: url, Header: h, Body: body, Auth: k.auth, Timeout: timeout}
		return interp.Do(req, func(r interp.Result) interp.Next {
			k.at = r.At
			next := answer(r)
			if next.Err == nil {
				v, _ := next.Value.(*value.Map).Get("body")
				return then(v)
			}
			failed, ok := next.Err.(*value.Error)
			switch {
			case ok && isNotEmulated(failed):
				return interp.Fail(notEmulated(k.connector, failed))
			case !ok || failed.Fatal || retries >= maxRetries || !retry.holds(failed.Payload):
				return next
			}
			retries++
			return k.pause(backoff.next(), try)
		})
	}
	return try()
}

// pause waits, unless the time of the whole call runs out before.
func (k *conversation) pause(d time.Duration, then func() interp.Next) interp.Next {
	if left := k.deadline.Sub(k.at); d >= left {
		return interp.Do(interp.Sleep{For: left}, func(interp.Result) interp.Next {
			return interp.Fail(value.NewError("connector timed out", value.TimeoutError))
		})
	}
	return interp.Do(interp.Sleep{For: d}, func(r interp.Result) interp.Next {
		k.at = r.At
		return then()
	})
}
