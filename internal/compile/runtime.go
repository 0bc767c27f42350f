package compile

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/workflow"
)

// The runtime is written in the language itself. Of a pair of files that
// define the same subworkflow, one is emitted: see [placeholderFile].
//
//go:embed runtime/*.yaml
var runtimeFiles embed.FS

// runtimeOrder is the order of the runtime in a definition: what main calls
// comes first.
var runtimeOrder = []string{
	"params", "function", "job", executorFile, placeholderFile, "serve", "traffic", "approve",
	"cache", "executor", "common", "api", "storage",
}

// Both files define fill_placeholders: the first knows {{$}} only, which is
// all that most jobs need.
const (
	executorFile    = "executor_input"
	placeholderFile = "placeholders"
)

// A runtime holds the subworkflows that a definition may need, in the order in
// which they are emitted.
type runtime struct {
	order  []string
	byName map[string]*workflow.Workflow
	uses   map[string]map[string]bool // names that a subworkflow mentions
}

// The runtime is parsed once: it never changes.
var (
	plainRuntime = sync.OnceValues(func() (*runtime, error) { return loadRuntime(placeholderFile) })
	fullRuntime  = sync.OnceValues(func() (*runtime, error) { return loadRuntime(executorFile) })
)

// loadRuntime reads all files but one.
func loadRuntime(without string) (*runtime, error) {
	r := &runtime{byName: map[string]*workflow.Workflow{}, uses: map[string]map[string]bool{}}
	for _, name := range runtimeOrder {
		if name == without {
			continue
		}
		name = "runtime/" + name + ".yaml"
		src, err := runtimeFiles.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("runtime: %w", err)
		}
		// A definition has a main; the comments' lines must stay.
		f, err := workflow.Parse(name, append(src, "\nmain:\n  steps: []\n"...))
		if err != nil {
			return nil, fmt.Errorf("runtime: %w", err)
		}
		attachComments(f, strings.Split(string(src), "\n"))
		for _, w := range f.Workflows {
			if w.Name == "main" {
				continue
			}
			r.order = append(r.order, w.Name)
			r.byName[w.Name] = w
			r.uses[w.Name] = mentioned(w.Steps)
		}
	}
	return r, nil
}

// names are those that no other workflow of a definition may have.
func (r *runtime) names() names {
	n := names{"main": true}
	for _, name := range r.order {
		n[name] = true
	}
	return n
}

// needed returns the subworkflows that definitions call, directly or through
// others.
func (r *runtime) needed(by []*workflow.Workflow) []*workflow.Workflow {
	used := map[string]bool{}
	var add func(names map[string]bool)
	add = func(names map[string]bool) {
		for name := range names {
			if r.byName[name] != nil && !used[name] {
				used[name] = true
				add(r.uses[name])
			}
		}
	}
	for _, w := range by {
		add(mentioned(w.Steps))
	}
	var list []*workflow.Workflow
	for _, name := range r.order {
		if used[name] {
			list = append(list, r.byName[name])
		}
	}
	return list
}

// attachComments puts the comment above a step or a subworkflow, which the
// parser passes over, into the tree.
func attachComments(f *workflow.File, lines []string) {
	above := func(line int) string {
		var text []string
		for i := line - 2; i >= 0; i-- { // lines count from 1
			comment, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "#")
			if !ok {
				break
			}
			text = append([]string{strings.TrimPrefix(comment, " ")}, text...)
		}
		return strings.Join(text, "\n")
	}
	for _, w := range f.Workflows {
		if w.At.Line > len(lines) {
			continue
		}
		w.Comment = above(w.At.Line)
		eachStep(w.Steps, func(s *workflow.Step) {
			if s.Name != "" {
				s.Comment = above(s.At.Line)
			}
		})
	}
}

// mentioned returns the names that steps call, in call steps and expressions,
// or name as a predicate.
func mentioned(steps []*workflow.Step) map[string]bool {
	found := map[string]bool{}
	eachStep(steps, func(s *workflow.Step) {
		for _, n := range nodes(s.Do) {
			eachExpr(n, func(x expr.Expr) {
				switch x := x.(type) {
				case *expr.Call:
					found[x.Func] = true
				case *expr.Ident:
					found[x.Name] = true
				}
			})
		}
		if c, ok := s.Do.(*workflow.Call); ok {
			found[c.Func] = true
		}
	})
	return found
}

// nodes returns the values of an action, without those of the steps below it.
func nodes(a workflow.Action) []workflow.Node {
	switch a := a.(type) {
	case *workflow.Assign:
		var list []workflow.Node
		for _, item := range a.Items {
			list = append(list, item.Value)
		}
		return list
	case *workflow.Call:
		return []workflow.Node{a.Args}
	case *workflow.Switch:
		var list []workflow.Node
		for _, arm := range a.Arms {
			list = append(list, arm.Condition)
		}
		return list
	case *workflow.For:
		return []workflow.Node{a.In, a.Range}
	case *workflow.Parallel:
		if a.For != nil {
			return []workflow.Node{a.ConcurrencyLimit, a.For.In, a.For.Range}
		}
	case *workflow.Try:
		if a.Retry != nil {
			return []workflow.Node{a.Retry.Policy, a.Retry.Predicate, a.Retry.MaxRetries}
		}
	case *workflow.Raise:
		return []workflow.Node{a.Value}
	case *workflow.Return:
		return []workflow.Node{a.Value}
	}
	return nil
}

func eachExpr(n workflow.Node, f func(expr.Expr)) {
	switch n := n.(type) {
	case *workflow.Expr:
		expr.Walk(n.X, func(x expr.Expr) bool {
			f(x)
			return true
		})
	case *workflow.List:
		for _, item := range n.Items {
			eachExpr(item, f)
		}
	case *workflow.Map:
		for _, e := range n.Entries {
			eachExpr(e.Value, f)
		}
	}
}
