// Package gcp has thin typed clients of Google Cloud, over Google's own
// libraries, for what the command line does itself: deploy workflows and
// services, run executions, shift traffic, stop jobs. Where they go is a field,
// so the same code serves Google Cloud and the embedded cloud.
package gcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	aiplatform "cloud.google.com/go/aiplatform/apiv1"
	run "cloud.google.com/go/run/apiv2"
	workflows "cloud.google.com/go/workflows/apiv1"
	executions "cloud.google.com/go/workflows/executions/apiv1"
	"golang.org/x/oauth2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Options say which cloud to talk to, and as whom.
type Options struct {
	// Endpoint is the host:port of an embedded cloud, reached in plain text and
	// as its developer; "" is Google Cloud.
	Endpoint string
	// TokenSource gives credentials for Google Cloud; nil means Application
	// Default Credentials.
	TokenSource oauth2.TokenSource
	Project     string
	Location    string
}

// Client talks to one project and location. Its connections open at first use.
type Client struct {
	opts Options

	mu     sync.Mutex
	opened []io.Closer

	workflows  *workflows.Client
	executions *executions.Client
	services   *run.ServicesClient
	jobs       *aiplatform.JobClient
}

// New returns a client; it opens no connection yet.
func New(o Options) *Client { return &Client{opts: o} }

// Close closes the connections that were opened.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, conn := range c.opened {
		errs = append(errs, conn.Close())
	}
	c.opened = nil
	return errors.Join(errs...)
}

// parent is the resource that holds the project's things at the location.
func (c *Client) parent() string {
	return "projects/" + c.opts.Project + "/locations/" + c.opts.Location
}

// dial returns the options of a client whose API has a host of its own in
// Google Cloud; "" leaves it to the library.
func (c *Client) dial(host string) []option.ClientOption {
	if c.opts.Endpoint != "" {
		return []option.ClientOption{
			option.WithEndpoint(c.opts.Endpoint), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}
	}
	var opts []option.ClientOption
	if host != "" {
		opts = append(opts, option.WithEndpoint(host))
	}
	if c.opts.TokenSource != nil {
		opts = append(opts, option.WithTokenSource(c.opts.TokenSource))
	}
	return opts
}

// open returns the client kept in slot, opening it at first use.
func open[T io.Closer](ctx context.Context, c *Client, slot *T, isOpen func(T) bool, api, host string,
	dial func(context.Context, ...option.ClientOption) (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isOpen(*slot) {
		return *slot, nil
	}
	client, err := dial(ctx, c.dial(host)...)
	if err != nil {
		return *slot, fmt.Errorf("connect to %s: %w", api, err)
	}
	*slot = client
	c.opened = append(c.opened, client)
	return client, nil
}

func (c *Client) workflowsClient(ctx context.Context) (*workflows.Client, error) {
	return open(ctx, c, &c.workflows, notNil, "Workflows", "", workflows.NewClient)
}

func (c *Client) executionsClient(ctx context.Context) (*executions.Client, error) {
	return open(ctx, c, &c.executions, notNil, "Workflow Executions", "", executions.NewClient)
}

func (c *Client) servicesClient(ctx context.Context) (*run.ServicesClient, error) {
	return open(ctx, c, &c.services, notNil, "Cloud Run", "", run.NewServicesClient)
}

func (c *Client) jobsClient(ctx context.Context) (*aiplatform.JobClient, error) {
	return open(ctx, c, &c.jobs, notNil, "Vertex AI", c.opts.Location+"-aiplatform.googleapis.com:443", aiplatform.NewJobClient)
}

func notNil[T any](p *T) bool { return p != nil }
