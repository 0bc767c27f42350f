package gcp

import (
	"context"
	"errors"
	"fmt"
	"path"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// DeployService creates or updates a Cloud Run service by its id and waits
// until the new revision serves.
func (c *Client) DeployService(ctx context.Context, id string, s *runpb.Service) (*runpb.Service, error) {
	client, err := c.servicesClient(ctx)
	if err != nil {
		return nil, err
	}
	name := c.parent() + "/services/" + id
	_, err = client.GetService(ctx, &runpb.GetServiceRequest{Name: name})
	if status.Code(err) == codes.NotFound {
		op, err := client.CreateService(ctx, &runpb.CreateServiceRequest{Parent: c.parent(), ServiceId: id, Service: s})
		if err != nil {
			return nil, fmt.Errorf("create service %s: %w", id, err)
		}
		created, err := op.Wait(ctx)
		if err != nil {
			return nil, fmt.Errorf("create service %s: %w", id, err)
		}
		return created, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up service %s: %w", id, err)
	}
	s.Name = name
	op, err := client.UpdateService(ctx, &runpb.UpdateServiceRequest{Service: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"template"}}})
	if err != nil {
		return nil, fmt.Errorf("update service %s: %w", id, err)
	}
	updated, err := op.Wait(ctx)
	if err != nil {
		return nil, fmt.Errorf("update service %s: %w", id, err)
	}
	return updated, nil
}

// Service reads a Cloud Run service by its id.
func (c *Client) Service(ctx context.Context, id string) (*runpb.Service, error) {
	client, err := c.servicesClient(ctx)
	if err != nil {
		return nil, err
	}
	return client.GetService(ctx, &runpb.GetServiceRequest{Name: c.parent() + "/services/" + id})
}

// ShiftTraffic writes a service's traffic and annotations, and no revision. The
// service carries the etag that it was read with: if somebody changed it since,
// the error's code is ABORTED, and nothing was written.
func (c *Client) ShiftTraffic(ctx context.Context, s *runpb.Service) (*runpb.Service, error) {
	client, err := c.servicesClient(ctx)
	if err != nil {
		return nil, err
	}
	op, err := client.UpdateService(ctx, &runpb.UpdateServiceRequest{
		Service: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"traffic", "annotations"}},
	})
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// Services lists the location's Cloud Run services by their ids.
func (c *Client) Services(ctx context.Context) (map[string]*runpb.Service, error) {
	client, err := c.servicesClient(ctx)
	if err != nil {
		return nil, err
	}
	services := map[string]*runpb.Service{}
	it := client.ListServices(ctx, &runpb.ListServicesRequest{Parent: c.parent()})
	for {
		s, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return services, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list services: %w", err)
		}
		services[path.Base(s.Name)] = s
	}
}
