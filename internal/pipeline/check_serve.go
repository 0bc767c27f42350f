package pipeline

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func (c *checker) serve(t *Task, k *Serve, s *scope) {
	c.serviceName(c.key(t, "service"), k.Service, candidateTag)
	if k.Rollout != nil {
		c.rollout(t, k.Rollout, s)
	}
	c.artifact(k.Model, Model, s, "serve.model")
	c.artifact(k.Golden, Dataset, s, "serve.golden")
	c.image(c.key(t, "image"), k.Image)
	if k.MinInstances < 0 {
		c.key(t, "min_instances").errorf("out-of-range", "min_instances is at least 0")
	}
	if _, given := t.Where["max_instances"]; given && k.MaxInstances < max(1, k.MinInstances) {
		c.key(t, "max_instances").errorf("out-of-range", "max_instances is at least 1, and at least min_instances")
	}
	most := limits().Run.MaxConcurrency
	if _, given := t.Where["concurrency"]; given && (k.Concurrency < 1 || k.Concurrency > most) {
		c.key(t, "concurrency").errorf("out-of-range", "concurrency is 1 to %d, not %d", most, k.Concurrency)
	}
	c.size(t, k)
}

// artifact checks a value that must be an artifact of a type; nil is left out.
func (c *checker) artifact(v Value, want Type, s *scope, what string) {
	if v == nil {
		return
	}
	t := c.valueType(v, s)
	if _, literal := v.(*Lit); literal || t != "" && t != want && t != Artifact {
		c.valueAt(v).hint("refer to an output of that type, as $TASK.OUTPUT").
			errorf("type-mismatch", "%s is a %s artifact, not %s", what, want, article(t))
	}
}

// size checks that an instance of Cloud Run may have that CPU and memory.
func (c *checker) size(t *Task, k *Serve) {
	cpu := 1.0
	if k.CPU != "" {
		f, err := strconv.ParseFloat(k.CPU, 64)
		if err != nil {
			c.key(t, "cpu").errorf("bad-value", "%q is not a number of CPUs", k.CPU)
			return
		}
		cpu = f
	}
	var fit *runSize
	sizes := limits().Run.Sizes
	for i, size := range sizes {
		if size.CPU <= cpu {
			fit = &sizes[i]
		}
	}
	if fit == nil || cpu > 1 && fit.CPU != cpu {
		var whole []string
		for _, size := range sizes {
			if size.CPU >= 1 {
				whole = append(whole, fmt.Sprint(size.CPU))
			}
		}
		c.key(t, "cpu").errorf("out-of-range", "an instance has %s CPUs, or a part of one from %v up, not %s", strings.Join(whole, ", "), sizes[0].CPU, k.CPU)
		return
	}
	if cpu < 1 && k.Concurrency > 1 {
		c.key(t, "concurrency").hint("leave it out, or give a whole cpu").errorf("conflict", "an instance with less than one CPU serves one request at a time")
	}
	if mib := mebibytes(k.Memory); mib > 0 && (mib < fit.MinMiB || mib > fit.MaxMiB) {
		c.key(t, "memory").errorf("out-of-range", "an instance with %v CPU has %dMi to %dMi of memory, not %s", cpu, fit.MinMiB, fit.MaxMiB, k.Memory)
	}
}

// mebibytes reads a memory size of Cloud Run, such as 512Mi or 2Gi; 0 when
// there is none.
func mebibytes(memory string) int {
	digits, gibi := strings.CutSuffix(memory, "Gi")
	digits = strings.TrimSuffix(digits, "Mi")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	if gibi {
		n *= 1024
	}
	return n
}

func (c *checker) rollout(t *Task, k *Rollout, s *scope) {
	c.steps(t, k)
	if k.Interval != nil {
		c.positive(k.Interval, s, "interval", limits().ExecutionSeconds)
	}
	if k.MinSample != nil {
		c.positive(k.MinSample, s, "min_sample", 0)
	}
	if k.MaxErrors < 0 || k.MaxErrors >= 1 {
		c.key(t, "errors").hint("write 1%").errorf("out-of-range", "a share of errors is less than 100%%")
	}
	if _, given := t.Where["p95"]; given && k.P95 <= 0 {
		c.key(t, "p95").errorf("out-of-range", "a latency is more than 0")
	}
	if limit := limits().execution(); k.Deadline > limit {
		c.key(t, "deadline").errorf("out-of-range", "a run of Cloud Workflows ends after %s", spoken(limit))
	} else if _, given := t.Where["deadline"]; given && k.Deadline < time.Second {
		c.key(t, "deadline").errorf("out-of-range", "a deadline is at least 1s")
	}
}

func (c *checker) steps(t *Task, k *Rollout) {
	last := 0
	for i, step := range k.Steps {
		where := c.keyOr(t, "steps."+strconv.Itoa(i), "steps")
		switch {
		case step < 1 || step > 100:
			where.errorf("out-of-range", "a step is a percentage, 1 to 100, not %d", step)
		case step <= last:
			where.hint("leave it out, or put it in order").errorf("out-of-range", "the steps rise, and %d does not follow %d", step, last)
		}
		last = step
	}
	if len(k.Steps) > 0 && last < 100 {
		c.key(t, "steps").hint("add 100").errorf("out-of-range", "the last step is 100, not %d", last)
	}
}

// positive checks a number that is at least 1 and, when most is set, at most
// that.
func (c *checker) positive(v Value, s *scope, what string, most int) {
	t := c.valueType(v, s)
	if t != "" && !numeric(t) {
		c.valueAt(v).errorf("type-mismatch", "%s is a number, not %s", what, article(t))
		return
	}
	lit, ok := v.(*Lit)
	if !ok {
		return
	}
	f, ok := lit.V.(float64)
	if i, isInt := lit.V.(int64); isInt {
		f, ok = float64(i), true
	}
	switch {
	case ok && f < 1:
		c.valueAt(v).errorf("out-of-range", "%s is at least 1", what)
	case ok && most > 0 && f > float64(most):
		c.valueAt(v).errorf("out-of-range", "%s is at most %d", what, most)
	}
}
