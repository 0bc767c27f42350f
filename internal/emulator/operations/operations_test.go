package operations

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"cloud.google.com/go/run/apiv2/runpb"
	"cloud.google.com/go/workflows/apiv1/workflowspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

const parent = "projects/p/locations/l"

var metadata = &workflowspb.OperationMetadata{Verb: "create"}

func openStore(t *testing.T, dir string) (*Store, func()) {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(db)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() { s.Close(); db.Close() }
}

// gate lets all calls pass but those that need the permissions in it.
type gate map[string]bool

func (g gate) Require(_ context.Context, permission, _ string) error {
	if g[permission] {
		return status.Error(codes.PermissionDenied, permission)
	}
	return nil
}

func TestOutcomes(t *testing.T) {
	s, done := openStore(t, t.TempDir())
	defer done()
	ctx := t.Context()
	workflow := &workflowspb.Workflow{Name: "w"}
	boom := status.Error(codes.AlreadyExists, "there is one")
	ended, err := s.Done(ctx, parent, metadata, workflow, nil)
	if err != nil || !ended.Done {
		t.Fatalf("%v, %v", ended, err)
	}
	refused, err := s.Done(ctx, parent, metadata, nil, boom)
	if err != nil {
		t.Fatal(err)
	}
	started, err := s.Start(parent, nil)
	if err != nil || started.Done {
		t.Fatalf("%v, %v", started, err)
	}
	if err := s.Finish(started.Name, workflow, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(started.Name, nil, boom); err != nil {
		t.Fatal(err)
	}
	ran, err := s.Run(parent, metadata, func(context.Context) (proto.Message, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	broken, err := s.Run(parent, metadata, func(context.Context) (proto.Message, error) { panic("boom") })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]codes.Code{ended.Name: codes.OK, refused.Name: codes.AlreadyExists, started.Name: codes.OK, ran.Name: codes.OK, broken.Name: codes.Internal} {
		op, err := s.Wait(ctx, name)
		if err != nil || !op.Done || codes.Code(op.GetError().GetCode()) != want {
			t.Errorf("%s: %v, %v; want %v", name, op, err, want)
		}
		if want == codes.OK && op.GetResponse() == nil {
			t.Errorf("%s has no response", name)
		}
	}
	if _, err := s.Get(parent + "/operations/none"); status.Code(err) != codes.NotFound {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestCancel(t *testing.T) {
	s, done := openStore(t, t.TempDir())
	defer done()
	op, err := s.Run(parent, metadata, func(ctx context.Context) (proto.Message, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Cancel(op.Name); err != nil {
		t.Fatal(err)
	}
	if op, err = s.Wait(t.Context(), op.Name); err != nil || op.GetError().GetCode() != int32(codes.Canceled) {
		t.Errorf("%v, %v", op, err)
	}
	if err := s.Cancel(op.Name); err != nil {
		t.Errorf("after the end: %v", err)
	}
	if err := s.Cancel("none"); status.Code(err) != codes.NotFound {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s, done := openStore(t, dir)
	forever := func(ctx context.Context) (proto.Message, error) { <-ctx.Done(); return nil, ctx.Err() }
	var names []string
	for range 3 {
		op, err := s.Run(parent, metadata, forever)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, op.Name)
	}
	done()

	s, done = openStore(t, dir)
	defer done()
	if err := s.Resume(names[0], func(context.Context) (proto.Message, error) { return &workflowspb.Workflow{}, nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Resume(names[0], forever); err == nil {
		t.Error("resumed twice")
	}
	s.Adopt(names[1])
	started, err := s.Start(parent, metadata) // a request of the new process
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AbortRest(); err != nil {
		t.Fatal(err)
	}
	if op, err := s.Get(started.Name); err != nil || op.Done {
		t.Errorf("one that the new process started: %v, %v", op, err)
	}
	if err := s.Finish(names[1], &workflowspb.Workflow{}, nil); err != nil {
		t.Fatal(err)
	}
	for i, want := range []codes.Code{codes.OK, codes.OK, codes.Aborted} {
		op, err := s.Wait(t.Context(), names[i])
		if err != nil || !op.Done || codes.Code(op.GetError().GetCode()) != want {
			t.Errorf("%d: %v, %v; want %v", i, op, err, want)
		}
	}
}

func TestWaitEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, done := openStore(t, t.TempDir())
		defer done()
		op, err := s.Run(parent, metadata, func(ctx context.Context) (proto.Message, error) {
			select {
			case <-time.After(time.Hour):
				return &workflowspb.Workflow{}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		server := NewServer(s, gate{})
		begin := time.Now()
		got, err := server.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: op.Name, Timeout: durationpb.New(5 * time.Second)})
		if err != nil || got.Done || time.Since(begin) != 5*time.Second {
			t.Errorf("%v, %v after %v", got, err, time.Since(begin))
		}
		for range 100 {
			if got, err = server.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: op.Name}); err != nil || got.Done {
				break
			}
		}
		if err != nil || !got.Done || time.Since(begin) != time.Hour {
			t.Errorf("%v, %v after %v", got, err, time.Since(begin))
		}
	})
}

func TestList(t *testing.T) {
	s, done := openStore(t, t.TempDir())
	defer done()
	for i := range 5 {
		if _, err := s.Done(t.Context(), parent, metadata, nil, nil); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			if _, err := s.Start(parent, &runpb.Service{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Done(t.Context(), parent+"x", metadata, nil, nil); err != nil {
		t.Fatal(err)
	}
	count := func(g gate, filter string, page int32) (n int) {
		t.Helper()
		r := &longrunningpb.ListOperationsRequest{Name: parent, Filter: filter, PageSize: page}
		for range 10 {
			l, err := NewServer(s, g).ListOperations(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			n += len(l.Operations)
			if r.PageToken = l.NextPageToken; r.PageToken == "" {
				return n
			}
			if len(l.Operations) != int(page) {
				t.Errorf("a page of %d", len(l.Operations))
			}
		}
		t.Error("the pages do not end")
		return n
	}
	for _, tt := range []struct {
		gate   gate
		filter string
		page   int32
		want   int
	}{{nil, "", 0, 7}, {nil, "", 3, 7}, {nil, "done = true", 2, 5}, {nil, "done=false", 1, 2}, {gate{"run.operations.list": true}, "", 0, 5}} {
		if got := count(tt.gate, tt.filter, tt.page); got != tt.want {
			t.Errorf("%v %q: %d, want %d", tt.gate, tt.filter, got, tt.want)
		}
	}
	for _, r := range []*longrunningpb.ListOperationsRequest{{Name: parent, Filter: "verb=create"}, {Name: parent, PageToken: "*"}} {
		if _, err := NewServer(s, gate{}).ListOperations(t.Context(), r); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestPermissions(t *testing.T) {
	s, done := openStore(t, t.TempDir())
	defer done()
	op, err := s.Done(t.Context(), parent, &runpb.Service{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	deny := NewServer(s, gate{"run.operations.get": true, "run.operations.delete": true, "run.operations.cancel": true})
	ctx := t.Context()
	_, get := deny.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op.Name})
	_, wait := deny.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: op.Name})
	_, remove := deny.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: op.Name})
	_, cancel := deny.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: op.Name})
	if err := errors.Join(get, wait, remove, cancel); err == nil || len(err.(interface{ Unwrap() []error }).Unwrap()) != 4 {
		t.Errorf("not all are denied: %v", err)
	}
	blind := NewServer(s, gate{"resourcemanager.projects.get": true})
	if _, err := blind.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: parent + "/operations/none"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a stranger learns what exists: %v", err)
	}
}
