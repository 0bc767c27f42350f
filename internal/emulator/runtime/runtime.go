// Package runtime starts the containers of the embedded cloud. The default
// runs them as processes of this machine, without a daemon.
package runtime

import (
	"context"
	"io"
	"time"
)

// Spec says what to run.
type Spec struct {
	Name    string   // for logs, such as "penguins-00001-abc"
	Image   string   // ko.local/NAME@sha256:…, as Build returns, or a registry reference
	Command []string // overrides the image's entry point
	Args    []string
	Env     []string // KEY=value
	// Port is where the process must listen on the loopback address (it is
	// told by PORT and HOST); 0 for a job.
	Port   int
	Stdout io.Writer
	Stderr io.Writer
}

// Runtime starts containers.
type Runtime interface {
	// Start returns once the container has been started, or says why it cannot
	// be. ctx bounds the start, not the container's life.
	Start(ctx context.Context, s Spec) (Container, error)
}

// Container is a started container.
type Container interface {
	// Wait returns when it has ended and its output was written to the end; it
	// may be called more than once.
	Wait() Exit
	// Stop sends SIGTERM, then SIGKILL after grace, to it and its children.
	Stop(grace time.Duration)
}

// Exit is how a container ended.
type Exit struct {
	Code   int    // 128+n when a signal n ended it
	Signal string // such as "killed"; "" for a plain exit
	Err    error  // it could not be run or waited for
}
