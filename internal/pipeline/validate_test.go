package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
)

// Front ends leave out what they could not read; Validate must not mind.
func TestValidateMindsNoHoles(t *testing.T) {
	p := &Pipeline{
		Params: []*Param{{}, {Name: "x", Type: "nonsense"}},
		Tasks: []*Task{
			{}, {Name: "a", In: []*Input{{Name: "i"}}, ForEach: &ForEach{}, Retry: &Retry{}},
			{Name: "b", Kind: &Function{}}, {Name: "c", Kind: &HTTP{}}, {Name: "d", Kind: &Job{}}, {Name: "e", Kind: &Serve{Rollout: &Rollout{}}},
			{Name: "f", Kind: &Rollout{}}, {Name: "g", Kind: &Sub{Pipeline: &Pipeline{}}}, {Name: "h", Kind: &Approve{}},
			{Name: "j", Kind: &Job{Spec: &Lit{}, Args: []Value{nil, &Items{Items: []Value{nil}}}}},
		},
		Outputs:  []*Result{{}},
		Triggers: []*Trigger{{In: []*Input{{}}}},
	}
	p.Validate()
	(&Pipeline{}).Validate()
}

func TestWarnings(t *testing.T) {
	job := &Task{Name: "j", Kind: &Job{Image: "ko://./x", Machine: "e2-standard-4", Spot: true}}
	p := &Pipeline{Name: "p", Params: []*Param{{Name: "idle", Type: Int, Default: &Lit{V: int64(1)}}}, Tasks: []*Task{job}}
	l := p.Validate()
	if l.HasErrors() || len(l) != 2 {
		t.Fatalf("want two warnings, got %v", l)
	}
	for _, code := range []string{"unused", "spot"} {
		if !slices.ContainsFunc(l, func(d diag.Diagnostic) bool { return d.Code == code }) {
			t.Errorf("no %s in %v", code, l)
		}
	}
	job.Retry = &Retry{Max: 1, Multiplier: 1}
	p.Params = nil
	if l := p.Validate(); len(l) > 0 {
		t.Errorf("retried, and still %v", l)
	}
}

// A pipeline that many tasks share is checked once, however deep: each level
// here runs the one below twice.
func TestSharedPipelinesAreCheckedOnce(t *testing.T) {
	p := &Pipeline{Name: "leaf", Tasks: []*Task{{Name: "a", Kind: &Function{Name: "a"}}}}
	for range 60 {
		p = &Pipeline{Name: "level", Tasks: []*Task{{Name: "a", Kind: &Sub{Pipeline: p}}, {Name: "b", Kind: &Sub{Pipeline: p}}}}
	}
	if l := p.Validate(); len(l) > 0 {
		t.Error(l)
	}
}

func TestExpressionTypes(t *testing.T) {
	p := &Pipeline{
		Params: []*Param{{Name: "n", Type: Int}, {Name: "d", Type: Double}, {Name: "s", Type: String}, {Name: "b", Type: Bool},
			{Name: "l", Type: List}, {Name: "m", Type: Struct}, {Name: "data", Type: Dataset}},
		Tasks: []*Task{
			{Name: "t", Kind: &Function{Name: "f"}, Out: []*Output{{Name: "model", Type: Model}, {Name: "x", Type: Double}}},
			{Name: "each", Kind: &Function{Name: "f"}, ForEach: &ForEach{Item: "i"}, Out: []*Output{{Name: "x", Type: Double}}},
		},
	}
	for src, want := range map[string]Type{
		"1": Int, "1.5": Double, `"a"`: String, "true": Bool, "null": null, "[1]": List,
		"params.n": Int, "params.data": Dataset, "params.data.uri": String, "params.data.metadata.rows": "",
		"t.model": Model, "t.x": Double, "each.x": List, "each.x[0]": "", "bucket": String,
		"params.n + 1": Int, "params.n + params.d": Double, "params.n / 2": Double, "params.n // 2": Int, "params.n % 2": Int,
		`params.s + params.n`: String, `params.b + "x"`: String, "-params.d": Double, "params.m.a.b": "", "params.m.a + 1": "",
		"not params.b": Bool, "params.n < params.d": Bool, `"a" in params.l`: Bool, "params.b and true or false": Bool,
		"len(params.l)": Int, "text.split(params.s, \",\")": List, "default(params.n, 1)": "", "sys.now()": Double,
	} {
		x := value(t, src)
		if got := p.ResultType(&Result{Value: x}); got != want {
			t.Errorf("%s is %q, want %q", src, got, want)
		}
		p.Outputs = []*Result{{Value: x}}
		for _, d := range p.Validate() {
			if d.Severity == diag.Error {
				t.Errorf("%s: %v", src, d)
			}
		}
	}
}

func TestMachineTables(t *testing.T) {
	table, l := machines(), limits()
	if table.Source == "" || table.Date == "" || l.Source == "" || l.Date == "" {
		t.Error("a table does not say where it is from, and of when")
	}
	seen := map[string]bool{}
	for _, row := range table.Rows {
		for _, m := range row.Machines {
			if seen[m] {
				t.Errorf("%s is listed twice", m)
			}
			seen[m] = true
		}
		if row.BuiltIn && len(row.Accelerators) != 1 {
			t.Errorf("%v: an accelerator that is part of a machine is one", row.Machines)
		}
		for name, counts := range row.Accelerators {
			if len(counts) == 0 || !slices.IsSorted(counts) || !strings.HasPrefix(name, "NVIDIA_") {
				t.Errorf("%v takes %v × %s", row.Machines, counts, name)
			}
		}
	}
	if name, n := BuiltInAccelerator("g2-standard-48"); name != "NVIDIA_L4" || n != 4 {
		t.Errorf("g2-standard-48 has %d × %q", n, name)
	}
	if name, _ := BuiltInAccelerator("n1-standard-4"); name != "" {
		t.Errorf("n1-standard-4 has a %s of its own", name)
	}
	if l.http() != 30*time.Minute {
		t.Errorf("an HTTP call may take %s", l.http())
	}
}

func TestSpoken(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1500 * time.Millisecond: "1s500ms", 30 * time.Minute: "30m", 60 * time.Hour: "2d12h",
	} {
		if got := spoken(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestImages(t *testing.T) {
	for image, ok := range map[string]bool{
		"ko://./cmd/train": true, "ko://.": false, "ko://./../x": false, "ko://github.com/a/b": false, "ko://./a b": false,
		"gcr.io/p/i": true, "us-central1-docker.pkg.dev/p/r/i:tag": true, "localhost.test:5000/i@sha256:" + strings.Repeat("a", 64): true,
		"penguins": false, "gcr.io/P/i": false, "gcr.io/p/i:": false, "https://gcr.io/p/i": false, "gcr.io/p/i@sha256:abc": false,
	} {
		c := newChecker()
		c.image(c.at(diag.Pos{Line: 1, Col: 1}, 1), image)
		if got := len(c.diags) == 0; got != ok {
			t.Errorf("%s: valid is %v, want %v", image, got, ok)
		}
	}
}
