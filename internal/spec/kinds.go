package spec

import (
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/pipeline"
)

// kindFields are the keys of a task that say what it does, in the order of
// kindKeys.
func kindFields() []field[taskDraft] {
	return []field[taskDraft]{
		{key: "function", doc: "A Go function of functions/, called on Cloud Run with OIDC.", schema: pattern(identifierPattern),
			read: func(r *reader, n *node, t *taskDraft) {
				if r.some(n) != "" {
					t.Kind = &pipeline.Function{At: n.at, Name: r.identifier(n, "a function")}
				}
			}},
		{key: "http", doc: "A request to any URL. Each output is the field of its name in the JSON answer.", schema: either(urlSchema(), ref("http")),
			read: func(r *reader, n *node, t *taskDraft) { t.Kind = r.http(n) }},
		{key: "job", doc: "A Vertex AI CustomJob.", schema: ref("job"),
			read: func(r *reader, n *node, t *taskDraft) { r.job(n, t) }},
		{key: "serve", doc: "Register a model and serve it on Cloud Run. Outputs: url, revision, model, decision.", schema: ref("serve"),
			read: func(r *reader, n *node, t *taskDraft) {
				k := &pipeline.Serve{At: n.at}
				serveObject().read(r, n, k)
				t.Kind = k
			}},
		{key: "rollout", doc: "Move a service's traffic to its newest revision by steps. Output: decision.", schema: ref("rollout"),
			read: func(r *reader, n *node, t *taskDraft) {
				t.rollout = &pipeline.Rollout{At: n.at}
				rolloutObject().read(r, n, t.rollout)
			}},
		{key: "pipeline", doc: "Another pipeline: its file, such as ./other.yaml, or the pipeline itself.", schema: either(pattern(`^\.\.?/`), ref("pipeline")),
			read: func(r *reader, n *node, t *taskDraft) { r.sub(n, t) }},
		{key: "approve", doc: "Wait until a person approves; the text tells what. Each output is the field of its name in the JSON answer.", schema: someText(),
			read: func(r *reader, n *node, t *taskDraft) {
				if r.some(n) != "" {
					t.Kind = &pipeline.Approve{At: n.at, Message: r.textValue(n)}
				}
			}},
	}
}

// http reads a request, or just the URL to get.
func (r *reader) http(n *node) *pipeline.HTTP {
	k := &pipeline.HTTP{At: n.at, Method: "GET"}
	if n.kind != mapping {
		if r.some(n) != "" {
			k.URL = r.value(n)
		}
		return k
	}
	httpObject().read(r, n, k)
	if n.field("method") == nil && n.field("body") != nil {
		k.Method = "POST"
	}
	return k
}

func httpObject() object[pipeline.HTTP] {
	return object[pipeline.HTTP]{
		name: "http",
		doc:  "A request to any URL.",
		fields: []field[pipeline.HTTP]{
			{key: "method", doc: "GET unless there is a body, then POST.", schema: enum(httpMethods...),
				read: func(r *reader, n *node, k *pipeline.HTTP) { k.Method = r.oneOf(n, httpMethods...) }},
			{key: "url", doc: "The URL.", schema: urlSchema(), required: true,
				read: func(r *reader, n *node, k *pipeline.HTTP) { k.URL = r.value(n) }},
			{key: "headers", doc: "Request headers.", schema: anyMap(),
				read: func(r *reader, n *node, k *pipeline.HTTP) { k.Headers = r.fieldsOf(n) }},
			{key: "query", doc: "Query parameters.", schema: anyMap(),
				read: func(r *reader, n *node, k *pipeline.HTTP) { k.Query = r.fieldsOf(n) }},
			{key: "body", doc: "The body, sent as JSON.", schema: ref("value"),
				read: func(r *reader, n *node, k *pipeline.HTTP) { k.Body = r.value(n) }},
			{key: "auth", doc: "OIDC for your own services, OAuth2 for Google's APIs; without it the request carries no identity.", schema: enum("OIDC", "OAuth2"),
				read: func(r *reader, n *node, k *pipeline.HTTP) { k.Auth = r.oneOf(n, "OIDC", "OAuth2") }},
			{key: "audience", doc: "The audience of an OIDC token; the URL unless you say otherwise.", schema: stringSchema(),
				read: func(r *reader, n *node, k *pipeline.HTTP) { k.Audience = r.value(n) }},
		},
	}
}

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// A jobDraft is a job while its keys are read.
type jobDraft struct {
	*pipeline.Job
	timeout time.Duration
}

// defaultMachine is Vertex AI's smallest for training.
const defaultMachine = "e2-standard-4"

