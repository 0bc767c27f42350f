package pipeline

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// width is how many characters of a value to underline: of a scalar that was
// written plainly, all.
func width(v Value) int {
	switch v := v.(type) {
	case *Lit:
		if s, ok := v.V.(string); ok && !strings.Contains(s, "\n") {
			return max(1, len([]rune(s)))
		}
	case *Expr:
		switch v.X.(type) {
		case *expr.Ident, *expr.Member:
			return 1 + len(expr.String(v.X))
		}
	}
	return 1
}

// key begins a finding about one of a task's keys, or else about the task.
func (c *checker) key(t *Task, key string) *finding {
	if span, ok := t.Where[key]; ok {
		return c.at(span.At, span.Width)
	}
	return c.at(t.At, len(t.Name))
}

// keyOr begins a finding about a key, or else about the one around it.
func (c *checker) keyOr(t *Task, key, around string) *finding {
	if _, ok := t.Where[key]; ok {
		return c.key(t, key)
	}
	return c.key(t, around)
}

// task checks one task, whose expressions are in the scope s.
func (c *checker) task(t *Task, s *scope) {
	s = s.of(t)
	if f := t.ForEach; f != nil {
		if list := c.valueType(f.In, s); f.In != nil && list != "" && list != List {
			c.valueAt(f.In).errorf("type-mismatch", "foreach runs over a list, not over %s", article(list))
		}
		c.item(t, s)
		s = s.with(f.Item, "")
	}
	if t.When != nil {
		c.want(c.exprType(t.When, s), Bool, t.When, "when needs a condition")
	}
	c.after(t, s)
	c.retry(t)
	c.timeout(t)
	c.cache(t)
	c.kind(t, s)
}

// item checks that the item's name hides nothing.
func (c *checker) item(t *Task, s *scope) {
	f := t.ForEach
	if s.tasks[f.Item] != nil {
		c.key(t, "item").hint("choose another name: foreach: {item: one, in: …}").
			errorf("duplicate-name", "the item %q has the name of a task", f.Item)
	}
}

func (c *checker) after(t *Task, s *scope) {
	for _, name := range t.After {
		switch {
		case name == t.Name:
			c.key(t, "after."+name).errorf("cycle", "the task %s waits for itself", name)
		case s.tasks[name] == nil:
			hint := "the tasks of onExit run after all others"
			if !s.runsLater(name) {
				hint = c.didYouMean(name, func() []string { return keys(s.tasks) }, "")
			}
			c.key(t, "after."+name).hint(hint).
				errorf("unknown-reference", "there is no task %q to wait for", name)
		}
	}
}

// maxRetries is our own bound: more are a mistake, and each is billed.
const maxRetries = 100

func (c *checker) retry(t *Task) {
	r := t.Retry
	if r == nil {
		return
	}
	where := func(key string) *finding { return c.keyOr(t, key, "retry") }
	if r.Max < 0 || r.Max > maxRetries {
		where("max").errorf("out-of-range", "a task is retried 0 to %d times, not %d", maxRetries, r.Max)
	}
	if r.Multiplier < 1 {
		where("multiplier").errorf("out-of-range", "multiplier is at least 1: waits do not shrink")
	}
	if r.Backoff > r.MaxBackoff {
		where("max_backoff").errorf("out-of-range", "max_backoff is less than backoff")
	}
	if limit := limits().execution(); r.MaxBackoff > limit {
		where("max_backoff").errorf("out-of-range", "no wait can be longer than a run, which ends after %s", spoken(limit))
	}
	if _, ok := t.Kind.(*Approve); ok && r.Max > 0 {
		where("max").errorf("conflict", "an approval is not retried")
	}
}

// timeout checks that the platform lets an attempt last that long.
func (c *checker) timeout(t *Task) {
	l := limits()
	switch t.Kind.(type) {
	case *Function, *HTTP:
		if t.Timeout > l.http() {
			c.key(t, "timeout").hint("make it a job: a job may run for days").errorf("out-of-range",
				"an HTTP call of Cloud Workflows ends after %s, so a function or an http task cannot have %s", spoken(l.http()), spoken(t.Timeout))
		}
	default:
		if t.Timeout > l.execution() {
			c.key(t, "timeout").errorf("out-of-range", "a run of Cloud Workflows ends after %s", spoken(l.execution()))
		}
	}
	if _, given := t.Where["timeout"]; t.Timeout < 0 || given && t.Timeout < time.Second {
		c.key(t, "timeout").errorf("out-of-range", "a timeout is at least 1s")
	}
}

// spoken writes a duration as a spec does: 30m, 2d12h.
func spoken(d time.Duration) string {
	var b strings.Builder
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / u.unit; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			d -= n * u.unit
		}
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

func (c *checker) cache(t *Task) {
	if !t.Cache {
		return
	}
	switch t.Kind.(type) {
	case *Function, *Job, nil:
	default:
		c.key(t, "cache").hint("leave cache out").errorf("conflict", "only functions and jobs are cached")
	}
}

