package runtime

import (
	"os/exec"
	"syscall"
)

// isolate gives the child its own process group, and has the kernel kill it
// when this process dies in whatever way.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(leader int, s syscall.Signal) { _ = syscall.Kill(-leader, s) }
