package cli

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"
)

// defaultAddr is where kakehi dev serves, and where kakehi env points.
const defaultAddr = "127.0.0.1:8787"

func (a *app) devCommand() *cobra.Command {
	var addr string
	var o cloudOptions
	var rate float64
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Serve the embedded Google Cloud until a signal",
		Long:  "Serves the embedded Google Cloud of a data directory. It prints \"ready URL\" on\nstandard output once it serves. Executions that a crash or an end left running go\non. Point gcloud and Google's libraries at it with kakehi env.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.dev(cmd.Context(), addr, o, rate)
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "addr", defaultAddr, "`HOST:PORT` to serve on; port 0 chooses one")
	f.StringVar(&o.dataDir, "data-dir", defaultDataDir, "data `DIR`")
	f.StringVar(&o.journals, "journals", "", "leave the journal of each execution in `DIR`, for kakehi replay")
	f.StringArrayVar(&o.allowHosts, "allow-host", nil, "let workloads reach `HOST` outside; repeatable; * for any")
	stubsFlag(cmd, &o.stubs)
	f.Float64Var(&rate, "traffic", 100, "requests a second to services under rollout; 0 for none")
	return cmd
}

func (a *app) dev(ctx context.Context, addr string, o cloudOptions, rate float64) (err error) {
	if err := a.warnUnlessLoopback(addr); err != nil {
		return err
	}
	cloud, err := a.openCloud(addr, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeCloud(cloud)) }()
	if _, err := fmt.Fprintf(a.Out, "ready http://%s\n", cloud.Addr); err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "project %s, data in %s; point clients at it with:\n  eval \"$(kakehi env --addr %s%s)\"\n",
		cloud.Project, cloud.DataDir, cloud.Addr, dataDirFlag(o.dataDir))
	traffic := cloud.StartTraffic(rate, func(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) })
	defer traffic.Stop()
	<-ctx.Done()
	return nil
}

// warnUnlessLoopback says what serving to others means: a caller without a token
// is trusted only from this machine, yet the port is open.
func (a *app) warnUnlessLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usageError("--addr takes HOST:PORT, not %q", addr)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	fmt.Fprintf(a.Err, "kakehi: %s is not a loopback address: others can reach this cloud, and need a token to use it\n", addr)
	return nil
}
