package workflows

import (
	"context"
	"encoding/json"
	"strings"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
)

// pubsubPush is the body of triggerPubsubExecution: what Pub/Sub pushes, and
// the mode that Eventarc adds.
type pubsubPush struct {
	Mode            string         `json:"GCPCloudEventsMode"`
	Subscription    string         `json:"subscription"`
	Message         *pubsubMessage `json:"message"`
	DeliveryAttempt int            `json:"deliveryAttempt"`
}

type pubsubMessage struct {
	Data        []byte            `json:"data,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	MessageID   string            `json:"messageId,omitempty"`
	PublishTime string            `json:"publishTime,omitempty"`
	OrderingKey string            `json:"orderingKey,omitempty"`
}

// cloudEvent is the argument of an execution that Pub/Sub starts: the event
// that Eventarc makes of a message.
//
// Source: cloud.google.com/eventarc/docs/cloudevents.
type cloudEvent struct {
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	SpecVersion     string         `json:"specversion"`
	Type            string         `json:"type"`
	DataContentType string         `json:"datacontenttype"`
	Time            string         `json:"time,omitempty"`
	Data            cloudEventData `json:"data"`
}

type cloudEventData struct {
	Message      *pubsubMessage `json:"message"`
	Subscription string         `json:"subscription"`
}

// triggerPubsub starts an execution for a pushed message. Such executions do
// not wait in the backlog: Pub/Sub pushes again.
func (s *Service) triggerPubsub(ctx context.Context, workflow string, push pubsubPush) (record, error) {
	switch {
	case push.Message == nil || len(push.Message.Data) == 0 && len(push.Message.Attributes) == 0:
		return record{}, invalid("message", "must have data or attributes")
	case push.Subscription == "":
		return record{}, invalid("subscription", "is required")
	}
	argument, err := json.Marshal(cloudEvent{
		ID:              push.Message.MessageID,
		Source:          "//pubsub.googleapis.com/" + push.topic(),
		SpecVersion:     "1.0",
		Type:            "google.cloud.pubsub.topic.v1.messagePublished",
		DataContentType: "application/json",
		Time:            push.Message.PublishTime,
		Data:            cloudEventData{push.Message, push.Subscription},
	})
	if err != nil {
		return record{}, internal("encode the event", err)
	}
	return s.create(ctx, workflow, record{pb: &executionspb.Execution{Argument: string(argument)}, noBacklog: true})
}

// topic is the one that Eventarc names in the mode, or else the subscription.
func (p pubsubPush) topic() string {
	if topic, ok := strings.CutPrefix(p.Mode, "CUSTOM_PUBSUB_"); ok {
		return topic
	}
	return p.Subscription
}
