package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kakehi/kakehi/internal/emulator"
	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/gcp"
	"github.com/kakehi/kakehi/internal/local"
	"github.com/kakehi/kakehi/internal/rollout"
)

// cloudFlags say which cloud a command talks to.
type cloudFlags struct {
	addr, dataDir   string
	project, region string
}

func (o *cloudFlags) register(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&o.dataDir, "data-dir", defaultDataDir, "data `DIR` of the embedded cloud")
	f.StringVar(&o.addr, "addr", "", "`HOST:PORT` of a running kakehi dev")
	f.StringVar(&o.project, "project", "", "Google Cloud `PROJECT`, instead of the embedded cloud")
	f.StringVar(&o.region, "region", emulator.Defaults().Region, "region in Google Cloud")
}

// dialTimeout is how long a kakehi dev may take to accept a connection.
const dialTimeout = 3 * time.Second

// connect returns a client of the cloud that the flags name: Google's, a
// running kakehi dev, or the embedded cloud of the data directory, opened for
// this command.
func (a *app) connect(o cloudFlags) (*gcp.Client, func() error, error) {
	d := emulator.Defaults()
	switch {
	case o.project != "":
		c := gcp.New(gcp.Options{Project: o.project, Location: o.region})
		return c, c.Close, nil
	case o.addr == "":
		if _, err := os.Stat(o.dataDir); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("there is no embedded cloud in %s: run a pipeline first, or name another folder with --data-dir", o.dataDir)
		}
		cloud, err := local.Open("127.0.0.1:0", emulator.Options{DataDir: o.dataDir})
		if err == nil {
			return cloud.Client, func() error { return closeCloud(cloud) }, nil
		}
		addr, readErr := os.ReadFile(filepath.Join(o.dataDir, local.AddrFile))
		if !errors.Is(err, store.ErrLocked) || readErr != nil {
			return nil, nil, err
		}
		o.addr = strings.TrimSpace(string(addr))
	}
	conn, err := net.DialTimeout("tcp", o.addr, dialTimeout)
	if err != nil { // the client would go on trying
		return nil, nil, fmt.Errorf("no kakehi dev answers: %w", err)
	}
	_ = conn.Close()
	c := gcp.New(gcp.Options{Endpoint: o.addr, Project: d.Project, Location: d.Region})
	return c, c.Close, nil
}

func (a *app) rolloutCommand() *cobra.Command {
	var o cloudFlags
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Show, finish or take back the rollout of a service",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError("rollout needs a command: status, promote or rollback")
		},
	}
	o.register(cmd)
	var output string
	show := &cobra.Command{
		Use:   "status SERVICE",
		Short: "Show how the rollout of a service stands",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			return a.withCloud(o, func(c *gcp.Client) error {
				_, s, err := readService(cmd.Context(), c, args[0])
				if err != nil {
					return err
				}
				summary, err := rollout.Status(s)
				if err != nil {
					return err
				}
				return a.printRollout(summary, output)
			})
		},
	}
	show.Flags().StringVarP(&output, "output", "o", "text", "output `FORMAT`: text or json")
	cmd.AddCommand(show,
		a.forceCommand(&o, "promote", "Give the candidate all traffic now", rollout.Promote),
		a.forceCommand(&o, "rollback", "Take the candidate's traffic away now", rollout.RollBack))
	return cmd
}

func (a *app) forceCommand(o *cloudFlags, name, short string, action rollout.Action) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   name + " SERVICE",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			return a.withCloud(*o, func(c *gcp.Client) error {
				answer, err := forceRollout(cmd.Context(), c, args[0], action, "by hand")
				if err != nil {
					return err
				}
				return a.printRollout(answer.Summary, output)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "output `FORMAT`: text or json")
	return cmd
}

// maxClashes is how often a change is tried again when a running rollout wrote
// the service at the same time.
const maxClashes = 5

// withCloud calls f with a client of the cloud that the flags name.
func (a *app) withCloud(o cloudFlags, f func(*gcp.Client) error) (err error) {
	client, closeClient, err := a.connect(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeClient()) }()
	return denied(f(client))
}

// readService reads a service, as it is written back and as a rollout sees it.
func readService(ctx context.Context, c *gcp.Client, id string) (*runpb.Service, *rollout.Service, error) {
	service, err := c.Service(ctx, id)
	if err != nil {
		return nil, nil, fmt.Errorf("read service %s: %w", id, err)
	}
	s, err := parseService(service)
	return service, s, err
}

func parseService(service *runpb.Service) (*rollout.Service, error) {
	body, err := protojson.Marshal(service)
	if err != nil {
		return nil, err
	}
	return rollout.ParseService(body)
}

// forceRollout ends the rollout of a service, also when somebody changes the
// service meanwhile.
func forceRollout(ctx context.Context, c *gcp.Client, id string, action rollout.Action, why string) (rollout.Answer, error) {
	for try := 1; ; try++ {
		service, s, err := readService(ctx, c, id)
		if err != nil {
			return rollout.Answer{}, err
		}
		answer, err := rollout.Force(s, action, why, time.Now())
		if err != nil {
			return rollout.Answer{}, err
		}
		err = applyAnswer(ctx, c, service, answer)
		if status.Code(err) == codes.Aborted && try < maxClashes {
			continue
		}
		return answer, err
	}
}

// denied gives an error of authorization its exit code.
func denied(err error) error {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return exitWith(exitDenied, err)
	}
	return err
}

// applyAnswer writes traffic and annotations with the etag that the service was
// read with.
func applyAnswer(ctx context.Context, c *gcp.Client, service *runpb.Service, answer rollout.Answer) error {
	service.Annotations = answer.Annotations
	service.Traffic = nil
	for _, t := range answer.Traffic {
		target := &runpb.TrafficTarget{
			Type:     runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION,
			Revision: t.Revision, Percent: int32(t.Percent), Tag: t.Tag,
		}
		if t.Revision == "" {
			target.Type = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
		}
		service.Traffic = append(service.Traffic, target)
	}
	_, err := c.ShiftTraffic(ctx, service)
	return err
}

// textOrJSON checks a format before anything is done.
func textOrJSON(output string) error {
	if output != "text" && output != "json" {
		return usageError("--output takes text or json, not %q", output)
	}
	return nil
}

func (a *app) printRollout(s rollout.Summary, output string) error {
	if output == "json" {
		return a.printJSON(s)
	}
	phase := string(s.Phase)
	if phase == "" {
		phase = "no rollout yet"
	}
	fmt.Fprintf(a.Out, "%s: %s\n", s.Service, phase)
	if s.Reason != "" {
		fmt.Fprintf(a.Out, "  %s\n", s.Reason)
	}
	for _, t := range s.Traffic {
		revision := t.Revision
		if revision == "" {
			revision = "latest revision"
		}
		fmt.Fprintf(a.Out, "  %3d %%  %s", t.Percent, revision)
		if t.Tag != "" {
			fmt.Fprintf(a.Out, "  (tag %s)", t.Tag)
		}
		fmt.Fprintln(a.Out)
	}
	return nil
}
