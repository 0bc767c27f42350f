package executor

import "fmt"

// Classification is what KFP's ClassificationMetrics artifact shows.
type Classification struct {
	Classes []string
	// Confusion counts rows by true class (first index) and predicted class.
	Confusion [][]int
}

// NewClassification returns an empty confusion matrix over classes.
func NewClassification(classes []string) *Classification {
	c := &Classification{Classes: classes, Confusion: make([][]int, len(classes))}
	for i := range c.Confusion {
		c.Confusion[i] = make([]int, len(classes))
	}
	return c
}

// Add counts one row by the indexes of its classes.
func (c *Classification) Add(truth, predicted int) { c.Confusion[truth][predicted]++ }

// Total is the number of rows counted.
func (c *Classification) Total() int {
	n := 0
	for _, row := range c.Confusion {
		for _, v := range row {
			n += v
		}
	}
	return n
}

// Accuracy is the share of rows on the diagonal; 0 without rows.
func (c *Classification) Accuracy() float64 {
	right := 0
	for i := range c.Confusion {
		right += c.Confusion[i][i]
	}
	return share(right, c.Total())
}

// ClassScores are the scores of one class, each 0 where it is undefined.
type ClassScores struct {
	Class             string
	Precision, Recall float64
	Rows              int
}

// ByClass returns the scores of each class, in the order of Classes.
func (c *Classification) ByClass() []ClassScores {
	scores := make([]ClassScores, len(c.Classes))
	for i, class := range c.Classes {
		rows, predicted := 0, 0
		for j := range c.Classes {
			rows += c.Confusion[i][j]
			predicted += c.Confusion[j][i]
		}
		scores[i] = ClassScores{
			Class: class, Rows: rows,
			Precision: share(c.Confusion[i][i], predicted),
			Recall:    share(c.Confusion[i][i], rows),
		}
	}
	return scores
}

// Metadata is the artifact metadata that KFP's log_confusion_matrix leaves, so
// that KFP and Vertex AI user interfaces draw it.
func (c *Classification) Metadata() map[string]any {
	specs := make([]any, len(c.Classes))
	rows := make([]any, len(c.Classes))
	for i, class := range c.Classes {
		specs[i] = map[string]any{"displayName": class}
		row := make([]any, len(c.Classes))
		for j, n := range c.Confusion[i] {
			row[j] = n
		}
		rows[i] = map[string]any{"row": row}
	}
	return map[string]any{"confusionMatrix": map[string]any{"annotationSpecs": specs, "rows": rows}}
}

// Metrics is what KFP's Metrics artifact shows: one number by name.
type Metrics map[string]float64

// Metadata is the artifact metadata that KFP's log_metric leaves.
func (m Metrics) Metadata() map[string]any {
	md := make(map[string]any, len(m))
	for k, v := range m {
		md[k] = v
	}
	return md
}

// Put merges metadata into the artifact's.
func (a *Artifact) Put(metadata map[string]any) {
	if a.Metadata == nil {
		a.Metadata = make(map[string]any, len(metadata))
	}
	for k, v := range metadata {
		a.Metadata[k] = v
	}
}

// Add appends an artifact to the output under its name there.
func (out *Output) Add(name string, a *Artifact) {
	if out.Artifacts == nil {
		out.Artifacts = make(map[string]ArtifactList)
	}
	list := out.Artifacts[name]
	list.Artifacts = append(list.Artifacts, a)
	out.Artifacts[name] = list
}

// Set sets an output parameter.
func (out *Output) Set(name string, v any) {
	if out.ParameterValues == nil {
		out.ParameterValues = make(map[string]any)
	}
	out.ParameterValues[name] = v
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// String is for logs: 0.981 (53 rows).
func (c *Classification) String() string {
	return fmt.Sprintf("%.3f (%d rows)", c.Accuracy(), c.Total())
}
