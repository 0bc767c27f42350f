package interp

import (
	"strconv"
	"time"

	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Context is what a library function may ask of the execution that calls it.
// What comes from the outside is journaled.
type Context struct{ thread *thread }

// Now returns the time.
func (c *Context) Now() time.Time {
	c.thread.run.inline(c.thread, record{Kind: kindNow}, nil)
	return c.thread.run.now()
}

// UUID returns a new UUID: a random one, or in virtual time one of the seed.
func (c *Context) UUID() string {
	x := c.thread.run
	r := x.inline(c.thread, record{Kind: kindUUID}, func(r *record, _ time.Time) { r.Text = x.uuid() })
	return r.Text
}

// Env returns an environment variable.
func (c *Context) Env(name string) (string, bool) {
	v, ok := c.thread.run.cfg.Env[name]
	return v, ok
}

// Limits returns the limits of the execution.
func (c *Context) Limits() workflow.Limits { return c.thread.run.limits }

// CountStep counts one more step than the call itself, as each poll of a
// connector does.
func (c *Context) CountStep() error { return c.thread.run.countStep() }

// CreateCallback makes a callback endpoint for an HTTP method and returns its
// URL.
func (c *Context) CreateCallback(method string) string {
	return c.thread.run.newCallback(c.thread, method).url
}

// Log writes an entry, whose Severity and Text or JSON are given.
func (c *Context) Log(e LogEntry) {
	x := c.thread.run
	x.lastLog++
	if x.cfg.Log == nil {
		return
	}
	e.InsertID = strconv.Itoa(x.lastLog)
	f := c.thread.top()
	e.Step, e.Routine = f.site().stepName(), f.proc.name
	if e.JSON != nil {
		e.JSON = value.Printable(e.JSON) // and so a copy
	}
	x.logs = append(x.logs, e)
}
