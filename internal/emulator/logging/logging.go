// Package logging is the Cloud Logging of the embedded cloud: the v2 API over
// entries that are kept, within bounds, in the data directory.
package logging

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

const (
	table = "logging.entries" // entryKey → loggingpb.LogEntry

	// What is kept; the oldest entries go first.
	maxEntries = 100_000
	maxBytes   = 64 << 20

	// flushDelay is how long an entry of this process may wait for others to be
	// written with it.
	flushDelay = 100 * time.Millisecond
	// maxPending entries wait at most; then the writer waits for the disk.
	maxPending = 4096
)

// Auth checks the caller of a request.
type Auth interface {
	Require(ctx context.Context, permission, resource string) error
}

// Service holds log entries and is the loggingpb.LoggingServiceV2Server over
// them.
type Service struct {
	loggingpb.UnimplementedLoggingServiceV2Server
	db   *store.DB
	auth Auth

	mu      sync.Mutex
	pending []*loggingpb.LogEntry

	flushing sync.Mutex // held while pending entries are written
}

// size is how much is kept. It is stored with the entries, so that nobody has
// to count them.
type size struct {
	Entries int `json:"entries"`
	Bytes   int `json:"bytes"`
}

const sizeTable, sizeKey = "logging.size", "size" // size, as JSON

func (n *size) add(entries, bytes int) { n.Entries, n.Bytes = n.Entries+entries, n.Bytes+bytes }

// change runs a transaction that keeps count of the entries.
func (s *Service) change(f func(tx *store.Tx, n *size) error) error {
	return s.db.Update(func(tx *store.Tx) error {
		var n size
		if err := tx.GetJSON(sizeTable, sizeKey, &n); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := f(tx, &n); err != nil {
			return err
		}
		return tx.PutJSON(sizeTable, sizeKey, n)
	})
}

var _ loggingpb.LoggingServiceV2Server = (*Service)(nil)

// New returns the logs of a database.
func New(db *store.DB, auth Auth) *Service { return &Service{db: db, auth: auth} }

// Register adds the service to a server.
func (s *Service) Register(r grpc.ServiceRegistrar) { loggingpb.RegisterLoggingServiceV2Server(r, s) }

// Write takes entries of this process. They are to be read at once, and are on
// disk soon after; an entry without a timestamp or insert id gets one. The
// entries are the service's from then on.
func (s *Service) Write(entries ...*loggingpb.LogEntry) {
	if len(entries) == 0 {
		return
	}
	s.add(entries)
}

func (s *Service) add(entries []*loggingpb.LogEntry) {
	now := time.Now()
	for _, e := range entries {
		complete(e, now)
	}
	s.mu.Lock()
	first := len(s.pending) == 0
	s.pending = append(s.pending, entries...)
	full := len(s.pending) >= maxPending
	s.mu.Unlock()
	switch {
	case full:
		_ = s.Flush() // a full disk loses log lines, not the run that writes them
	case first:
		time.AfterFunc(flushDelay, func() { _ = s.Flush() })
	}
}

// Flush writes the entries that wait.
func (s *Service) Flush() error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	batch := s.pending
	s.pending = nil
	s.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := s.change(func(tx *store.Tx, n *size) error {
		for _, e := range batch {
			data, err := proto.Marshal(e)
			if err != nil {
				return err
			}
			key := entryKey(e)
			if _, err := tx.Get(table, key); errors.Is(err, store.ErrNotFound) {
				n.add(1, len(key)+len(data))
			}
			if err := tx.Put(table, key, data); err != nil {
				return err
			}
		}
		return trim(tx, n)
	})
	if err != nil {
		return fmt.Errorf("store log entries: %w", err)
	}
	return nil
}

// Close writes what waits.
func (s *Service) Close() error { return s.Flush() }

// trim deletes the oldest entries once there are too many, and a tenth more, so
// that not every write has to.
func trim(tx *store.Tx, n *size) error {
	if n.Entries <= maxEntries && n.Bytes <= maxBytes {
		return nil
	}
	var old []string
	tx.Scan(table, "", func(key string, v []byte) bool {
		if n.Entries <= maxEntries*9/10 && n.Bytes <= maxBytes*9/10 {
			return false
		}
		old = append(old, key)
		n.add(-1, -len(key)-len(v))
		return true
	})
	return deleteKeys(tx, old)
}

func deleteKeys(tx *store.Tx, keys []string) error {
	for _, key := range keys {
		if err := tx.Delete(table, key); err != nil {
			return err
		}
	}
	return nil
}

// entryKey sorts entries by time. Two with the same time, insert id and log are
// one: the API promises to drop such duplicates.
func entryKey(e *loggingpb.LogEntry) string {
	return timeKey(e.Timestamp.AsTime()) + e.InsertId + "\x00" + e.LogName
}

// logNameOf is the log name in an entry's key.
func logNameOf(key string) string { return key[8+strings.IndexByte(key[8:], 0)+1:] }

// timeKey is the part of a key that a time gives.
func timeKey(t time.Time) string { return store.Key(uint64(max(t.UnixNano(), 0))) }
