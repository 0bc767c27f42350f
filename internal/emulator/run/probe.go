package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
)

// startupPeriod is how long an instance may take to become ready.
func startupPeriod(p *runpb.Probe) time.Duration {
	return seconds(p.InitialDelaySeconds) + seconds(p.PeriodSeconds)*time.Duration(p.FailureThreshold)
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// awaitStart probes until one probe succeeds. The cloud probes once a period;
// probing more often within the same total time is a choice, so that a start
// here takes no longer than the container does.
func (i *instance) awaitStart(ctx context.Context, p *runpb.Probe) error {
	const first, most = 2 * time.Millisecond, 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, startupPeriod(p))
	defer cancel()
	wait := first + seconds(p.InitialDelaySeconds)
	var last error
	for {
		select {
		case <-i.ended:
			return errors.New(exitReason(i.container.Wait()))
		case <-ctx.Done():
			return fmt.Errorf("it was not ready after %v: %w", startupPeriod(p), errors.Join(ctx.Err(), last))
		case <-time.After(wait):
		}
		err := i.check(ctx, p)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // an answer says more than that the time is over
			last = err
		}
		wait = min(max(wait, first)*3/2, most)
	}
}

// watch is the liveness probe: the pool stops an instance that fails it, and
// starts another if it is needed.
func (i *instance) watch(p *runpb.Probe) {
	wait := seconds(p.InitialDelaySeconds)
	for failures := int32(0); failures < p.FailureThreshold; wait = seconds(p.PeriodSeconds) {
		select {
		case <-i.done.Done():
			return
		case <-time.After(wait):
		}
		if err := i.check(i.done, p); err != nil {
			failures++
		} else {
			failures = 0
		}
	}
	i.give()
}

// check probes once.
func (i *instance) check(ctx context.Context, p *runpb.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, seconds(p.TimeoutSeconds))
	defer cancel()
	get := p.GetHttpGet()
	if get == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", i.address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.address+"/"+strings.TrimPrefix(get.Path, "/"), nil)
	if err != nil {
		return err
	}
	for _, h := range get.HttpHeaders {
		req.Header.Add(h.Name, h.Value)
	}
	res, err := i.probes.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode < 200 || res.StatusCode >= 400 {
		return fmt.Errorf("GET %s answered %s", get.Path, res.Status)
	}
	return nil
}

// newProbeClient keeps no connection: a probe is about a new one.
func newProbeClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
