package cli

import (
	"encoding/json"
	"strings"

	"github.com/kakehi/kakehi/internal/pipeline"
)

// approval is an answer that approves: the fields that the task's outputs are
// read from, for a person to fill in.
func approval(t *pipeline.Task) string {
	example := map[pipeline.Type]string{
		pipeline.String: `"…"`, pipeline.Int: "0", pipeline.Double: "0.0", pipeline.Bool: "true", pipeline.List: "[]", pipeline.Struct: "{}",
	}
	fields := []string{`"approved": true`}
	if t != nil {
		for _, o := range t.Out {
			if o.Name != "approved" {
				name, _ := json.Marshal(o.Name)
				fields = append(fields, string(name)+": "+example[o.Type])
			}
		}
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// findTask returns the task of a path such as tune[3]/train, or nil.
func findTask(p *pipeline.Pipeline, path string) *pipeline.Task {
	name, rest, below := strings.Cut(path, "/")
	name, _, _ = strings.Cut(name, "[")
	t := p.Task(name)
	if t == nil || !below {
		return t
	}
	if sub, ok := t.Kind.(*pipeline.Sub); ok {
		return findTask(sub.Pipeline, rest)
	}
	return nil
}
