package pipeline

import "github.com/kakehi/kakehi/internal/expr"

// Task returns the task of that name, of the tasks and then of those on exit;
// nil when there is none.
func (p *Pipeline) Task(name string) *Task {
	for _, list := range [][]*Task{p.Tasks, p.OnExit} {
		for _, t := range list {
			if t.Name == name {
				return t
			}
		}
	}
	return nil
}

// Param returns the parameter of that name, or nil.
func (p *Pipeline) Param(name string) *Param {
	for _, param := range p.Params {
		if param.Name == name {
			return param
		}
	}
	return nil
}

// Output returns the output of that name, or nil.
func (t *Task) Output(name string) *Output {
	for _, o := range t.Out {
		if o.Name == name {
			return o
		}
	}
	return nil
}

// Deps returns the names of the tasks that t must wait for, each once, in the
// order in which t mentions them: its inputs, the values of its kind, when,
// foreach, then after.
func (t *Task) Deps() []string {
	var names []string
	seen := map[string]bool{t.item(): true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, x := range t.exprs() {
		Idents(x, func(id *expr.Ident) {
			if _, builtin := Builtins[id.Name]; !builtin && id.Name != Params && id.Name != Event && id.Name != Status {
				add(id.Name)
			}
		})
	}
	for _, name := range t.After {
		add(name)
	}
	return names
}

func (t *Task) item() string {
	if t.ForEach == nil {
		return ""
	}
	return t.ForEach.Item
}

// exprs returns every expression of t, in the order of [Task.Deps].
func (t *Task) exprs() []expr.Expr {
	var xs []expr.Expr
	for _, v := range t.Values() {
		Exprs(v, func(e *Expr) { xs = append(xs, e.X) })
	}
	if t.When != nil {
		xs = append(xs, t.When)
	}
	if t.ForEach != nil {
		Exprs(t.ForEach.In, func(e *Expr) { xs = append(xs, e.X) })
	}
	return xs
}

// Values returns the values that t's inputs and its kind hold, without nils.
func (t *Task) Values() []Value {
	var vs []Value
	add := func(list ...Value) {
		for _, v := range list {
			if v != nil {
				vs = append(vs, v)
			}
		}
	}
	fields := func(lists ...[]*Input) {
		for _, l := range lists {
			for _, in := range l {
				add(in.Value)
			}
		}
	}
	fields(t.In)
	switch k := t.Kind.(type) {
	case *HTTP:
		add(k.URL)
		fields(k.Headers, k.Query)
		add(k.Body, k.Audience)
	case *Job:
		add(k.Command...)
		add(k.Args...)
		fields(k.Env)
		add(k.BaseOutput, k.Spec)
	case *Serve:
		add(k.Model, k.Golden)
		if k.Rollout != nil {
			add(k.Rollout.Interval, k.Rollout.MinSample)
		}
	case *Rollout:
		add(k.Interval, k.MinSample)
	case *Approve:
		add(k.Message)
	}
	return vs
}

// Exprs calls f for each expression within v, in source order.
func Exprs(v Value, f func(*Expr)) {
	switch v := v.(type) {
	case *Expr:
		f(v)
	case *Items:
		for _, item := range v.Items {
			Exprs(item, f)
		}
	case *Fields:
		for _, field := range v.Fields {
			Exprs(field.Value, f)
		}
	}
}

// Idents calls f for each variable that x names, in source order.
func Idents(x expr.Expr, f func(*expr.Ident)) {
	expr.Walk(x, func(x expr.Expr) bool {
		if id, ok := x.(*expr.Ident); ok {
			f(id)
		}
		return true
	})
}

// Order sorts tasks so that each comes after those it depends on, and else keeps
// the source order. Names that are not in tasks are taken as done. When tasks
// depend on each other in a circle, cycle lists one such circle, each task
// depending on the next and the last on the first, and sorted is nil.
func Order(tasks []*Task) (sorted []*Task, cycle []string) {
	o := orderer{tasks: make(map[string]*Task, len(tasks)), depth: make(map[string]int, len(tasks))}
	for _, t := range tasks {
		o.tasks[t.Name] = t
	}
	for _, t := range tasks {
		if cycle := o.visit(o.tasks[t.Name]); cycle != nil {
			return nil, cycle
		}
	}
	return o.sorted, nil
}

// An orderer walks depth first: a task is sorted once its dependencies are.
type orderer struct {
	tasks  map[string]*Task
	path   []string       // the tasks being visited, each depending on the next
	depth  map[string]int // 1 + index in path, or -1 once sorted
	sorted []*Task
}

func (o *orderer) visit(t *Task) (cycle []string) {
	switch d := o.depth[t.Name]; {
	case d < 0:
		return nil
	case d > 0:
		return o.path[d-1:]
	}
	o.path = append(o.path, t.Name)
	o.depth[t.Name] = len(o.path)
	for _, name := range t.Deps() {
		if dep := o.tasks[name]; dep != nil {
			if cycle := o.visit(dep); cycle != nil {
				return cycle
			}
		}
	}
	o.path = o.path[:len(o.path)-1]
	o.depth[t.Name] = -1
	o.sorted = append(o.sorted, t)
	return nil
}
