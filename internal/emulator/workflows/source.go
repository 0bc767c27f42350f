package workflows

import (
	"fmt"
	"strings"
	"sync"

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

// programs keeps prepared revisions.
type programs struct {
	mu sync.Mutex
	m  map[string]*interp.Program
}

// maxPrograms bounds the memory of prepared revisions.
const maxPrograms = 64

func newPrograms() *programs { return &programs{m: map[string]*interp.Program{}} }

func (p *programs) put(w workflowName, revision string, program *interp.Program) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.m {
		if len(p.m) < maxPrograms {
			break
		}
		delete(p.m, key) // any: it can be prepared again
	}
	p.m[w.prefix()+revision] = program
}

func (p *programs) get(w workflowName, revision string) (*interp.Program, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	program, ok := p.m[w.prefix()+revision]
	return program, ok
}

// program returns a revision ready to run.
func (s *Service) program(w workflowName, revision, source string) (*interp.Program, error) {
	if program, ok := s.programs.get(w, revision); ok {
		return program, nil
	}
	program, err := compile(source, s.opts.Stubs)
	if err == nil {
		s.programs.put(w, revision, program)
	}
	return program, err
}
