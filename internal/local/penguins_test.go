package local_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/cli"
)

// record is what kakehi run prints with -o json.
type record struct {
	State, Execution, Error string
	Outputs                 struct{ Accuracy float64 }
	Tasks                   []struct {
		Task, State, Because string
		Cached               bool
		Outputs              struct {
			Revision string
			Golden   struct{ URI string }
		}
	}
}

// kakehiRun runs a pipeline by the command, in this process.
func kakehiRun(t *testing.T, dir, pipeline string, flags ...string) record {
	t.Helper()
	var out, log bytes.Buffer
	args := append([]string{"run", pipeline, "--data-dir", dir, "-o", "json", "--timeout", patience.String()}, flags...)
	code := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &log})
	if code != 0 {
		t.Fatalf("kakehi %q: exit code %d\n%s", args, code, log.Bytes())
	}
	var r record
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("kakehi %q: %v\n%s", args, err, out.Bytes())
	}
	return r
}

// The main example, as the README has it: a model is trained, evaluated on rows
// that it did not see, and rolled out to all traffic. A second run does nothing
// twice.
func TestPenguins(t *testing.T) {
	dir := dataDir(t)
	first := kakehiRun(t, dir, "../../workflows/penguins", "--param", "check_every=1")
	if first.State != "SUCCEEDED" {
		t.Fatalf("the run is %s: %s", first.State, first.Error)
	}
	if a := first.Outputs.Accuracy; a < 0.9 || a >= 1 {
		t.Errorf("the accuracy on held-out rows is %v, want 0.9 to less than 1", a)
	}
	var revision, golden string
	for _, task := range first.Tasks {
		if task.State != "SUCCEEDED" || task.Cached {
			t.Errorf("task %s is %s, cached: %t", task.Task, task.State, task.Cached)
		}
		switch task.Task {
		case "release":
			revision = task.Outputs.Revision
		case "train":
			golden = task.Outputs.Golden.URI
		}
	}
	wantPenguins(t, dir, revision, golden)

	// Nothing is better than 100 %: the second run releases nothing.
	second := kakehiRun(t, dir, "../../workflows/penguins", "--param", "check_every=1", "--param", "min_accuracy=1")
	why := "same inputs, code and image as execution " + first.Execution
	got := map[string]string{}
	for _, task := range second.Tasks {
		got[task.Task] = task.State
		if task.Cached && strings.HasPrefix(task.Because, why) {
			got[task.Task] = "CACHED"
		}
	}
	want := map[string]string{
		"validate": "CACHED", "split": "CACHED", "train": "CACHED", "baseline": "CACHED", "install": "SUCCEEDED",
		"evaluate": "SUCCEEDED", "release": "NOT_TRIGGERED", "summary": "SUCCEEDED",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tasks of the second run (-want +got):\n%s", diff)
	}
	wantPenguins(t, dir, revision, golden)
}

// wantPenguins wants that a revision has all traffic, and answers as its trainer
// said it would.
func wantPenguins(t *testing.T, dir, revision, golden string) {
	t.Helper()
	c := openCloud(t, dir)
	defer closeCloud(t, c.Cloud)
	if diff := cmp.Diff(map[string]int32{revision: 100}, c.traffic(t, "penguins")); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	file, ok := c.File(golden)
	if !ok {
		t.Fatalf("the golden rows are at %q", golden)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var row struct{ Instance, Prediction json.RawMessage }
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&row); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"instances": [%s]}`, row.Instance)
	code, answer, err := request(t.Context(), http.MethodPost, "http://"+c.Addr+"/run/penguins/predict", body)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Predictions []json.RawMessage }
	if err := json.Unmarshal(answer, &got); err != nil || code != http.StatusOK {
		t.Fatalf("POST /run/penguins/predict: %d %s", code, answer)
	}
	if diff := cmp.Diff([]json.RawMessage{row.Prediction}, got.Predictions); diff != "" {
		t.Errorf("prediction (-want +got):\n%s", diff)
	}
}
