package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process runs each container as a process of this machine, in its own process
// group and working directory. It isolates nothing: it is for images that were
// built from the user's own source. CPU and memory limits are not applied.
type Process struct {
	dataDir string
	gcs     gcsRewriter
}

var _ Runtime = (*Process)(nil)

// NewProcess returns a runtime for the images and buckets in a data directory,
// which it creates if need be. It removes working directories that a killed
// process left, so the caller must have the data directory to itself.
func NewProcess(dataDir string) (*Process, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "work")); err != nil {
		return nil, fmt.Errorf("remove old working directories: %w", err)
	}
	for _, sub := range []string{"gcs", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("create data directory: %w", err)
		}
	}
	return &Process{dataDir: dir, gcs: gcsRewriter{root: filepath.Join(dir, "gcs")}}, nil
}

// Start starts a built image. Of this process's environment it gets only PATH;
// HOME and TMPDIR are its working directory, which is removed when it has
// ended.
func (p *Process) Start(ctx context.Context, s Spec) (Container, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	binary, err := resolve(p.dataDir, s.Image)
	if err != nil {
		return nil, err
	}
	line, err := argv(s, binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Join(p.dataDir, "work"), "run-")
	if err != nil {
		return nil, fmt.Errorf("working directory of %s: %w", s.Name, err)
	}
	cmd := exec.Command(line[0], p.gcs.all(line[1:])...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "KAKEHI_GCS_ROOT=" + p.gcs.root}
	if s.Port != 0 {
		// Other machines must not reach a server past the checks of the cloud.
		// A container has a network of its own; a process has to be told.
		cmd.Env = append(cmd.Env, "HOST=127.0.0.1")
	}
	cmd.Env = append(cmd.Env, p.gcs.all(s.Env)...)
	if s.Port != 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("PORT=%d", s.Port))
	}
	c := &process{cmd: cmd, dir: dir, ended: make(chan struct{})}
	if err := c.start(s.Stdout, s.Stderr); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Name, err), os.RemoveAll(dir))
	}
	return c, nil
}

// process is a container that is a process group.
type process struct {
	cmd   *exec.Cmd
	dir   string
	ended chan struct{} // closed when exit is set
	exit  Exit

	mu     sync.Mutex
	reaped bool // the process is gone: its id may belong to another
}

func (c *process) start(stdout, stderr io.Writer) error {
	out, err := newOutput(stdout, stderr)
	if err != nil {
		return err
	}
	c.cmd.Stdout, c.cmd.Stderr = out.writers()
	isolate(c.cmd)
	started := make(chan error)
	go func() {
		// The kernel ends a child whose parent thread ends (see isolate), so
		// this thread must live as long as the child. It would wait anyway.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		out.closeWriters()
		started <- err
		if err == nil {
			c.reap(out)
		}
	}()
	if err := <-started; err != nil {
		out.drain()
		return err
	}
	return nil
}

// reap waits for the process, then ends what is left of its group: a container
// ends with its first process.
func (c *process) reap(out *output) {
	err := c.cmd.Wait()
	c.mu.Lock()
	killGroup(c.cmd.Process.Pid, syscall.SIGKILL)
	c.reaped = true
	c.mu.Unlock()
	out.drain()
	c.exit = exitOf(c.cmd.ProcessState, err)
	if err := os.RemoveAll(c.dir); err != nil && c.exit.Err == nil {
		c.exit.Err = fmt.Errorf("remove working directory: %w", err)
	}
	close(c.ended)
}

func exitOf(state *os.ProcessState, err error) Exit {
	if state == nil {
		return Exit{Code: -1, Err: err}
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Exit{Code: 128 + int(ws.Signal()), Signal: ws.Signal().String()}
	}
	return Exit{Code: state.ExitCode()}
}

func (c *process) Wait() Exit {
	<-c.ended
	return c.exit
}

func (c *process) Stop(grace time.Duration) {
	c.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
		c.signal(syscall.SIGKILL)
		<-c.ended
	}
}

func (c *process) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		killGroup(c.cmd.Process.Pid, s)
	}
}
