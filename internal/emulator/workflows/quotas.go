package workflows

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed quotas.json
var quotasJSON []byte

// quotas are the limits of the API; those of the language are package
// workflow's.
type quotas struct {
	ConcurrentExecutions int
	BackloggedExecutions int
	Workflows            int
	SourceBytes          int
	ArgumentBytes        int
	DescriptionChars     int
	Labels               int
	LabelChars           int
	UserEnvVars          int
	UserEnvVarBytes      int
}

func loadQuotas() (quotas, error) {
	var q quotas
	if err := json.Unmarshal(quotasJSON, &q); err != nil {
		return q, fmt.Errorf("quotas.json: %w", err)
	}
	return q, nil
}
