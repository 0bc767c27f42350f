package stdlib

import (
	"net/http"
	"net/url"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// executionsBase is the API of executions; the beta of the connector has the
// same method.
const executionsBase = "https://workflowexecutions.googleapis.com/v1/"

var executions = []Entry{
	{Name: "experimental.executions.map", Example: `experimental.executions.map: {workflow_id: child, arguments: [1, 2]}`,
		Func: interp.Func{Params: []string{"workflow_id", "arguments", "location", "project_id"}, Required: 2, Start: mapExecutions}},
	{Name: "experimental.executions.run", Example: `experimental.executions.run: {workflow_id: child, argument: {n: 1}}`,
		Func: interp.Func{Params: []string{"workflow_id", "location", "project_id", "argument"}, Required: 1,
			Start: func(c *interp.Context, a []value.Value) interp.Next {
				return runExecution(c, a, nil, value.ExecutionError)
			}}},
	runHelper("v1"),
	runHelper("v1beta"),
}

func runHelper(version string) Entry {
	name := "googleapis.workflowexecutions." + version + ".projects.locations.workflows.executions.run"
	return Entry{Name: name, Example: name + `: {workflow_id: child, argument: {n: 1}}`,
		Func: interp.Func{Params: []string{"workflow_id", "location", "project_id", "argument", "connector_params"}, Required: 1, Connector: true,
			Start: func(c *interp.Context, a []value.Value) interp.Next {
				return runExecution(c, a, a[4], value.OperationError)
			}}}
}

// workflowPath returns the resource name of a workflow, by default of the
// same project and location as the one that runs.
func workflowPath(c *interp.Context, workflow, location, project value.Value) (string, error) {
	id, err := textArg(workflow, "workflow_id")
	if err != nil {
		return "", err
	}
	l, _ := c.Env("GOOGLE_CLOUD_LOCATION")
	if l, err = optionalText(location, "location", l); err != nil {
		return "", err
	}
	p, _ := c.Env("GOOGLE_CLOUD_PROJECT_ID")
	if p, err = optionalText(project, "project_id", p); err != nil {
		return "", err
	}
	return "projects/" + url.PathEscape(p) + "/locations/" + url.PathEscape(l) + "/workflows/" + url.PathEscape(id), nil
}

// create starts a child execution. Its argument travels as JSON text; a null
// one is left out.
func (k *conversation) create(parent string, argument value.Value, then func(value.Value) interp.Next) interp.Next {
	body := value.NewMap()
	if given(argument) {
		text, err := value.ToJSON(argument)
		if err != nil {
			return interp.Fail(err)
		}
		body.Put("argument", value.String(text))
	}
	h := http.Header{"User-Agent": {userAgent}, "Content-Type": {"application/json; charset=utf-8"}}
	return k.send(http.MethodPost, executionsBase+parent+"/executions", h, value.MustJSON(withoutBacklog(body)), then)
}

// runExecution runs a child workflow and returns its decoded result.
func runExecution(c *interp.Context, a []value.Value, params value.Value, failure value.Tag) interp.Next {
	parent, err := workflowPath(c, a[0], a[1], a[2])
	if err != nil {
		return interp.Fail(err)
	}
	args := value.NewMap()
	if params != nil {
		args.Put("connector_params", params)
	}
	k, err := newConversation(c, true, args)
	if err != nil {
		return interp.Fail(err)
	}
	return k.create(parent, a[3], func(v value.Value) interp.Next {
		if k.skipPolling {
			return interp.Done(v)
		}
		return k.poll(v, executionDone(failure), executionURL)
	})
}

func executionURL(e *value.Map) string {
	name := text(e, "name")
	if name == "" {
		return ""
	}
	return executionsBase + name
}

// executionDone waits for an execution; failure is the tag of the error if it
// did not succeed.
func executionDone(failure value.Tag) waiter {
	return func(e *value.Map) (bool, value.Value, error) {
		state, _ := e.Get("state")
		switch state {
		case value.String("ACTIVE"), value.String("QUEUED"):
			return false, nil, nil
		case value.String("SUCCEEDED"):
			result, ok := e.Get("result")
			text, isText := result.(value.String)
			if !ok || !isText {
				return true, value.Null{}, nil
			}
			v, err := value.FromJSON([]byte(text))
			if err != nil {
				return true, nil, value.Errorf(value.ResponseTypeError, "the result of the execution is no JSON: %v", err)
			}
			return true, v, nil
		}
		return true, nil, value.NewError("Execution failed or cancelled.", failure).With("operation", e)
	}
}

// mapExecutions runs a child workflow for each argument, all at the same time,
// and returns their results in the order of the arguments.
func mapExecutions(c *interp.Context, a []value.Value) interp.Next {
	arguments, err := listArg(a[1], "arguments")
	if err != nil {
		return interp.Fail(err)
	}
	parent, err := workflowPath(c, a[0], a[2], a[3])
	if err != nil {
		return interp.Fail(err)
	}
	k, err := newConversation(c, true, value.NewMap())
	if err != nil {
		return interp.Fail(err)
	}
	started := make([]value.Value, 0, arguments.Len())
	var start func() interp.Next
	start = func() interp.Next {
		if len(started) == arguments.Len() {
			return k.collect(started, nil)
		}
		return k.create(parent, arguments.At(len(started)), func(v value.Value) interp.Next {
			started = append(started, v)
			return start()
		})
	}
	return start()
}

// collect waits for executions one after the other.
func (k *conversation) collect(started, results []value.Value) interp.Next {
	if len(results) == len(started) {
		return interp.Done(value.NewList(results...))
	}
	k.polling = standardDelays()
	next := k.poll(started[len(results)], executionDone(value.ExecutionError), executionURL)
	return then(next, func(v value.Value) interp.Next { return k.collect(started, append(results, v)) })
}

// then goes on with f where n would end with a value.
func then(n interp.Next, f func(value.Value) interp.Next) interp.Next {
	switch {
	case n.Err != nil:
		return n
	case n.Effect == nil:
		return f(n.Value)
	}
	return interp.Do(n.Effect, func(r interp.Result) interp.Next { return then(n.Then(r), f) })
}
