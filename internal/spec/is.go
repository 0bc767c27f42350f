package spec

import (
	"github.com/kakehi/kakehi/internal/lazyregexp"

	"go.yaml.in/yaml/v4"
)

var (
	nameLine  = lazyregexp.New(`(?m)^"?pipeline"?[ \t]*:`)
	tasksLine = lazyregexp.New(`(?m)^"?tasks"?[ \t]*:`)
)

// Is reports whether src is meant as a spec, rather than as a KFP pipeline or a
// workflow: it has the keys pipeline and tasks at its top level. It also
// recognizes a spec that is not valid YAML, for Parse to say why.
func Is(src []byte) bool {
	if len(src) > maxBytes {
		return false
	}
	doc, err := document(src)
	if err != nil {
		return nameLine.Match(src) && tasksLine.Match(src)
	}
	if doc == nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return false
	}
	found := 0
	for i, key := range doc.Content[0].Content {
		if i%2 == 0 && (key.Value == "pipeline" || key.Value == "tasks") {
			found++
		}
	}
	return found >= 2
}
