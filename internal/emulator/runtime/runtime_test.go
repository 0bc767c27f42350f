//go:build unix

package runtime

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary is its own container: see container.
const roleVar = "KAKEHI_TEST_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		container(role)
		return
	}
	os.Exit(m.Run())
}

func container(role string) {
	switch role {
	case "report":
		dir, _ := os.Getwd()
		fmt.Println("args", strings.Join(os.Args[1:], " "))
		fmt.Println("model", os.Getenv("MODEL"))
		fmt.Println("home", os.Getenv("HOME") == dir, os.Getenv("TMPDIR") == dir)
		fmt.Println("secret", os.Getenv("KAKEHI_TEST_SECRET"))
		fmt.Fprintln(os.Stderr, "port", os.Getenv("PORT"), os.Getenv("HOST"))
		os.Exit(7)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "graceful":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("ready")
		<-stop
		fmt.Println("bye")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVar+"=sleep")
		child.Stdout = os.Stdout
		_ = child.Start()
		fmt.Println(child.Process.Pid)
		time.Sleep(time.Minute)
	case "orphan":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVar+"=sleep")
		child.Stdout = os.Stdout
		_ = child.Start()
		fmt.Println(child.Process.Pid)
	case "sleep":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Minute)
	case "emulator": // starts a container, then is killed
		p, err := NewProcess(os.Getenv("DATA"))
		if err != nil {
			panic(err)
		}
		spec := Spec{Name: "x", Image: os.Getenv("IMAGE"), Env: []string{roleVar + "=stubborn"}, Stdout: os.Stdout}
		if _, err := p.Start(context.Background(), spec); err != nil {
			panic(err)
		}
		time.Sleep(time.Minute)
	}
}

const testImage = "ko.local/tester@sha256:0000000000000000000000000000000000000000000000000000000000000000"

// newTestProcess returns a runtime that has this test binary as testImage.
func newTestProcess(t *testing.T) (*Process, string) {
	t.Helper()
	data := t.TempDir()
	p, err := NewProcess(data)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := imageDir(data, strings.Repeat("0", 64))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "tester")); err != nil {
		t.Fatal(err)
	}
	return p, data
}

func start(t *testing.T, p *Process, role string, s Spec) Container {
	t.Helper()
	s.Name, s.Image = "test", testImage
	s.Env = append(s.Env, roleVar+"="+role)
	c, err := p.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop(0) })
	return c
}

func TestProcess(t *testing.T) {
	t.Setenv("KAKEHI_TEST_SECRET", "not for containers")
	p, data := newTestProcess(t)
	var stdout, stderr bytes.Buffer
	c := start(t, p, "report", Spec{
		Args: []string{"--out=/gcs/b/o", `{"u":"gs://b/o","f":"/gcs/b/o"}`, "http://x/gcs/y"},
		Env:  []string{"MODEL=/gcs/b/model"}, Port: 4711, Stdout: &stdout, Stderr: &stderr,
	})
	if got, want := c.Wait(), (Exit{Code: 7}); got != want {
		t.Errorf("exit %+v, want %+v", got, want)
	}
	gcs := filepath.Join(data, "gcs")
	want := fmt.Sprintf("args --out=%[1]s/b/o {\"u\":\"gs://b/o\",\"f\":\"%[1]s/b/o\"} http://x/gcs/y\nmodel %[1]s/b/model\nhome true true\nsecret \n", gcs)
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if got := stderr.String(); got != "port 4711 127.0.0.1\n" {
		t.Errorf("stderr %q", got)
	}
	left, err := os.ReadDir(filepath.Join(data, "work"))
	if err != nil || len(left) != 0 {
		t.Errorf("working directories left: %v, %v", left, err)
	}
}

// HOST is for servers, which listen there, and only if it has no other meaning.
func TestHost(t *testing.T) {
	p, _ := newTestProcess(t)
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, "port  \n"},
		{Spec{Port: 1, Env: []string{"HOST=db.example.com"}}, "port 1 db.example.com\n"},
	} {
		var stderr bytes.Buffer
		c.spec.Stderr = &stderr
		start(t, p, "report", c.spec).Wait()
		if got := stderr.String(); got != c.want {
			t.Errorf("%v: %q, want %q", c.spec.Env, got, c.want)
		}
	}
}

func TestExitBySignal(t *testing.T) {
	p, _ := newTestProcess(t)
	want := Exit{Code: 137, Signal: "killed"}
	if got := start(t, p, "killed", Spec{}).Wait(); got != want {
		t.Errorf("exit %+v, want %+v", got, want)
	}
}

