package workflows

import (
	"fmt"
	"maps"
	"strings"
	"sync"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/stub"
	"github.com/kakehi/kakehi/internal/workflow"
)

// sourceName is the file name in the service's messages, whatever the file of
// the caller was.
const sourceName = "main.yaml"

// compile parses, checks and prepares a definition. Its error is
// INVALID_ARGUMENT in the service's words. Functions that only the stubs know
// are there too.
func compile(source string, stubs []*stub.File) (*interp.Program, error) {
	src := []byte(source)
	file, err := workflow.Parse(sourceName, src)
	if err != nil {
		return nil, refused(source, err)
	}
	stubbed := stub.Stubbed(file, stdlib.Funcs(), stubs...)
	if err := workflow.Check(file, checkOptions(src, stubbed)).Err(); err != nil {
		return nil, refused(source, err)
	}
	program, err := interp.New(file, stub.Library(stdlib.Funcs(), stubbed))
	if err != nil {
		return nil, refused(source, err)
	}
	return program, nil
}

func checkOptions(src []byte, stubbed []string) workflow.CheckOptions {
	return workflow.CheckOptions{
		Functions: stub.Signature(stdlib.Signature, stubbed), FunctionNames: stdlib.Names(), Connectors: stdlib.Connectors, Source: src,
	}
}

// maxMessages bounds a deploy error; the service gives the first one only.
const maxMessages = 20

// refused words diagnostics as the service does: "main.yaml:1:1: parse error: …"
// for syntax, "failed to build: error in step …" for the rest. Below stand the
// source line and a caret.
func refused(source string, err error) error {
	found, ok := diag.From(err)
	if !ok {
		return status.Errorf(codes.InvalidArgument, "failed to build: %v", err)
	}
	lines := strings.Split(source, "\n")
	var b strings.Builder
	shown := 0
	for _, d := range found {
		if d.Severity != diag.Error {
			continue
		}
		if shown++; shown > maxMessages {
			break
		}
		writeMessage(&b, lines, d)
	}
	return status.Error(codes.InvalidArgument, strings.TrimSuffix(b.String(), "\n"))
}

func writeMessage(b *strings.Builder, lines []string, d diag.Diagnostic) {
	hint := ""
	if d.Hint != "" {
		hint = " (" + d.Hint + ")"
	}
	if strings.HasPrefix(d.Message, "parse error: ") {
		fmt.Fprintf(b, "%s: %s%s\n", d.Pos, d.Message, hint)
	} else {
		fmt.Fprintf(b, "failed to build: %s%s\n%s\n", d.Message, hint, d.Pos)
	}
	if n := d.Pos.Line; n >= 1 && n <= len(lines) && strings.TrimSpace(lines[n-1]) != "" {
		fmt.Fprintf(b, "%s\n%s^\n", strings.TrimSuffix(lines[n-1], "\r"), strings.Repeat(" ", max(0, d.Pos.Col-1)))
	}
}

// revisions keeps the revisions that were used last, so that the executions of
// one share its source and its program.
type revisions struct {
	stubs []*stub.File
	mu    sync.Mutex
	m     map[string]*revision // by region/workflow/revision
}

// revision is a revision of a workflow, ready to run.
type revision struct {
	pb      *workflowspb.Workflow
	program func() (*interp.Program, error) // compiles once
}

// maxRevisions bounds the memory of revisions that nothing runs.
const maxRevisions = 64

func newRevisions(stubs []*stub.File) *revisions {
	return &revisions{stubs: stubs, m: map[string]*revision{}}
}

func newRevision(pb *workflowspb.Workflow, stubs []*stub.File) *revision {
	return &revision{pb, sync.OnceValues(func() (*interp.Program, error) { return compile(pb.GetSourceContents(), stubs) })}
}

// share returns the kept revision of a workflow, or keeps and returns what read
// gives.
func (c *revisions) share(w workflowName, id string, read func() (*workflowspb.Workflow, error)) (*revision, error) {
	key := w.prefix() + id
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.m[key]; r != nil {
		return r, nil
	}
	pb, err := read()
	if err != nil {
		return nil, err
	}
	for other := range c.m {
		if len(c.m) < maxRevisions {
			break
		}
		delete(c.m, other) // any: it can be read again
	}
	c.m[key] = newRevision(pb, c.stubs)
	return c.m[key], nil
}

// forget drops the revisions of a workflow. Those of another by its name may
// have the same ids.
func (c *revisions) forget(w workflowName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.m, func(key string, _ *revision) bool { return strings.HasPrefix(key, w.prefix()) })
}
