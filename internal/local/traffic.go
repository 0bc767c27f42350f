package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/kakehi/kakehi/internal/rollout"
	"github.com/kakehi/kakehi/internal/serving"
)

const (
	// lookEvery is the time between two looks for rollouts.
	lookEvery = 500 * time.Millisecond
	// maxInFlight bounds the requests under way to one service.
	maxInFlight = 16
)

// Traffic plays the users of the services that are being rolled out: nobody else
// calls them here, and a rollout moves on evidence only. It sends a service the
// golden rows of its model while the rollout lasts.
type Traffic struct {
	cloud  *Cloud
	rate   float64 // requests a second
	say    func(format string, args ...any)
	http   *http.Client
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// StartTraffic sends rate requests a second to each service under rollout until
// Stop. A rate of 0 sends none.
func (c *Cloud) StartTraffic(rate float64, say func(format string, args ...any)) *Traffic {
	ctx, cancel := context.WithCancel(context.Background())
	t := &Traffic{
		cloud: c, rate: rate, say: say, cancel: cancel,
		http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: maxInFlight}},
	}
	if rate > 0 {
		t.work.Add(1)
		go t.look(ctx)
	}
	return t
}

// Stop ends the traffic and waits for the answers under way.
func (t *Traffic) Stop() {
	t.cancel()
	t.work.Wait()
	t.http.CloseIdleConnections()
}

// look starts and ends the traffic of each service as rollouts come and go.
func (t *Traffic) look(ctx context.Context) {
	defer t.work.Done()
	under := map[string]context.CancelFunc{}
	defer func() {
		for _, end := range under {
			end()
		}
	}()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		services, err := t.cloud.Client.Services(ctx)
		if err != nil {
			continue // the cloud is closing; or the next look succeeds
		}
		for id, s := range services {
			end := under[id]
			switch progressing := isProgressing(s); {
			case progressing && end == nil:
				under[id] = t.begin(ctx, id, s)
			case !progressing && end != nil:
				end()
				delete(under, id)
			}
		}
	}
}

// isProgressing says whether a service's rollout still decides.
func isProgressing(s *runpb.Service) bool {
	var state rollout.State
	err := json.Unmarshal([]byte(s.Annotations[rollout.Annotation]), &state)
	return err == nil && state.Phase == rollout.Progressing
}

// begin starts the traffic to a service and returns what ends it.
func (t *Traffic) begin(ctx context.Context, id string, s *runpb.Service) context.CancelFunc {
	rows, err := t.cloud.golden(s)
	if err != nil || len(rows) == 0 {
		t.say("no golden rows to send to %s: its rollout sees no traffic", id)
		return func() {}
	}
	t.say("sending %g golden rows a second to %s, as its users", t.rate, id)
	ctx, cancel := context.WithCancel(ctx)
	t.work.Add(1)
	go func() {
		defer t.work.Done()
		t.send(ctx, "http://"+t.cloud.Addr+"/run/"+id+"/predict", rows)
	}()
	return cancel
}

// send posts one row after another, skipping a beat when maxInFlight answers
// are awaited. What comes back is the platform's to count.
func (t *Traffic) send(ctx context.Context, url string, rows []serving.Golden) {
	tick := time.NewTicker(time.Duration(float64(time.Second) / t.rate))
	defer tick.Stop()
	slots := make(chan struct{}, maxInFlight)
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case slots <- struct{}{}:
			t.work.Add(1)
			go func() {
				defer t.work.Done()
				defer func() { <-slots }()
				t.post(ctx, url, rows[i%len(rows)].Instance)
			}()
		default:
		}
	}
}

func (t *Traffic) post(ctx context.Context, url string, instance json.RawMessage) {
	body := fmt.Appendf(nil, `{"instances":[%s]}`, instance)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.http.Do(req)
	if err != nil {
		return // the rollout ended, or the service answers for itself in its log
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}

// golden reads the golden rows of the model that is on trial or serves.
func (c *Cloud) golden(s *runpb.Service) ([]serving.Golden, error) {
	file, ok := c.File(s.Annotations[rollout.GoldenAnnotation])
	if !ok {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return serving.ReadGolden(f)
}

// ExampleRequest is a request body that the model of a service takes, or "" if
// none is known.
func (c *Cloud) ExampleRequest(ctx context.Context, service string) string {
	s, err := c.Client.Service(ctx, service)
	if err != nil {
		return ""
	}
	rows, err := c.golden(s)
	if err != nil || len(rows) == 0 {
		return ""
	}
	return fmt.Sprintf(`{"instances": [%s]}`, rows[0].Instance)
}
