package spec

import (
	"slices"

	"github.com/kakehi/kakehi/internal/lazyregexp"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// pipeline reads the map of a pipeline. A pipeline inside a task has no
// triggers, and may do without a name.
func (r *reader) pipeline(n *node, p *pipeline.Pipeline, top bool) {
	if !pipelineObject().read(r, n, p) {
		return
	}
	if name := n.field("pipeline"); top && name == nil {
		r.errorf(n, "missing-key", "begin with: pipeline: NAME", "the pipeline has no name")
	}
	if t := n.field("triggers"); t != nil && !top {
		r.errorf(t.key, "unknown-key", "move them to the outer pipeline", "a sub-pipeline has no triggers")
	}
}

func pipelineObject() object[pipeline.Pipeline] {
	return object[pipeline.Pipeline]{
		name: "pipeline",
		doc:  "A machine learning pipeline that Kakehi compiles to Google Cloud Workflows.",
		fields: []field[pipeline.Pipeline]{
			{key: "pipeline", doc: "The name: lower-case letters, digits and hyphens.", schema: pattern(hyphenPattern),
				read: func(r *reader, n *node, p *pipeline.Pipeline) {
					p.At, p.Name = n.at, r.hyphened(n, "a pipeline")
				}},
			{key: "description", doc: "What the pipeline is for.", schema: stringSchema(),
				read: func(r *reader, n *node, p *pipeline.Pipeline) { p.Description = r.str(n) }},
			{key: "params", doc: "The pipeline's parameters. A default gives the type.", schema: mapOf(identifierPattern, ref("param")),
				read: func(r *reader, n *node, p *pipeline.Pipeline) {
					r.each(n, "params", "NAME: DEFAULT", func(key, value *node) { p.Params = append(p.Params, r.param(key, value)) })
				}},
			{key: "tasks", doc: "The tasks by name. A task waits for those it refers to.", schema: nonEmpty(mapOf(identifierPattern, ref("task"))), required: true,
				read: func(r *reader, n *node, p *pipeline.Pipeline) {
					p.Tasks = r.tasks(n, "tasks")
					if n.kind == mapping && len(n.fields) == 0 || n.isNull() {
						r.errorf(n, "missing-key", "add a task", "the pipeline has no tasks")
					}
				}},
			{key: "outputs", doc: "The pipeline's results: name: $TASK.OUTPUT.", schema: mapOf(identifierPattern, ref("value")),
				read: func(r *reader, n *node, p *pipeline.Pipeline) {
					r.each(n, "outputs", "NAME: $TASK.OUTPUT", func(key, value *node) {
						p.Outputs = append(p.Outputs, &pipeline.Result{At: key.at, Name: r.identifier(key, "an output"), Value: r.value(value)})
					})
				}},
			{key: "onExit", doc: "Tasks that run at the end, also after a failure; they may use $status.state and $status.error.", schema: mapOf(identifierPattern, ref("task")),
				read: func(r *reader, n *node, p *pipeline.Pipeline) { p.OnExit = r.tasks(n, "onExit") }},
			{key: "triggers", doc: "Events that start the pipeline.", schema: listOf(ref("trigger")),
				read: func(r *reader, n *node, p *pipeline.Pipeline) { p.Triggers = r.triggers(n) }},
		},
	}
}

// each calls f for each pair of a map whose keys are names, which is written
// in the form.
func (r *reader) each(n *node, what, form string, f func(key, value *node)) {
	if n.isNull() {
		return
	}
	if n.kind != mapping {
		r.errorf(n, "wrong-type", "write it as "+form, "%s is a map, not %s", what, n.describe())
		return
	}
	for _, p := range n.fields {
		f(p.key, p.value)
	}
}

// param reads name: default, or name: {type, default, description}.
func (r *reader) param(key, n *node) *pipeline.Param {
	p := &pipeline.Param{At: key.at, Name: r.identifier(key, "a parameter")}
	if n.kind != mapping {
		if n.isNull() {
			r.errorf(key, "missing-key", "write "+key.value+": {type: string}, or give a default", "the parameter %q has no type", key.value)
			return p
		}
		p.Default = r.value(n)
		p.Type = defaultType(n)
		return p
	}
	if !paramObject().read(r, n, p) {
		return p
	}
	if n.field("type") == nil {
		if d := n.field("default"); d != nil {
			p.Type = defaultType(d.value)
		} else {
			r.errorf(n, "missing-key", "add type: string, or a default", "the parameter %q has no type", key.value)
		}
	}
	return p
}

// defaultType is the type that a default gives; an artifact is not inferred.
func defaultType(n *node) pipeline.Type {
	switch {
	case n.kind == list:
		return pipeline.List
	case n.kind == mapping:
		return pipeline.Struct
	}
	return map[string]pipeline.Type{
		"!!str": pipeline.String, "!!int": pipeline.Int, "!!float": pipeline.Double, "!!bool": pipeline.Bool,
	}[n.tag]
}

func paramObject() object[pipeline.Param] {
	return object[pipeline.Param]{
		name: "a parameter",
		doc:  "A parameter in full. Without a default, a run must give a value.",
		fields: []field[pipeline.Param]{
			{key: "type", doc: "The type; a default implies it, except for an artifact.", schema: ref("type"),
				read: func(r *reader, n *node, p *pipeline.Param) { p.Type = r.typeName(n) }},
			{key: "default", doc: "The value when a run gives none. An artifact is given by its gs:// URI.", schema: ref("value"),
				read: func(r *reader, n *node, p *pipeline.Param) {
					if n.isNull() {
						r.errorf(n, "bad-value", "leave default out to require a value", "a default is not null")
						return
					}
					p.Default = r.value(n)
				}},
			{key: "description", doc: "What the parameter means.", schema: stringSchema(),
				read: func(r *reader, n *node, p *pipeline.Param) { p.Description = r.str(n) }},
		},
		extra: anyRequired("type", "default"),
	}
}

func (r *reader) triggers(n *node) []*pipeline.Trigger {
	if n.kind != list {
		r.errorf(n, "wrong-type", "begin each with: - pubsub: TOPIC", "triggers is a list, not %s", n.describe())
		return nil
	}
	var ts []*pipeline.Trigger
	for _, item := range n.items {
		t := &pipeline.Trigger{At: item.at}
		if !triggerObject().read(r, item, t) {
			continue
		}
		r.exactlyOne(item, "a trigger", "pubsub", "schedule", "object")
		ts = append(ts, t)
	}
	return ts
}

// exactlyOne checks that a map has one of the keys.
func (r *reader) exactlyOne(n *node, owner string, keys ...string) {
	var first *node
	for _, p := range n.fields {
		for _, key := range keys {
			switch {
			case p.key.value != key:
			case first == nil:
				first = p.key
			default:
				r.errorf(p.key, "conflict", "keep one of them", "%s has both %s and %s", owner, first.value, key)
			}
		}
	}
	if first != nil {
		return
	}
	misspelt := slices.ContainsFunc(n.fields, func(p pair) bool { return suggest(p.key.value, keys) != "" })
	if !misspelt { // else it is reported as an unknown key
		r.errorf(n, "missing-key", "add one of "+commaOr(keys), "%s does not say what it is", owner)
	}
}

// topicPattern is that of Pub/Sub's topic ids
// (cloud.google.com/pubsub/docs/pubsub-basics).
const topicPattern = `^[A-Za-z][A-Za-z0-9._~%+-]{2,254}$`

var topicForm = lazyregexp.New(topicPattern)

func (r *reader) topic(n *node) string {
	s := r.str(n)
	if n.isText() && !topicForm.MatchString(s) {
		r.errorf(n, "bad-value", "3 to 255 letters, digits and hyphens, a letter first", "%s is not a topic", quote(s))
	}
	return s
}

func triggerObject() object[pipeline.Trigger] {
	return object[pipeline.Trigger]{
		name: "a trigger",
		doc:  "An event that starts the pipeline.",
		fields: []field[pipeline.Trigger]{
			{key: "pubsub", doc: "A Pub/Sub topic, each of whose messages starts a run.", schema: pattern(topicPattern),
				read: func(r *reader, n *node, t *pipeline.Trigger) { t.PubSub = r.topic(n) }},
			{key: "schedule", doc: "A cron expression of five fields, in UTC.", schema: pattern(cronPattern),
				read: func(r *reader, n *node, t *pipeline.Trigger) { t.Schedule = r.cron(n) }},
			{key: "object", doc: "A gs:// prefix whose new objects start a run.", schema: stringSchema(),
				read: func(r *reader, n *node, t *pipeline.Trigger) { t.Object = r.value(n) }},
			{key: "in", doc: "Values of the pipeline's parameters; $event is the event.", schema: mapOf(identifierPattern, ref("value")),
				read: func(r *reader, n *node, t *pipeline.Trigger) { t.In = r.inputs(n) }},
			{key: "cooldown", doc: "The least time between two runs.", schema: ref("duration"),
				read: func(r *reader, n *node, t *pipeline.Trigger) { t.Cooldown = r.duration(n) }},
			{key: "budget", doc: "The most runs, such as 4 per day.", schema: pattern(budgetPattern),
				read: func(r *reader, n *node, t *pipeline.Trigger) { t.PerDay = r.budget(n) }},
		},
		extra: oneRequired("pubsub", "schedule", "object"),
	}
}
