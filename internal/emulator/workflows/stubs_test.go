package workflows

import (
	"testing"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"

	"github.com/kakehi/kakehi/internal/stub"
)

// TestStubs deploys what only a stub knows. Each execution gets the answers
// from the first on; one that a restart interrupts goes on where it was.
func TestStubs(t *testing.T) {
	stubs, _, err := stub.Parse("stubs.yaml", []byte(`
stubs:
  - call: acme.next
    answers: [{result: 1}, {result: 2}, {result: 3}]
`))
	if err != nil {
		t.Fatal(err)
	}
	const source = `
main:
  params: [seconds]
  steps:
    - first: {call: acme.next, args: {any: thing}, result: a}
    - second: {call: acme.next, result: b}
    - nap: {call: sys.sleep, args: {seconds: "${seconds}"}}
    - third: {call: acme.next, result: c}
    - done: {return: "${[a, b, c]}"}
`
	dir := t.TempDir()
	c := boot(t, dir, nil)
	if _, err := c.tryDeploy(source); err == nil {
		t.Error("deployed without the stub")
	}
	c.stop()
	with := func(o *Options) { o.Stubs = []*stub.File{stubs} }
	c = boot(t, dir, nil, with)
	c.deploy(source)
	for range 2 {
		if e := c.run(`0`); e.Result != `[1,2,3]` {
			t.Errorf("got %s %v", e.Result, e.Error)
		}
	}
	name := c.execute(`1`).Name
	c.stop()
	c = boot(t, dir, nil, with)
	if err := c.svc.Resume(); err != nil {
		t.Fatal(err)
	}
	if e := c.wait(name, executionspb.Execution_SUCCEEDED, executionspb.Execution_FAILED); e.Result != `[1,2,3]` {
		t.Errorf("after a restart: %s %v", e.Result, e.Error)
	}
}
