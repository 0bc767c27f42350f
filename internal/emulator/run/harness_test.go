//go:build unix

package run

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	runapi "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/operations"
	"github.com/kakehi/kakehi/internal/emulator/runtime"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

const (
	project = "kakehi-local"
	number  = "123456789012"
	parent  = "projects/kakehi-local/locations/us-central1"
	image   = "ko.local/server@sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// The test binary is its own container: in an instance MODE is set.
func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv("MODE"); ok {
		container(mode)
		return
	}
	os.Exit(m.Run())
}

// container serves as MODE says.
func container(mode string) {
	if plan, ok := strings.CutPrefix(strings.ReplaceAll(mode, "_", " "), "task "); ok { // gcloud has no space in a variable
		task(plan)
	}
	fmt.Println("starting", mode)
	switch mode {
	case "exit":
		fmt.Fprintln(os.Stderr, "no model at gs://b/m")
		os.Exit(3)
	case "deaf":
		time.Sleep(time.Minute)
	case "slow":
		time.Sleep(300 * time.Millisecond)
	}
	fmt.Println(`{"severity":"NOTICE","message":"model loaded","logging.googleapis.com/labels":{"a":"b"}}`)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: http.HandlerFunc(answer)}
	go func() {
		<-stop
		fmt.Println("stopping")
		_ = server.Shutdown(context.Background())
	}()
	_ = server.ListenAndServe()
	time.Sleep(10 * time.Millisecond) // let Shutdown return
}

// task is the program of a job. It does what plan says for its index, the last
// item standing for all others: ok, fail, flaky (fails the first attempt), hang.
func task(plan string) {
	index, _ := strconv.Atoi(os.Getenv("CLOUD_RUN_TASK_INDEX"))
	attempt := os.Getenv("CLOUD_RUN_TASK_ATTEMPT")
	items := strings.Split(plan, ",")
	do := items[min(index, len(items)-1)]
	fmt.Printf("%s %s/%d of %s, attempt %s, greeting %s, args %q\n", os.Getenv("CLOUD_RUN_JOB"), do, index, os.Getenv("CLOUD_RUN_TASK_COUNT"), attempt, os.Getenv("GREETING"), os.Args[1:])
	if dir := os.Getenv("RUNS"); dir != "" {
		f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(index)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		_, _ = f.WriteString("x")
	}
	switch {
	case do == "fail", do == "flaky" && attempt == "0":
		os.Exit(3)
	case do == "hang":
		time.Sleep(time.Hour)
	case do == "once": // hangs the first time
		if data, _ := os.ReadFile(filepath.Join(os.Getenv("RUNS"), strconv.Itoa(index))); len(data) == 1 {
			time.Sleep(time.Hour)
		}
	}
	os.Exit(0)
}

// reply is what a container tells of a request.
type reply struct {
	PID      int
	Revision string
	Service  string
	Greeting string
	Header   http.Header
	Host     string
}

func answer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		return
	case "/crash":
		os.Exit(1)
	case "/upgrade":
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
		return
	case "/sleep":
		d, _ := time.ParseDuration(r.URL.Query().Get("for"))
		time.Sleep(d)
	case "/status":
		code, _ := strconv.Atoi(r.URL.Query().Get("code"))
		w.WriteHeader(code)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = json.NewEncoder(w).Encode(reply{
		PID: os.Getpid(), Revision: os.Getenv("K_REVISION"), Service: os.Getenv("K_SERVICE"),
		Greeting: os.Getenv("GREETING"), Header: r.Header, Host: r.Host,
	})
}

// cloud is an embedded Cloud Run with what it needs, and clients of it.
type cloud struct {
	t         *testing.T
	dir       string
	db        *store.DB
	auth      *iam.Authority
	ops       *operations.Store
	logs      *memoryLogs
	run       *Service
	conn      *grpc.ClientConn
	services  *runapi.ServicesClient
	revisions *runapi.RevisionsClient
	web       *http.Client // requests to *.run.app come to run, as nobody
	stop      func()
}

// memoryLogs keeps entries.
type memoryLogs struct {
	mu      sync.Mutex
	entries []*loggingpb.LogEntry
}

func (l *memoryLogs) Write(entries ...*loggingpb.LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entries...)
}

// of returns the entries of one log, such as requests.
func (l *memoryLogs) of(log string) []*loggingpb.LogEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*loggingpb.LogEntry
	for _, e := range l.entries {
		if strings.HasSuffix(e.LogName, "%2F"+log) {
			list = append(list, e)
		}
	}
	return list
}

func newCloud(t *testing.T, change func(*Options)) *cloud {
	t.Helper()
	return openCloud(t, t.TempDir(), change)
}

// openCloud starts one on a data directory, again after a stop.
func openCloud(t *testing.T, dir string, change func(*Options)) *cloud {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := iam.Open(db, project, number)
	if err != nil {
		t.Fatal(err)
	}
	process, err := runtime.NewProcess(dir)
	if err != nil {
		t.Fatal(err)
	}
	installSelf(t, dir)
	ops, err := operations.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{t: t, dir: dir, db: db, auth: auth, ops: ops, logs: &memoryLogs{}}
	options := Options{DB: db, Auth: auth, Ops: c.ops, Runtime: process, Logs: c.logs, Project: project, Number: number, Region: "us-central1"}
	if change != nil {
		change(&options)
	}
	if c.run, err = New(options); err != nil {
		t.Fatal(err)
	}
	if err := c.run.Resume(); err != nil {
		t.Fatal(err)
	}
	c.serveGRPC()
	c.serveWeb()
	c.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.run.Close(ctx); err != nil {
			t.Error(err)
		}
		c.ops.Close()
		_ = db.Close()
	})
	t.Cleanup(c.stop)
	return c
}

