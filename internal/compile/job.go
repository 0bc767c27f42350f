package compile

import (
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
	"github.com/kakehi/kakehi/internal/workflow"
)

// job runs a Vertex AI CustomJob.
func (b *body) job(t *pipeline.Task, k *pipeline.Job, at path, result string, v *values) *workflow.Step {
	spec := b.jobSpec(t, k, v)
	return call("", "run_job", fields{
		{"run", node(ref(b.run))},
		{"task", node(at.expr())},
		{"job", spec},
		{"inputs", b.inputs(t, v)},
		{"outputs", outputTypes(t)},
		{"cache", cacheKey(t, "job")},
	}, result)
}

// jobSpec makes the CustomJobSpec. Its retries are off: those of the task
// start a new job with a label of its own.
//
// Fields: cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec.
func (b *body) jobSpec(t *pipeline.Task, k *pipeline.Job, v *values) workflow.Node {
	if k.Spec != nil {
		return b.rawSpec(t, k, v)
	}
	pool := func(replicas int) workflow.Node {
		return fields{
			{"machineSpec", machineSpec(k)},
			{"replicaCount", lit(strconv.Itoa(replicas))}, // an int64 in JSON
			{"diskSpec", diskSpec(k)},
			{"containerSpec", b.containerSpec(t, k, v)},
		}.node()
	}
	// The chief is alone in its pool; the workers are in the second.
	pools := list(pool(1))
	if k.Replicas > 1 {
		pools.Items = append(pools.Items, pool(k.Replicas-1))
	}
	strategy := workflow.Node(nil)
	if k.Spot {
		strategy = lit("SPOT")
	}
	account := node(ref(b.run, "job_account"))
	if k.ServiceAccount != "" {
		account = lit(k.ServiceAccount)
	}
	var output workflow.Node
	if k.BaseOutput != nil {
		output = fields{{"outputUriPrefix", v.text(k.BaseOutput)}}.node()
	}
	return fields{
		{"workerPoolSpecs", pools},
		{"scheduling", fields{
			{"timeout", jsonDuration(t.Timeout)},
			{"strategy", strategy},
			{"restartJobOnWorkerRestart", lit(false)},
			{"disableRetries", lit(true)},
		}.node()},
		{"serviceAccount", account},
		{"baseOutputDirectory", output},
	}.node()
}

