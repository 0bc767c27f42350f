package stub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/form"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// hook is a handler of calls as gcw-emulator has them: a program, which reads
// the call as JSON on its standard input, or a URL, to which it is posted.
//
// Source: docs/src/guide/connector-hooks.md of github.com/lemonberrylabs/gcw-emulator.
type hook struct {
	name    string
	at      diag.Pos
	exec    string // absolute, or
	http    string
	timeout time.Duration
}

const (
	hookTimeout = 30 * time.Minute
	hookError   = value.Tag("ConnectorHookError")
	maxOutput   = 2 << 20 // of a handler, as of an HTTP response
	maxMessage  = 4 << 10 // of what a handler says that is no structured error
)

func readHooks(r *form.Reader, n workflow.Node) []*hook {
	var hooks []*hook
	r.Map(n, func(name string, at diag.Pos, v workflow.Node) {
		h := &hook{name: name, at: at, timeout: hookTimeout}
		if !hookObject().Read(r, v, h) {
			return
		}
		if (h.exec == "") == (h.http == "") {
			r.Errorf(at, "wrong-keys", "", "the handler of %s has exec or http, one of them", name)
		}
		hooks = append(hooks, h)
		if computes(name) {
			r.Found.Add(diag.Diagnostic{Pos: at, Severity: diag.Warning, Code: "no-stub", Hint: noStub,
				Message: name + " computes at once: nobody asks its handler"})
		}
	})
	if len(hooks) == 0 && !r.Found.HasErrors() {
		r.Errorf(n.Pos(), "empty", "", "connectors has no handlers")
	}
	return hooks
}

func hookObject() form.Object[hook] {
	return form.Object[hook]{
		Name: "a handler", Doc: "A program or an HTTP endpoint that answers the calls of a function.", Lax: true,
		Fields: []form.Field[hook]{
			{Key: "exec", Doc: "path of a program, relative to this file; $VARIABLES are expanded", Schema: form.Text(),
				Read: func(r *form.Reader, n workflow.Node, h *hook) { h.exec = program(n.Pos().File, expand(r, n)) }},
			{Key: "http", Doc: "URL to post calls to; $VARIABLES are expanded", Schema: form.Text(),
				Read: func(r *form.Reader, n workflow.Node, h *hook) { h.http = expand(r, n) }},
			{Key: "timeout", Doc: "how long a call may take, such as 30s; 30m if not set", Schema: form.Seconds(),
				Read: func(r *form.Reader, n workflow.Node, h *hook) {
					if h.timeout = r.Duration(n); h.timeout == 0 {
						r.Errorf(n.Pos(), "wrong-value", "", "the timeout must be positive")
					}
				}},
		},
	}
}

// expand reads a text with environment variables. A whole ${VARIABLE} looks
// like an expression to the reader of values.
func expand(r *form.Reader, n workflow.Node) string {
	if e, ok := n.(*workflow.Expr); ok {
		return os.ExpandEnv("${" + expr.String(e.X) + "}")
	}
	return os.ExpandEnv(r.Text(n))
}

