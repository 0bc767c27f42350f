package workflows

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	workflowsapi "cloud.google.com/go/workflows/apiv1"
	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	executionsapi "cloud.google.com/go/workflows/executions/apiv1"
	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/kakehi/kakehi/internal/emulator/iam"
	"github.com/kakehi/kakehi/internal/emulator/operations"
	"github.com/kakehi/kakehi/internal/emulator/store"
)

const (
	project  = "kakehi-local"
	number   = "123456789012"
	parent   = "projects/" + project + "/locations/us-central1"
	runner   = "workflows@" + project + ".iam.gserviceaccount.com"
	wfName   = parent + "/workflows/w"
	patience = time.Minute // of a test that fails; a busy machine takes long for thousands
)

// cloud is one process of the embedded cloud, with Google's clients.
type cloud struct {
	t    testing.TB
	svc  *Service
	db   *store.DB
	auth *iam.Authority
	logs *recorder
	wf   *workflowsapi.Client
	ex   *executionsapi.Client
	stop func()
	dead atomic.Bool
}

// recorder keeps log entries.
type recorder struct {
	mu      sync.Mutex
	entries []*loggingpb.LogEntry
}

func (r *recorder) Write(entries ...*loggingpb.LogEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entries...)
}

func (r *recorder) all() []*loggingpb.LogEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*loggingpb.LogEntry{}, r.entries...)
}

// boot starts a process on a data directory.
func boot(t testing.TB, dir string, transport http.RoundTripper, change ...func(*Options)) *cloud {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := iam.Open(db, project, number)
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{t: t, db: db, auth: auth, logs: &recorder{}}
	ops, err := operations.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		DB: db, Auth: auth, Ops: ops, Logs: c.logs, Transport: transport,
		Project: project, Number: number, Region: "us-central1",
		Problem: func(err error) {
			if !c.dead.Load() {
				t.Logf("problem: %v", err)
			}
		},
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
	conn := serve(t, server)
	c.dial(conn)
	c.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if !c.dead.Load() {
			if err := c.svc.Close(ctx); err != nil {
				t.Error(err)
			}
		}
		server.Stop()
		_ = db.Close()
	})
	t.Cleanup(c.stop)
	return c
}

// crash ends the process as kill -9 does: nothing more reaches the disk.
func (c *cloud) crash() {
	c.dead.Store(true)
	_ = c.db.Close()
	c.svc.mu.Lock()
	c.svc.closed = true
	for _, r := range c.svc.runs {
		r.stop(errClosing)
	}
	c.svc.mu.Unlock()
	_ = c.svc.writer.close() // fails, and lets waiting executions go
	c.stop()
}

func serve(t testing.TB, server *grpc.Server) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (c *cloud) dial(conn *grpc.ClientConn) {
	c.t.Helper()
	var err error
	if c.wf, err = workflowsapi.NewClient(context.Background(), option.WithGRPCConn(conn)); err != nil {
		c.t.Fatal(err)
	}
	if c.ex, err = executionsapi.NewClient(context.Background(), option.WithGRPCConn(conn)); err != nil {
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

// developer is the context of a call by the developer, without a connection.
func developer() context.Context {
	return iam.WithPrincipal(context.Background(), iam.Principal{Member: iam.Developer})
}

func as(member string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "x-member", member)
}

// opsServer serves GetOperation, which the clients' Wait calls.
type opsServer struct {
	longrunningpb.UnimplementedOperationsServer
	store *operations.Store
}

func (o opsServer) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return o.store.Get(req.Name)
}

func (c *cloud) deploy(source string, change ...func(*workflowspb.Workflow)) *workflowspb.Workflow {
	c.t.Helper()
	w, err := c.tryDeploy(source, change...)
	if err != nil {
		c.t.Fatal(err)
	}
	return w
}

func (c *cloud) tryDeploy(source string, change ...func(*workflowspb.Workflow)) (*workflowspb.Workflow, error) {
	w := &workflowspb.Workflow{
		SourceCode:     &workflowspb.Workflow_SourceContents{SourceContents: source},
		ServiceAccount: runner,
	}
	for _, f := range change {
		f(w)
	}
	op, err := c.wf.CreateWorkflow(context.Background(), &workflowspb.CreateWorkflowRequest{Parent: parent, WorkflowId: "w", Workflow: w})
	if err != nil {
		return nil, err
	}
	return op.Wait(context.Background())
}

func (c *cloud) execute(argument string) *executionspb.Execution {
	c.t.Helper()
	e, err := c.ex.CreateExecution(context.Background(), &executionspb.CreateExecutionRequest{
		Parent: wfName, Execution: &executionspb.Execution{Argument: argument},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}

// wait polls until the execution has the state, or any final one.
func (c *cloud) wait(name string, states ...executionspb.Execution_State) *executionspb.Execution {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		e, err := c.ex.GetExecution(context.Background(), &executionspb.GetExecutionRequest{Name: name})
		if err != nil {
			c.t.Fatal(err)
		}
		for _, s := range states {
			if e.State == s {
				return e
			}
		}
		if isFinal(e.State) {
			if len(states) > 0 {
				c.t.Fatalf("state %v, want %v: %v", e.State, states, e.Error)
			}
			return e
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("still %v after %v: %v", e.State, patience, e)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// awaitStep waits until an execution is at a step.
func (c *cloud) awaitStep(name, step string) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		e, err := c.ex.GetExecution(context.Background(), &executionspb.GetExecutionRequest{Name: name})
		if err != nil {
			c.t.Fatal(err)
		}
		for _, at := range e.Status.GetCurrentSteps() {
			if at.Step == step {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatalf("%s does not come to %s", name, step)
}

// run executes and waits for the end.
func (c *cloud) run(argument string) *executionspb.Execution {
	c.t.Helper()
	return c.wait(c.execute(argument).Name)
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
