package cli

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kakehi/kakehi/internal/emulator"
)

func (a *app) envCommand() *cobra.Command {
	var addr, dataDir, format string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the environment that points gcloud, Terraform and Google's clients at kakehi dev",
		Long:  "Prints environment variables that point gcloud, Terraform and Google's Go clients\nat a running kakehi dev:\n\n  eval \"$(kakehi env)\"",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			vars, err := environment(addr, dataDir)
			if err != nil {
				return err
			}
			switch format {
			case "shell":
				for _, name := range sortedNames(vars) {
					fmt.Fprintf(a.Out, "export %s=%s\n", name, shellQuote(vars[name]))
				}
				return nil
			case "json":
				return a.printJSON(vars)
			}
			return usageError("--format takes shell or json, not %q", format)
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "addr", defaultAddr, "`HOST:PORT` of kakehi dev")
	f.StringVar(&dataDir, "data-dir", defaultDataDir, "data `DIR` of kakehi dev")
	f.StringVar(&format, "format", "shell", "output `FORMAT`: shell or json")
	return cmd
}

// environment lists the variables. gcloud and Terraform send the developer's
// token, which lies in the data directory. gcloud's overrides end in a slash
// without a version, except Storage's; Terraform's have the version.
func environment(addr, dataDir string) (map[string]string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usageError("--addr takes HOST:PORT, not %q", addr)
	}
	cloud := emulator.Defaults()
	token, err := filepath.Abs(filepath.Join(dataDir, "token"))
	if err != nil {
		return nil, err
	}
	base := "http://" + addr
	vars := map[string]string{
		"CLOUDSDK_CORE_PROJECT": cloud.Project, "GOOGLE_CLOUD_PROJECT": cloud.Project, "GOOGLE_PROJECT": cloud.Project,
		"CLOUDSDK_RUN_REGION": cloud.Region, "CLOUDSDK_WORKFLOWS_LOCATION": cloud.Region, "CLOUDSDK_AI_REGION": cloud.Region,
		"GOOGLE_REGION":                 cloud.Region,
		"CLOUDSDK_CORE_DISABLE_PROMPTS": "true",
		// The region of a Cloud Run call is in its host alone, so gcloud reaches
		// that API through the cloud as its proxy.
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": "http://run.localhost/",
		"CLOUDSDK_PROXY_TYPE":                 "http", "CLOUDSDK_PROXY_ADDRESS": host, "CLOUDSDK_PROXY_PORT": port,
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": base + "/storage/v1/",
		"STORAGE_EMULATOR_HOST":                   addr,
	}
	for _, api := range []string{"WORKFLOWS", "WORKFLOWEXECUTIONS", "AIPLATFORM", "LOGGING", "IAM", "IAMCREDENTIALS", "CLOUDRESOURCEMANAGER", "SECRETMANAGER", "SERVICEUSAGE"} {
		vars["CLOUDSDK_API_ENDPOINT_OVERRIDES_"+api] = base + "/"
	}
	for product, version := range map[string]string{
		"WORKFLOWS": "v1", "IAM": "v1", "IAM_BETA": "v1", "IAM_CREDENTIALS": "v1", "RESOURCE_MANAGER": "v1", "VERTEX_AI": "v1",
		"SECRET_MANAGER": "v1", "SERVICE_USAGE": "v1", "CLOUD_RUN_V2": "v2", "LOGGING": "v2", "RESOURCE_MANAGER_V3": "v3", "STORAGE": "storage/v1",
	} {
		vars["GOOGLE_"+product+"_CUSTOM_ENDPOINT"] = base + "/" + version + "/"
	}
	if text, err := os.ReadFile(token); err == nil {
		vars["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"] = token
		vars["GOOGLE_OAUTH_ACCESS_TOKEN"] = strings.TrimSpace(string(text))
	} else {
		vars["CLOUDSDK_AUTH_DISABLE_CREDENTIALS"] = "true"
	}
	return vars, nil
}

// shellQuote quotes s for a POSIX shell where it needs it.
func shellQuote(s string) string {
	plain := strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:-") == ""
	if plain && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
