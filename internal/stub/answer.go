package stub

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/form"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/stdlib"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// answer is one answer of a stub: a result or an error to a call, a response
// or an error to a request.
type answer struct {
	at     diag.Pos
	result *template
	err    *template
	status int
	header http.Header
	body   *template
	delay  time.Duration
	times  int64
}

func (a *answer) isResponse() bool { return a.status != 0 || a.header != nil || a.body != nil }

func readAnswer(r *form.Reader, n workflow.Node) *answer {
	a := &answer{at: n.Pos(), times: 1}
	if answerObject().Read(r, n, a) {
		kinds := 0
		for _, given := range []bool{a.result != nil, a.err != nil, a.isResponse()} {
			if given {
				kinds++
			}
		}
		if kinds != 1 {
			r.Errorf(a.at, "wrong-keys", "", "an answer has one of result, error, and a response (status, headers, body)")
		}
	}
	return a
}

func answerObject() form.Object[answer] {
	return form.Object[answer]{
		Name: "an answer", Doc: "A result or error of a call, or the response to a request. Expressions in result, body and error may use args, the arguments of the call; attempt, the number of the answer from 1; url and method, of the request.",
		Fields: []form.Field[answer]{
			{Key: "result", Doc: "what the call returns", Schema: form.Any(),
				Read: func(r *form.Reader, n workflow.Node, a *answer) { a.result = newTemplate(r, n) }},
			{Key: "error", Doc: "what is raised: a map such as {tags: [ConnectionError], message: lost}, or a text", Schema: form.Schema{"type": []string{"object", "string"}},
				Read: func(r *form.Reader, n workflow.Node, a *answer) { a.err = newTemplate(r, errorNode(r, n)) }},
			{Key: "status", Doc: "HTTP status of the response; 200 if there is a body", Schema: form.Int(100),
				Read: func(r *form.Reader, n workflow.Node, a *answer) { a.status = int(r.Int(n, 100, 599)) }},
			{Key: "headers", Doc: "headers of the response", Schema: form.MapOf(form.Text()),
				Read: func(r *form.Reader, n workflow.Node, a *answer) {
					a.header = http.Header{}
					for name, text := range r.Texts(n) {
						a.header.Set(name, text)
					}
				}},
			{Key: "body", Doc: "body of the response: a text as it is, anything else as JSON", Schema: form.Any(),
				Read: func(r *form.Reader, n workflow.Node, a *answer) { a.body = newTemplate(r, n) }},
			{Key: "delay", Doc: "how long the answer takes: seconds, or a text such as 1h30m", Schema: form.Seconds(),
				Read: func(r *form.Reader, n workflow.Node, a *answer) { a.delay = r.Duration(n) }},
			{Key: "times", Doc: "for how many attempts the answer is given; 1 if not set", Schema: form.Int(1),
				Read: func(r *form.Reader, n workflow.Node, a *answer) { a.times = r.Int(n, 1, math.MaxInt64) }},
		},
	}
}

// errorNode completes the error of an answer. A text is raised as it is, so a
// tag alone is surely not meant.
func errorNode(r *form.Reader, n workflow.Node) workflow.Node {
	switch n := n.(type) {
	case *workflow.Lit:
		text, ok := n.Value.(string)
		switch {
		case !ok:
			r.Errorf(n.At, "wrong-type", "", "an error is a map or a text, not %s", form.Describe(n))
		case strings.HasSuffix(text, "Error") && !strings.Contains(text, " "):
			r.Errorf(n.At, "wrong-type", "error: {tags: ["+text+"]}", "a text is raised as it is, and %s looks like a tag", text)
		}
	case *workflow.List:
		r.Errorf(n.At, "wrong-type", "", "an error is a map or a text, not a list")
	case *workflow.Map:
		for _, e := range n.Entries {
			if k, ok := e.Key.(*workflow.Lit); ok && k.Value == "message" {
				return n
			}
		}
		message := &workflow.Entry{Key: &workflow.Lit{At: n.At, Value: "message"}, Value: &workflow.Lit{At: n.At, Value: "raised by a stub"}}
		return &workflow.Map{At: n.At, Entries: append([]*workflow.Entry{message}, n.Entries...)}
	}
	return n
}

// give makes the answer to a call, or to a request of it.
func (a *answer) give(c interp.Call, r *interp.Request, attempt int64) *interp.Answer {
	out := &interp.Answer{After: a.delay}
	about := value.NewMap().Put("args", value.Printable(c.Args)).Put("attempt", value.Int(attempt)).
		Put("url", value.Null{}).Put("method", value.Null{})
	if r != nil {
		about.Put("url", value.String(r.URL)).Put("method", value.String(r.Method))
	}
	var err error
	switch {
	case a.result != nil:
		out.Value, err = a.result.fill(about)
	case a.err != nil:
		var payload value.Value
		payload, err = a.err.fill(about)
		_, isMap := payload.(*value.Map)
		out.Err = &value.Error{Payload: payload, Raised: !isMap}
	default:
		out.Response, err = a.respond(about)
	}
	if err != nil {
		return failed("the stub at %s cannot answer: %v", a.at, err)
	}
	return out
}

func (a *answer) respond(about *value.Map) (*interp.Response, error) {
	r := &interp.Response{Status: a.status, Header: a.header.Clone()}
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if a.body == nil {
		return r, nil
	}
	v, err := a.body.fill(about)
	if err != nil {
		return nil, err
	}
	kind := "application/json"
	if text, ok := v.(value.String); ok {
		kind = "text/plain; charset=utf-8"
		r.Body = []byte(text)
	} else if r.Body, err = value.ToJSON(v); err != nil {
		return nil, err
	}
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", kind)
	}
	return r, nil
}

// failed is an answer that ends the execution: a workflow must not be able to
// handle what is missing in its test.
func failed(format string, args ...any) *interp.Answer {
	err := value.NewError(fmt.Sprintf(format, args...), "StubError")
	err.Fatal = true
	return &interp.Answer{Err: err}
}

// template is a value that may hold expressions over the call.
type template struct {
	constant value.Value     // or
	program  *interp.Program // which returns it
}

// newTemplate prepares a value. Its expressions are those of a workflow that
// gets the call as its argument.
func newTemplate(r *form.Reader, n workflow.Node) *template {
	constant := true
	workflow.WalkNodes(n, func(n workflow.Node) {
		if _, ok := n.(*workflow.Expr); ok {
			constant = false
		}
	})
	if constant {
		return &template{constant: value.Freeze(r.Value(n))}
	}
	program, err := interp.New(&workflow.File{Name: n.Pos().File, Workflows: []*workflow.Workflow{{
		Name: "main", Steps: []*workflow.Step{{Name: "answer", Do: &workflow.Return{Value: n}}},
		Params: []*workflow.Param{{Name: "args"}, {Name: "attempt"}, {Name: "url"}, {Name: "method"}},
	}}}, stdlib.Funcs())
	if err != nil {
		found, _ := diag.From(err)
		r.Found.Add(found...)
		return &template{constant: value.Null{}}
	}
	main, _ := program.Routine("main")
	return &template{program: main}
}

// fill returns the value for a call. What it computes is no part of the
// execution, and takes no time.
func (t *template) fill(about *value.Map) (value.Value, error) {
	if t.program == nil {
		return t.constant, nil
	}
	o := t.program.Run(context.Background(), about, interp.Config{Clock: interp.NewVirtualClock(time.Time{})})
	if o.State != interp.Succeeded {
		return nil, o.Err
	}
	return o.Result, nil
}
