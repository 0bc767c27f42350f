package gcp

import (
	"context"
	"fmt"
	"time"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// DeployWorkflow creates or updates a workflow by its id and waits until it is
// active. A source that Cloud Workflows refuses is an error in its own words.
func (c *Client) DeployWorkflow(ctx context.Context, id string, w *workflowspb.Workflow) (*workflowspb.Workflow, error) {
	client, err := c.workflowsClient(ctx)
	if err != nil {
		return nil, err
	}
	w.Name = c.parent() + "/workflows/" + id
	_, err = client.GetWorkflow(ctx, &workflowspb.GetWorkflowRequest{Name: w.Name})
	if status.Code(err) == codes.NotFound {
		op, err := client.CreateWorkflow(ctx, &workflowspb.CreateWorkflowRequest{Parent: c.parent(), WorkflowId: id, Workflow: w})
		if err != nil {
			return nil, fmt.Errorf("create workflow %s: %w", id, err)
		}
		created, err := op.Wait(ctx)
		if err != nil {
			return nil, fmt.Errorf("create workflow %s: %w", id, err)
		}
		return created, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up workflow %s: %w", id, err)
	}
	op, err := client.UpdateWorkflow(ctx, &workflowspb.UpdateWorkflowRequest{Workflow: w, UpdateMask: &fieldmaskpb.FieldMask{
		Paths: []string{"source_contents", "service_account", "user_env_vars", "labels", "description", "execution_history_level"},
	}})
	if err != nil {
		return nil, fmt.Errorf("update workflow %s: %w", id, err)
	}
	updated, err := op.Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("update workflow %s: %w", id, err)
	}
	return updated, nil
}

// Execute starts an execution of a workflow with a JSON argument.
func (c *Client) Execute(ctx context.Context, workflow, argument string) (*executionspb.Execution, error) {
	client, err := c.executionsClient(ctx)
	if err != nil {
		return nil, err
	}
	x, err := client.CreateExecution(ctx, &executionspb.CreateExecutionRequest{
		Parent:    c.parent() + "/workflows/" + workflow,
		Execution: &executionspb.Execution{Argument: argument},
	})
	if err != nil {
		return nil, fmt.Errorf("start workflow %s: %w", workflow, err)
	}
	return x, nil
}

// Execution reads an execution by its full name.
func (c *Client) Execution(ctx context.Context, name string) (*executionspb.Execution, error) {
	client, err := c.executionsClient(ctx)
	if err != nil {
		return nil, err
	}
	return client.GetExecution(ctx, &executionspb.GetExecutionRequest{Name: name, View: executionspb.ExecutionView_FULL})
}

// WaitExecution polls an execution until it has ended.
func (c *Client) WaitExecution(ctx context.Context, name string, every time.Duration) (*executionspb.Execution, error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		x, err := c.Execution(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("wait for execution: %w", err)
		}
		switch x.State {
		case executionspb.Execution_ACTIVE, executionspb.Execution_QUEUED:
		default:
			return x, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// CancelExecution cancels an execution. What it started on other services goes
// on: see [Client.CancelJobs].
func (c *Client) CancelExecution(ctx context.Context, name string) error {
	client, err := c.executionsClient(ctx)
	if err != nil {
		return err
	}
	_, err = client.CancelExecution(ctx, &executionspb.CancelExecutionRequest{Name: name})
	return err
}
