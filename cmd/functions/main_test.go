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
	if os.Getenv("BE_FUNCTIONS") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(env ...string) (*exec.Cmd, *bytes.Buffer) {
	var stderr bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append([]string{"BE_FUNCTIONS=1", "HOST=127.0.0.1", "PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stderr = &stderr
	return cmd, &stderr
}

// TestEveryFunction starts each folder of functions/ under its own name.
func TestEveryFunction(t *testing.T) {
	folders, err := filepath.Glob("../../functions/*")
	if err != nil || len(folders) < 6 {
		t.Fatalf("%v %v", folders, err)
	}
	for _, folder := range folders {
		name := filepath.Base(folder)
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
			_ = l.Close()
			cmd, stderr := command("FUNCTION_TARGET="+name, "PORT="+port)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			body := ""
			for range 500 {
				resp, err := http.Post("http://127.0.0.1:"+port, "application/json", strings.NewReader("[]"))
				if err != nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				body = string(text)
				break
			}
			if !strings.Contains(body, `"code":400`) {
				t.Errorf("answer %q; stderr %s", body, stderr)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("after SIGTERM: %v %s", err, stderr)
			}
		})
	}
}

func TestDoesNotStart(t *testing.T) {
	for want, env := range map[string]string{"set FUNCTION_TARGET": "", "no matching function": "absent"} {
		cmd, stderr := command("FUNCTION_TARGET=" + env)
		if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: %v %s, want %q", env, err, stderr, want)
		}
	}
}
