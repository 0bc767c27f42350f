// Package store is the embedded cloud's database: one file in the data
// directory, each write on disk before it is acknowledged. What the file holds
// is checked when it is opened and whenever it is read, so that damage is
// reported and never taken for data.
package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrLocked says that another process has the data directory open.
var ErrLocked = errors.New("the data directory is in use by another kakehi process")

// ErrNotFound says that a key is absent.
var ErrNotFound = errors.New("not found")

// ErrFull says that the disk has no room for a write. Nothing of the
// transaction was written; it may be tried again when there is room. To the
// caller of an API it is RESOURCE_EXHAUSTED.
var ErrFull error = fullError{}

type fullError struct{}

func (fullError) Error() string { return "the disk of the data directory is full" }

// GRPCStatus makes package status take the code from a wrapped ErrFull.
func (e fullError) GRPCStatus() *status.Status { return status.New(codes.ResourceExhausted, e.Error()) }

// fileName is the database in the data directory.
const fileName = "kakehi.db"

// DB is an open database.
type DB struct {
	bolt *bbolt.DB
	path string
}

// Open opens or creates the database in dir.
func Open(dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	path := filepath.Join(dir, fileName)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := create(dir, path); err != nil {
			return nil, fmt.Errorf("create %s: %w", path, err)
		}
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	case info.Size() == 0: // bbolt would take it for a new one
		return nil, damaged(path, errors.New("it is empty"))
	}
	return open(path)
}

// create makes an empty database. It gets its name when it is whole, so that an
// empty or partial file is always damage.
func create(dir, path string) error {
	f, err := os.CreateTemp(dir, fileName+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := f.Close(); err != nil {
		return err
	}
	b, err := bbolt.Open(f.Name(), 0o600, boltOptions())
	if err != nil {
		return err
	}
	err = b.Update(func(tx *bbolt.Tx) error { return (&Tx{bolt: tx}).PutJSON(formatTable, formatKey, format) })
	if err := errors.Join(err, b.Close()); err != nil {
		return full(err)
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, os.ErrExist) {
		err = nil // another process was quicker
	} else if err != nil {
		err = os.Rename(f.Name(), path) // a file system without links
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system can
	return d.Close()
}

// lockTimeout is how long Open waits for a process that is just ending.
const lockTimeout = 100 * time.Millisecond

func boltOptions() *bbolt.Options {
	return &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType}
}

// open opens an existing database once it is locked and checked.
func open(path string) (*DB, error) {
	o := boltOptions()
	o.OpenFile = func(name string, _ int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, os.O_RDWR, mode)
		if err != nil {
			return nil, err
		}
		if err = lock(f); err == nil {
			err = verify(f)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	db := &DB{path: path}
	err := guarded(path, func() (err error) {
		db.bolt, err = bbolt.Open(path, 0o600, o)
		return err
	})
	switch {
	case errors.Is(err, ErrLocked), errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", filepath.Dir(path), ErrLocked)
	case errors.Is(err, ErrDamaged):
		return nil, err
	case err != nil && isDamage(err):
		return nil, damaged(path, err)
	case err != nil:
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := db.checkFormat(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// The format of what the tables hold, which a later kakehi may change.
const (
	formatTable = "format"
	formatKey   = "version"
	format      = 1
)

func (d *DB) checkFormat() error {
	var found int
	err := d.View(func(tx *Tx) error { return tx.GetJSON(formatTable, formatKey, &found) })
	switch {
	case errors.Is(err, ErrNotFound):
		return errors.New("it was not written by this program")
	case err != nil:
		return err
	case found != format:
		return fmt.Errorf("it has format %d, and this kakehi reads format %d: use the kakehi that wrote it, or another data directory", found, format)
	}
	return nil
}

// Close flushes and closes the database.
func (d *DB) Close() error { return d.bolt.Close() }

// View runs a read-only transaction.
func (d *DB) View(f func(tx *Tx) error) error {
	return guarded(d.path, func() error { return d.bolt.View(func(b *bbolt.Tx) error { return run(b, f) }) })
}

// Update runs a transaction; when it returns nil the writes are on disk.
func (d *DB) Update(f func(tx *Tx) error) error {
	return full(guarded(d.path, func() error { return d.bolt.Update(func(b *bbolt.Tx) error { return run(b, f) }) }))
}

// run reports damage that f met even if f did not.
func run(b *bbolt.Tx, f func(tx *Tx) error) error {
	tx := &Tx{bolt: b}
	if err := f(tx); err != nil {
		return err
	}
	return tx.damage
}

// full says of a failed write whether the disk was full.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