func TestStopIsGraceful(t *testing.T) {
	p, _ := newTestProcess(t)
	lines := make(chan string, 8)
	c := start(t, p, "graceful", Spec{Stdout: NewLines(func(l string) { lines <- l })})
	if got := <-lines; got != "ready" {
		t.Fatal(got)
	}
	c.Stop(time.Minute)
	if got := c.Wait(); got != (Exit{}) {
		t.Errorf("exit %+v", got)
	}
	if got := <-lines; got != "bye" {
		t.Errorf("last line %q", got)
	}
	c.Stop(0) // again is no harm
}

func TestStopKillsTheGroup(t *testing.T) {
	p, _ := newTestProcess(t)
	lines := make(chan string, 8)
	c := start(t, p, "stubborn", Spec{Stdout: NewLines(func(l string) { lines <- l })})
	child := pid(t, <-lines)
	c.Stop(20 * time.Millisecond)
	if got, want := c.Wait(), (Exit{Code: 137, Signal: "killed"}); got != want {
		t.Errorf("exit %+v, want %+v", got, want)
	}
	awaitEnd(t, child)
}

// A container ends with its first process, whatever else runs in it.
func TestEndKillsTheGroup(t *testing.T) {
	p, _ := newTestProcess(t)
	lines := make(chan string, 8)
	c := start(t, p, "orphan", Spec{Stdout: NewLines(func(l string) { lines <- l })})
	if got := c.Wait(); got != (Exit{}) {
		t.Errorf("exit %+v", got)
	}
	awaitEnd(t, pid(t, <-lines))
}

func TestContainerDiesWithTheEmulator(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("only Linux ties a child's life to its parent's")
	}
	_, data := newTestProcess(t)
	emulator := exec.Command(os.Args[0])
	emulator.Env = append(os.Environ(), roleVar+"=emulator", "DATA="+data, "IMAGE="+testImage)
	out, err := emulator.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := emulator.Start(); err != nil {
		t.Fatal(err)
	}
	var grandchild int
	if _, err := fmt.Fscan(out, &grandchild); err != nil {
		t.Fatal(err)
	}
	container := parentOf(t, grandchild)
	_ = emulator.Process.Kill()
	awaitEnd(t, container)
	_ = syscall.Kill(grandchild, syscall.SIGKILL)
	_ = emulator.Wait()
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

func pid(t *testing.T, line string) int {
	t.Helper()
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		if ended(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}

// ended counts a zombie as ended: nobody may be there to reap it.
func ended(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return goruntime.GOOS == "linux"
	}
	return strings.HasPrefix(string(data[bytes.LastIndexByte(data, ')')+1:]), " Z")
}

func TestStartRefuses(t *testing.T) {
	p, data := newTestProcess(t)
	plain := imageDir(data, strings.Repeat("1", 64))
	if err := os.MkdirAll(plain, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(plain, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{Image: "python:3.12"}, "needs a container engine; none found; use ko://"},
		{Spec{Image: "ko://./train"}, "must be built"},
		{Spec{Image: "ko.local/x"}, "want ko.local/NAME@sha256:"},
		{Spec{Image: "ko.local/../x@sha256:" + strings.Repeat("0", 64)}, "want ko.local/NAME@sha256:"},
		{Spec{Image: "ko.local/x@sha256:" + strings.Repeat("2", 64)}, "build it again"},
		{Spec{Image: "ko.local/x@sha256:" + strings.Repeat("1", 64)}, "not an executable file"},
		{Spec{Image: testImage, Command: []string{"/bin/sh", "-c", "true"}}, "holds only /ko-app/tester"},
	} {
		_, err := p.Start(t.Context(), c.spec)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.spec.Image, err, c.want)
		}
	}
}

func TestLines(t *testing.T) {
	var got []string
	l := NewLines(func(s string) { got = append(got, s) })
	for _, s := range []string{"a", "b\nc\r\n", "\n", strings.Repeat("x", maxLine), "yz\n", "end"} {
		if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	_ = l.Close()
	want := []string{"ab", "c", "", strings.Repeat("x", maxLine), "yz", "end"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTail(t *testing.T) {
	tail := NewTail(3)
	for i := range 5 {
		tail.Add(strconv.Itoa(i))
	}
	if diff := cmp.Diff([]string{"2", "3", "4"}, tail.Lines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
