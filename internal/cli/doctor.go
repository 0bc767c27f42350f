package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

func (a *app) doctorCommand() *cobra.Command {
	var dataDir, output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what this machine has and lacks, and how to mend it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine(cmd.Context(), dataDir)
			switch output {
			case "json":
				if err := a.printJSON(findings); err != nil {
					return err
				}
			case "text":
				a.printFindings(findings)
			default:
				return usageError("--output takes text or json, not %q", output)
			}
			for _, f := range findings {
				if f.Status == "missing" && f.Required {
					return exitWith(exitFailure, nil)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", defaultDataDir, "data `DIR` of the embedded cloud")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "output `FORMAT`: text or json")
	return cmd
}

// finding is what doctor says of one thing.
type finding struct {
	Name     string `json:"name"`
	Status   string `json:"status"` // ok or missing
	Required bool   `json:"required"`
	Detail   string `json:"detail"`
	Mend     string `json:"mend,omitempty"`
}

// examine looks at what a local run needs, then at what helps.
func examine(ctx context.Context, dataDir string) []finding {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	findings := []finding{
		examineTool(ctx, tool{name: "go", args: []string{"version"}, required: true,
			use: "builds ko:// images and the steps of a local run", mend: "install Go 1.26 or newer: https://go.dev/dl"}),
		examineDataDir(dataDir),
	}
	for _, t := range []tool{
		{name: "python3", args: []string{"--version"}, use: "Python components of pipelines", mend: "install Python 3.9 or newer"},
		{name: "podman", args: []string{"--version"}, use: "registry images in local runs", mend: "install podman, or use ko:// images"},
		{name: "gcloud", args: []string{"version", "--format=value(\"Google Cloud SDK\")"}, use: "the cloud, and kakehi dev by hand", mend: "https://cloud.google.com/sdk/docs/install"},
		{name: "terraform", args: []string{"version"}, use: "deploys", mend: "https://developer.hashicorp.com/terraform/install"},
	} {
		findings = append(findings, examineTool(ctx, t))
	}
	return append(findings, examineCredentials())
}

type tool struct {
	name, use, mend string
	args            []string
	required        bool
}

func examineTool(ctx context.Context, t tool) finding {
	f := finding{Name: t.name, Status: "ok", Required: t.required}
	out, err := exec.CommandContext(ctx, t.name, t.args...).Output()
	if err != nil {
		f.Status, f.Detail, f.Mend = "missing", "needed for: "+t.use, t.mend
		if !errors.Is(err, exec.ErrNotFound) {
			f.Detail = fmt.Sprintf("does not run (%v); %s", err, f.Detail)
		}
		return f
	}
	f.Detail, _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	return f
}

// examineDataDir tries to write where the embedded cloud would.
func examineDataDir(dir string) finding {
	f := finding{Name: "data directory", Status: "ok", Required: true, Detail: dir}
	parent := dir
	for {
		if _, err := os.Stat(parent); err == nil || parent == filepath.Dir(parent) {
			break
		}
		parent = filepath.Dir(parent)
	}
	probe, err := os.CreateTemp(parent, ".kakehi-doctor-*")
	if err != nil {
		f.Status, f.Detail, f.Mend = "missing", err.Error(), "choose a folder that you may write to with --data-dir"
		return f
	}
	probe.Close()
	os.Remove(probe.Name())
	if parent != dir {
		f.Detail += " (will be created)"
		return f
	}
	db, err := store.Open(dir)
	switch {
	case errors.Is(err, store.ErrLocked):
		f.Detail += " (in use by a running kakehi)"
	case err != nil:
		f.Status, f.Detail, f.Mend = "missing", err.Error(), "move the folder away: its database cannot be read"
	default:
		db.Close()
	}
	return f
}

// examineCredentials looks for the file of Application Default Credentials,
// which only the cloud needs. It asks no metadata server: doctor stays on this
// machine.
func examineCredentials() finding {
	f := finding{Name: "Google credentials", Status: "ok"}
	file := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
	if file == "" {
		if dir, err := os.UserConfigDir(); err == nil {
			file = filepath.Join(dir, "gcloud", "application_default_credentials.json")
		}
	}
	if _, err := os.Stat(file); err != nil {
		f.Status, f.Detail = "missing", "needed for: running on Google Cloud; local runs need none"
		f.Mend = "gcloud auth application-default login"
		return f
	}
	f.Detail = file
	return f
}

func (a *app) printFindings(findings []finding) {
	fmt.Fprintf(a.Out, "kakehi %s on %s/%s\n", version(), runtime.GOOS, runtime.GOARCH)
	for _, f := range findings {
		sign, color := "✓", colorOK
		if f.Status != "ok" {
			sign, color = "–", colorWaiting
			if f.Required {
				sign, color = "✗", colorFailed
			}
		}
		fmt.Fprintf(a.Out, "  %s %-20s %s\n", a.term.paint(color, sign), f.Name, f.Detail)
		if f.Mend != "" {
			fmt.Fprintf(a.Out, "    %-20s mend: %s\n", "", f.Mend)
		}
	}
}
