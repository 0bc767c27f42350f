package step

import (
	"context"
	"sync"
)

// flights counts the requests in flight of this process. It is a variable of
// the package because the framework's registry of functions is one too, and
// its server has no shutdown of its own.
var flights counter

type counter struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n returns to 0, while somebody waits
}

func (c *counter) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

func (c *counter) wait(ctx context.Context) error {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drain waits until no request is in flight, or until ctx ends.
func Drain(ctx context.Context) error { return flights.wait(ctx) }
