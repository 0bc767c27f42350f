package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	run "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	workflows "cloud.google.com/go/workflows/apiv1"
	"cloud.google.com/go/workflows/apiv1/workflowspb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/operations"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

const (
	place   = "projects/kakehi-local/locations/us-central1"
	steps   = "steps@kakehi-local.iam.gserviceaccount.com"
	trainer = "trainer@kakehi-local.iam.gserviceaccount.com"
)

// definitions is a Workflows service of a few lines.
type definitions struct {
	workflowspb.UnimplementedWorkflowsServer
	auth *iam.Authority
	ops  *operations.Store
}

func (d definitions) GetWorkflow(ctx context.Context, r *workflowspb.GetWorkflowRequest) (*workflowspb.Workflow, error) {
	if strings.HasSuffix(r.Name, "/panic") {
		panic("boom")
	}
	if err := d.auth.Require(ctx, "workflows.workflows.get", r.Name); err != nil {
		return nil, err
	}
	p, _ := iam.CallerOf(ctx)
	return &workflowspb.Workflow{Name: r.Name, Description: p.Member}, nil
}

func (d definitions) CreateWorkflow(ctx context.Context, r *workflowspb.CreateWorkflowRequest) (*longrunningpb.Operation, error) {
	if err := d.auth.Require(ctx, "workflows.workflows.create", r.Parent); err != nil {
		return nil, err
	}
	w := proto.Clone(r.Workflow).(*workflowspb.Workflow)
	w.Name = r.Parent + "/workflows/" + r.WorkflowId
	return d.ops.Run(r.Parent, &workflowspb.OperationMetadata{Verb: "create"}, func(context.Context) (proto.Message, error) { return w, nil })
}

// services is a Cloud Run API of a few lines.
type services struct {
	runpb.UnimplementedServicesServer
	auth *iam.Authority
}

func (s services) GetService(ctx context.Context, r *runpb.GetServiceRequest) (*runpb.Service, error) {
	if err := s.auth.Require(ctx, "run.services.get", r.Name); err != nil {
		return nil, err
	}
	return &runpb.Service{Name: r.Name, Generation: 7}, nil
}

type cloud struct {
	*Gateway
	auth *iam.Authority
	ops  *operations.Store
	dir  string
	url  string // http://127.0.0.1:PORT
	addr string
}

func start(t *testing.T, allowed func(host string) bool) *cloud {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := iam.Open(db, "kakehi-local", "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	ops, err := operations.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(Options{Auth: auth, Ops: ops, Dir: dir, AllowNetwork: allowed})
	if err != nil {
		t.Fatal(err)
	}
	workflowspb.RegisterWorkflowsServer(g.GRPC(), definitions{auth: auth, ops: ops})
	runpb.RegisterServicesServer(g.GRPC(), services{auth: auth})
	auth.Register(g.GRPC(), g)
	g.Handle("GET run.googleapis.com/apis/serving.knative.dev/v1/namespaces/{namespace}/services", http.HandlerFunc(show))
	g.Handle("storage.googleapis.com/", http.HandlerFunc(show))
	g.Handle("/", http.HandlerFunc(show))
	g.HandleRunApp(http.HandlerFunc(show))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.SetAddr(l.Addr().String())
	server := g.Server()
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		ops.Close()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
		db.Close()
	})
	return &cloud{Gateway: g, auth: auth, ops: ops, dir: dir, url: "http://" + l.Addr().String(), addr: l.Addr().String()}
}

// show answers with how it sees the request.
func show(w http.ResponseWriter, r *http.Request) {
	p, _ := iam.CallerOf(r.Context())
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s caller=%s auth=%s body=%s", r.Method, r.Host, r.URL.EscapedPath(), p.Member, r.Header.Get("Authorization"), body)
}

