package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	workflows "cloud.google.com/go/workflows/apiv1"
	"cloud.google.com/go/workflows/apiv1/workflowspb"
)

// TestMain lets the test binary stand in for a workload.
func TestMain(m *testing.M) {
	if os.Getenv("GATEWAY_TEST_WORKLOAD") != "" {
		workload()
		return
	}
	os.Exit(m.Run())
}

// workload is a program that knows nothing of the embedded cloud: it uses
// Google's clients with the default credentials.
func workload() {
	ctx, name := testContext(), place+"/workflows/w"
	for kind, open := range map[string]func() (*workflows.Client, error){
		"gRPC": func() (*workflows.Client, error) { return workflows.NewClient(ctx) },
		"REST": func() (*workflows.Client, error) { return workflows.NewRESTClient(ctx) },
	} {
		client, err := open()
		if err != nil {
			fmt.Println(kind, err)
			continue
		}
		w, err := client.GetWorkflow(ctx, &workflowspb.GetWorkflowRequest{Name: name})
		fmt.Println(kind, w.GetDescription(), err)
	}
	resp, err := http.Get("https://s-1.us-central1.run.app/path")
	if err != nil {
		fmt.Println("run", err)
		return
	}
	defer resp.Body.Close()
	fmt.Println("run", resp.StatusCode, resp.Proto)
	_, err = http.Get("https://example.com/")
	fmt.Println("outside", err)
}

func TestUnmodifiedProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	c := start(t, nil)
	env, err := c.ProcessEnv("workflows@kakehi-local.iam.gserviceaccount.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.auth.SetPolicy("projects/kakehi-local", addRole(t, c, "roles/workflows.viewer", "serviceAccount:workflows@kakehi-local.iam.gserviceaccount.com")); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(env, "GATEWAY_TEST_WORKLOAD=1", "HOME="+t.TempDir(), "PATH="+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"gRPC serviceAccount:workflows@kakehi-local.iam.gserviceaccount.com <nil>",
		"REST serviceAccount:workflows@kakehi-local.iam.gserviceaccount.com <nil>",
		"run 200 HTTP/2.0",
		"outside Get \"https://example.com/\": Forbidden",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the program's output lacks %q:\n%s", want, out)
		}
	}
}

func TestConnect(t *testing.T) {
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "outside") }))
	defer other.Close()
	c := start(t, func(host string) bool { return host == "127.0.0.1" })
	if _, err := c.ProcessEnv(steps); err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(filepath.Join(c.dir, bundleFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	roots.AddCert(other.Certificate())
	proxy, _ := url.Parse(c.url)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for _, tt := range []struct {
		target, token string
		code          int
		body          string
	}{
		{"https://run.googleapis.com/v2/" + place + "/services/s", c.token(t, steps), 200, "services/s"},
		{"https://us-central1-run.googleapis.com/v2/" + place + "/services/s", "", 401, "UNAUTHENTICATED"},
		{"https://t---s-1.us-central1.run.app/x", "id", 200, "t---s-1.us-central1.run.app /x caller= auth=Bearer id"},
		{other.URL, "", 200, "outside"},
	} {
		r, _ := http.NewRequest("GET", tt.target, nil)
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		if code, body := do(t, client, r); code != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("%s: %d %s", tt.target, code, body)
		}
	}
	if _, err := client.Get("https://example.com/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("a foreign host: %v", err)
	}
}

func TestAuthorityIsKept(t *testing.T) {
	dir := t.TempDir()
	a, err := openAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openAuthority(dir)
	if err != nil || !a.cert.Equal(again.cert) {
		t.Errorf("another authority: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, caKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode: %v %v", info.Mode(), err)
	}
	leaf, err := a.leaf("run.googleapis.com")
	if err != nil {
		t.Fatal(err)
	}
	if cached, _ := a.leaf("run.googleapis.com"); cached != leaf {
		t.Error("the certificate is not kept")
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "run.googleapis.com"}); err != nil {
		t.Error(err)
	}
	stray, err := a.leaf("bank.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stray.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "bank.example"}); err == nil {
		t.Error("the authority may vouch for a host that is not Google's")
	}
	if _, err := a.leaf(""); err == nil {
		t.Error("a certificate for no host")
	}
}

func TestMetadataServersAreTold(t *testing.T) {
	c := start(t, nil)
	addresses := map[string]string{}
	for _, account := range []string{steps, trainer, steps} {
		env, err := c.ProcessEnv(account)
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range env {
			if v, ok := strings.CutPrefix(kv, "GCE_METADATA_HOST="); ok {
				if old := addresses[account]; old != "" && old != v {
					t.Errorf("%s has two metadata servers", account)
				}
				addresses[account] = v
			}
		}
	}
	get := func(account, host, path string) (int, string) {
		r, _ := http.NewRequest("GET", "http://"+addresses[account]+path, nil)
		r.Header.Set("Metadata-Flavor", "Google")
		r.Host = host
		return do(t, http.DefaultClient, r)
	}
	if _, body := get(trainer, "", "/computeMetadata/v1/instance/service-accounts/default/email"); body != trainer {
		t.Errorf("email %q", body)
	}
	if code, _ := get(trainer, "evil.example", "/computeMetadata/v1/instance/service-accounts/default/email"); code != 403 {
		t.Errorf("a rebound name: %d", code)
	}
	_, body := get(steps, "", "/computeMetadata/v1/instance/service-accounts/default/token")
	var token struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &token); err != nil {
		t.Fatal(err)
	}
	if p, err := c.auth.VerifyAccess(token.Token); err != nil || p.Member != "serviceAccount:"+steps {
		t.Errorf("%v, %v", p, err)
	}
}

func TestProcessEnvNeedsAnAddress(t *testing.T) {
	c := start(t, nil)
	c.Gateway.addr = ""
	if _, err := c.ProcessEnv(steps); err == nil {
		t.Error("an environment without an address")
	}
}
