//go:build unix

package emulator_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kakehi/kakehi/internal/emulator"
)

var (
	kills = flag.Int("kills", 25, "times that the crash test kills the process")
	seed  = flag.Uint64("seed", 1, "of the instants of the crash test")
)

// childDir is the environment variable with the data directory of the embedded
// cloud that the test binary is in MODE crash.
const childDir = "KAKEHI_CRASH_TEST_DIR"

// runChild serves until the process is killed.
func runChild(dir string) error {
	e, err := emulator.Open(emulator.Options{
		DataDir: dir, AllowHosts: []string{"127.0.0.1"},
		Problem: func(err error) { fmt.Fprintln(os.Stderr, "problem:", err) },
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := e.Serve(l); err != nil {
		return err
	}
	fmt.Println("ready", l.Addr())
	select {}
}

// child is a process that is killed and started again on the same directory.
type child struct {
	t     *testing.T
	dir   string
	cmd   *exec.Cmd
	ready chan struct{} // closed once this life serves
	dead  chan struct{} // closed once it has ended
	log   bytes.Buffer  // of its standard error; complete once it is dead

	addr atomic.Pointer[string] // of this life, or the last
	life atomic.Int64           // 1, 2, …
}

func (c *child) start() {
	c.t.Helper()
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), "MODE=crash", childDir+"="+c.dir)
	c.log.Reset()
	c.cmd.Stderr = &c.log
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ready, dead := make(chan struct{}), make(chan struct{})
	c.ready, c.dead = ready, dead
	c.life.Add(1)
	go func() {
		defer close(dead)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if addr, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				c.addr.Store(&addr)
				close(ready)
			}
		}
		_ = c.cmd.Wait() // killed
	}()
}

// kill ends the process as kill -9 does. It must not have ended by itself.
func (c *child) kill() {
	c.t.Helper()
	select {
	case <-c.dead:
		c.t.Fatalf("life %d ended by itself: %s", c.life.Load(), c.log.String())
	default:
	}
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	<-c.dead
	if problems := c.log.String(); problems != "" {
		c.t.Errorf("life %d: %s", c.life.Load(), problems)
	}
}

func (c *child) awaitReady() {
	c.t.Helper()
	select {
	case <-c.ready:
	case <-c.dead:
		c.t.Fatalf("life %d ended by itself: %s", c.life.Load(), c.log.String())
	case <-time.After(patience):
		c.t.Fatalf("life %d does not serve", c.life.Load())
	}
}

// TestCrash kills the process at random instants, also while it starts, under a
// workload of executions whose calls a server outside of it records; see
// workload_test.go for what must hold then.
func TestCrash(t *testing.T) {
	n := *kills
	if testing.Short() {
		n = min(n, 5)
	}
	c := &child{t: t, dir: t.TempDir()}
	c.start()
	defer func() { _ = c.cmd.Process.Kill(); <-c.dead }()
	c.awaitReady()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	w := newWorkload(t, c)
	w.deploy()
	var drivers sync.WaitGroup
	for i := range 6 {
		random := rand.New(rand.NewPCG(*seed, uint64(i)))
		drivers.Go(func() { w.drive(ctx, random) })
	}
	random := rand.New(rand.NewPCG(*seed, 1000))
	for range n {
		// A third of the instants fall into the start and what it resumes.
		after := 80 + random.IntN(320)
		if random.IntN(3) == 0 {
			after = random.IntN(80)
		}
		time.Sleep(time.Duration(after) * time.Millisecond)
		c.kill()
		c.start()
	}
	c.awaitReady()
	stop()
	drivers.Wait()
	w.check()
	t.Logf("%d kills: %s", n, w.summary())
}