// noInputs reports inputs of a kind that has none.
func (c *checker) noInputs(t *Task, s *scope, hint string) {
	for i, in := range t.In {
		c.valueType(in.Value, s)
		if i == 0 {
			c.at(in.At, len(in.Name)).hint(hint).errorf("conflict", "this kind of task has no inputs")
		}
	}
}

// kind checks what the task does.
func (c *checker) kind(t *Task, s *scope) {
	switch k := t.Kind.(type) {
	case *Function:
		c.inputs(t, s)
		c.serviceName(c.key(t, "function"), strings.ReplaceAll(k.Name, "_", "-"), "")
	case *HTTP:
		c.noInputs(t, s, "send them in query or body")
		c.http(t, k, s)
	case *Job:
		c.inputs(t, s)
		c.job(t, k, s)
	case *Serve:
		c.noInputs(t, s, "serve takes what it needs from its own keys")
		c.serve(t, k, s)
	case *Rollout:
		c.noInputs(t, s, "rollout takes what it needs from its own keys")
		if k.Service == "" {
			c.key(t, "rollout").hint("add service: NAME, or put the rollout beside serve").errorf("missing-key", "the rollout does not say of which service")
		} else {
			c.serviceName(c.key(t, "service"), k.Service, candidateTag)
		}
		c.rollout(t, k, s)
	case *Sub:
		c.bind(t.In, s, k.Pipeline, c.key(t, "pipeline"), "the task "+t.Name)
		c.pipeline(k.Pipeline)
	case *Approve:
		c.noInputs(t, s, "name what to approve in the text")
		c.scalar(k.Message, s, "the message")
		c.outputsByValue(t)
	default: // an earlier mistake
		c.inputs(t, s)
	}
}

// inputs checks the expressions of a task whose inputs may be anything.
func (c *checker) inputs(t *Task, s *scope) {
	for _, in := range t.In {
		c.valueType(in.Value, s)
	}
}

// outputsByValue checks the outputs of a kind whose answers are JSON, which
// holds no artifacts.
func (c *checker) outputsByValue(t *Task) {
	for _, o := range t.Out {
		if o.Type.IsArtifact() {
			c.at(o.At, len(o.Name)).hint("only functions, jobs and pipelines make artifacts").
				errorf("type-mismatch", "the output %q cannot be %s", o.Name, article(o.Type))
		}
	}
}

// scalar checks a value that becomes text: not a list, a struct or an artifact.
func (c *checker) scalar(v Value, s *scope, what string) {
	if v == nil {
		return
	}
	switch t := c.valueType(v, s); {
	case t.IsArtifact():
		c.valueAt(v).hint("write its uri: NAME.uri").errorf("type-mismatch", "%s is text, not %s", what, article(t))
	case t == List || t == Struct || t == null:
		c.valueAt(v).errorf("type-mismatch", "%s is text, not %s", what, article(t))
	}
}

func (c *checker) scalars(list []*Input, s *scope, what string) {
	for _, in := range list {
		c.scalar(in.Value, s, what+" "+in.Name)
	}
}

// candidateTag is as long as the tag of a new revision in the URL at which it is
// probed, which must fit a DNS label: a compiled workflow makes it of c and eight
// more characters.
const candidateTag = "c12345678---"

var serviceForm = lazyregexp.New(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

// serviceName checks the name of a Cloud Run service, whose URL begins with
// [TAG---]SERVICE-PROJECT_NUMBER.
func (c *checker) serviceName(f *finding, name, tag string) {
	run := limits().Run
	longest := min(run.ServiceName, run.DNSLabel-len(tag)-1-run.ProjectNumberDigits)
	switch {
	case name == "": // an earlier mistake
	case !serviceForm.MatchString(name):
		f.hint("lower-case letters, digits and hyphens, a letter first").errorf("bad-name", "%q cannot be the name of a Cloud Run service", name)
	case len(name) > longest:
		f.errorf("out-of-range", "the service name %q has %d characters; its URL leaves room for %d", name, len(name), longest)
	}
}

var (
	registryForm = lazyregexp.New(`^([a-z0-9-]+\.)+[a-z0-9-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
	koForm       = lazyregexp.New(`^ko://\./[A-Za-z0-9._/-]+$`)
	accountForm  = lazyregexp.New(`^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$`)
)

// image checks a reference to a container image.
func (c *checker) image(f *finding, image string) {
	if image == "" || registryForm.MatchString(image) {
		return
	}
	if strings.HasPrefix(image, "ko://") {
		if koForm.MatchString(image) && !slices.Contains(strings.Split(image, "/"), "..") {
			return
		}
		f.hint("write ko://./path/to/main").errorf("bad-value", "%q is not a package of this module", image)
		return
	}
	f.hint("write ko://./path, or REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE:TAG").errorf("bad-value", "%q is not an image of a registry", image)
}