func (c *cloud) token(t *testing.T, account string) string {
	t.Helper()
	token, err := c.auth.AccessToken(t.Context(), account, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// get sends a request to the loopback address. Headers are given as k, v, …
func (c *cloud) get(t *testing.T, method, path, host string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, c.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return do(t, http.DefaultClient, r)
}

func do(t *testing.T, client *http.Client, r *http.Request) (int, string) {
	t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestWhoMayCall(t *testing.T) {
	c := start(t, nil)
	idToken, err := c.auth.IDToken(t.Context(), steps, "https://run.googleapis.com/")
	if err != nil {
		t.Fatal(err)
	}
	const workflow = "/v1/" + place + "/workflows/w"
	for _, tt := range []struct {
		name, path, host string
		headers          []string
		code             int
		body             string
	}{
		{"the developer", workflow, "", nil, 200, "user:developer@localhost"},
		{"the developer by name", workflow, "localhost", nil, 200, "user:developer@localhost"},
		{"the developer's token", workflow, "", []string{"Authorization", "Bearer " + c.auth.DeveloperToken()}, 200, "user:developer@localhost"},
		{"a token is always checked", workflow, "", []string{"Authorization", "Bearer x"}, 401, "UNAUTHENTICATED"},
		{"basic", workflow, "", []string{"Authorization", "Basic eDp5"}, 401, "UNAUTHENTICATED"},
		{"an ID token is no access token", workflow, "", []string{"Authorization", "Bearer " + idToken}, 401, "UNAUTHENTICATED"},
		{"an account without the role", workflow, "", []string{"Authorization", "Bearer " + c.token(t, trainer)}, 403,
			"Permission 'workflows.workflows.get' denied on resource '" + place + "/workflows/w' (or it may not exist)."},
		{"a Google host", workflow, "workflows.googleapis.com", nil, 401, "UNAUTHENTICATED"},
		{"a Google host with a token", workflow, "workflows.googleapis.com", []string{"Authorization", "bearer " + c.auth.DeveloperToken()}, 200, "developer"},
		{"a token in the query", workflow + "?access_token=" + c.auth.DeveloperToken(), "workflows.googleapis.com", nil, 200, "developer"},
		{"another API's host", workflow, "run.googleapis.com", []string{"Authorization", "Bearer " + c.auth.DeveloperToken()}, 404, "NOT_FOUND"},
		{"a regional host", "/v2/" + place + "/services/s", "us-central1-run.googleapis.com", []string{"Authorization", "Bearer " + c.token(t, steps)}, 200, `"generation": "7"`},
		{"a host that is not here", workflow, "bigquery.googleapis.com", nil, 501, "NOT_EMULATED"},
		{"a public endpoint", "/.well-known/openid-configuration", "accounts.google.com", nil, 200, "jwks_uri"},
		{"a REST-only method", "/apis/serving.knative.dev/v1/namespaces/p/services", "us-central1-run.googleapis.com", nil, 200, "GET us-central1-run.googleapis.com /apis"},
		{"a REST-only method here", "/apis/serving.knative.dev/v1/namespaces/p/services", "us-central1-run.localhost", nil, 200, "caller=user:developer@localhost"},
		{"what is left over", "/bucket/a%2F%2Fb//c", "", nil, 200, "/bucket/a%2F%2Fb//c caller=user:developer"},
		{"what is left over of a host", "/v1/x//y", "storage.googleapis.com", nil, 200, "/v1/x//y caller= "},
		{"a mistyped method", "/v1/projects/p/locations/l/workflow/w", "", nil, 404, "NOT_FOUND"},
		{"a service, by the developer", "/a", "s-1.us-central1.run.app", nil, 200, "GET s-1.us-central1.run.app /a caller=user:developer@localhost"},
		{"a service, with a token", "/a", "s-1.us-central1.run.app", []string{"Authorization", "Bearer id"}, 200, "caller= auth=Bearer id"},
		{"a short address", "/run/s//a%2Fb/c?d=e", "", nil, 200, "GET s-123456789012.us-central1.run.app //a%2Fb/c caller=user:developer@localhost"},
		{"a short address with a token", "/run/t---s", "", []string{"Authorization", "Bearer id"}, 200, "GET t---s-123456789012.us-central1.run.app / caller= auth=Bearer id"},
		{"a short address of a host", "/run/s/a", "workflows.googleapis.com", nil, 404, "NOT_FOUND"},
		{"no service", "/run/", "", nil, 200, " /run/ caller=user:developer"},
		{"a bug of a service", "/v1/" + place + "/workflows/panic", "", nil, 500, "boom"},
		{"a location", "/v2/" + place, "run.googleapis.com", []string{"Authorization", "Bearer " + c.token(t, steps)}, 200, `"locationId": "us-central1"`},
		{"another location", "/v1/projects/kakehi-local/locations/mars", "", nil, 404, "us-central1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, body := c.get(t, "GET", tt.path, tt.host, tt.headers...)
			if code != tt.code || !strings.Contains(body, tt.body) {
				t.Errorf("got %d %s\nwant %d …%s…", code, body, tt.code, tt.body)
			}
		})
	}
}

func TestBrowsersAreRefused(t *testing.T) {
	c := start(t, nil)
	const path = "/v1/" + place + "/workflows/w"
	for _, tt := range []struct {
		name, host string
		headers    []string
		code       int
	}{
		{"a rebound name", "evil.example", nil, 403},
		{"another origin", "", []string{"Origin", "https://evil.example"}, 403},
		{"another port of this machine", "", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"no origin to tell", "", []string{"Origin", "null"}, 403},
		{"its own page", "", []string{"Origin", c.url, "Sec-Fetch-Site", "same-origin"}, 200},
		{"an image of another site", "", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"a link on another site", "", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"the address bar", "", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, body := c.get(t, "GET", path, tt.host, tt.headers...); code != tt.code {
				t.Errorf("got %d %s, want %d", code, body, tt.code)
			}
		})
	}
	for site, caller := range map[string]string{"cross-site": "caller= ", "none": "caller=user:developer@localhost"} {
		code, body := c.get(t, "GET", "/run/s/delete-all", "", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate")
		if code != 200 || !strings.Contains(body, caller) {
			t.Errorf("a link to a service, %s: %d %s", site, code, body)
		}
	}
}

func TestGoogleClientsOnLoopback(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	rest, err := workflows.NewRESTClient(ctx, option.WithEndpoint(c.url), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := workflows.NewClient(ctx, option.WithEndpoint(c.addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]*workflows.Client{"REST": rest, "gRPC": plain} {
		t.Run(name, func(t *testing.T) {
			defer client.Close()
			op, err := client.CreateWorkflow(ctx, &workflowspb.CreateWorkflowRequest{Parent: place, WorkflowId: "w-" + strings.ToLower(name), Workflow: &workflowspb.Workflow{Description: "d"}})
			if err != nil {
				t.Fatal(err)
			}
			w, err := op.Wait(ctx)
			if err != nil || w.Description != "d" {
				t.Fatalf("%v, %v", w, err)
			}
			if _, err := client.GetWorkflow(ctx, &workflowspb.GetWorkflowRequest{Name: place + "/workflows/panic"}); status.Code(err) != codes.Internal && name == "gRPC" {
				t.Errorf("a bug over gRPC: %v", err)
			}
		})
	}
	bad, err := workflows.NewClient(ctx, option.WithEndpoint(c.addr), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		option.WithGRPCDialOption(grpc.WithPerRPCCredentials(bearer("wrong"))))
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	if _, err := bad.GetWorkflow(ctx, &workflowspb.GetWorkflowRequest{Name: place + "/workflows/w"}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a wrong token over gRPC: %v", err)
	}
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

func TestOperations(t *testing.T) {
	c := start(t, nil)
	release := make(chan struct{})
	op, err := c.ops.Run(place+"/endpoints/e", &workflowspb.OperationMetadata{}, func(ctx context.Context) (proto.Message, error) {
		select {
		case <-release:
			return &workflowspb.Workflow{Name: "done"}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1", "v1beta1", "v2"} {
		if code, body := c.get(t, "GET", "/"+version+"/"+op.Name, ""); code != 200 || strings.Contains(body, "done") {
			t.Errorf("%s: %d %s", version, code, body)
		}
	}
	if code, body := c.get(t, "DELETE", "/v1/"+op.Name, ""); code != 400 || !strings.Contains(body, "FAILED_PRECONDITION") {
		t.Errorf("delete while it runs: %d %s", code, body)
	}
	if code, body := c.get(t, "GET", "/v1/"+place+"/endpoints/e/operations?filter=done%3Dfalse", ""); code != 200 || !strings.Contains(body, op.Name) {
		t.Errorf("list: %d %s", code, body)
	}
	time.AfterFunc(10*time.Millisecond, func() { close(release) })
	code, body := c.get(t, "POST", "/v1/"+op.Name+":wait", "")
	if code != 200 || !strings.Contains(body, `"done": true`) || !strings.Contains(body, `"@type": "type.googleapis.com/google.cloud.workflows.v1.Workflow"`) {
		t.Errorf("wait: %d %s", code, body)
	}
	if code, _ := c.get(t, "GET", "/v1/"+op.Name, "", "Authorization", "Bearer "+c.token(t, trainer)); code != 403 {
		t.Errorf("another's operation: %d", code)
	}
	if code, _ := c.get(t, "DELETE", "/v1/"+op.Name, ""); code != 200 {
		t.Errorf("delete: %d", code)
	}
	if code, _ := c.get(t, "GET", "/v1/"+op.Name, ""); code != 404 {
		t.Errorf("after delete: %d", code)
	}
}

// gcloud reaches Cloud Run through a proxy, because it puts the region before
// the host.
func TestAbsoluteForm(t *testing.T) {
	c := start(t, func(host string) bool { return host == "127.0.0.1" })
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "outside") }))
	defer other.Close()
	proxy, _ := url.Parse(c.url)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}
	for _, tt := range []struct {
		target string
		code   int
		body   string
	}{
		{"http://us-central1-run.localhost/v2/" + place + "/services/s", 200, "services/s"},
		{"http://us-central1-run.localhost/apis/serving.knative.dev/v1/namespaces/p/services", 200, "us-central1-run.localhost"},
		{c.url + "/v1/" + place + "/workflows/w", 200, "developer"},
		{"http://workflows.googleapis.com/v1/" + place + "/workflows/w", 401, "UNAUTHENTICATED"},
		{"http://s-1.us-central1.run.app/x", 200, "caller= "},
		{other.URL, 200, "outside"},
		{"http://example.com/", 403, "--allow-host example.com"},
	} {
		r, _ := http.NewRequest("GET", tt.target, nil)
		if code, body := do(t, client, r); code != tt.code || !strings.Contains(body, tt.body) {
			t.Errorf("%s: %d %s", tt.target, code, body)
		}
	}
}

func TestPatternsPanicOnMistakes(t *testing.T) {
	c := start(t, nil)
	for _, pattern := range []string{"x.googleapis.com", "GET run.googleapis.com/apis/serving.knative.dev/v1/namespaces/{n}/services"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is taken", pattern)
				}
			}()
			c.Handle(pattern, http.NotFoundHandler())
		}()
	}
}

