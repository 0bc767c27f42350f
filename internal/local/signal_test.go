//go:build unix

package local_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"github.com/google/go-cmp/cmp"

	"github.com/kakehi/kakehi/internal/cli"
	"github.com/kakehi/kakehi/internal/emulator"
	"github.com/kakehi/kakehi/internal/gcp"
	"github.com/kakehi/kakehi/internal/local"
	"github.com/kakehi/kakehi/internal/rollout"
)

// command is a kakehi command in a process of its own.
type command struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
}

// newCommand prepares this test program to be the kakehi command.
func newCommand(t *testing.T, args ...string) *command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &command{Cmd: exec.Command(self, args...)}
	c.Env = append(os.Environ(), asKakehi+"=1")
	c.Stderr = &c.stderr
	t.Cleanup(func() {
		if c.Process != nil && c.ProcessState == nil {
			c.kill()
		}
		if t.Failed() {
			t.Logf("kakehi %q:\n%s", args, c.stderr.Bytes())
		}
	})
	return c
}

// kill is kill -9.
func (c *command) kill() {
	_ = c.Process.Kill()
	_ = c.Wait()
}

// dev is kakehi dev in a process of its own.
type dev struct {
	*command
	addr   string
	client *gcp.Client
}

// startDev starts kakehi dev and waits until it is ready.
func startDev(t *testing.T, dir string) *dev {
	t.Helper()
	c := newCommand(t, "dev", "--addr", "127.0.0.1:0", "--data-dir", dir)
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready http://")
	if err != nil || !ok {
		c.kill()
		t.Fatalf("kakehi dev says %q (%v), want ready URL", line, err)
	}
	go io.Copy(io.Discard, stdout)
	cloud := emulator.Defaults()
	client := gcp.New(gcp.Options{Endpoint: addr, Project: cloud.Project, Location: cloud.Region})
	t.Cleanup(func() { client.Close() })
	return &dev{c, addr, client}
}

// stop interrupts kakehi dev, which must end well.
func (d *dev) stop(t *testing.T) {
	t.Helper()
	if err := d.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(); err != nil {
		t.Errorf("kakehi dev after an interrupt: %v", err)
	}
}