func (r *reader) job(n *node, t *taskDraft) {
	d := &jobDraft{Job: &pipeline.Job{At: n.at}}
	t.Kind = d.Job
	if !r.tables.job.read(r, n, d) {
		return
	}
	t.jobTimeout = d.timeout
	if raw := n.field("jobSpec"); raw != nil {
		for _, p := range n.fields {
			if key := p.key.value; key != "jobSpec" && key != "timeout" && r.tables.job.find(key) != nil {
				r.errorf(p.key, "conflict", "say it in jobSpec", "%s cannot stand beside jobSpec", p.key.value)
			}
		}
		return
	}
	if n.field("image") == nil {
		r.errorf(n, "missing-key", "add image: ko://./path or a registry's image", "the job has no image")
	}
	if n.field("machine") == nil {
		if d.Accelerator == "" {
			d.Machine = defaultMachine
		} else {
			r.errorf(n.field("accelerator").key, "missing-key", "such as "+commaOr(pipeline.MachinesFor(d.Accelerator, d.Accelerators)), "an accelerator needs a machine that takes it")
		}
	}
	if d.Accelerator == "" && n.field("accelerator") == nil {
		d.Accelerator, d.Accelerators = pipeline.BuiltInAccelerator(d.Machine)
	}
}

func jobObject() object[jobDraft] {
	return object[jobDraft]{
		name: "job",
		doc:  "A Vertex AI CustomJob: one container on one or more machines.",
		fields: []field[jobDraft]{
			{key: "image", doc: "A registry's image, or ko://./path for a Go program.", schema: stringSchema(),
				read: func(r *reader, n *node, k *jobDraft) { k.Image = r.some(n) }},
			{key: "command", doc: "Replaces the image's entry point.", schema: oneOrMore(ref("value")),
				read: func(r *reader, n *node, k *jobDraft) { k.Command = r.values(n) }},
			{key: "args", doc: "Arguments. With them, place {{$}} for KFP's executor input yourself.", schema: oneOrMore(ref("value")),
				read: func(r *reader, n *node, k *jobDraft) { k.Args = r.values(n) }},
			{key: "env", doc: "Environment variables.", schema: anyMap(),
				read: func(r *reader, n *node, k *jobDraft) { k.Env = r.fieldsOf(n) }},
			{key: "machine", doc: "The machine type; " + defaultMachine + " unless you say otherwise.", schema: stringSchema(),
				read: func(r *reader, n *node, k *jobDraft) { k.Machine = r.some(n) }},
			{key: "accelerator", doc: "Such as NVIDIA_L4 or 2 × NVIDIA_TESLA_T4.", schema: pattern(acceleratorPattern),
				read: func(r *reader, n *node, k *jobDraft) { k.Accelerator, k.Accelerators = r.accelerator(n) }},
			{key: "replicas", doc: "How many machines run the container.", schema: intSchema(1),
				read: func(r *reader, n *node, k *jobDraft) {
					if k.Replicas = r.count(n); k.Replicas < 1 && n.tag == "!!int" {
						r.errorf(n, "out-of-range", "leave it out for one", "replicas is at least 1")
					}
				}},
			{key: "disk", doc: "The boot disk's size, such as 200GB, or {size, type}.", schema: either(pattern(sizePattern), ref("disk")),
				read: func(r *reader, n *node, k *jobDraft) { r.disk(n, k) }},
			{key: "timeout", doc: "The most time that the job may take, such as 6h.", schema: ref("duration"),
				read: func(r *reader, n *node, k *jobDraft) { k.timeout = r.duration(n) }},
			{key: "spot", doc: "Use spot machines: cheaper, but they may be taken away at any time.", schema: boolSchema(),
				read: func(r *reader, n *node, k *jobDraft) { k.Spot = r.boolean(n) }},
			{key: "service_account", doc: "The service account's e-mail address; the pipeline's for jobs unless you say otherwise.", schema: stringSchema(),
				read: func(r *reader, n *node, k *jobDraft) { k.ServiceAccount = r.some(n) }},
			{key: "base_output", doc: "A gs:// prefix from which Vertex AI sets AIP_MODEL_DIR and the like.", schema: stringSchema(),
				read: func(r *reader, n *node, k *jobDraft) { k.BaseOutput = r.value(n) }},
			{key: "jobSpec", doc: "Vertex AI's own CustomJobSpec, instead of the keys above.", schema: anyMap(),
				read: func(r *reader, n *node, k *jobDraft) {
					if n.kind != mapping {
						r.errorf(n, "wrong-type", "begin with workerPoolSpecs", "jobSpec is a map, not %s", n.describe())
						return
					}
					k.Spec = r.value(n)
				}},
		},
		extra: anyRequired("image", "jobSpec"),
	}
}

