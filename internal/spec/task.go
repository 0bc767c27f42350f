package spec

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/pipeline"
)

// A taskDraft is a task while its keys are read: which of them give its kind is
// judged at the end.
type taskDraft struct {
	*pipeline.Task
	rollout    *pipeline.Rollout
	jobTimeout time.Duration
}

// kindKeys are the keys that say what a task does.
var kindKeys = []string{"function", "http", "job", "serve", "rollout", "pipeline", "approve"}

func (r *reader) tasks(n *node, what string) []*pipeline.Task {
	outer := r.onExit
	r.onExit = what == "onExit"
	defer func() { r.onExit = outer }()
	var ts []*pipeline.Task
	r.each(n, what, "NAME: {function: …}", func(key, value *node) { ts = append(ts, r.task(key, value)) })
	return ts
}

func (r *reader) task(key, n *node) *pipeline.Task {
	outer := r.where
	r.where = map[string]pipeline.Span{}
	defer func() { r.where = outer }()
	t := &taskDraft{Task: &pipeline.Task{At: key.at, Name: r.variable(key, "a task"), Where: r.where}}
	if !r.tables.task.read(r, n, t) {
		return t.Task
	}
	switch serve, serves := t.Kind.(*pipeline.Serve); {
	case n.field("serve") != nil && n.field("rollout") != nil:
		if serves {
			serve.Rollout = t.rollout
		}
		r.exactlyOne(n, "the task "+key.value, without(kindKeys, "rollout")...)
		r.noServiceIn(n.field("rollout").value)
	case t.rollout != nil && t.Kind == nil:
		t.Kind = t.rollout
		fallthrough
	default:
		r.exactlyOne(n, "the task "+key.value, kindKeys...)
	}
	r.finish(t, n)
	return t.Task
}

// noServiceIn checks a rollout beside serve, which names the service already.
func (r *reader) noServiceIn(rollout *node) {
	if s := rollout.field("service"); s != nil {
		r.errorf(s.key, "conflict", "leave it out", "the service is named in serve")
	}
}

func without(words []string, word string) []string {
	var rest []string
	for _, w := range words {
		if w != word {
			rest = append(rest, w)
		}
	}
	return rest
}

// finish fills in what is not written: the timeout of a job, caching, and the
// outputs that the kind has by itself.
func (r *reader) finish(t *taskDraft, n *node) {
	if t.jobTimeout > 0 {
		if outer := n.field("timeout"); outer != nil {
			r.errorf(outer.key, "conflict", "keep one of them", "the task and its job both have a timeout")
		}
		t.Timeout = t.jobTimeout
	}
	out := n.field("out")
	declares := func() {
		if out != nil {
			r.errorf(out.key, "conflict", "leave it out; see their names with kakehi schema", "the outputs of this kind of task are given")
		}
	}
	switch k := t.Kind.(type) {
	case *pipeline.Function, *pipeline.Job:
		if n.field("cache") == nil { // what a task without outputs does is its effect
			t.Cache = len(t.Out) > 0 && !r.onExit
		}
	case *pipeline.Serve:
		declares()
		t.Out = pipeline.ServeOutputs()
	case *pipeline.Rollout:
		declares()
		t.Out = pipeline.RolloutOutputs()
	case *pipeline.Sub:
		declares()
		t.Out = nil
		for _, res := range k.Pipeline.Outputs {
			t.Out = append(t.Out, &pipeline.Output{At: res.At, Name: res.Name, Type: k.Pipeline.ResultType(res)})
		}
	}
}

func taskObject() object[taskDraft] {
	return object[taskDraft]{
		name: "a task",
		doc:  "A step of the pipeline. One key says what it does: " + strings.Join(kindKeys, ", ") + ".",
		fields: append(kindFields(), []field[taskDraft]{
			{key: "in", doc: "The inputs: values, $references and ${expressions}.", schema: mapOf(identifierPattern, ref("value")),
				read: func(r *reader, n *node, t *taskDraft) { t.In = r.inputs(n) }},
			{key: "out", doc: "The outputs: name: type.", schema: mapOf(outputPattern, ref("type")),
				read: func(r *reader, n *node, t *taskDraft) {
					r.each(n, "out", "NAME: TYPE", func(key, value *node) {
						t.Out = append(t.Out, &pipeline.Output{At: key.at, Name: r.output(key), Type: r.typeName(value)})
					})
				}},
			{key: "after", doc: "Tasks to wait for besides those it refers to.", schema: oneOrMore(stringSchema()),
				read: func(r *reader, n *node, t *taskDraft) { t.After = r.after(n) }},
			{key: "when", doc: "Run only when this expression is true. It needs no braces: evaluate.accuracy >= params.min_accuracy.", schema: either(stringSchema(), boolSchema()),
				read: func(r *reader, n *node, t *taskDraft) { t.When = r.condition(n) }},
			{key: "foreach", doc: "Run once for each item of a list.", schema: either(ref("foreach"), listOf(ref("value")), stringSchema()),
				read: func(r *reader, n *node, t *taskDraft) { t.ForEach = r.foreach(n) }},
			{key: "retry", doc: "How often to try again after a failure.", schema: either(intSchema(0), ref("retry")),
				read: func(r *reader, n *node, t *taskDraft) { t.Retry = r.retry(n) }},
			{key: "timeout", doc: "The most time that one attempt may take, such as 10m.", schema: ref("duration"),
				read: func(r *reader, n *node, t *taskDraft) { t.Timeout = r.duration(n) }},
			{key: "cache", doc: "Reuse the outputs of an earlier run with the same inputs: for functions and jobs that have outputs, true unless you say otherwise; in onExit, false.", schema: boolSchema(),
				read: func(r *reader, n *node, t *taskDraft) { t.Cache = r.boolean(n) }},
		}...),
		extra: oneKind(),
		hint:  keyOfKind,
	}
}