// A client that sends its whole body before it reads sees the answer of a
// service that wants nothing of it; one that asks first need not send it.
func TestUnwantedBodies(t *testing.T) {
	c := start(t, nil)
	c.HandleRunApp(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, "no")
	}))
	const size = 16 << 20
	for name, x := range map[string]struct {
		header string
		sent   int64
	}{
		"sends":    {"", size},
		"asks":     {"Expect: 100-continue\r\n", 0},
		"gives up": {"", 1 << 20},
	} {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: s-1.us-central1.run.app\r\n%sContent-Length: %d\r\n\r\n", x.header, size)
		if _, err := io.CopyN(conn, zeros{}, x.sent); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("%s: %v, %v", name, resp, err)
		}
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "no" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestLargeBodiesAreRefused(t *testing.T) {
	c := start(t, nil)
	body := io.MultiReader(strings.NewReader(`{"description":"`), io.LimitReader(zeros{}, maxBody), strings.NewReader(`"}`))
	r, _ := http.NewRequest("POST", c.url+"/v1/"+place+"/workflows?workflowId=w", body)
	code, text := do(t, http.DefaultClient, r)
	var e struct{ Error struct{ Status string } }
	if err := json.Unmarshal([]byte(text), &e); err != nil || code != 400 || e.Error.Status != "INVALID_ARGUMENT" {
		t.Errorf("%d %s", code, text)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestRunRESTClientThroughTransport(t *testing.T) {
	c := start(t, nil)
	client, err := run.NewServicesRESTClient(t.Context(), option.WithHTTPClient(&http.Client{Transport: withToken{c.Transport(), c.token(t, steps)}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s, err := client.GetService(t.Context(), &runpb.GetServiceRequest{Name: place + "/services/s"})
	if err != nil || s.Generation != 7 {
		t.Errorf("%v, %v", s, err)
	}
}

type withToken struct {
	next  http.RoundTripper
	token string
}

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.token)
	return w.next.RoundTrip(r)
}
