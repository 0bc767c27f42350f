package gcp

import (
	"context"
	"errors"
	"fmt"

	aiplatformpb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/api/iterator"
)

// CancelJobs cancels the CustomJobs of an execution that have not ended, found
// by the label that compiled workflows give them. Cancelling an execution alone
// leaves its jobs running, and paid for.
func (c *Client) CancelJobs(ctx context.Context, execution string) (cancelled int, err error) {
	client, err := c.jobsClient(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	it := client.ListCustomJobs(ctx, &aiplatformpb.ListCustomJobsRequest{
		Parent: c.parent(),
		Filter: fmt.Sprintf("labels.kakehi-execution=%q", execution),
	})
	for {
		job, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return cancelled, errors.Join(errs...)
		}
		if err != nil {
			return cancelled, errors.Join(append(errs, fmt.Errorf("list jobs: %w", err))...)
		}
		switch job.State {
		case aiplatformpb.JobState_JOB_STATE_QUEUED, aiplatformpb.JobState_JOB_STATE_PENDING, aiplatformpb.JobState_JOB_STATE_RUNNING:
		default:
			continue
		}
		if err := client.CancelCustomJob(ctx, &aiplatformpb.CancelCustomJobRequest{Name: job.Name}); err != nil {
			errs = append(errs, fmt.Errorf("cancel job %s: %w", job.Name, err))
			continue
		}
		cancelled++
	}
}
