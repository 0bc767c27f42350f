package compile

import (
	"slices"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// A body builds the workflow of one pipeline: main, or a subworkflow.
type body struct {
	*compiler
	p     *pipeline.Pipeline
	names names
	// The variables run (where the run takes place), args (the given
	// parameters) and path (of the task that runs this pipeline; "" in main).
	run, args, path string
	// variables are declared at the top, so that parallel branches may share
	// them and what did not run reads as null.
	variables []*workflow.AssignItem
	order     *order
	caught    map[int]string  // by index in order: the list that keeps the task's failure
	nullable  map[string]bool // tasks that a condition may keep from running
	uncertain map[string]bool // tasks that a failure may have kept from ending, where it is not raised yet
	now       string          // the task that is being compiled
	item      *pipeline.ForEach
	indexName string // of loops; "" until there is one
	errName   string // of errors; "" until there is one
}

func (c *compiler) newBody(p *pipeline.Pipeline) *body {
	b := &body{compiler: c, p: p, names: namesOf(p), nullable: map[string]bool{}, uncertain: map[string]bool{}}
	b.run, b.args = b.names.unique("run"), b.names.unique("args")
	return b
}

// main compiles the pipeline itself.
func (c *compiler) main(p *pipeline.Pipeline) *workflow.Workflow {
	b := c.newBody(p)
	steps := b.steps(maxParallel)
	init := append([]*workflow.AssignItem{set(ref(b.run), c.runMap(p))}, b.initial()...)
	return &workflow.Workflow{At: p.At, Name: "main", Params: []*workflow.Param{{Name: b.args}}, Steps: append(b.assigns("init", init), steps...)}
}

// sub compiles a pipeline that is a task of another, once for each depth of
// parallel steps that it may use, and returns the subworkflow's name.
func (c *compiler) sub(p *pipeline.Pipeline, depth int) string {
	key := subKey{p, depth}
	if name, ok := c.subs[key]; ok {
		return name
	}
	name := c.workflowNames.unique(identifier(p.Name) + "_pipeline")
	c.subs[key] = name
	b := c.newBody(p)
	b.path = b.names.unique("path")
	steps := b.steps(depth)
	c.workflows = append(c.workflows, &workflow.Workflow{
		At: p.At, Name: name, Comment: p.Description,
		Params: []*workflow.Param{{Name: b.run}, {Name: b.path}, {Name: b.args}},
		Steps:  append(b.assigns("init", b.initial()), steps...),
	})
	return name
}

type subKey struct {
	pipeline *pipeline.Pipeline
	depth    int
}

// runMap says where a run takes place: what the runtime asks of the
// environment, once.
func (c *compiler) runMap(p *pipeline.Pipeline) workflow.Node {
	env := func(name string, more ...expr.Expr) expr.Expr {
		return fn("sys.get_env", append([]expr.Expr{quote(name)}, more...)...)
	}
	need := Requires(p)
	m := fields{
		{"pipeline", lit(p.Name)},
		{"execution", node(env("GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID"))},
		{"project", node(env("GOOGLE_CLOUD_PROJECT_ID"))},
		{"number", node(env("GOOGLE_CLOUD_PROJECT_NUMBER"))},
		{"location", node(env("GOOGLE_CLOUD_LOCATION"))},
		{"bucket", node(env("BUCKET"))},
	}
	if len(need.Functions)+len(need.Images) > 0 || need.ModelServer {
		m = append(m, field{"images", node(fn("json.decode", env("IMAGES", quote("{}"))))})
	}
	if need.Jobs {
		m = append(m, field{"job_account", node(env("JOB_SERVICE_ACCOUNT"))})
	}
	if len(need.Services) > 0 {
		m = append(m, field{"serving_account", node(env("SERVING_SERVICE_ACCOUNT"))})
	}
	return m.node()
}

// steps compiles the pipeline, all but the declarations.
func (b *body) steps(depth int) []*workflow.Step {
	steps := b.params()
	b.declare(b.p.Tasks)
	tasks := b.list(b.p.Tasks, depth)
	if len(b.p.OnExit) == 0 {
		steps = append(steps, tasks...)
		steps = append(steps, b.fillNull(b.p.Tasks, func(name string) bool { return b.nullable[name] })...)
	} else {
		steps = append(steps, b.withExit(tasks, depth)...)
	}
	steps = append(steps, b.outputs()...)
	place(steps, b.p.At)
	return steps
}

// declare makes the variables of tasks.
func (b *body) declare(tasks []*pipeline.Task) {
	for _, t := range tasks {
		b.variable(t.Name, lit(nil))
	}
}

func (b *body) variable(name string, initial workflow.Node) string {
	b.variables = append(b.variables, set(ref(name), initial))
	return name
}

// list schedules a list of tasks.
func (b *body) list(tasks []*pipeline.Task, depth int) []*workflow.Step {
	if len(tasks) == 0 {
		return nil
	}
	b.order = newOrder(tasks)
	b.caught = map[int]string{}
	return b.schedule(b.order.all(), depth)
}

// initial are the first assignments: the defaults of the parameters, and the
// body's variables.
func (b *body) initial() []*workflow.AssignItem {
	b.now = pipeline.Params
	v, defaults := b.values(), fields{}
	for _, p := range b.p.Params {
		value := v.node(p.Default)
		if value == nil {
			value = lit(nil)
		}
		defaults = append(defaults, field{p.Name, value})
	}
	items := append(v.items, set(ref(pipeline.Params), defaults.node()))
	return append(items, b.variables...)
}

// params reads the given parameters over the defaults.
func (b *body) params() []*workflow.Step {
	if len(b.p.Params) == 0 {
		return nil
	}
	types, required := fields{}, list()
	for _, p := range b.p.Params {
		types = append(types, field{p.Name, lit(string(p.Type))})
		if p.Default == nil {
			required.Items = append(required.Items, lit(p.Name))
		}
	}
	return []*workflow.Step{call(b.names.unique("read_params"), "read_params", fields{
		{"given", node(ref(b.args))},
		{"defaults", node(ref(pipeline.Params))},
		{"types", types.node()},
		{"required", required},
	}, pipeline.Params)}
}

// assigns makes as many assign steps as the limit on their size demands.
func (b *body) assigns(name string, items []*workflow.AssignItem) []*workflow.Step {
	const most = 50
	var steps []*workflow.Step
	for chunk := range slices.Chunk(items, most) {
		s := assign(b.names.unique(name), chunk...)
		s.At = b.p.At
		steps = append(steps, s)
	}
	return steps
}

// outputs ends the pipeline with its results.
func (b *body) outputs() []*workflow.Step {
	b.now = "outputs"
	v := b.values()
	result := fields{}
	for _, r := range b.p.Outputs {
		result = append(result, field{r.Name, v.node(r.Value)})
	}
	s := &workflow.Step{Name: b.names.unique("outputs"), Do: &workflow.Return{Value: result.node()}}
	return append(v.steps(), s)
}

// fillNull gives tasks that did not run outputs that are null, for those that
// come after them all the same: the exit tasks and the pipeline's outputs.
func (b *body) fillNull(tasks []*pipeline.Task, absent func(name string) bool) []*workflow.Step {
	used := map[string]bool{}
	note := func(names []string) {
		for _, name := range names {
			used[name] = true
		}
	}
	for _, t := range b.p.OnExit {
		note(t.Deps())
	}
	for _, r := range b.p.Outputs {
		note(tasksIn(r.Value))
	}
	var items []*workflow.AssignItem
	for _, t := range tasks {
		if !used[t.Name] || !absent(t.Name) {
			continue
		}
		nulls := fields{}
		for _, o := range t.Out {
			nulls = append(nulls, field{o.Name, lit(nil)})
		}
		none := b.names.unique("no_" + t.Name)
		items = append(items, set(ref(none), nulls.node()), set(ref(t.Name), node(fn("default", ref(t.Name), ref(none)))))
	}
	steps := b.assigns("not_run", items)
	if len(steps) > 0 {
		steps[0].Comment = "The outputs of a task that did not run are null."
	}
	return steps
}

// tasksIn lists the variables that a value names.
func tasksIn(v pipeline.Value) []string {
	var names []string
	pipeline.Exprs(v, func(e *pipeline.Expr) {
		pipeline.Idents(e.X, func(id *expr.Ident) { names = append(names, id.Name) })
	})
	return names
}

// withExit runs tasks and then, whatever came of them, the exit tasks.
func (b *body) withExit(tasks []*workflow.Step, depth int) []*workflow.Step {
	failure := b.variable(b.names.unique("failure"), lit(nil))
	status := func(state string, err workflow.Node) workflow.Node {
		return fields{{"state", lit(state)}, {"error", err}}.node()
	}
	b.variable(pipeline.Status, status("SUCCEEDED", lit(nil)))
	b.declare(b.p.OnExit)
	e, why := b.errorName(), b.names.unique("why")
	steps := []*workflow.Step{{Name: b.names.unique("tasks"), Do: &workflow.Try{
		Body: &workflow.Step{Do: &workflow.Steps{Steps: tasks}},
		Except: &workflow.Except{As: e, Steps: []*workflow.Step{
			call(b.names.unique("explain"), "explain_error", fields{{"error", node(ref(e))}}, why),
			assign(b.names.unique("tasks_failed"), set(ref(failure), node(ref(e))), set(ref(pipeline.Status), status("FAILED", node(ref(why))))),
		}},
	}}}
	// Any task may be what failed.
	steps = append(steps, b.fillNull(b.p.Tasks, func(string) bool { return true })...)
	exit := b.list(b.p.OnExit, depth)
	steps = append(steps, &workflow.Step{Name: b.names.unique("on_exit"), Do: &workflow.Try{
		Body: &workflow.Step{Do: &workflow.Steps{Steps: exit}},
		Except: &workflow.Except{As: e, Steps: []*workflow.Step{
			assign(b.names.unique("exit_failed"), set(ref(failure), node(fn("default", ref(failure), ref(e))))),
		}},
	}})
	raise := &workflow.Step{Do: &workflow.Raise{Value: node(ref(failure))}}
	return append(steps, choose(b.names.unique("outcome"), arm(join("!=", ref(failure), null()), raise)))
}

// errorName is the variable of every except in this body.
func (b *body) errorName() string {
	if b.errName == "" {
		b.errName = b.names.unique("e")
	}
	return b.errName
}

// loopIndex is the variable of every loop's index in this body.
func (b *body) loopIndex() string {
	if b.indexName == "" {
		b.indexName = b.names.unique("i")
	}
	return b.indexName
}

// place gives a position to each step that has none.
func place(steps []*workflow.Step, at diag.Pos) {
	eachStep(steps, func(s *workflow.Step) {
		if !s.At.IsValid() {
			s.At = at
		}
	})
}
