//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package store

import (
	"os"
	"syscall"
	"time"
)

// lock takes the lock that bbolt takes, so that a file is not checked while
// another process writes it.
func lock(f *os.File) error {
	for begun := time.Now(); ; time.Sleep(lockTimeout / 10) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err != syscall.EWOULDBLOCK:
			return err
		case time.Since(begun) > lockTimeout:
			return ErrLocked
		}
	}
}
