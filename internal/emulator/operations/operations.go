// Package operations keeps the long-running operations of the embedded cloud:
// the google.longrunning API over a store that survives a restart.
package operations

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

const table = "operations" // operation name → longrunningpb.Operation

// Work is what an operation does. Its result becomes the operation's response
// or error; when its context is cancelled it should end soon.
type Work func(ctx context.Context) (proto.Message, error)

// Store holds operations. Its methods may be called concurrently.
type Store struct {
	db *store.DB

	mu      sync.Mutex
	running map[string]*run // by operation name
	orphans map[string]bool // unfinished when the store was opened, and not taken up since
	wg      sync.WaitGroup
}

// run is an operation in progress.
type run struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the outcome is stored
}

// Open returns the operations of a database. Those that an earlier process left
// unfinished wait for their owners to Resume or Adopt them, until AbortRest.
func Open(db *store.DB) (*Store, error) {
	s := &Store{db: db, running: map[string]*run{}, orphans: map[string]bool{}}
	return s, s.scan("", func(op *longrunningpb.Operation) bool {
		if !op.Done {
			s.orphans[op.Name] = true
		}
		return true
	})
}

// Done records an operation that has ended already, with response or, if it is
// not nil, with err. parent is the resource that it belongs to, such as
// projects/P/locations/L; the operation is named PARENT/operations/ID.
func (s *Store) Done(_ context.Context, parent string, metadata, response proto.Message, err error) (*longrunningpb.Operation, error) {
	op, failed := newOperation(parent, metadata)
	if failed != nil {
		return nil, failed
	}
	finish(op, response, err)
	return op, s.put(op)
}

// Start records an operation whose owner will Finish it, or Resume it after a
// restart. The metadata may be nil.
func (s *Store) Start(parent string, metadata proto.Message) (*longrunningpb.Operation, error) {
	op, err := newOperation(parent, metadata)
	if err != nil {
		return nil, err
	}
	if err := s.put(op); err != nil {
		return nil, err
	}
	s.open(op.Name, func() {})
	return op, nil
}

// Finish records the outcome of an operation: a result or an error. One that
// has ended already keeps the outcome it has.
func (s *Store) Finish(name string, result proto.Message, err error) error {
	stored := s.update(name, func(op *longrunningpb.Operation) error {
		if !op.Done {
			finish(op, result, err)
		}
		return nil
	})
	s.close(name)
	return stored
}

// Run records an operation and does its work in the background.
func (s *Store) Run(parent string, metadata proto.Message, f Work) (*longrunningpb.Operation, error) {
	op, err := newOperation(parent, metadata)
	if err != nil {
		return nil, err
	}
	if err := s.put(op); err != nil {
		return nil, err
	}
	s.launch(op.Name, f)
	return op, nil
}

// Adopt says that the owner of an unfinished operation goes on with it and will
// Finish it.
func (s *Store) Adopt(name string) { s.open(name, func() {}) }

// Resume does the rest of an unfinished operation's work.
func (s *Store) Resume(name string, f Work) error {
	op, err := s.Get(name)
	if err != nil {
		return err
	}
	if op.Done || s.runOf(name) != nil {
		return fmt.Errorf("resume %s: it is not unfinished", name)
	}
	s.launch(name, f)
	return nil
}

// AbortRest ends, as ABORTED, the operations that a crash interrupted and that
// nobody has taken up. It is called once all services have started.
func (s *Store) AbortRest() error {
	s.mu.Lock()
	rest := slices.Sorted(maps.Keys(s.orphans))
	s.mu.Unlock()
	var failed []error
	for _, name := range rest {
		failed = append(failed, s.Finish(name, nil, status.Error(codes.Aborted, "The operation was interrupted by a restart of the embedded cloud.")))
	}
	return errors.Join(failed...)
}