// installSelf makes the test binary the image.
func installSelf(t *testing.T, dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	images := filepath.Join(dir, "images", "sha256-"+strings.Repeat("0", 64))
	if err := os.MkdirAll(images, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(images, "server")); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

// serveGRPC serves the API to Google's clients. The caller is the developer, or
// who the metadata says.
func (c *cloud) serveGRPC() {
	caller := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		return handle(iam.WithPrincipal(ctx, callerOf(ctx)), req)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(caller))
	c.run.Register(server)
	longrunningpb.RegisterOperationsServer(server, operations.NewServer(c.ops, c.auth))
	listener := bufconn.Listen(1 << 20)
	go func() { _ = server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:run", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		c.t.Fatal(err)
	}
	c.conn = conn
	if c.services, err = runapi.NewServicesClient(c.t.Context(), option.WithGRPCConn(conn)); err != nil {
		c.t.Fatal(err)
	}
	if c.revisions, err = runapi.NewRevisionsClient(c.t.Context(), option.WithGRPCConn(conn)); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close(); server.Stop() })
}

func callerOf(ctx context.Context) iam.Principal {
	md, _ := metadata.FromIncomingContext(ctx)
	if who := md.Get("test-caller"); len(who) > 0 {
		return iam.Principal{Member: who[0]}
	}
	return iam.Principal{Member: iam.Developer}
}

// as returns a context for calls by another member.
func as(ctx context.Context, member string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "test-caller", member)
}

func (c *cloud) serveWeb() {
	server := httptest.NewServer(c.run)
	transport := &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	c.web = &http.Client{Transport: transport}
	c.t.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
}

// newSpec is an open service of one container in a mode.
func newSpec(mode string, env ...string) *runpb.Service {
	container := &runpb.Container{Image: image, Env: []*runpb.EnvVar{{Name: "MODE", Values: &runpb.EnvVar_Value{Value: mode}}}}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		container.Env = append(container.Env, &runpb.EnvVar{Name: name, Values: &runpb.EnvVar_Value{Value: value}})
	}
	return &runpb.Service{InvokerIamDisabled: true, Template: &runpb.RevisionTemplate{Containers: []*runpb.Container{container}}}
}

func (c *cloud) create(id string, svc *runpb.Service) *runpb.Service {
	c.t.Helper()
	op, err := c.services.CreateService(c.t.Context(), &runpb.CreateServiceRequest{Parent: parent, ServiceId: id, Service: svc})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.ops.Wait(c.t.Context(), op.Name()); err != nil { // sooner than a poll
		c.t.Fatal(err)
	}
	if svc, err = op.Poll(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return svc
}

func (c *cloud) update(svc *runpb.Service, paths ...string) (*runpb.Service, error) {
	c.t.Helper()
	r := &runpb.UpdateServiceRequest{Service: svc}
	if len(paths) > 0 {
		r.UpdateMask = mask(paths...)
	}
	op, err := c.services.UpdateService(c.t.Context(), r)
	if err != nil {
		return nil, err
	}
	if _, err := c.ops.Wait(c.t.Context(), op.Name()); err != nil {
		return nil, err
	}
	return op.Poll(c.t.Context())
}

func (c *cloud) get(id string) *runpb.Service {
	c.t.Helper()
	svc, err := c.services.GetService(c.t.Context(), &runpb.GetServiceRequest{Name: parent + "/services/" + id})
	if err != nil {
		c.t.Fatal(err)
	}
	return svc
}

// call sends a request to a URL of a service and returns the status and body.
func (c *cloud) call(url string, headers ...string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, strings.Replace(url, "https://", "http://", 1), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := c.web.Do(req)
	if err != nil {
		c.t.Error(err)
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Error(err)
	}
	return res.StatusCode, string(body)
}

// ask calls and reads the container's reply.
func (c *cloud) ask(url string, headers ...string) reply {
	c.t.Helper()
	code, body := c.call(url, headers...)
	var r reply
	if err := json.Unmarshal([]byte(body), &r); code != http.StatusOK || err != nil {
		c.t.Errorf("GET %s: %d, %q", url, code, body)
	}
	return r
}

// requests returns the request log when it has n entries: each is written once
// the answer is out.
func (c *cloud) requests(n int) []*loggingpb.LogEntry {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%d requests are logged", n), func() bool { return len(c.logs.of("requests")) >= n })
	return c.logs.of("requests")
}

// instances counts the ready instances of a revision.
func (c *cloud) instances(revision string) int {
	v := c.run.started(revision)
	if v == nil {
		return 0
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.members)
}

// eventually waits for what happens in another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("did not happen: %s", what)
}

// alive says whether a process runs; a zombie does not.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
