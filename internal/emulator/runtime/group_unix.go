//go:build unix && !linux

package runtime

import (
	"os/exec"
	"syscall"
)

// isolate gives the child its own process group. These systems cannot tie a
// child's life to its parent's.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func killGroup(leader int, s syscall.Signal) { _ = syscall.Kill(-leader, s) }
