package compile

import (
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// names gives out names that are not in use: of steps and variables of one
// workflow, or of workflows.
type names map[string]bool

// unique returns base, or else base_2, base_3, …
func (n names) unique(base string) string {
	name := base
	for i := 2; n[name]; i++ {
		name = base + "_" + strconv.Itoa(i)
	}
	n[name] = true
	return name
}

// namesOf holds what a pipeline's tasks and items are called, which the
// compiler's own steps and variables must not be.
func namesOf(p *pipeline.Pipeline) names {
	n := names{pipeline.Params: true, pipeline.Status: true}
	for _, list := range [][]*pipeline.Task{p.Tasks, p.OnExit} {
		for _, t := range list {
			n[t.Name] = true
			if t.ForEach != nil {
				n[t.ForEach.Item] = true
			}
		}
	}
	return n
}

// A path is how log, labels and storage name a task: its name within those
// of the sub-pipelines and iterations around it, as in tune[3]/train. prefix
// is the variable that holds the path of the pipeline around, "" in main.
type path struct {
	prefix string
	name   string
	index  string // the variable of the iteration, or ""
}

func (p path) expr() expr.Expr {
	if p.prefix == "" && p.index == "" {
		return quote(p.name)
	}
	name := p.name
	if p.prefix != "" {
		name = "/" + name
	}
	if p.index != "" {
		name += "["
	}
	parts := []expr.Expr{quote(name)}
	if p.prefix != "" {
		parts = []expr.Expr{ref(p.prefix), quote(name)}
	}
	if p.index != "" {
		parts = append(parts, fn("string", ref(p.index)), quote("]"))
	}
	return join("+", parts...)
}

// ServiceOf is the name of the Cloud Run service that runs a function.
func ServiceOf(function string) string { return strings.ReplaceAll(function, "_", "-") }

// identifier makes a variable-like name of a pipeline's or service's name.
func identifier(name string) string { return strings.ReplaceAll(name, "-", "_") }
