package compile

import (
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// serve registers and deploys a model. What Cloud Run is to run stands in
// main; how it gets its traffic is the runtime's.
func (b *body) serve(k *pipeline.Serve, at path, result string, v *values) *workflow.Step {
	golden, policy := v.node(k.Golden), lit(nil)
	if golden == nil {
		golden = lit(nil)
	}
	if k.Rollout != nil {
		policy = rolloutPolicy(k.Rollout, v)
	}
	args := fields{
		{"run", node(ref(b.run))},
		{"task", node(at.expr())},
		{"service", lit(k.Service)},
		{"model", v.node(k.Model)},
		{"golden", golden},
		{"template", b.template(k, v)},
		{"public", lit(k.Public)},
		{"rollout", policy},
	}
	if k.IfNew {
		args = append(args, field{"if_new", lit(true)})
	}
	return call("", "serve_model", args, result)
}

// template is the RevisionTemplate of Cloud Run's API v2. The model server
// reads AIP_STORAGE_URI, as Vertex AI's prediction containers do.
func (b *body) template(k *pipeline.Serve, v *values) workflow.Node {
	image := node(ref(b.run, "images", modelServer))
	if k.Image != "" {
		image = b.image(k.Image)
	}
	limits := fields{}
	if k.CPU != "" {
		limits = append(limits, field{"cpu", lit(k.CPU)})
	}
	if k.Memory != "" {
		limits = append(limits, field{"memory", lit(k.Memory)})
	}
	resources := fields{}
	if len(limits) > 0 {
		resources = append(resources, field{"limits", limits.node()})
	}
	// Once resources are given, billing by request must be asked for.
	resources = append(resources, field{"cpuIdle", lit(true)}, field{"startupCpuBoost", lit(true)})
	uri := v.exprNode(member(k.Model, "uri"))
	t := fields{
		{"containers", list(fields{
			{"image", image},
			{"env", list(fields{{"name", lit("AIP_STORAGE_URI")}, {"value", uri}}.node())},
			{"resources", resources.node()},
		}.node())},
		{"serviceAccount", node(ref(b.run, "serving_account"))},
	}
	scaling := fields{}
	if k.MinInstances > 0 {
		scaling = append(scaling, field{"minInstanceCount", lit(int64(k.MinInstances))})
	}
	if k.MaxInstances > 0 {
		scaling = append(scaling, field{"maxInstanceCount", lit(int64(k.MaxInstances))})
	}
	if len(scaling) > 0 {
		t = append(t, field{"scaling", scaling.node()})
	}
	if k.Concurrency > 0 {
		t = append(t, field{"maxInstanceRequestConcurrency", lit(int64(k.Concurrency))})
	}
	return t.node()
}

// modelServer is the key of IMAGES for the model server.
const modelServer = "modelserver"

// defaultInterval is the time between two decisions of a rollout, in seconds:
// Cloud Logging needs some of it to show what happened.
const defaultInterval = 60

// rolloutPolicy is the policy that functions/rollout reads; times are seconds.
func rolloutPolicy(k *pipeline.Rollout, v *values) workflow.Node {
	steps := list()
	for _, s := range k.Steps {
		steps.Items = append(steps.Items, lit(int64(s)))
	}
	interval := v.node(k.Interval)
	if interval == nil {
		interval = lit(int64(defaultInterval))
	}
	p := fields{{"steps", unlessEmpty(steps)}, {"interval", interval}}
	if k.MaxErrors > 0 {
		p = append(p, field{"maxErrors", lit(number(k.MaxErrors))})
	}
	if k.P95 > 0 {
		p = append(p, field{"p95", lit(seconds(k.P95))})
	}
	if k.Undecided != "" {
		p = append(p, field{"undecided", lit(k.Undecided)})
	}
	if k.Deadline > 0 {
		p = append(p, field{"deadline", lit(seconds(k.Deadline))})
	}
	return append(p, field{"minSample", v.node(k.MinSample)}).node()
}

// rollout moves the traffic of a service that has a candidate already.
func (b *body) rollout(k *pipeline.Rollout, at path, result string, v *values) *workflow.Step {
	return call("", "roll_out", fields{
		{"run", node(ref(b.run))},
		{"task", node(at.expr())},
		{"service", lit(k.Service)},
		{"policy", rolloutPolicy(k, v)},
	}, result)
}

// member reads a field of a value that is a reference.
func member(v pipeline.Value, name string) expr.Expr {
	if e, ok := v.(*pipeline.Expr); ok {
		return &expr.Member{X: e.X, Name: name}
	}
	return null() // an earlier mistake
}
