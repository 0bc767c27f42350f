// Package rollout is the function that decides, between two steps of a gradual
// rollout, where a service's traffic goes. It changes nothing itself: the
// workflow writes its answer to the service, with the etag.
package rollout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/kakehi/kakehi/internal/identity"
	"github.com/kakehi/kakehi/internal/rollout"
	"github.com/kakehi/kakehi/internal/step"
)

func init() {
	d := decider{
		client: &http.Client{Timeout: 30 * time.Second}, identity: identity.Metadata{}, now: time.Now,
		logging: "https://logging.googleapis.com",
	}
	functions.HTTP("rollout", d.handler())
}

func (d *decider) handler() http.HandlerFunc { return step.JSON(d.decide) }

// request asks for one decision.
type request struct {
	Service   json.RawMessage `json:"service"` // Cloud Run v2 Service, as it was just read
	Policy    rollout.Policy  `json:"policy"`
	Candidate string          `json:"candidate"` // revision
	Execution string          `json:"execution"` // that deployed the candidate
	Started   time.Time       `json:"started"`   // of the rollout; default: now, at the first call
}

type decider struct {
	client   *http.Client
	identity interface {
		AccessToken(ctx context.Context) (string, error)
	}
	now     func() time.Time
	logging string // endpoint of the Cloud Logging API
}

// decide answers the same for the same service and the same log: a repeated
// request does no harm.
func (d *decider) decide(ctx context.Context, req *request) (rollout.Answer, error) {
	policy := req.Policy.WithDefaults()
	if err := policy.Validate(); err != nil {
		return rollout.Answer{}, step.Invalid(err)
	}
	if req.Candidate == "" {
		return rollout.Answer{}, step.Invalid(errors.New("candidate is missing: want the name of a revision"))
	}
	service, err := rollout.ParseService(req.Service)
	if err != nil {
		return rollout.Answer{}, step.Invalid(err)
	}
	started := req.Started
	if started.IsZero() {
		started = d.now()
	}
	state, err := service.State(req.Candidate, req.Execution, started)
	if superseded := (*rollout.SupersededError)(nil); errors.As(err, &superseded) {
		return service.Keep(superseded.Error()), nil
	}
	if err != nil {
		return rollout.Answer{}, step.Invalid(err)
	}
	var sample rollout.Sample
	if state.Phase == rollout.Progressing && state.Step >= 0 { // before, there was no traffic to look at
		sample = d.sample(ctx, service, state, policy)
	}
	return service.Apply(rollout.Decide(d.now(), policy, state, sample))
}

// sample reads the evidence. A source that fails is no evidence, not an error:
// the rollout holds, and looks again.
func (d *decider) sample(ctx context.Context, service *rollout.Service, state rollout.State, policy rollout.Policy) rollout.Sample {
	entries, whole, err := d.entries(ctx, service.Project(), service.Filter(state))
	if err != nil {
		return rollout.Sample{Failed: err.Error()}
	}
	if !whole {
		entries = rollout.Settled(entries)
	}
	return rollout.Count(entries, state, policy.Latency())
}

// maxPages bounds one look at the log; what is left over is read at the next.
const (
	maxPages = 50
	pageSize = 1000
	maxPage  = 64 << 20
)

// entries reads the log by time, and says whether it came to its end.
func (d *decider) entries(ctx context.Context, project, filter string) (all []rollout.Entry, whole bool, err error) {
	token, err := d.identity.AccessToken(ctx)
	if err != nil {
		return nil, false, err
	}
	page := ""
	for range maxPages {
		var answer struct {
			Entries       []rollout.Entry `json:"entries"`
			NextPageToken string          `json:"nextPageToken"`
		}
		err := d.call(ctx, token, map[string]any{
			"resourceNames": []string{"projects/" + project}, "filter": filter,
			"orderBy": "timestamp asc", "pageSize": pageSize, "pageToken": page,
		}, &answer)
		if err != nil {
			return nil, false, err
		}
		all = append(all, answer.Entries...)
		if page = answer.NextPageToken; page == "" {
			return all, true, nil
		}
	}
	return all, false, nil
}

// call is logging.googleapis.com/v2/entries:list.
func (d *decider) call(ctx context.Context, token string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.logging+"/v2/entries:list", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return fmt.Errorf("read the request log: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return fmt.Errorf("read the request log: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("read the request log: %s (the function's service account needs roles/logging.viewer): %s", resp.Status, bytes.TrimSpace(text[:min(len(text), 300)]))
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("read the request log: %w", err)
	}
	return nil
}