// Get returns an operation; its error is NOT_FOUND in Google's words.
func (s *Store) Get(name string) (*longrunningpb.Operation, error) {
	op := &longrunningpb.Operation{}
	err := s.db.View(func(tx *store.Tx) error { return tx.GetProto(table, name, op) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "Operation '%s' was not found.", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read operation: %w", err)
	}
	return op, nil
}

// Wait returns an operation when it has ended or ctx has.
func (s *Store) Wait(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	if r := s.runOf(name); r != nil {
		select {
		case <-r.done:
		case <-ctx.Done():
		}
	}
	return s.Get(name)
}

// Cancel asks an operation to end; one that has ended stays as it is.
func (s *Store) Cancel(name string) error {
	if r := s.runOf(name); r != nil {
		r.cancel()
		return nil
	}
	_, err := s.Get(name)
	return err
}

// Close cancels what runs and waits for it. It leaves those operations open,
// to be resumed by the next process.
func (s *Store) Close() {
	s.mu.Lock()
	for _, r := range s.running {
		r.cancel()
	}
	s.running = nil
	s.mu.Unlock()
	s.wg.Wait()
}

// open notes that an operation is in progress; nil says that the store is
// closed.
func (s *Store) open(name string, cancel context.CancelFunc) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil
	}
	delete(s.orphans, name)
	r := &run{cancel: cancel, done: make(chan struct{})}
	s.running[name] = r
	return r
}

// close notes that the outcome of an operation is stored.
func (s *Store) close(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.orphans, name)
	if r := s.running[name]; r != nil {
		delete(s.running, name)
		close(r.done)
	}
}

func (s *Store) launch(name string, f Work) {
	ctx, cancel := context.WithCancel(context.Background())
	r := s.open(name, cancel)
	if r == nil {
		cancel()
		return
	}
	s.wg.Go(func() {
		defer cancel()
		response, err := safely(ctx, f)
		if s.runOf(name) != r { // closed: the next process has it
			return
		}
		if ctx.Err() != nil && err != nil {
			err = status.Error(codes.Canceled, "The operation was cancelled.")
		}
		// A disk that refuses the outcome leaves the operation open: it is
		// aborted at the next start.
		_ = s.Finish(name, response, err)
	})
}

// safely turns a panic of the work into its error.
func safely(ctx context.Context, f Work) (m proto.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, status.Errorf(codes.Internal, "internal error: %v", r)
		}
	}()
	return f(ctx)
}

func (s *Store) runOf(name string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[name]
}

func newOperation(parent string, metadata proto.Message) (*longrunningpb.Operation, error) {
	op := &longrunningpb.Operation{Name: parent + "/operations/operation-" + uuid.NewString()}
	if metadata == nil {
		return op, nil
	}
	var err error
	op.Metadata, err = anypb.New(metadata)
	return op, err
}

// finish sets the outcome of an operation.
func finish(op *longrunningpb.Operation, response proto.Message, err error) {
	op.Done = true
	if err == nil {
		any := &anypb.Any{}
		if response != nil {
			err = any.MarshalFrom(response)
		}
		op.Result = &longrunningpb.Operation_Response{Response: any}
	}
	if err != nil {
		op.Result = &longrunningpb.Operation_Error{Error: status.Convert(err).Proto()}
	}
}

func (s *Store) put(op *longrunningpb.Operation) error {
	err := s.db.Update(func(tx *store.Tx) error { return tx.PutProto(table, op.Name, op) })
	if err != nil {
		return fmt.Errorf("store operation %s: %w", op.Name, err)
	}
	return nil
}

func (s *Store) update(name string, f func(*longrunningpb.Operation) error) error {
	return s.db.Update(func(tx *store.Tx) error {
		op := &longrunningpb.Operation{}
		if err := tx.GetProto(table, name, op); err != nil {
			return err
		}
		if err := f(op); err != nil {
			return err
		}
		return tx.PutProto(table, name, op)
	})
}

// scan calls f for each operation of a parent until it returns false.
func (s *Store) scan(parent string, f func(*longrunningpb.Operation) bool) error {
	var damaged error
	prefix := ""
	if parent != "" {
		prefix = parent + "/operations/"
	}
	err := s.db.View(func(tx *store.Tx) error {
		tx.Scan(table, prefix, func(key string, v []byte) bool {
			op := &longrunningpb.Operation{}
			if err := proto.Unmarshal(v, op); err != nil {
				damaged = fmt.Errorf("operation %s is damaged: %w", strings.TrimPrefix(key, prefix), err)
				return false
			}
			return f(op)
		})
		return nil
	})
	return errors.Join(err, damaged)
}
