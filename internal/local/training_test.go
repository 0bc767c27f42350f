package local_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/kakehi/kakehi/internal/cli"
)

// failures are the ways in which the training goes wrong, and what the run must
// say of them.
var failures = map[string][]string{
	"exit":       {"exited with a non-zero status of 1", "epoch 3: loss is NaN", "trainer: the training diverged"},
	"endless":    {"JOB_STATE_FAILED", "timeout", "12s", "epoch 1"},
	"full":       {"exited with a non-zero status of 1", "artifact model (gs://", "/model.json): file too large"},
	"flood":      {"exited with a non-zero status of 3", "the last line"},
	"text":       {"executor_output.json is not JSON: accuracy: 0.75"},
	"empty":      {"output accuracy is missing"},
	"nan":        {"executor_output.json is not JSON"},
	"list":       {"executor_output.json is not the JSON of an ExecutorOutput"},
	"type":       {"output accuracy must be of type double, and is of type string"},
	"missing":    {"output accuracy is missing"},
	"metrics":    {"output metrics is missing", "accuracy 75 %"},
	"artifacts":  {"executor_output.json is not the JSON of an ExecutorOutput"},
	"parameters": {"executor_output.json is not the JSON of an ExecutorOutput"},
	"deep":       {"output metrics is not a list of artifacts"},
	"large":      {"executor_output.json has 10486", " bytes, and may have 131072"},
	"larger":     {"executor_output.json has 3145728 bytes, and may have 131072"},
}

// A training that fails stops the run: the error says how, the exit task runs,
// and nothing is served, or only what was served before.
func TestFailedTraining(t *testing.T) {
	t.Parallel()
	c := openCloud(t, dataDir(t))
	c.deploy(t, compiled(t, served))
	c.failTrainings(t, slices.Sorted(maps.Keys(failures))...)
	if s := c.service(t, "served"); s != nil {
		t.Fatalf("a service was deployed: %v", s)
	}
	c.run(t, "served", nil).succeeded(t)
	champion := c.service(t, "served")
	c.failTrainings(t, "exit", "full", "text", "type")
	if diff := cmp.Diff(champion, c.service(t, "served"), protocmp.Transform()); diff != "" {
		t.Errorf("the champion changed: %s", diff)
	}
}

// failTrainings runs failures, all at once.
func (c *cloud) failTrainings(t *testing.T, modes ...string) {
	t.Helper()
	runs := map[string]execution{}
	for _, mode := range modes {
		runs[mode] = c.start(t, "served", map[string]any{"mode": mode})
	}
	for mode, x := range runs {
		t.Run(mode, func(t *testing.T) {
			o := x.end(t)
			o.failed(t, append(failures[mode], "task train")...)
			if got := o.tasks["train"].State; got != "FAILED" {
				t.Errorf("task train is %q", got)
			}
			if got, ran := o.tasks["release"]; ran {
				t.Errorf("task release is %q, want that it never ran", got.State)
			}
		})
	}
}

// A canary that fails three requests of ten is rolled back.
func TestRollback(t *testing.T) {
	t.Parallel()
	c := openCloud(t, dataDir(t))
	c.deploy(t, compiled(t, served))
	var champion struct{ Revision string }
	c.run(t, "served", nil).result(t, &champion)
	traffic := c.StartTraffic(100, t.Logf)
	defer traffic.Stop()

	o := c.run(t, "served", map[string]any{"failures": 0.3})
	o.failed(t, "task release", "RolledBack", "was rolled back", "bad")
	want := map[string]int32{champion.Revision: 100}
	if diff := cmp.Diff(want, c.traffic(t, "served")); diff != "" {
		t.Errorf("traffic after the rollback: %s", diff)
	}

	// A person decides otherwise, and changes her mind.
	canary := c.rollout(t, "status", "rolled_back")
	for _, tt := range []struct{ command, phase, revision string }{
		{"promote", "promoted", canary},
		{"rollback", "rolled_back", champion.Revision},
	} {
		c.rollout(t, tt.command, tt.phase)
		if diff := cmp.Diff(map[string]int32{tt.revision: 100}, c.traffic(t, "served")); diff != "" {
			t.Errorf("traffic after %s: %s", tt.command, diff)
		}
	}
}

// rollout runs kakehi rollout, wants a phase, and returns the candidate.
func (c *cloud) rollout(t *testing.T, command, phase string) string {
	t.Helper()
	var out, log bytes.Buffer
	args := []string{"rollout", command, "served", "-o", "json", "--data-dir", c.DataDir}
	if code := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &log}); code != 0 {
		t.Fatalf("kakehi %q: exit code %d\n%s", args, code, log.Bytes())
	}
	var got struct{ Phase, Candidate string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Phase != phase {
		t.Errorf("kakehi %q: %v, phase %q, want %q", args, err, got.Phase, phase)
	}
	return got.Candidate
}
