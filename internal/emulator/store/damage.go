package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
)

// ErrDamaged says that the database file is not as it was written.
var ErrDamaged = errors.New("the database is damaged: put a copy in its place, or move it away to begin with an empty cloud")

// guarded runs work on the file at path. The library panics where the file does
// not make sense; that becomes an error, which ends one request and not all of
// them.
func guarded(path string, work func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a page may be gone
	defer func() {
		if p := recover(); p != nil {
			if !raisedByBolt() {
				panic(p)
			}
			err = damaged(path, fmt.Errorf("%v", p))
		}
	}()
	return work()
}

// damaged words an error of the library that tells of damage.
func damaged(path string, err error) error {
	return fmt.Errorf("%s: %w (%w)", path, ErrDamaged, err)
}

// isDamage says whether opening a file failed for what is in it, not for what
// the system allows.
func isDamage(err error) bool {
	var system syscall.Errno
	return !errors.As(err, &system)
}

// raisedByBolt looks up who panicked; it is called while that is recovered.
func raisedByBolt() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers[:])])
	for panicking := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(f.Function, "runtime."):
			return strings.HasPrefix(f.Function, "go.etcd.io/bbolt")
		}
		if !more {
			return false
		}
	}
}
