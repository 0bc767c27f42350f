package local_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A call with the wrong kind of token is refused as in the cloud, with 401. An
// access token is not even sent to hosts other than Google's APIs.
func TestSwappedAuth(t *testing.T) {
	t.Parallel()
	c := openCloud(t, dataDir(t))
	p := compiled(t, penguins)
	for _, tt := range []struct {
		name string
		swap []string
		want string
	}{
		{"both", []string{"type: OIDC", "type: OAuth2", "type: OAuth2", "type: OIDC"}, `"code":401`},
		{"OAuth2 to OIDC", []string{"type: OAuth2", "type: OIDC"}, `"code":401`},
		{"OIDC to OAuth2", []string{"type: OIDC", "type: OAuth2"}, `"code":401`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			swapped := p
			swapped.Workflow = []byte(strings.NewReplacer(tt.swap...).Replace(string(p.Workflow)))
			c.deploy(t, swapped)
			c.run(t, "penguins", nil).says(t, tt.want) // the exit task is refused as well
		})
	}
}

// Without a role, the workflow's service account is refused as in the cloud:
// 403, in the words of the service.
func TestMissingRole(t *testing.T) {
	t.Parallel()
	c := openCloud(t, dataDir(t))
	c.deploy(t, compiled(t, served))
	c.deploy(t, compiled(t, penguins))
	tests := []struct {
		name, pipeline, remove, add string
		want                        []string
	}{
		// First, before validate has an answer in the cache.
		{"no invoker", "penguins", "roles/run.invoker", "",
			[]string{"task validate", `"code":403`}},
		{"no role on Vertex AI", "served", "roles/aiplatform.user", "",
			[]string{"task train", `"code":403`, "Permission 'aiplatform.customJobs.list' denied on resource"}},
		{"no more than a view of Vertex AI", "served", "roles/aiplatform.user", "roles/aiplatform.viewer",
			[]string{"task train", `"code":403`, "Permission 'aiplatform.customJobs.create' denied on resource"}},
		{"in a parallel branch", "penguins", "roles/aiplatform.user", "",
			[]string{"403", "Permission 'aiplatform.customJobs.list' denied on resource"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer c.changeRoles(t, tt.remove, tt.add)()
			c.run(t, tt.pipeline, nil).says(t, tt.want...)
		})
	}
	// With all roles back, the same pipeline runs.
	c.run(t, "served", nil).succeeded(t)
}

// policy is the IAM policy of a project.
type policy struct {
	Bindings []binding `json:"bindings"`
	Etag     string    `json:"etag,omitempty"`
}

type binding struct {
	Role    string   `json:"role"`
	Members []string `json:"members"`
}

// changeRoles takes a role of the project from the workflows' service account,
// and gives it another unless that is "". The function that it returns undoes
// it.
func (c *cloud) changeRoles(t *testing.T, remove, add string) (undo func()) {
	t.Helper()
	member := "serviceAccount:" + c.ServiceAccount("workflows")
	before := c.policy(t)
	changed := policy{Etag: before.Etag}
	for _, b := range before.Bindings {
		if b.Role == remove {
			b.Members = slices.DeleteFunc(slices.Clone(b.Members), func(m string) bool { return m == member })
		}
		if len(b.Members) > 0 {
			changed.Bindings = append(changed.Bindings, b)
		}
	}
	if cmp.Equal(before, changed) {
		t.Fatalf("%s does not have %s", member, remove)
	}
	if add != "" {
		changed.Bindings = append(changed.Bindings, binding{add, []string{member}})
	}
	c.setPolicy(t, changed)
	return func() {
		before.Etag = c.policy(t).Etag
		c.setPolicy(t, before)
	}
}

func (c *cloud) policy(t *testing.T) policy {
	t.Helper()
	var p policy
	call(t, http.MethodPost, c.Addr, "/v1/projects/"+c.Project+":getIamPolicy", map[string]any{}, &p)
	return p
}

func (c *cloud) setPolicy(t *testing.T, p policy) {
	t.Helper()
	call(t, http.MethodPost, c.Addr, "/v1/projects/"+c.Project+":setIamPolicy", map[string]any{"policy": p}, nil)
}
