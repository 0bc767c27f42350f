// Package local runs pipelines on the embedded cloud: it builds what a pipeline
// needs, deploys it with Google's own clients, as gcloud would, and executes the
// compiled workflow.
package local

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/emulator"
	"github.com/kakehi/kakehi/internal/gcp"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// Bucket is the pipeline bucket of the embedded cloud.
func Bucket(project string) string { return project + "-pipelines" }

// AddrFile is the file of the data directory that holds the address of the cloud
// that serves it.
const AddrFile = "addr"

// Cloud is an embedded cloud that serves on a loopback address.
type Cloud struct {
	*emulator.Emulator
	Addr   string
	Client *gcp.Client
}

// Open opens the cloud of a data directory and serves it on addr, a host:port of
// which the port may be 0.
func Open(addr string, o emulator.Options) (*Cloud, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	e, err := emulator.Open(o)
	if err != nil {
		l.Close()
		return nil, err
	}
	if err := e.Serve(l); err != nil {
		e.Close(context.Background())
		return nil, err
	}
	c := &Cloud{Emulator: e, Addr: l.Addr().String()}
	c.Client = gcp.New(gcp.Options{Endpoint: c.Addr, Project: e.Project, Location: e.Region})
	if err := os.WriteFile(filepath.Join(c.DataDir, AddrFile), []byte(c.Addr+"\n"), 0o600); err != nil {
		c.Close(context.Background())
		return nil, err
	}
	return c, nil
}

// Close stops the cloud; what it holds stays in the data directory.
func (c *Cloud) Close(ctx context.Context) error {
	c.Client.Close()
	return c.Emulator.Close(ctx)
}

// Pipeline is a compiled pipeline that is to be deployed.
type Pipeline struct {
	File     string // of the spec
	Pipeline *pipeline.Pipeline
	Workflow []byte // the compiled YAML
}

// Deploy builds and deploys all that a run of the pipeline needs. It tells each
// thing it does to say.
func (c *Cloud) Deploy(ctx context.Context, p Pipeline, say func(format string, args ...any)) error {
	need := compile.Requires(p.Pipeline)
	images, err := c.build(ctx, p, need, say)
	if err != nil {
		return err
	}
	if err := c.CreatePipelineBucket(); err != nil {
		return err
	}
	if err := c.uploadInputs(ctx, need, say); err != nil {
		return err
	}
	if err := c.deployFunctions(ctx, need, images["functions"], say); err != nil {
		return err
	}
	return c.deployWorkflow(ctx, p, images)
}

func (c *Cloud) build(ctx context.Context, p Pipeline, need compile.Requirements, say func(string, ...any)) (map[string]string, error) {
	if len(need.Images) == 0 && len(need.Functions) == 0 && !need.ModelServer {
		return map[string]string{}, nil
	}
	root, err := moduleRoot(p.File)
	if err != nil {
		return nil, err
	}
	say("building the steps")
	images, err := buildImages(ctx, root, c.DataDir, need)
	if err != nil {
		return nil, fmt.Errorf("build the steps: %w", err)
	}
	return images, nil
}

// deployFunctions deploys each step function as a Cloud Run service.
func (c *Cloud) deployFunctions(ctx context.Context, need compile.Requirements, image string, say func(string, ...any)) error {
	if len(need.Functions) == 0 {
		return nil
	}
	say("deploying %d functions", len(need.Functions))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, name := range need.Functions {
		g.Go(func() error {
			id := compile.ServiceOf(name)
			if c.isDeployed(ctx, id, image) {
				return nil
			}
			_, err := c.Client.DeployService(ctx, id, &runpb.Service{Template: &runpb.RevisionTemplate{
				ServiceAccount: c.ServiceAccount("steps"),
				Timeout:        durationpb.New(1800e9), // an HTTP step's longest
				Containers: []*runpb.Container{{
					Image: image,
					Env:   []*runpb.EnvVar{{Name: "FUNCTION_TARGET", Values: &runpb.EnvVar_Value{Value: name}}},
				}},
			}})
			return err
		})
	}
	return g.Wait()
}

// isDeployed reports whether a service runs an image already: deploying it
// again would only make a revision that is no different.
func (c *Cloud) isDeployed(ctx context.Context, id, image string) bool {
	s, err := c.Client.Service(ctx, id)
	if err != nil || s.GetTerminalCondition().GetState() != runpb.Condition_CONDITION_SUCCEEDED {
		return false
	}
	containers := s.GetTemplate().GetContainers()
	return len(containers) == 1 && containers[0].Image == image
}

func (c *Cloud) deployWorkflow(ctx context.Context, p Pipeline, images map[string]string) error {
	list, err := json.Marshal(images)
	if err != nil {
		return err
	}
	_, err = c.Client.DeployWorkflow(ctx, p.Pipeline.Name, &workflowspb.Workflow{
		Description:           p.Pipeline.Description,
		SourceCode:            &workflowspb.Workflow_SourceContents{SourceContents: string(p.Workflow)},
		ServiceAccount:        "projects/" + c.Project + "/serviceAccounts/" + c.ServiceAccount("workflows"),
		ExecutionHistoryLevel: workflowspb.ExecutionHistoryLevel_EXECUTION_HISTORY_DETAILED,
		UserEnvVars: map[string]string{
			"BUCKET": Bucket(c.Project), "IMAGES": string(list),
			"JOB_SERVICE_ACCOUNT":     c.ServiceAccount("trainer"),
			"SERVING_SERVICE_ACCOUNT": c.ServiceAccount("serving"),
		},
	})
	return err
}

// CreatePipelineBucket makes the pipeline bucket unless it exists.
func (c *Cloud) CreatePipelineBucket() error {
	bucket := Bucket(c.Project)
	if err := c.Storage.CreateBucket(bucket, c.Region); err != nil {
		return fmt.Errorf("create bucket %s: %w", bucket, err)
	}
	return nil
}

// File is the file of this machine that a gs:// URI stands for.
func (c *Cloud) File(uri string) (string, bool) {
	rest, ok := strings.CutPrefix(uri, "gs://")
	if !ok || !filepath.IsLocal(rest) {
		return "", false
	}
	return filepath.Join(c.DataDir, "gcs", filepath.FromSlash(rest)), true
}
