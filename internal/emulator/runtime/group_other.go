//go:build !unix

package runtime

import (
	"os"
	"os/exec"
	"syscall"
)

func isolate(*exec.Cmd) {}

// killGroup ends the leader: there are no process groups here, and no SIGTERM.
func killGroup(leader int, _ syscall.Signal) {
	if p, err := os.FindProcess(leader); err == nil {
		_ = p.Kill()
	}
}