// program is the absolute path of a program that a file names: a bare name is
// not looked for elsewhere.
func program(file, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	name = filepath.Join(filepath.Dir(file), name)
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// answer asks the handler.
func (h *hook) answer(c interp.Call) *interp.Answer {
	var args value.Value = value.Null{}
	if c.Args.Len() > 0 {
		args = value.Printable(c.Args)
	}
	payload := value.MustJSON(value.NewMap().Put("connector", value.String(h.name)).Put("args", args))
	return &interp.Answer{Perform: func(ctx context.Context) (value.Value, error) {
		ctx, cancel := context.WithTimeout(ctx, h.timeout)
		defer cancel()
		ask := h.post
		if h.exec != "" {
			ask = h.run
		}
		v, err := ask(ctx, payload)
		if err == nil {
			return v, nil
		}
		if ctx.Err() != nil {
			err = value.NewError(fmt.Sprintf("the handler of %s took longer than %s", h.name, h.timeout), value.TimeoutError, hookError)
		}
		var known *value.Error
		if errors.As(err, &known) {
			return nil, known.With("connector", value.String(h.name))
		}
		return nil, err
	}}
}

// run asks a program.
func (h *hook) run(ctx context.Context, payload []byte) (value.Value, error) {
	cmd := exec.CommandContext(ctx, h.exec, h.name)
	cmd.Stdin = bytes.NewReader(payload)
	cmd.Env = append(os.Environ(), "GCW_CONNECTOR="+h.name)
	cmd.WaitDelay = time.Second // what it left running may hold its output
	out, said := &limited{most: maxOutput}, &limited{most: maxOutput}
	cmd.Stdout, cmd.Stderr = out, said
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return nil, structured(said.Bytes(), 0, fmt.Sprintf("the handler of %s ended with status %d", h.name, exit.ExitCode()))
	case err != nil:
		return nil, value.NewError(fmt.Sprintf("the handler of %s cannot run: %v", h.name, err), hookError, value.SystemError)
	}
	return h.result(out.Bytes())
}

// limited keeps the first bytes written to it, one more than most at the most.
type limited struct {
	bytes.Buffer
	most int
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	if room := l.most + 1 - l.Len(); room < len(p) {
		l.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return l.Buffer.Write(p)
}

// post asks a URL.
func (h *hook) post(ctx context.Context, payload []byte) (value.Value, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.http, bytes.NewReader(payload))
	if err != nil {
		return nil, value.NewError(fmt.Sprintf("the handler of %s: %v", h.name, err), hookError, value.SystemError)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GCW-Connector", h.name)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, value.NewError(fmt.Sprintf("the handler of %s: %v", h.name, err), value.ConnectionFailedError)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxOutput+1))
	if err != nil {
		return nil, value.NewError(fmt.Sprintf("the handler of %s: %v", h.name, err), value.ConnectionError)
	}
	if resp.StatusCode/100 != 2 {
		return nil, structured(body, resp.StatusCode, fmt.Sprintf("the handler of %s answered with status %d", h.name, resp.StatusCode))
	}
	return h.result(body)
}

// result decodes what a handler returned; nothing is null.
func (h *hook) result(out []byte) (value.Value, error) {
	if len(out) > maxOutput {
		return nil, value.NewError(fmt.Sprintf("the handler of %s returned more than %d bytes", h.name, maxOutput), hookError, value.ResultSizeLimitExceededError)
	}
	if out = bytes.TrimSpace(out); len(out) == 0 {
		return value.Null{}, nil
	}
	v, err := value.FromJSON(out)
	if err != nil {
		return nil, value.NewError(fmt.Sprintf("the handler of %s returned what is no JSON: %v", h.name, err), hookError)
	}
	return v, nil
}

// structured is the error that a handler describes as {message, code, tags},
// or one with the text of what it said.
func structured(text []byte, code int, otherwise string) *value.Error {
	text = bytes.TrimSpace(text)
	message, tags := otherwise, []value.Tag{hookError}
	v, err := value.FromJSON(text)
	m, ok := v.(*value.Map)
	if err == nil && ok && describes(m) {
		if s, _ := m.Get("message"); s != nil && s != value.Value(value.String("")) {
			message, _ = interp.Text(s)
		}
		if n, ok := m.Get("code"); ok {
			if n, ok := n.(value.Int); ok && n != 0 {
				code = int(n)
			}
		}
		if given := (&value.Error{Payload: m}).Tags(); len(given) > 0 {
			tags = given
		}
	} else if len(text) > 0 {
		message += ": " + string(text[:min(len(text), maxMessage)])
	}
	e := value.NewError(message, tags...)
	if code != 0 {
		e.With("code", value.Int(code))
	}
	return e
}

func describes(m *value.Map) bool {
	for _, key := range []string{"message", "code", "tags"} {
		if _, ok := m.Get(key); ok {
			return true
		}
	}
	return false
}
