// Package probe is the step that looks at a deployment before it gets any
// traffic: it waits until the service is ready, and checks that it repeats the
// golden predictions that the trainer computed.
package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/identity"
	"github.com/kakehi/kakehi/internal/serving"
	"github.com/kakehi/kakehi/internal/step"
)

func init() {
	p := prober{identity: identity.Metadata{}, client: &http.Client{
		// A redirect would carry the token to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	functions.HTTP("probe", p.handler())
}

func (p *prober) handler() http.HandlerFunc {
	return step.Executor([]string{"golden"}, nil, p.probe)
}

type prober struct {
	client   *http.Client
	identity interface {
		IDToken(ctx context.Context, audience string) (string, error)
	}
}

type params struct {
	URL       string  `json:"url"`       // base URL to call, such as the URL of a tag
	Audience  string  `json:"audience"`  // of the ID token: the service's root URL; default: url
	Tolerance float64 `json:"tolerance"` // between numbers of predictions
	Timeout   float64 `json:"timeout"`   // seconds until the service must be ready
}

func (p *params) check() error {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("parameter url: %q is not an http(s) URL", p.URL)
	}
	if p.Audience == "" {
		p.Audience = p.URL
	}
	if !(p.Tolerance >= 0) || !(p.Timeout > 0 && p.Timeout <= 1800) {
		return fmt.Errorf("parameters tolerance and timeout: want 0 or more, and 0 to 1800 seconds; got %v and %v", p.Tolerance, p.Timeout)
	}
	p.URL = strings.TrimSuffix(p.URL, "/")
	return nil
}

func (p *prober) probe(ctx context.Context, env step.Env, in *executor.Input, out *executor.Output) error {
	set := params{Tolerance: 1e-9, Timeout: 60}
	if err := in.Params(&set); err != nil {
		return step.Invalid(err)
	}
	if err := set.check(); err != nil {
		return step.Invalid(err)
	}
	golden, err := readGolden(env, in)
	if err != nil {
		return err
	}
	token, err := p.identity.IDToken(ctx, set.Audience)
	if err != nil {
		return step.Unavailable("%v", err)
	}
	began := time.Now()
	if err := p.ready(ctx, &set, token); err != nil {
		return err
	}
	most := 0.0
	const batch = 200
	for from := 0; from < len(golden); from += batch {
		d, err := p.compare(ctx, &set, token, from, golden[from:min(from+batch, len(golden))])
		if err != nil {
			return err
		}
		most = math.Max(most, d)
	}
	out.Set("rows", len(golden))
	out.Set("max_difference", most)
	out.Set("seconds", time.Since(began).Seconds())
	return nil
}

func readGolden(env step.Env, in *executor.Input) ([]serving.Golden, error) {
	if _, bound := in.Inputs.Artifacts["golden"]; !bound {
		return nil, nil
	}
	a, err := in.Artifact("golden")
	if err != nil {
		return nil, step.Invalid(err)
	}
	file, err := env.Files.Open(a)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := serving.ReadGolden(file)
	if err != nil {
		return nil, step.Refused("artifact golden (%s): %v", a.URI, err)
	}
	if len(rows) == 0 {
		return nil, step.Refused("artifact golden (%s) has no rows", a.URI)
	}
	return rows, nil
}

// ready asks for the health until it is good or the time is over. Every other
// answer may be passing: a service that just came up, or a role binding that
// has not reached every place.
func (p *prober) ready(ctx context.Context, set *params, token string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(set.Timeout*float64(time.Second)))
	defer cancel()
	pause := 100 * time.Millisecond
	last, denied := "no answer", false
	for {
		status, body, err := p.call(ctx, http.MethodGet, set.URL+"/health", token, nil)
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err == nil:
			last = fmt.Sprintf("%d %s: %s", status, http.StatusText(status), body)
			denied = status == http.StatusUnauthorized || status == http.StatusForbidden
		case ctx.Err() == nil: // else the time is over, and the answer before is the last one
			last, denied = err.Error(), false
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Second)
		case <-ctx.Done():
			if denied {
				return step.Denied("%s/health answered %s; grant roles/run.invoker to the steps' service account, and check the audience %s", set.URL, last, set.Audience)
			}
			return step.Unavailable("%s is not ready after %vs; last answer: %s", set.URL, set.Timeout, last)
		}
	}
}

// compare sends golden instances and returns the greatest difference.
func (p *prober) compare(ctx context.Context, set *params, token string, from int, golden []serving.Golden) (float64, error) {
	var req struct {
		Instances []json.RawMessage `json:"instances"`
	}
	for _, g := range golden {
		req.Instances = append(req.Instances, g.Instance)
	}
	body, err := json.Marshal(req)
	if err != nil {
		return 0, fmt.Errorf("encode the golden instances: %w", err)
	}
	status, answer, err := p.call(ctx, http.MethodPost, set.URL+"/predict", token, body)
	if err != nil {
		return 0, step.Unavailable("%s/predict: %v", set.URL, err)
	}
	if status != http.StatusOK {
		return 0, step.Refused("%s/predict answered %d %s to golden rows from %d: %s", set.URL, status, http.StatusText(status), from, answer)
	}
	var got struct {
		Predictions []json.RawMessage `json:"predictions"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || len(got.Predictions) != len(golden) {
		return 0, step.Refused("%s/predict answered %d predictions to %d golden rows", set.URL, len(got.Predictions), len(golden))
	}
	most := 0.0
	for i, g := range golden {
		d, err := serving.Difference(g.Prediction, got.Predictions[i])
		if err != nil {
			return 0, step.Refused("golden row %d: %v: the service does not serve the model that was trained", from+i+1, err)
		}
		if d > set.Tolerance {
			return 0, step.Refused("golden row %d: the prediction differs by %.3g, more than %.3g: the service does not serve the model that was trained", from+i+1, d, set.Tolerance)
		}
		most = math.Max(most, d)
	}
	return most, nil
}

func (p *prober) call(ctx context.Context, method, url, token string, body []byte) (int, []byte, error) {
	const most = 16 << 20
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if resp.StatusCode != http.StatusOK && len(answer) > 300 {
		answer = append(bytes.ToValidUTF8(answer[:300], nil), "…"...)
	}
	return resp.StatusCode, answer, err
}
