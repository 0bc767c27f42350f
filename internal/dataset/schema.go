// Package dataset holds labelled tables: a schema of features, and CSV files
// that follow it. The schema travels in the metadata of Dataset artifacts, so
// that every later step reads the columns as the first one checked them.
package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Metadata is the key of the schema in an artifact's metadata.
const Metadata = "schema"

// Schema says which columns of a table matter: the label to be predicted and
// the features. Other columns are passed over.
type Schema struct {
	Label    string    `json:"label"`
	Classes  []string  `json:"classes"` // values of the label
	Features []Feature `json:"features"`
}

// Feature is a column: a number between Min and Max, or, with Categories, one
// of these. Either may be missing in a row.
type Feature struct {
	Name       string   `json:"name"`
	Min        float64  `json:"min,omitempty"`
	Max        float64  `json:"max,omitempty"`
	Categories []string `json:"categories,omitempty"`
}

// ToMetadata is the schema as a value of artifact metadata.
func (s *Schema) ToMetadata() (map[string]any, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the schema: %w", err)
	}
	var v map[string]any
	return v, json.Unmarshal(body, &v)
}

// FromMetadata reads the schema of an artifact.
func FromMetadata(metadata map[string]any) (*Schema, error) {
	v, ok := metadata[Metadata]
	if !ok {
		return nil, errors.New("the dataset's metadata has no schema: pass a dataset that the validate step wrote, or one made from it")
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("metadata.schema: %w", err)
	}
	var s Schema
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("metadata.schema: %w", err)
	}
	return &s, s.check()
}

func (s *Schema) check() error {
	if s.Label == "" || len(s.Classes) < 2 || len(s.Features) == 0 {
		return errors.New("metadata.schema: want a label, two classes or more, and features")
	}
	seen := map[string]bool{s.Label: true}
	for _, f := range s.Features {
		if f.Name == "" || seen[f.Name] {
			return fmt.Errorf("metadata.schema: feature %q is empty or there twice", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// Columns are the names of the columns that matter, the label first.
func (s *Schema) Columns() []string {
	names := []string{s.Label}
	for _, f := range s.Features {
		names = append(names, f.Name)
	}
	return names
}

func index(list []string, s string) int {
	for i, x := range list {
		if x == s {
			return i
		}
	}
	return -1
}