// trainerPID is the process of the training of the one execution of a data
// directory; 0 before it runs.
func trainerPID(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "gcs", "*", "served", "*", "train", "model", "pid"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		return 0
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// runs says whether a process is there.
func runs(pid int) bool { return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// An execution that a kill -9 of kakehi dev cut off goes on when it starts
// again, and ends well. The training job is created once.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// reached says whether the execution is where it is to be killed.
		reached func(t *testing.T, d *dev, dir, execution string) bool
	}{
		{"right after the job's creation", func(t *testing.T, d *dev, _, execution string) bool {
			return len(jobs(t, d.addr, execution, "train")) > 0
		}},
		{"in the middle of the job", func(t *testing.T, _ *dev, dir, _ string) bool {
			return trainerPID(t, dir) > 0
		}},
		{"while the model is deployed", func(t *testing.T, d *dev, _, _ string) bool {
			s, err := d.client.Services(t.Context())
			return err == nil && s["served"] != nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			prepare(t, dir)
			d := startDev(t, dir)
			x, err := d.client.Execute(t.Context(), "served", `{"seconds": 1.5}`)
			if err != nil {
				t.Fatal(err)
			}
			until(t, tt.name, func() bool { return tt.reached(t, d, dir, x.Name) })
			d.kill()
			if pid := trainerPID(t, dir); pid > 0 {
				until(t, "the trainer ends with kakehi dev", func() bool { return !runs(pid) })
			}

			d = startDev(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			x, err = d.client.WaitExecution(ctx, x.Name, 10*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if x.State != executionspb.Execution_SUCCEEDED {
				t.Errorf("execution %s: %s", x.State, x.Error.GetContext())
			}
			if all := jobs(t, d.addr, x.Name, "train"); len(all) != 1 || all[0].State != "JOB_STATE_SUCCEEDED" {
				t.Errorf("jobs %+v, want one that succeeded", all)
			}
			d.stop(t)
		})
	}
}

// The same while a function of the example is called: its answer is lost, and
// the task's own retry calls it again.
func TestKillDuringFunction(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	c := openCloud(t, dir)
	c.deploy(t, compiled(t, penguins))
	closeCloud(t, c.Cloud)

	d := startDev(t, dir)
	x, err := d.client.Execute(t.Context(), "penguins", `{"check_every": 1}`)
	if err != nil {
		t.Fatal(err)
	}
	name := x.Name
	until(t, "a function is called", func() bool {
		x, err = d.client.Execution(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(x.Status.GetCurrentSteps(), func(s *executionspb.Execution_Status_Step) bool {
			return s.Routine == "call_function" && s.Step == "post"
		})
	})
	d.kill()

	d = startDev(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if x, err = d.client.WaitExecution(ctx, name, 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if x.State != executionspb.Execution_SUCCEEDED {
		t.Errorf("execution %s: %s", x.State, x.Error.GetContext())
	}
	if all := jobs(t, d.addr, name, "train"); len(all) != 1 || all[0].State != "JOB_STATE_SUCCEEDED" {
		t.Errorf("jobs %+v, want one that succeeded", all)
	}
	d.stop(t)
}

// prepare deploys the pipeline.
func prepare(t *testing.T, dir string) {
	t.Helper()
	c := openCloud(t, dir)
	defer closeCloud(t, c.Cloud)
	c.deploy(t, compiled(t, served))
}

// Ctrl-C of kakehi run, while a job runs, cancels the execution and the job, and
// leaves no process.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	c := newCommand(t, "run", served, "--data-dir", dir, "-o", "json", "--param", "mode=endless")
	c.Stdout = &c.stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	until(t, "the trainer runs", func() bool { pid = trainerPID(t, dir); return pid > 0 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); c.ProcessState.ExitCode() != 130 {
		t.Errorf("kakehi run ended with %v, want exit code 130", err)
	}
	if runs(pid) {
		t.Error("the trainer's process runs on")
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("containers are left behind: %q", left)
	}
	var printed record
	if err := json.Unmarshal(c.stdout.Bytes(), &printed); err != nil || printed.State != "CANCELLED" {
		t.Errorf("kakehi run printed %s (%v), want state CANCELLED", c.stdout.Bytes(), err)
	}

	after := openCloud(t, dir)
	var list struct {
		Executions []struct{ Name, State string }
	}
	call(t, http.MethodGet, after.Addr, "/v1/"+location+"/workflows/served/executions", nil, &list)
	if len(list.Executions) != 1 || list.Executions[0].State != "CANCELLED" {
		t.Fatalf("executions %+v, want one that is cancelled", list.Executions)
	}
	all := jobs(t, after.Addr, list.Executions[0].Name, "train")
	if len(all) != 1 || all[0].State != "JOB_STATE_CANCELLED" {
		t.Errorf("jobs %+v, want one that is cancelled", all)
	}
}

// A kakehi run that is cut off while its candidate has traffic takes it back.
func TestInterruptedRollout(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	first := newCommand(t, "run", served, "--data-dir", dir)
	if err := first.Run(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		cut   func(*command) error
		flags []string
		code  int
	}{
		{"interrupted", func(c *command) error { return c.Process.Signal(os.Interrupt) }, nil, 130},
		{"timed out", func(*command) error { return nil }, []string{"--timeout", "20s"}, 124},
	} {
		addrFile := filepath.Join(dir, local.AddrFile)
		if err := os.Remove(addrFile); err != nil {
			t.Fatal(err)
		}
		// Without traffic it stays at the first step.
		c := newCommand(t, append([]string{"run", served, "--data-dir", dir, "--traffic", "0"}, tt.flags...)...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var addr []byte
		until(t, "kakehi run serves", func() bool { addr, _ = os.ReadFile(addrFile); return len(addr) > 0 })
		var before rollout.Summary
		until(t, "the candidate has traffic", func() bool {
			before = readRollout(t, "--addr", strings.TrimSpace(string(addr)))
			return before.Phase == rollout.Progressing && before.Percent == 20
		})
		if err := tt.cut(c); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); c.ProcessState.ExitCode() != tt.code {
			t.Errorf("%s: kakehi run ended with %v, want exit code %d", tt.name, err, tt.code)
		}
		after := readRollout(t, "--data-dir", dir)
		want := []rollout.Target{{Type: rollout.ToRevision, Revision: before.Stable, Percent: 100}}
		if diff := cmp.Diff(want, after.Traffic); diff != "" || after.Phase != rollout.RolledBack || after.Candidate != before.Candidate {
			t.Errorf("%s: %+v, traffic %s", tt.name, after, diff)
		}
	}
}

// readRollout is kakehi rollout status.
func readRollout(t *testing.T, cloud ...string) rollout.Summary {
	t.Helper()
	var out, log bytes.Buffer
	args := append([]string{"rollout", "status", "served", "-o", "json"}, cloud...)
	if code := cli.Main(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &log}); code != 0 {
		t.Fatalf("kakehi %q: exit code %d\n%s", args, code, log.Bytes())
	}
	var s rollout.Summary
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}
