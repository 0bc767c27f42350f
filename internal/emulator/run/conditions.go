package run

import (
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Condition types of google.cloud.run.v2.
const (
	ready               = "Ready"
	configurationsReady = "ConfigurationsReady"
	routesReady         = "RoutesReady"
	containerHealthy    = "ContainerHealthy"
	resourcesAvailable  = "ResourcesAvailable"
)

func condition(kind string, state runpb.Condition_State, now *timestamppb.Timestamp) *runpb.Condition {
	return &runpb.Condition{Type: kind, State: state, LastTransitionTime: now}
}

func succeeded(kind string, now *timestamppb.Timestamp) *runpb.Condition {
	return condition(kind, runpb.Condition_CONDITION_SUCCEEDED, now)
}

func reconciling(kind string, now *timestamppb.Timestamp) *runpb.Condition {
	return condition(kind, runpb.Condition_CONDITION_RECONCILING, now)
}

// failed is a condition whose reason says what failed: the revision's health
// check, or that a revision is missing or not ready.
func failed(kind, message string, healthCheck bool, now *timestamppb.Timestamp) *runpb.Condition {
	c := condition(kind, runpb.Condition_CONDITION_FAILED, now)
	c.Message = message
	c.Reasons = &runpb.Condition_Reason{Reason: runpb.Condition_REVISION_FAILED}
	if healthCheck {
		c.Reasons = &runpb.Condition_RevisionReason_{RevisionReason: runpb.Condition_HEALTH_CHECK_CONTAINER_ERROR}
	}
	return c
}

// readyState is the state of a revision's Ready condition.
func readyState(rev *runpb.Revision) runpb.Condition_State {
	for _, c := range rev.GetConditions() {
		if c.Type == ready {
			return c.State
		}
	}
	return runpb.Condition_STATE_UNSPECIFIED
}

func isReady(rev *runpb.Revision) bool {
	return readyState(rev) == runpb.Condition_CONDITION_SUCCEEDED
}

func messageOf(conditions []*runpb.Condition, kind string) string {
	for _, c := range conditions {
		if c.Type == kind {
			return c.Message
		}
	}
	return ""
}