func (r *reader) disk(n *node, k *jobDraft) {
	if n.kind == mapping {
		diskObject().read(r, n, k)
		return
	}
	k.DiskGB = r.wholeGB(n)
}

// wholeGB reads a size that must be a whole number of GB.
func (r *reader) wholeGB(n *node) int {
	m := r.size(n)
	if m%1024 != 0 {
		r.errorf(n, "bad-value", "write it as 100GB", "a disk has whole GB, not %s", n.value)
	}
	return m / 1024
}

func diskObject() object[jobDraft] {
	return object[jobDraft]{
		name: "disk",
		doc:  "A boot disk.",
		fields: []field[jobDraft]{
			{key: "size", doc: "Such as 200GB.", schema: pattern(sizePattern),
				read: func(r *reader, n *node, k *jobDraft) { k.DiskGB = r.wholeGB(n) }},
			{key: "type", doc: "Such as pd-ssd, the default.", schema: enum(pipeline.DiskTypes()...),
				read: func(r *reader, n *node, k *jobDraft) { k.DiskType = r.oneOf(n, pipeline.DiskTypes()...) }},
		},
	}
}

func serveObject() object[pipeline.Serve] {
	count := func(set func(*pipeline.Serve, int)) func(*reader, *node, *pipeline.Serve) {
		return func(r *reader, n *node, k *pipeline.Serve) { set(k, r.count(n)) }
	}
	return object[pipeline.Serve]{
		name: "serve",
		doc:  "Register a model and serve it on Cloud Run, scaling to zero.",
		fields: []field[pipeline.Serve]{
			{key: "service", doc: "The Cloud Run service's name.", schema: pattern(hyphenPattern), required: true,
				read: func(r *reader, n *node, k *pipeline.Serve) { k.Service = r.hyphened(n, "a service") }},
			{key: "model", doc: "A reference to the Model artifact.", schema: stringSchema(), required: true,
				read: func(r *reader, n *node, k *pipeline.Serve) { k.Model = r.value(n) }},
			{key: "golden", doc: "A reference to a Dataset of requests with the predictions they must get.", schema: stringSchema(),
				read: func(r *reader, n *node, k *pipeline.Serve) { k.Golden = r.value(n) }},
			{key: "image", doc: "A model server of your own; Kakehi's unless you say otherwise.", schema: stringSchema(),
				read: func(r *reader, n *node, k *pipeline.Serve) { k.Image = r.some(n) }},
			{key: "cpu", doc: "CPUs of an instance, such as 1 or 0.5.", schema: numberSchema(),
				read: func(r *reader, n *node, k *pipeline.Serve) {
					if f, ok := r.number(n); ok {
						k.CPU = strconv.FormatFloat(f, 'f', -1, 64)
					}
				}},
			{key: "memory", doc: "Memory of an instance, such as 512Mi.", schema: pattern(sizePattern),
				read: func(r *reader, n *node, k *pipeline.Serve) { k.Memory = memory(r.size(n)) }},
			{key: "min_instances", doc: "Instances kept warm; 0 unless you say otherwise.", schema: intSchema(0),
				read: count(func(k *pipeline.Serve, i int) { k.MinInstances = i })},
			{key: "max_instances", doc: "The most instances.", schema: intSchema(1),
				read: count(func(k *pipeline.Serve, i int) { k.MaxInstances = i })},
			{key: "concurrency", doc: "Requests that an instance serves at a time.", schema: intSchema(1),
				read: count(func(k *pipeline.Serve, i int) { k.Concurrency = i })},
			{key: "public", doc: "Let anyone call the service, without a token.", schema: boolSchema(),
				read: func(r *reader, n *node, k *pipeline.Serve) { k.Public = r.boolean(n) }},
			{key: "if_new", doc: "Deploy only if the service does not exist yet; else leave it as it is.", schema: boolSchema(),
				read: func(r *reader, n *node, k *pipeline.Serve) { k.IfNew = r.boolean(n) }},
		},
	}
}

// memory writes a size as Cloud Run does.
func memory(mebibytes int) string {
	switch {
	case mebibytes == 0:
		return ""
	case mebibytes%1024 == 0:
		return strconv.Itoa(mebibytes/1024) + "Gi"
	}
	return strconv.Itoa(mebibytes) + "Mi"
}