// oneKind is what the schema says of the kinds: one, but that a rollout may stand
// beside serve.
func oneKind() schema {
	alone := required(without(without(kindKeys, "serve"), "rollout"))
	return schema{"oneOf": append(alone, anyRequired("serve", "rollout"))}
}

// keyOfKind tells where a key belongs that is one of what a task does.
func keyOfKind(key string) string {
	for _, kind := range []struct {
		name string
		keys []string
	}{{"job", jobObject().keys()}, {"http", httpObject().keys()}, {"serve", serveObject().keys()}, {"rollout", rolloutObject().keys()}} {
		if slices.Contains(kind.keys, key) {
			return fmt.Sprintf("it is a key of %s: write %s: {%s: …}", kind.name, kind.name, key)
		}
	}
	return ""
}

// after reads a task's name or a list of them.
func (r *reader) after(n *node) []string {
	items := []*node{n}
	if n.kind == list {
		items = n.items
	}
	var names []string
	for _, item := range items {
		if name := r.some(item); name != "" {
			r.mark("after."+name, item)
			names = append(names, name)
		}
	}
	return names
}

// foreach reads {item, in, parallelism}, or the list by itself.
func (r *reader) foreach(n *node) *pipeline.ForEach {
	f := &pipeline.ForEach{At: n.at, Item: pipeline.DefaultItem}
	if n.kind == mapping {
		foreachObject().read(r, n, f)
	} else {
		f.In = r.value(n)
	}
	return f
}

func foreachObject() object[pipeline.ForEach] {
	return object[pipeline.ForEach]{
		name: "foreach",
		doc:  "Run the task once for each item of a list; its outputs are lists.",
		fields: []field[pipeline.ForEach]{
			{key: "item", doc: "The name of the item; item unless you say otherwise.", schema: pattern(identifierPattern),
				read: func(r *reader, n *node, f *pipeline.ForEach) {
					if r.some(n) != "" {
						f.Item = r.variable(n, "an item")
					}
				}},
			{key: "in", doc: "The list.", schema: ref("value"), required: true,
				read: func(r *reader, n *node, f *pipeline.ForEach) { f.In = r.value(n) }},
			{key: "parallelism", doc: "The most items at a time.", schema: intSchema(1),
				read: func(r *reader, n *node, f *pipeline.ForEach) {
					if f.Parallelism = r.count(n); f.Parallelism < 1 && n.tag == "!!int" {
						r.errorf(n, "out-of-range", "leave it out for no limit", "parallelism is at least 1")
					}
				}},
		},
	}
}

// retry reads the number of retries, or {max, backoff, max_backoff, multiplier}.
func (r *reader) retry(n *node) *pipeline.Retry {
	retry := pipeline.DefaultRetry
	retry.At = n.at
	if n.kind != mapping {
		retry.Max = r.count(n)
		return &retry
	}
	retryObject().read(r, n, &retry)
	if n.field("max_backoff") == nil {
		retry.MaxBackoff = max(retry.MaxBackoff, retry.Backoff)
	}
	return &retry
}

func retryObject() object[pipeline.Retry] {
	return object[pipeline.Retry]{
		name: "retry",
		doc:  "How often to try again after a failure, and how long to wait before.",
		fields: []field[pipeline.Retry]{
			{key: "max", doc: "The most retries after the first attempt.", schema: intSchema(0), required: true,
				read: func(r *reader, n *node, to *pipeline.Retry) { to.Max = r.count(n) }},
			{key: "backoff", doc: "The wait before the first retry.", schema: ref("duration"),
				read: func(r *reader, n *node, to *pipeline.Retry) { to.Backoff = r.duration(n) }},
			{key: "max_backoff", doc: "The longest wait.", schema: ref("duration"),
				read: func(r *reader, n *node, to *pipeline.Retry) { to.MaxBackoff = r.duration(n) }},
			{key: "multiplier", doc: "What each wait is multiplied by.", schema: numberSchema(),
				read: func(r *reader, n *node, to *pipeline.Retry) { to.Multiplier, _ = r.number(n) }},
		},
	}
}

func commaOr(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
