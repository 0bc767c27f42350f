package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// variableForm is what Vertex AI takes for the name of an environment variable:
// a C identifier.
var variableForm = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (c *checker) job(t *Task, k *Job, s *scope) {
	if k.Spec != nil {
		c.jobSpec(k, s)
		return
	}
	c.image(c.key(t, "image"), k.Image)
	for _, v := range slices.Concat(k.Command, k.Args) {
		c.scalar(v, s, "an argument")
	}
	c.scalars(k.Env, s, "the variable")
	for _, e := range k.Env {
		if !variableForm.MatchString(e.Name) {
			c.at(e.At, max(1, len(e.Name))).hint("letters, digits and _, no digit first").
				errorf("bad-name", "%q cannot be the name of an environment variable", e.Name)
		}
	}
	if most := machines().MaxEnv; len(k.Env) > most {
		c.key(t, "env").errorf("out-of-range", "a job has at most %d environment variables, not %d", most, len(k.Env))
	}
	c.scalar(k.BaseOutput, s, "base_output")
	if lit, ok := k.BaseOutput.(*Lit); ok {
		if uri, ok := lit.V.(string); ok && !strings.HasPrefix(uri, "gs://") {
			c.valueAt(lit).hint("write gs://$bucket/…").errorf("bad-value", "base_output is a gs:// prefix")
		}
	}
	if k.ServiceAccount != "" && !accountForm.MatchString(k.ServiceAccount) {
		c.key(t, "service_account").hint("write NAME@PROJECT.iam.gserviceaccount.com").errorf("bad-value", "%q is not a service account", k.ServiceAccount)
	}
	c.machine(t, k)
	c.disk(t, k)
	if k.Spot && (t.Retry == nil || t.Retry.Max == 0) {
		c.key(t, "spot").hint("add retry: 3").warnf("spot", "a spot machine may be taken away at any time, and this task is not retried")
	}
}

// machine checks machine × accelerator × count.
func (c *checker) machine(t *Task, k *Job) {
	table := machines()
	if k.Machine == "" {
		return
	}
	if slices.ContainsFunc(table.JobSpecOnly, func(prefix string) bool { return strings.HasPrefix(k.Machine, prefix) }) {
		c.key(t, "machine").hint("write the CustomJobSpec yourself: jobSpec: {workerPoolSpecs: …}").
			errorf("unknown-machine", "TPU machines need a topology, which only jobSpec can give")
		return
	}
	row := table.row(k.Machine)
	if row == nil && !table.inFamily(k.Machine) {
		c.key(t, "machine").hint(c.didYouMean(k.Machine, table.names, "a machine newer than the table of "+table.Date+" can be given in jobSpec")).
			errorf("unknown-machine", "Vertex AI has no machine %q", k.Machine)
		return
	}
	if k.Accelerator != "" {
		c.accelerator(t, k, row)
	}
}

// accelerator checks the accelerator of a machine; row is nil when the machine
// is not listed.
func (c *checker) accelerator(t *Task, k *Job, row *machineRow) {
	if row == nil {
		row = &machineRow{}
	}
	counts, fits := row.Accelerators[k.Accelerator]
	switch all := machines().accelerators; {
	case !fits && !slices.Contains(all(), k.Accelerator):
		c.key(t, "accelerator").hint(c.didYouMean(k.Accelerator, all, "one of "+strings.Join(all(), ", "))).
			errorf("unknown-accelerator", "Vertex AI has no accelerator %q", k.Accelerator)
	case len(row.Accelerators) == 0:
		c.key(t, "accelerator").hint(machinesHint(k)).errorf("accelerator", "the machine %s takes no accelerator", k.Machine)
	case !fits:
		c.key(t, "accelerator").hint(machinesHint(k)).
			errorf("accelerator", "the machine %s does not take %s, only %s", k.Machine, k.Accelerator, strings.Join(keys(row.Accelerators), ", "))
	case !slices.Contains(counts, k.Accelerators):
		var list []string
		for _, n := range counts {
			list = append(list, strconv.Itoa(n))
		}
		c.key(t, "accelerator").hint(fmt.Sprintf("write %s × %s", list[0], k.Accelerator)).
			errorf("accelerator", "the machine %s takes %s × %s, not %d", k.Machine, strings.Join(list, ", "), k.Accelerator, k.Accelerators)
	}
}

func machinesHint(k *Job) string {
	if names := MachinesFor(k.Accelerator, k.Accelerators); len(names) > 0 {
		return fmt.Sprintf("machines for %d × %s: %s", k.Accelerators, k.Accelerator, strings.Join(names, ", "))
	}
	return ""
}

func (c *checker) disk(t *Task, k *Job) {
	d := machines().Disk
	where := c.keyOr(t, "size", "disk")
	if k.DiskGB != 0 && (k.DiskGB < d.MinGB || k.DiskGB > d.MaxGB) {
		where.errorf("out-of-range", "a boot disk has %d to %d GB, not %d", d.MinGB, d.MaxGB, k.DiskGB)
	}
}