func rolloutObject() object[pipeline.Rollout] {
	return object[pipeline.Rollout]{
		name: "rollout",
		doc:  "How traffic moves from the stable revision to the candidate.",
		fields: []field[pipeline.Rollout]{
			{key: "service", doc: "The service, for a rollout that does not stand beside serve.", schema: pattern(hyphenPattern),
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.Service = r.hyphened(n, "a service") }},
			{key: "steps", doc: "Percentages of the traffic, rising to 100.", schema: nonEmpty(listOf(intSchema(1))), required: true,
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.Steps = r.steps(n) }},
			{key: "interval", doc: "The time between two decisions: 5m, or a reference to seconds.", schema: either(stringSchema(), numberSchema()),
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.Interval = r.seconds(n) }},
			{key: "slo", doc: "What the candidate must keep.", schema: ref("slo"),
				read: func(r *reader, n *node, k *pipeline.Rollout) { sloObject().read(r, n, k) }},
			{key: "undecided", doc: "What to do at the deadline without enough evidence; hold unless you say otherwise.", schema: enum(outcomes...),
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.Undecided = r.oneOf(n, outcomes...) }},
			{key: "deadline", doc: "The most time that one step may take.", schema: ref("duration"),
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.Deadline = r.duration(n) }},
			{key: "min_sample", doc: "Requests that the candidate must have served before any promotion.", schema: either(intSchema(1), stringSchema()),
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.MinSample = r.value(n) }},
		},
	}
}

var outcomes = []string{"hold", "promote", "rollback"}

func sloObject() object[pipeline.Rollout] {
	return object[pipeline.Rollout]{
		name: "slo",
		doc:  "Service level objectives.",
		fields: []field[pipeline.Rollout]{
			{key: "errors", doc: "The largest share of bad answers, such as 1%.", schema: pattern(percentPattern),
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.MaxErrors = r.percent(n) }},
			{key: "p95", doc: "The latency that 95% of the requests keep, such as 200ms.", schema: ref("duration"),
				read: func(r *reader, n *node, k *pipeline.Rollout) { k.P95 = r.duration(n) }},
		},
	}
}

func (r *reader) steps(n *node) []int {
	if n.kind != list {
		r.errorf(n, "wrong-type", "write it as [5, 25, 50, 100]", "steps is a list of percentages, not %s", n.describe())
		return nil
	}
	if len(n.items) == 0 {
		r.errorf(n, "bad-value", "write it as [5, 25, 50, 100]", "a rollout needs at least one step")
	}
	var steps []int
	for i, item := range n.items {
		if item.kind != scalar || item.tag != "!!int" {
			r.errorf(item, "wrong-type", "write it as [5, 25, 50, 100]", "a step is a whole number of percent, not %s", item.describe())
			continue
		}
		r.mark("steps."+strconv.Itoa(i), item)
		steps = append(steps, r.count(item))
	}
	if len(steps) < len(n.items) {
		return nil // how they rise cannot be judged
	}
	return steps
}

// seconds reads a duration, or a reference to a number of seconds.
func (r *reader) seconds(n *node) pipeline.Value {
	if n.isText() && strings.Contains(n.value, "$") {
		return r.textValue(n)
	}
	d := r.duration(n).Seconds()
	if d == math.Trunc(d) {
		return &pipeline.Lit{At: n.at, V: int64(d)}
	}
	return &pipeline.Lit{At: n.at, V: d}
}

// sub reads a pipeline within a task, or the file that holds it.
func (r *reader) sub(n *node, t *taskDraft) {
	if n.kind == mapping {
		p := &pipeline.Pipeline{At: n.at, Name: strings.ReplaceAll(t.Name, "_", "-")}
		r.pipeline(n, p, false)
		t.Kind = &pipeline.Sub{At: n.at, Pipeline: p}
		return
	}
	if r.some(n) == "" {
		return
	}
	if p := r.subFile(n); p != nil {
		t.Kind = &pipeline.Sub{At: n.at, Pipeline: p}
	}
}

// maxFiles bounds how deep files name files: Cloud Workflows nests calls 20
// deep.
const maxFiles = 20

func (r *reader) subFile(n *node) *pipeline.Pipeline {
	if !strings.HasPrefix(n.value, "./") && !strings.HasPrefix(n.value, "../") {
		r.errorf(n, "bad-value", "write the path from this file's folder: ./"+path.Base(n.value), "%s is not a relative path", quote(n.value))
		return nil
	}
	name := path.Join(path.Dir(r.text.file), n.value)
	for i, open := range r.open {
		if path.Clean(open) == name {
			chain := append(append([]string{}, r.open[i:]...), name)
			r.errorf(n, "cycle", "", "the pipeline contains itself: %s", strings.Join(chain, " → "))
			return nil
		}
	}
	if p, done := r.done[name]; done {
		return p
	}
	if r.options.ReadFile == nil || len(r.open) >= maxFiles {
		r.errorf(n, "too-deep", "", "pipelines cannot name other files here")
		return nil
	}
	src, err := r.options.ReadFile(name)
	if err != nil {
		r.errorf(n, "no-file", "", "cannot read the sub-pipeline: %v", err)
		return nil
	}
	p := r.load(name, src)
	r.done[name] = p
	return p
}
