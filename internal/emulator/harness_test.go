//go:build unix

package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/emulator"
)

// patience is how long a test waits for something that must come.
const patience = time.Minute

// The image of containers that tests start is the test binary itself, which
// does what MODE says.
const image = "ko.local/self@sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv("MODE"); ok {
		container(mode)
		return
	}
	os.Exit(m.Run())
}

func container(mode string) {
	switch mode {
	case "crash":
		if err := runChild(os.Getenv(childDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "fail":
		fmt.Fprintln(os.Stderr, "out of cheese")
		os.Exit(3)
	case "serve":
		_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "hello from "+os.Getenv("K_SERVICE"))
		}))
	}
}

// cloud is an embedded cloud that a test can call as its developer.
type cloud struct {
	t     *testing.T
	base  string
	token string // the developer's
}

const (
	project = "projects/kakehi-local"
	place   = project + "/locations/us-central1"
)

// start opens a cloud whose workflows may do everything.
func start(t *testing.T) *cloud {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	images := filepath.Join(dir, "images", "sha256-"+strings.Repeat("0", 64))
	if err := os.MkdirAll(images, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(images, "self")); err != nil {
		t.Fatal(err)
	}
	e, err := emulator.Open(emulator.Options{DataDir: dir, Problem: func(err error) { t.Errorf("the embedded cloud reports: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Serve(l); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{t, "http://" + l.Addr().String(), string(token)}
	policy := c.call("POST", "/v1/"+project+":getIamPolicy", nil)
	policy["bindings"] = append(policy["bindings"].([]any), map[string]any{
		"role": "roles/owner", "members": []string{"serviceAccount:" + e.ServiceAccount("workflows")},
	})
	c.call("POST", "/v1/"+project+":setIamPolicy", map[string]any{"policy": policy})
	return c
}

// call calls the REST API and decodes its answer.
func (c *cloud) call(method, path string, body any) map[string]any {
	c.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, bytes.NewReader(data))
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	answer := map[string]any{}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode >= 300 {
		c.t.Fatalf("%s %s: %s %s (%v)", method, path, resp.Status, text, err)
	}
	return answer
}

// deploy creates a workflow.
func (c *cloud) deploy(id, source string) {
	c.t.Helper()
	op := c.call("POST", "/v1/"+place+"/workflows?workflowId="+id, map[string]any{"sourceContents": source})
	for deadline := time.Now().Add(patience); op["done"] != true; op = c.call("GET", "/v1/"+op["name"].(string), nil) {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s is not deployed: %v", id, op)
		}
	}
	if op["error"] != nil {
		c.t.Fatalf("deploy %s: %v", id, op["error"])
	}
}

// run runs a workflow and returns its result as JSON, or the payload of its
// error with "! " in front.
func (c *cloud) run(id string) string {
	c.t.Helper()
	x := c.call("POST", "/v1/"+place+"/workflows/"+id+"/executions", map[string]any{})
	for deadline := time.Now().Add(patience); x["state"] == "ACTIVE"; x = c.call("GET", "/v1/"+x["name"].(string), nil) {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s does not end: %v", id, x)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if failure, ok := x["error"].(map[string]any); ok {
		return fmt.Sprint("! ", failure["context"], " ", failure["payload"])
	}
	result, _ := x["result"].(string)
	return result
}
