package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/pipeline"
)

const (
	// maxTasks is more than the definition of one pipeline has room for, which
	// may have 128 KB.
	maxTasks = 1000
	// maxNested leaves the runtime enough of the 20 calls that may be nested.
	maxNested = 12
)

// checkPipeline reports what only the target of the compilation forbids. in is
// the path of the task that runs p, with a "/" at its end. Of several tasks
// that run p, the one with the longest path counts.
func (c *compiler) checkPipeline(p *pipeline.Pipeline, in string) {
	if longest, seen := c.checked[p]; seen && longest >= len(in) {
		return
	}
	c.checked[p] = len(in)
	if n := len(p.Tasks) + len(p.OnExit); n > maxTasks {
		c.errorf(p.At, "too-large", "split it", "the pipeline %s has %d tasks, more than Cloud Workflows has room for", p.Name, n)
		return
	}
	if n := strings.Count(in, "/"); n > maxNested {
		c.errorf(p.At, "too-deep", "run some of them side by side", "pipelines are nested %d deep; Cloud Workflows has room for %d", n, maxNested)
		return
	}
	labels := map[string]*pipeline.Task{}
	for _, t := range slices.Concat(p.Tasks, p.OnExit) {
		at := in + t.Name
		c.checkLabel(t, at, labels)
		switch k := t.Kind.(type) {
		case *pipeline.Sub:
			c.checkTimeout(t, "give the tasks in it one")
			if t.ForEach != nil {
				at += "[0]"
			}
			c.checkPipeline(k.Pipeline, at+"/")
		case *pipeline.Serve:
			c.checkTimeout(t, "give the rollout a deadline")
		case *pipeline.Rollout:
			c.checkTimeout(t, "give it a deadline")
		case *pipeline.Job:
			c.checkPlaceholders(t, k)
		}
	}
}

// checkNames keeps variables apart from subworkflows, whose names expressions
// see too.
func (c *compiler) checkNames() {
	check := func(at diag.Pos, name string) {
		if c.runtime.byName[name] != nil {
			c.errorf(at, "reserved-name", "choose another name", "the name %q is taken: the compiled workflow has a subworkflow of that name", name)
		}
	}
	for p := range c.checked {
		for _, t := range slices.Concat(p.Tasks, p.OnExit) {
			check(t.At, t.Name)
			if t.ForEach != nil {
				check(t.ForEach.At, t.ForEach.Item)
			}
		}
	}
}

// checkServices keeps served models apart from functions: both are services of
// Cloud Run.
func (c *compiler) checkServices(p *pipeline.Pipeline) {
	taken := map[string]string{}
	for _, name := range Requires(p).Functions {
		taken[ServiceOf(name)] = name
	}
	for p := range c.checked {
		for _, t := range slices.Concat(p.Tasks, p.OnExit) {
			k, ok := t.Kind.(*pipeline.Serve)
			if !ok || taken[k.Service] == "" {
				continue
			}
			at := t.At
			if span, ok := t.Where["service"]; ok {
				at = span.At
			}
			c.errorf(at, "duplicate-name", "choose another name", "the service %q is that of the function %s, which this pipeline calls", k.Service, taken[k.Service])
		}
	}
}

// maxLabel is the length of a label's value, which names a task of a job.
const maxLabel = 63

// checkLabel makes sure that a task's path fits a label, where case does not
// count.
func (c *compiler) checkLabel(t *pipeline.Task, at string, labels map[string]*pipeline.Task) {
	if _, ok := t.Kind.(*pipeline.Job); !ok {
		return
	}
	label := strings.ToLower(at)
	if other := labels[label]; other != nil && other.Name != t.Name {
		c.errorf(t.At, "duplicate-name", "choose another name",
			"the jobs %q and %q differ in case only, and labels of Vertex AI have lower case letters only", other.Name, t.Name)
	}
	labels[label] = t
	room := maxLabel
	if t.ForEach != nil {
		room -= len("-00000")
	}
	if len(label) > room {
		c.errorf(t.At, "too-long", "shorten the names of the task and of the pipelines around it",
			"the job's path %q has %d characters, and the label that holds it takes %d", at, len(label), room)
	}
}

// checkTimeout refuses a timeout where nothing could enforce it.
func (c *compiler) checkTimeout(t *pipeline.Task, hint string) {
	if t.Timeout == 0 {
		return
	}
	at := t.At
	if span, ok := t.Where["timeout"]; ok {
		at = span.At
	}
	c.errorf(at, "conflict", hint, "Cloud Workflows cannot end the task %s after a time, for it is more than one call", t.Name)
}

// checkPlaceholders finds placeholders of KFP that would stay as they are.
func (c *compiler) checkPlaceholders(t *pipeline.Task, k *pipeline.Job) {
	values := slices.Concat(k.Command, k.Args)
	if k.Spec != nil {
		values = append(values, k.Spec)
	}
	known := []string{wholeInput, "{{$.outputs.output_file}}"}
	add := func(name string, forms ...string) {
		for _, form := range forms {
			known = append(known, fmt.Sprintf(form, name))
		}
	}
	b := c.newBody(&pipeline.Pipeline{})
	for _, in := range t.In {
		add(in.Name, "{{$.inputs.parameters['%s']}}", "{{$.inputs.artifacts['%s'].uri}}", "{{$.inputs.artifacts['%s'].path}}")
	}
	for _, o := range t.Out {
		if o.Type.IsArtifact() {
			add(o.Name, "{{$.outputs.artifacts['%s'].uri}}", "{{$.outputs.artifacts['%s'].path}}")
		} else {
			add(o.Name, "{{$.outputs.parameters['%s'].output_file}}")
		}
	}
	for _, v := range values {
		for _, found := range placeholders(b.values().node(v)) {
			if found != wholeInput {
				c.manyPlaceholders = true
			}
			if !slices.Contains(known, found) {
				hint := diag.DidYouMean(found, known)
				if hint == "" {
					hint = "it has " + strings.Join(known, ", ")
				}
				c.errorf(v.Pos(), "unknown-placeholder", hint, "the task %s has nothing for the placeholder %s", t.Name, found)
			}
		}
	}
}

func (c *compiler) errorf(at diag.Pos, code, hint, format string, args ...any) {
	c.diags.Add(diag.Diagnostic{Pos: at, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}
