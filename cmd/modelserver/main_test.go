package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary the command itself, for the tests below.
func TestMain(m *testing.M) {
	if os.Getenv("BE_MODELSERVER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	url            string
}

func start(t *testing.T, env ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append([]string{"BE_MODELSERVER=1", "HOST=127.0.0.1", "PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// predict asks until the server listens.
func (p *process) predict(t *testing.T) string {
	t.Helper()
	for range 500 {
		resp, err := http.Post(p.url+"/predict", "application/json", strings.NewReader(`{"instances":[[39.5,"Y"]]}`))
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	t.Fatalf("no answer; stderr: %s", p.stderr.Bytes())
	return ""
}

func TestServeAndDrain(t *testing.T) {
	root := t.TempDir()
	model, err := os.ReadFile("../../internal/serving/testdata/classifier.json")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "b/run/model")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "model.json"), model, 0o644); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	p := start(t, "AIP_STORAGE_URI=gs://b/run/model", "KAKEHI_GCS_ROOT="+root, "PORT="+port)
	p.url = "http://127.0.0.1:" + port
	if got := p.predict(t); !strings.Contains(got, `"label":"b"`) {
		t.Errorf("prediction %s", got)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, %s", err, p.stderr.Bytes())
	}
	if !strings.Contains(p.stdout.String(), `"message":"POST /predict 200"`) || !strings.Contains(p.stdout.String(), `"kakehi.dev/cold":"true"`) {
		t.Errorf("log: %s", p.stdout.Bytes())
	}
}

// TestRequestInFlight has a caller that is still sending when the platform stops
// the container.
func TestRequestInFlight(t *testing.T) {
	port := freePort(t)
	p := start(t, "AIP_STORAGE_URI=../../internal/serving/testdata/classifier.json", "AIP_HTTP_PORT="+port, "PORT=1")
	p.url = "http://127.0.0.1:" + port
	p.predict(t)
	body, send := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, p.url+"/predict", body)
	if err != nil {
		t.Fatal(err)
	}
	// The body is sent once the server asks for it: then it has the request.
	req.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer client.CloseIdleConnections()
	answer := make(chan string, 1)
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		answer <- resp.Status + " " + string(text)
	}()
	if _, err := io.WriteString(send, `{"instances":`); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range 500 { // until it takes no more requests
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			break
		}
		c.Close()
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := io.WriteString(send, `[[39.5,"Y"]]}`); err != nil {
		t.Fatal(err)
	}
	send.Close()
	if got := <-answer; !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, `"label":"b"`) {
		t.Errorf("answer %s", got)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("exit: %v, %s", err, p.stderr.Bytes())
	}
}

func TestDoesNotStart(t *testing.T) {
	for want, env := range map[string][]string{
		"set AIP_STORAGE_URI": nil,
		"no such file":        {"AIP_STORAGE_URI=/absent"},
		"XGBoost":             {"AIP_STORAGE_URI=main.go"},
		"health and predict":  {"AIP_STORAGE_URI=../../internal/serving/testdata/classifier.json", "AIP_HEALTH_ROUTE=/x", "AIP_PREDICT_ROUTE=/x"},
		"listen on":           {"AIP_STORAGE_URI=../../internal/serving/testdata/classifier.json", "AIP_HTTP_PORT=99999"},
	} {
		p := start(t, env...)
		err := p.cmd.Wait()
		if err == nil || p.cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(p.stderr.String(), "modelserver: ") || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%v: %v %s, want %q", env, err, p.stderr.Bytes(), want)
		}
	}
}
