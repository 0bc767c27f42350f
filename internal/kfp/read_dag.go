package kfp

import (
	"time"

	"github.com/kakehi/kakehi/internal/kfp/cel"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

var dagMessage = message[DAG]{"a DAG", []field[DAG]{
	{name: "tasks", read: func(r *reader, n *source.Node, d *DAG) {
		r.each(n, func(key, value *source.Node) {
			t := &Task{At: key.TextPos(), Name: key.Value}
			taskMessage.read(r, value, t)
			d.Tasks = append(d.Tasks, t)
		})
	}},
	{name: "outputs", read: func(r *reader, n *source.Node, d *DAG) { dagOutputsMessage.read(r, n, d) }},
}}

var dagOutputsMessage = message[DAG]{"the outputs of a DAG", []field[DAG]{
	{name: "parameters", read: func(r *reader, n *source.Node, d *DAG) {
		d.Outputs = r.dagOutputs(n, &outputParameterMessage)
	}},
	{name: "artifacts", read: func(r *reader, n *source.Node, d *DAG) {
		d.Artifacts = r.dagOutputs(n, &outputArtifactMessage)
	}},
}}

func (r *reader) dagOutputs(n *source.Node, m *message[Output]) []*Output {
	var outputs []*Output
	r.each(n, func(key, value *source.Node) {
		o := &Output{At: key.TextPos(), Name: key.Value}
		if m.read(r, value, o) && len(o.From) == 0 {
			r.errorf(key, "missing-key", "name the task and its output", "nothing is said to give the output %q", key.Value)
		}
		outputs = append(outputs, o)
	})
	return outputs
}

var outputParameterMessage = message[Output]{"an output", []field[Output]{
	{name: "valueFromParameter", oneof: "kind", read: func(r *reader, n *source.Node, o *Output) {
		o.From = append(o.From, r.taskOutput(n, &parameterSelectorMessage))
	}},
	{name: "valueFromOneof", oneof: "kind", read: func(r *reader, n *source.Node, o *Output) {
		o.OneOf = true
		oneofMessage.read(r, n, o)
	}},
}}

var oneofMessage = message[Output]{"valueFromOneof", []field[Output]{
	{name: "parameterSelectors", read: func(r *reader, n *source.Node, o *Output) {
		r.list(n, func(item *source.Node) { o.From = append(o.From, r.taskOutput(item, &parameterSelectorMessage)) })
	}},
}}

var outputArtifactMessage = message[Output]{"an output", []field[Output]{
	{name: "artifactSelectors", read: func(r *reader, n *source.Node, o *Output) {
		r.list(n, func(item *source.Node) { o.From = append(o.From, r.taskOutput(item, &artifactSelectorMessage)) })
		o.OneOf = len(o.From) > 1
	}},
}}

var (
	parameterSelectorMessage = taskOutputMessage("producerSubtask", "outputParameterKey")
	artifactSelectorMessage  = taskOutputMessage("producerSubtask", "outputArtifactKey")
	taskParameterMessage     = taskOutputMessage("producerTask", "outputParameterKey")
	taskArtifactMessage      = taskOutputMessage("producerTask", "outputArtifactKey")
)

func taskOutputMessage(task, key string) message[TaskOutput] {
	return message[TaskOutput]{"a reference to an output", []field[TaskOutput]{
		{name: task, read: func(r *reader, n *source.Node, o *TaskOutput) { o.Task = r.name(n) }},
		{name: key, read: func(r *reader, n *source.Node, o *TaskOutput) { o.Output = r.name(n) }},
	}}
}

func (r *reader) taskOutput(n *source.Node, m *message[TaskOutput]) *TaskOutput {
	o := &TaskOutput{At: n.Pos()}
	if m.read(r, n, o) && (o.Task.Value == "" || o.Output.Value == "") {
		r.errorf(n, "missing-key", "", "a reference to an output names the task and the output")
	}
	return o
}

var taskMessage = message[Task]{"a task", []field[Task]{
	{name: "taskInfo", read: func(r *reader, n *source.Node, t *Task) { taskInfoMessage.read(r, n, t) }},
	{name: "inputs", read: func(r *reader, n *source.Node, t *Task) { inputsMessage.read(r, n, t) }},
	{name: "dependentTasks", read: func(r *reader, n *source.Node, t *Task) { t.After = r.names(n) }},
	{name: "cachingOptions", read: func(r *reader, n *source.Node, t *Task) { cachingMessage.read(r, n, t) }},
	{name: "componentRef", read: func(r *reader, n *source.Node, t *Task) { componentRefMessage.read(r, n, t) }},
	{name: "triggerPolicy", read: func(r *reader, n *source.Node, t *Task) { triggerMessage.read(r, n, t) }},
	{name: "parameterIterator", oneof: "iterator", read: func(r *reader, n *source.Node, t *Task) {
		t.Iterator = r.iterator(n, &parameterIteratorMessage)
	}},
	{name: "artifactIterator", oneof: "iterator", read: func(r *reader, n *source.Node, t *Task) {
		t.Iterator = r.iterator(n, &artifactIteratorMessage)
	}},
	{name: "retryPolicy", read: func(r *reader, n *source.Node, t *Task) {
		t.Retry = &Retry{At: n.Pos(), MaxBackoff: defaultMaxBackoff, Factor: defaultFactor}
		retryMessage.read(r, n, t.Retry)
	}},
	{name: "iteratorPolicy", read: func(r *reader, n *source.Node, t *Task) { iteratorPolicyMessage.read(r, n, t) }},
}}

// What KFP takes for a retry where nothing is said.
const (
	defaultMaxBackoff = time.Hour
	defaultFactor     = 2
)

var (
	taskInfoMessage = message[Task]{"taskInfo", []field[Task]{
		{name: "name", read: func(r *reader, n *source.Node, t *Task) { t.DisplayName = r.str(n) }},
	}}
	cachingMessage = message[Task]{"cachingOptions", []field[Task]{
		{name: "enableCache", read: func(r *reader, n *source.Node, t *Task) { t.Cache = r.boolean(n) }},
		{name: "cacheKey", read: func(r *reader, n *source.Node, t *Task) { t.CacheKey = r.str(n) }},
	}}
	componentRefMessage = message[Task]{"componentRef", []field[Task]{
		{name: "name", read: func(r *reader, n *source.Node, t *Task) { t.Ref = r.name(n) }},
	}}
	triggerMessage = message[Task]{"triggerPolicy", []field[Task]{
		{name: "condition", read: func(r *reader, n *source.Node, t *Task) {
			if r.str(n) != "" {
				t.When = r.expression(n)
			}
		}},
		{name: "strategy", read: func(r *reader, n *source.Node, t *Task) { t.Strategy = r.strategy(n) }},
	}}
	iteratorPolicyMessage = message[Task]{"iteratorPolicy", []field[Task]{
		{name: "parallelismLimit", read: func(r *reader, n *source.Node, t *Task) { t.Parallelism = r.count(n) }},
	}}
	retryMessage = message[Retry]{"retryPolicy", []field[Retry]{
		{name: "maxRetryCount", read: func(r *reader, n *source.Node, x *Retry) { x.Max = r.count(n) }},
		{name: "backoffDuration", read: func(r *reader, n *source.Node, x *Retry) { x.Backoff = r.duration(n) }},
		{name: "backoffFactor", read: func(r *reader, n *source.Node, x *Retry) {
			if f, ok := r.number(n); ok && f != 0 {
				x.Factor = f
			}
		}},
		{name: "backoffMaxDuration", read: func(r *reader, n *source.Node, x *Retry) {
			if d := r.duration(n); d != 0 {
				x.MaxBackoff = d
			}
		}},
	}}
)

func (r *reader) strategy(n *source.Node) Strategy {
	switch s := r.str(n); s {
	case "TRIGGER_STRATEGY_UNSPECIFIED", "0", "ALL_UPSTREAM_TASKS_SUCCEEDED", "1":
		return AllSucceeded
	case "ALL_UPSTREAM_TASKS_COMPLETED", "2":
		return AllCompleted
	default:
		r.notOneOf(n, s, []string{"ALL_UPSTREAM_TASKS_SUCCEEDED", "ALL_UPSTREAM_TASKS_COMPLETED"})
		return AllSucceeded
	}
}

// expression parses a condition or a selector.
func (r *reader) expression(n *source.Node) *Expression {
	x, err := cel.Parse(n.Value, n.Locator())
	if err != nil {
		r.addError(n, err)
	}
	return &Expression{At: n.TextPos(), Text: n.Value, X: x}
}

var parameterIteratorMessage = message[Iterator]{"parameterIterator", []field[Iterator]{
	{name: "items", read: func(r *reader, n *source.Node, i *Iterator) { parameterItemsMessage.read(r, n, i) }},
	{name: "itemInput", read: func(r *reader, n *source.Node, i *Iterator) { i.Item = r.name(n) }},
}}

var artifactIteratorMessage = message[Iterator]{"artifactIterator", []field[Iterator]{
	{name: "items", read: func(r *reader, n *source.Node, i *Iterator) { artifactItemsMessage.read(r, n, i) }},
	{name: "itemInput", read: func(r *reader, n *source.Node, i *Iterator) { i.Item = r.name(n) }},
}}

var parameterItemsMessage = message[Iterator]{"items", []field[Iterator]{
	{name: "raw", oneof: "kind", read: func(r *reader, n *source.Node, i *Iterator) { i.Items = r.rawItems(n) }},
	{name: "inputParameter", oneof: "kind", read: func(r *reader, n *source.Node, i *Iterator) { i.Parameter = r.name(n) }},
}}

var artifactItemsMessage = message[Iterator]{"items", []field[Iterator]{
	{name: "inputArtifact", read: func(r *reader, n *source.Node, i *Iterator) { i.Artifact = r.name(n) }},
}}

func (r *reader) iterator(n *source.Node, m *message[Iterator]) *Iterator {
	i := &Iterator{At: n.Pos()}
	if !m.read(r, n, i) {
		return i
	}
	if i.Item.Value == "" {
		r.errorf(n, "missing-key", "add itemInput, the input that takes the item", "the iterator does not say where an item goes")
	}
	if i.Items == nil && i.Parameter.Value == "" && i.Artifact.Value == "" {
		r.errorf(n, "missing-key", "", "the iterator does not say what it iterates over")
	}
	return i
}

// rawItems reads the JSON text of a list.
func (r *reader) rawItems(n *source.Node) *List {
	text := r.str(n)
	inner, diags := source.ReadJSON(n)
	r.diags.Add(diags...)
	switch {
	case inner == nil && text != "":
		r.errorf(n, "bad-value", `write a list in JSON, such as ["a", "b"]`, "%s is no JSON", n.Describe())
	case inner == nil:
	case inner.Kind != source.List:
		r.errorf(n, "bad-value", `write a list in JSON, such as ["a", "b"]`, "the items are a list, not %s", inner.Describe())
	default:
		return r.listValue(inner)
	}
	return &List{At: n.Pos()}
}
