package vertex

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	aiplatform "cloud.google.com/go/aiplatform/apiv1"
	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
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
	project  = "kakehi-local"
	number   = "123456789012"
	parent   = "projects/" + project + "/locations/us-central1"
	trainer  = "trainer@" + project + ".iam.gserviceaccount.com"
	patience = 15 * time.Second
)

// TestMain lets the test binary be the image of the jobs that tests start.
func TestMain(m *testing.M) {
	if mode := os.Getenv("TRAINER"); mode != "" {
		os.Exit(train(mode))
	}
	os.Exit(m.Run())
}

// train is the program of the image.
func train(mode string) int {
	word, number, _ := strings.Cut(mode, " ")
	n, _ := strconv.Atoi(number)
	switch word {
	case "exit":
		for i := range 30 {
			fmt.Println("line", i)
		}
		fmt.Fprintln(os.Stderr, "boom")
		return n
	case "env":
		for _, pair := range os.Environ() {
			fmt.Println("env", pair)
		}
		fmt.Printf("args %q\n", os.Args[1:])
		fmt.Println(`{"severity":"WARNING","message":"structured","epoch":3}`)
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	case "flood":
		line := strings.Repeat("x", 1000)
		for {
			fmt.Println(line)
		}
	case "kill": // by signal n, until a third start
		f, err := os.OpenFile(os.Getenv("COUNTER"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 1
		}
		_, _ = f.WriteString("x")
		info, err := f.Stat()
		if err != nil {
			return 1
		}
		if info.Size() < 3 || os.Getenv("ALWAYS") != "" {
			_ = syscall.Kill(os.Getpid(), syscall.Signal(n))
			time.Sleep(time.Minute)
		}
	case "cluster": // the primary waits for a line from each other replica
		return meet()
	}
	return 0
}

// cloud is one process of the embedded cloud, with Google's clients.
type cloud struct {
	t      *testing.T
	dir    string
	svc    *Service
	db     *store.DB
	auth   *iam.Authority
	logs   *recorder
	jobs   *aiplatform.JobClient
	models *aiplatform.ModelClient
	image  string
	stop   func()
}

type recorder struct {
	mu      sync.Mutex
	entries []*loggingpb.LogEntry
}

func (r *recorder) Write(entries ...*loggingpb.LogEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entries...)
}

// lines returns the messages of a task.
func (r *recorder) lines(task string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, e := range r.entries {
		if e.Resource.Labels["task_name"] == task {
			lines = append(lines, e.GetJsonPayload().Fields["message"].GetStringValue())
		}
	}
	return lines
}

func boot(t *testing.T, dir string, change ...func(*Options)) *cloud {
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
	c := &cloud{t: t, dir: dir, db: db, auth: auth, logs: &recorder{}, image: installImage(t, dir)}
	ops, err := operations.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		DB: db, Auth: auth, Ops: ops, Runtime: process, Logs: c.logs,
		Project: project, Number: number, Region: "us-central1",
		ProcessEnv: func(account string) ([]string, error) { return []string{"ACCOUNT=" + account}, nil },
	}
	for _, f := range change {
		f(&o)
	}
	if c.svc, err = New(o); err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(asCaller))
	c.svc.Register(server)
	longrunningpb.RegisterOperationsServer(server, opsServer{store: ops})
	c.dial(server)
	c.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.svc.Close(ctx); err != nil {
			t.Error(err)
		}
		server.Stop()
		_ = db.Close()
	})
	t.Cleanup(c.stop)
	return c
}

// installImage makes this test binary an image of the data directory.
func installImage(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	digest := strings.Repeat("ab", 32)
	path := filepath.Join(dir, "images", "sha256-"+digest, "trainer")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, path); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return "ko.local/trainer@sha256:" + digest
}

func (c *cloud) dial(server *grpc.Server) {
	c.t.Helper()
	l := bufconn.Listen(1 << 20)
	go func() { _ = server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	if c.jobs, err = aiplatform.NewJobClient(context.Background(), option.WithGRPCConn(conn)); err != nil {
		c.t.Fatal(err)
	}
	if c.models, err = aiplatform.NewModelClient(context.Background(), option.WithGRPCConn(conn)); err != nil {
		c.t.Fatal(err)
	}
}

// asCaller makes the caller the one named by the header, or the developer.
func asCaller(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	member := iam.Developer
	if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("x-member")) > 0 {
		member = md.Get("x-member")[0]
	}
	return h(iam.WithPrincipal(ctx, iam.Principal{Member: member}), req)
}

func as(member string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "x-member", member)
}

// grant gives a member a role on the project.
func (c *cloud) grant(member, role string) {
	c.t.Helper()
	policy, err := c.auth.Policy("projects/" + project)
	if err != nil {
		c.t.Fatal(err)
	}
	policy.Bindings = append(policy.Bindings, &iampb.Binding{Role: role, Members: []string{member}})
	if _, err := c.auth.SetPolicy("projects/"+project, policy); err != nil {
		c.t.Fatal(err)
	}
}

type opsServer struct {
	longrunningpb.UnimplementedOperationsServer
	store *operations.Store
}

func (o opsServer) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return o.store.Get(req.Name)
}

// job is a valid job whose program does what mode says.
func (c *cloud) job(mode string) *pb.CustomJob {
	return &pb.CustomJob{
		DisplayName: "train",
		JobSpec: &pb.CustomJobSpec{
			WorkerPoolSpecs: []*pb.WorkerPoolSpec{c.pool(mode, 1)},
			ServiceAccount:  trainer,
		},
	}
}

func (c *cloud) pool(mode string, replicas int64) *pb.WorkerPoolSpec {
	return &pb.WorkerPoolSpec{
		MachineSpec:  &pb.MachineSpec{MachineType: "e2-standard-4"},
		ReplicaCount: replicas,
		Task: &pb.WorkerPoolSpec_ContainerSpec{ContainerSpec: &pb.ContainerSpec{
			ImageUri: c.image, Env: []*pb.EnvVar{{Name: "TRAINER", Value: mode}},
		}},
	}
}

func (c *cloud) create(j *pb.CustomJob) *pb.CustomJob {
	c.t.Helper()
	created, err := c.jobs.CreateCustomJob(context.Background(), &pb.CreateCustomJobRequest{Parent: parent, CustomJob: j})
	if err != nil {
		c.t.Fatal(err)
	}
	return created
}

// wait polls until the job has the state.
func (c *cloud) wait(name string, state pb.JobState) *pb.CustomJob {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		j, err := c.jobs.GetCustomJob(context.Background(), &pb.GetCustomJobRequest{Name: name})
		if err != nil {
			c.t.Fatal(err)
		}
		if j.State == state {
			return j
		}
		if final(j.State) || time.Now().After(deadline) {
			c.t.Fatalf("state %v, want %v: %v", j.State, state, j.Error)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
