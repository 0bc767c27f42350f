package evaluate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/kakehi/kakehi/internal/dataset"
	"github.com/kakehi/kakehi/internal/executor"
	"github.com/kakehi/kakehi/internal/serving"
	"github.com/kakehi/kakehi/internal/step"
)

// evaluator reaches the champion over the network.
type evaluator struct {
	client   *http.Client
	identity interface {
		IDToken(ctx context.Context, audience string) (string, error)
		ServiceURL(ctx context.Context, service string) (string, error)
	}
}

// prediction is what a classifier of this project answers for an instance.
type prediction struct {
	Label string `json:"label"`
}

var serviceName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,47}[a-z0-9])?$`)

// maxAnswer bounds what is read of a champion's answer.
const maxAnswer = 16 << 20

// errRefused is a champion that cannot score these rows: it was trained on
// other features.
var errRefused = errors.New("the champion refused the rows")

// scoreChampion runs the champion on the same rows. Without one, the note says
// why.
func (e *evaluator) scoreChampion(ctx context.Context, service string, t *dataset.Table) (*executor.Classification, string, error) {
	if service == "" {
		return nil, "no champion was named", nil
	}
	if !serviceName.MatchString(service) {
		return nil, "", step.Invalid(fmt.Errorf("parameter champion: %q is not the name of a Cloud Run service", service))
	}
	url, err := e.identity.ServiceURL(ctx, service)
	if err != nil {
		return nil, "", step.Unavailable("champion %s: %v", service, err)
	}
	token, err := e.identity.IDToken(ctx, url)
	if err != nil {
		return nil, "", step.Unavailable("champion %s: %v", service, err)
	}
	errNone := errors.New("no such service")
	counts, err := score(ctx, t, func(ctx context.Context, instances []any) ([]prediction, error) {
		req, err := predictRequest(ctx, url, instances)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := e.client.Do(req)
		if err != nil {
			return nil, step.Unavailable("champion %s: %v", service, err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return nil, step.Unavailable("champion %s: %v", service, err)
		}
		switch {
		case resp.StatusCode == http.StatusNotFound:
			return nil, errNone
		case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
			return nil, step.Denied("champion %s answered %s: grant roles/run.invoker on the service to the steps' service account", service, resp.Status)
		case resp.StatusCode == http.StatusBadRequest:
			return nil, fmt.Errorf("%w: %s", errRefused, clip(body))
		case resp.StatusCode != http.StatusOK:
			return nil, step.Unavailable("champion %s answered %s: %s", service, resp.Status, clip(body))
		}
		return decodePredictions(body)
	})
	switch known := (*step.Error)(nil); {
	case err == nil:
		return counts, "", nil
	case errors.Is(err, errNone):
		return nil, "service " + service + " does not exist yet", nil
	case errors.As(err, &known):
		return nil, "", err
	default: // it serves something else: not comparable, which the report says
		return nil, fmt.Sprintf("service %s is not comparable: %v", service, err), nil
	}
}

// predictHere scores the instances in this process, by the same decoding and
// in the same form as a model server answers.
func predictHere(ctx context.Context, model serving.Predictor, instances []any) ([]prediction, error) {
	raw, err := json.Marshal(instances)
	if err != nil {
		return nil, fmt.Errorf("encode the instances: %w", err)
	}
	answers, err := serving.Predict(ctx, model, raw)
	if err != nil {
		return nil, fmt.Errorf("the model refused the rows: %w", err)
	}
	body, err := json.Marshal(map[string]any{"predictions": answers})
	if err != nil {
		return nil, fmt.Errorf("encode the predictions: %w", err)
	}
	return decodePredictions(body)
}

func predictRequest(ctx context.Context, url string, instances []any) (*http.Request, error) {
	body, err := json.Marshal(map[string]any{"instances": instances})
	if err != nil {
		return nil, fmt.Errorf("encode the instances: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/predict", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

func decodePredictions(body []byte) ([]prediction, error) {
	var answer struct {
		Predictions []prediction `json:"predictions"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("the answer is not {\"predictions\": [{\"label\": …}]}: %w", err)
	}
	return answer.Predictions, nil
}

func clip(text []byte) string {
	const most = 300
	s := strings.TrimSpace(strings.ToValidUTF8(string(text), ""))
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
