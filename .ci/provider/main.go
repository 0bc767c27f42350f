// Command terraform-provider-google is a stand-in for the provider of that name
// that knows its schema and nothing else, so that terraform validate and
// terraform test with mocks run where the real one cannot be had. The schema
// comes from the TypeScript declarations of the npm package
// @cdktf/provider-google, in the folder that GOOGLE_PROVIDER_DECLARATIONS names.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-plugin-sdk/v2/plugin"
)

// resources are those of terraform/, by folder in the npm package.
var resources = []string{
	"artifact-registry-repository", "cloud-run-v2-service", "project-iam-member", "project-service",
	"service-account", "service-account-iam-member", "storage-bucket", "storage-bucket-iam-member",
	"storage-bucket-object", "workflows-workflow",
}

func main() {
	lib := os.Getenv("GOOGLE_PROVIDER_DECLARATIONS")
	if lib == "" {
		fmt.Fprintln(os.Stderr, "GOOGLE_PROVIDER_DECLARATIONS must name the lib folder of @cdktf/provider-google")
		os.Exit(1)
	}
	provider, err := load(lib)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	plugin.Serve(&plugin.ServeOpts{ProviderFunc: func() *schema.Provider { return provider }})
}

func load(lib string) (*schema.Provider, error) {
	provider := &schema.Provider{
		Schema: map[string]*schema.Schema{
			"project": {Type: schema.TypeString, Optional: true},
			"region":  {Type: schema.TypeString, Optional: true},
		},
		ResourcesMap: map[string]*schema.Resource{},
	}
	for _, folder := range resources {
		text, err := os.ReadFile(filepath.Join(lib, folder, "index.d.ts"))
		if err != nil {
			return nil, err
		}
		r, err := declarations(string(text)).resource()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		unable := func(*schema.ResourceData, any) error {
			return fmt.Errorf("this stand-in for the google provider knows schemas only")
		}
		r.Create, r.Read, r.Update, r.Delete = unable, unable, unable, unable
		provider.ResourcesMap["google_"+strings.ReplaceAll(folder, "-", "_")] = r
	}
	return provider, provider.InternalValidate()
}
