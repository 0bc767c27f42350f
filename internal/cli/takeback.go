package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kakehi/kakehi/internal/gcp"
	"github.com/kakehi/kakehi/internal/rollout"
)

// takeBack gives the stable revisions all traffic again where an execution that
// was cancelled has left its candidate on trial: nobody decides about it any
// more.
func (r *localRun) takeBack(ctx context.Context, execution string, say func(format string, args ...any)) {
	services, err := rollBackUnfinished(ctx, r.cloud.Client, execution)
	for _, id := range services {
		say("  the stable revision of %s has all traffic again", id)
	}
	if err != nil {
		say("  a candidate may still have traffic, take it back with kakehi rollout rollback: %v", err)
	}
}

// rollBackUnfinished returns the services that it has rolled back.
func rollBackUnfinished(ctx context.Context, c *gcp.Client, execution string) ([]string, error) {
	services, err := c.Services(ctx)
	if err != nil {
		return nil, err
	}
	var done []string
	var failed []error
	for id, service := range services {
		s, err := parseService(service)
		if err == nil && !s.Unfinished(execution) {
			continue
		}
		if err == nil {
			_, err = forceRollout(ctx, c, id, rollout.RollBack, "since the run was cancelled")
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("service %s: %w", id, err))
			continue
		}
		done = append(done, id)
	}
	slices.Sort(done)
	return done, errors.Join(failed...)
}