// jsonDuration is a google.protobuf.Duration; nil for the service's default.
func jsonDuration(d time.Duration) workflow.Node {
	if d == 0 {
		return nil
	}
	return lit(strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s")
}

func machineSpec(k *pipeline.Job) workflow.Node {
	m := fields{{"machineType", lit(k.Machine)}}
	if k.Accelerator != "" {
		m = append(m, field{"acceleratorType", lit(k.Accelerator)}, field{"acceleratorCount", lit(int64(k.Accelerators))})
	}
	return m.node()
}

func diskSpec(k *pipeline.Job) workflow.Node {
	d := fields{}
	if k.DiskType != "" {
		d = append(d, field{"bootDiskType", lit(k.DiskType)})
	}
	if k.DiskGB > 0 {
		d = append(d, field{"bootDiskSizeGb", lit(int64(k.DiskGB))})
	}
	if len(d) == 0 {
		return nil
	}
	return d.node()
}

func (b *body) containerSpec(t *pipeline.Task, k *pipeline.Job, v *values) workflow.Node {
	words := func(values []pipeline.Value) *workflow.List {
		l := list()
		for _, value := range values {
			l.Items = append(l.Items, v.text(value))
		}
		return l
	}
	command, args := words(k.Command), words(k.Args)
	if tellsExecutor(t) && !mentions(command) && !mentions(args) {
		args.Items = append(args.Items, lit(executorInput))
	}
	env := list()
	for _, e := range k.Env {
		env.Items = append(env.Items, fields{{"name", lit(e.Name)}, {"value", v.text(e.Value)}}.node())
	}
	return fields{
		{"imageUri", b.image(k.Image)},
		{"command", unlessEmpty(command)},
		{"args", unlessEmpty(args)},
		{"env", unlessEmpty(env)},
	}.node()
}

func unlessEmpty(l *workflow.List) workflow.Node {
	if len(l.Items) == 0 {
		return nil
	}
	return l
}

// executorInput is the argument by which KFP's containers learn their inputs
// and outputs: the placeholder is the whole ExecutorInput. It is added to a
// command line that has no placeholder of its own.
const (
	wholeInput    = "{{$}}"
	executorInput = "--executor_input=" + wholeInput
)

// tellsExecutor reports whether there is anything that a container must be
// told.
func tellsExecutor(t *pipeline.Task) bool { return len(t.In)+len(t.Out) > 0 }

// mentions reports whether a node holds one of KFP's placeholders.
func mentions(n workflow.Node) bool { return len(placeholders(n)) > 0 }

// image is where an image of the spec was built or pinned to: IMAGES maps the
// reference to one by digest. One by digest needs no map.
func (b *body) image(reference string) workflow.Node {
	images, key := ref(b.run, "images"), quote(reference)
	switch {
	case strings.Contains(reference, "@sha256:"):
		return lit(reference)
	case strings.HasPrefix(reference, "ko://"):
		return node(index(images, key))
	}
	return node(fn("default", fn("map.get", images, key), key))
}

// rawSpec fills a CustomJobSpec that the user wrote with what is not in it.
func (b *body) rawSpec(t *pipeline.Task, k *pipeline.Job, v *values) workflow.Node {
	spec, ok := v.node(k.Spec).(*workflow.Map)
	if !ok {
		return v.node(k.Spec)
	}
	told := mentions(spec) || !tellsExecutor(t)
	if pools, ok := get(spec, "workerPoolSpecs").(*workflow.List); ok {
		for _, pool := range pools.Items {
			if container, ok := get(pool, "containerSpec").(*workflow.Map); ok {
				b.rawContainer(container, told)
			}
		}
	}
	if t.Timeout > 0 {
		setDefault(spec, "scheduling", fields{}.node())
		if scheduling, ok := get(spec, "scheduling").(*workflow.Map); ok {
			setDefault(scheduling, "timeout", jsonDuration(t.Timeout))
		}
	}
	setDefault(spec, "serviceAccount", node(ref(b.run, "job_account")))
	return spec
}

func (b *body) rawContainer(container *workflow.Map, told bool) {
	if image, ok := get(container, "imageUri").(*workflow.Lit); ok {
		if s, ok := image.Value.(string); ok {
			put(container, "imageUri", b.image(s))
		}
	}
	if told {
		return
	}
	setDefault(container, "args", list())
	if args, ok := get(container, "args").(*workflow.List); ok {
		args.Items = append(args.Items, lit(executorInput))
	}
}

// get returns the value of a key of a map that is written out, or nil.
func get(n workflow.Node, key string) workflow.Node {
	if m, ok := n.(*workflow.Map); ok {
		for _, e := range m.Entries {
			if l, ok := e.Key.(*workflow.Lit); ok && l.Value == key {
				return e.Value
			}
		}
	}
	return nil
}

// put replaces the value of a key.
func put(m *workflow.Map, key string, value workflow.Node) {
	for _, e := range m.Entries {
		if l, ok := e.Key.(*workflow.Lit); ok && l.Value == key {
			e.Value = value
		}
	}
}

func setDefault(m *workflow.Map, key string, value workflow.Node) {
	if get(m, key) == nil {
		m.Entries = append(m.Entries, &workflow.Entry{Key: lit(key), Value: value})
	}
}

// placeholders lists what a node's texts hold from "{{$" to "}}".
func placeholders(n workflow.Node) []string {
	var found []string
	scan := func(s string) {
		for {
			i := strings.Index(s, "{{$")
			if i < 0 {
				return
			}
			s = s[i:]
			end := strings.Index(s, "}}")
			if end < 0 {
				return
			}
			found = append(found, s[:end+2])
			s = s[end+2:]
		}
	}
	switch n := n.(type) {
	case *workflow.Lit:
		if s, ok := n.Value.(string); ok {
			scan(s)
		}
	case *workflow.Expr:
		expr.Walk(n.X, func(x expr.Expr) bool {
			if l, ok := x.(*expr.Literal); ok {
				if s, ok := l.Value.(string); ok {
					scan(s)
				}
			}
			return true
		})
	case *workflow.List:
		for _, item := range n.Items {
			found = append(found, placeholders(item)...)
		}
	case *workflow.Map:
		for _, e := range n.Entries {
			found = append(found, placeholders(e.Value)...)
		}
	}
	return found
}
