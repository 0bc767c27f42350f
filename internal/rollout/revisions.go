package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
)

// The annotations of a Cloud Run service that say what its revisions serve.
const (
	// RevisionsAnnotation is the JSON of a map of revisions: of the one
	// deployed last, and of the stable one.
	RevisionsAnnotation = "kakehi.dev/revisions"
	// ModelAnnotation and GoldenAnnotation are of the revision on trial and,
	// when the trial has ended, of the one that serves.
	ModelAnnotation  = "kakehi.dev/model"
	GoldenAnnotation = "kakehi.dev/golden"
)

// handTag marks a revision as the candidate by hand, for a rollout of its own.
const handTag = "candidate"

// A revision is what a deployment noted.
type revision struct {
	Model  string `json:"model,omitempty"`
	Golden string `json:"golden,omitempty"`
	Tag    string `json:"tag,omitempty"` // as long as it is on trial
}

func (s *Service) revisions() (map[string]revision, error) {
	text, ok := s.Annotations[RevisionsAnnotation]
	if !ok {
		return nil, nil
	}
	var known map[string]revision
	if err := json.Unmarshal([]byte(text), &known); err != nil {
		return nil, fmt.Errorf("annotation %s of service %s is damaged (remove it to start anew): %w", RevisionsAnnotation, s.ID(), err)
	}
	return known, nil
}

// deployed is the revision that was deployed last, as long as it is on trial;
// "" if there is none.
func (s *Service) deployed() (string, error) {
	known, err := s.revisions()
	for name, r := range known {
		if r.Tag != "" {
			return name, err
		}
	}
	return "", err
}

// settle removes the tag of a candidate whose trial has ended, and names the
// model of the revision that serves.
func (s *Service) settle(traffic []Target, annotations map[string]string, candidate, serving string) ([]Target, error) {
	known, err := s.revisions()
	if err != nil {
		return nil, err
	}
	traffic = slices.Clone(traffic)
	for i, t := range traffic {
		if t.Revision == candidate && (t.Tag == handTag || t.Tag == known[candidate].Tag) {
			traffic[i].Tag = ""
		}
	}
	for name, r := range known {
		r.Tag = ""
		known[name] = r
	}
	if known != nil {
		body, err := json.Marshal(known)
		if err != nil {
			return nil, fmt.Errorf("encode the revisions: %w", err)
		}
		annotations[RevisionsAnnotation] = string(body)
	}
	annotate(annotations, ModelAnnotation, known[serving].Model)
	annotate(annotations, GoldenAnnotation, known[serving].Golden)
	return traffic, nil
}

// annotate sets an annotation, or removes it: none is better than a wrong one.
func annotate(annotations map[string]string, key, value string) {
	if value == "" {
		delete(annotations, key)
		return
	}
	annotations[key] = value
}
