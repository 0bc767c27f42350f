package workflows

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"

	"github.com/kakehi/kakehi/internal/interp"
	file "github.com/kakehi/kakehi/internal/journal"
	"github.com/kakehi/kakehi/internal/value"
)

// answering answers every request with a JSON map.
type answering struct{}

func (answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"n": 7}`))}, nil
}

// TestRecording leaves a journal that replays an execution with all that came
// from outside, although a restart came between.
func TestRecording(t *testing.T) {
	dir, journals := t.TempDir(), t.TempDir()
	with := func(o *Options) { o.Journals = journals }
	c := boot(t, dir, answering{}, with)
	c.deploy(`
main:
  params: [args]
  steps:
    - ask: {call: http.get, args: {url: "https://api.example.com/"}, result: r}
    - endpoint: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: ep}
    - wait: {call: events.await_callback, args: {callback: "${ep}"}, result: called}
    - done: {return: ["${args}", "${r.body.n}", "${called.http_request.body}", "${ep.url}", "${sys.get_env(\"GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID\")}", "${uuid.generate()}"]}
`)
	name := c.execute(`{"a":1.0}`).Name
	waiting(c, name)
	c.stop()
	c = boot(t, dir, answering{}, with)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	live := waiting(c, name)
	if err := live.Callback(live.Callbacks()[0].ID, interp.CallbackRequest{Method: "POST", Body: []byte(`"hello"`), Header: http.Header{"Content-Type": {"application/json"}}}); err != nil {
		t.Fatal(err)
	}
	e := c.wait(name, executionspb.Execution_SUCCEEDED)

	recorded, err := file.Read(filepath.Join(journals, "w-"+mustParse(c, name).id+".journal"))
	if err != nil {
		t.Fatal(err)
	}
	var end file.Result
	if err := json.Unmarshal(recorded.End, &end); err != nil {
		t.Fatal(err)
	}
	program, err := compile(recorded.Source, nil)
	if err != nil {
		t.Fatal(err)
	}
	arg, err := value.FromJSON(recorded.Argument)
	if err != nil {
		t.Fatal(err)
	}
	o := program.Run(t.Context(), arg, interp.Config{Replay: recorded.Entries, ReplayOnly: true, Env: recorded.Env})
	if o.Cause != nil || string(value.MustJSON(o.Result)) != e.Result || string(end.Result) != e.Result {
		t.Errorf("replayed %v (%v), recorded %s, was %s", o.Result, o.Cause, end.Result, e.Result)
	}
}

// waiting returns an execution once it waits for a callback.
func waiting(c *cloud, name string) *interp.Execution {
	for ; ; time.Sleep(time.Millisecond) {
		r := c.svc.run(mustParse(c, name))
		if r == nil {
			continue
		}
		r.mu.Lock()
		live := r.live
		r.mu.Unlock()
		if live == nil {
			continue
		}
		if points := live.Callbacks(); len(points) > 0 && points[0].Waiters > 0 {
			return live
		}
	}
}

// TestRecordingFails: a folder that is not there hinders no execution.
func TestRecordingFails(t *testing.T) {
	c := boot(t, t.TempDir(), nil, func(o *Options) {
		o.Journals = filepath.Join(t.TempDir(), "absent")
		o.Problem = func(err error) {
			if !os.IsNotExist(err) && !strings.Contains(err.Error(), "the journal file of execution") {
				t.Error(err)
			}
		}
	})
	c.deploy("- a: {return: 1}")
	if e := c.run(""); e.Result != "1" {
		t.Error(e)
	}
}
