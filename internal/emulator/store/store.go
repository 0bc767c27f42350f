// Package store is the embedded cloud's database: one file in the data
// directory, each write on disk before it is acknowledged.
package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"google.golang.org/protobuf/proto"
)

// ErrLocked says that another process has the data directory open.
var ErrLocked = errors.New("the data directory is in use by another kakehi process")

// ErrNotFound says that a key is absent.
var ErrNotFound = errors.New("not found")

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
	path := filepath.Join(dir, "kakehi.db")
	db := &DB{path: path}
	err := guarded(path, func() (err error) {
		db.bolt, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 100 * time.Millisecond, FreelistType: bbolt.FreelistMapType})
		return err
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", dir, ErrLocked)
	case errors.Is(err, ErrDamaged):
		return nil, err
	case isDamage(err):
		return nil, damaged(path, err)
	}
	return nil, fmt.Errorf("open the database: %w", err)
}

// Close flushes and closes the database.
func (d *DB) Close() error { return d.bolt.Close() }

// View runs a read-only transaction.
func (d *DB) View(f func(tx *Tx) error) error {
	return guarded(d.path, func() error { return d.bolt.View(func(tx *bbolt.Tx) error { return f(&Tx{tx}) }) })
}

// Update runs a transaction; when it returns nil the writes are on disk.
func (d *DB) Update(f func(tx *Tx) error) error {
	return guarded(d.path, func() error { return d.bolt.Update(func(tx *bbolt.Tx) error { return f(&Tx{tx}) }) })
}

// Batch is Update, shared with concurrent callers in one disk write. f may run
// more than once.
func (d *DB) Batch(f func(tx *Tx) error) error {
	return guarded(d.path, func() error { return d.bolt.Batch(func(tx *bbolt.Tx) error { return f(&Tx{tx}) }) })
}

// Tx is a transaction over tables of key and value; a table exists once
// written to. Keys are in byte order.
type Tx struct{ bolt *bbolt.Tx }

// Get returns a copy of the value, or ErrNotFound.
func (tx *Tx) Get(table, key string) ([]byte, error) {
	if b := tx.bolt.Bucket([]byte(table)); b != nil {
		if v := b.Get([]byte(key)); v != nil {
			return append([]byte{}, v...), nil
		}
	}
	return nil, fmt.Errorf("%s/%s: %w", table, key, ErrNotFound)
}

// Put stores a value.
func (tx *Tx) Put(table, key string, v []byte) error {
	b, err := tx.bolt.CreateBucketIfNotExists([]byte(table))
	if err != nil {
		return err
	}
	return b.Put([]byte(key), v)
}

// Delete removes a key; an absent key is no error.
func (tx *Tx) Delete(table, key string) error {
	if b := tx.bolt.Bucket([]byte(table)); b != nil {
		return b.Delete([]byte(key))
	}
	return nil
}

// Scan calls f for each key with the prefix, in order, until f returns false.
// The value must not be kept.
func (tx *Tx) Scan(table, prefix string, f func(key string, v []byte) bool) {
	b := tx.bolt.Bucket([]byte(table))
	if b == nil {
		return
	}
	c := b.Cursor()
	for k, v := c.Seek([]byte(prefix)); k != nil && len(k) >= len(prefix) && string(k[:len(prefix)]) == prefix; k, v = c.Next() {
		if !f(string(k), v) {
			return
		}
	}
}

// ScanFrom calls f for each key from the given one on, in order, until f returns
// false. The value must not be kept.
func (tx *Tx) ScanFrom(table, from string, f func(key string, v []byte) bool) {
	b := tx.bolt.Bucket([]byte(table))
	if b == nil {
		return
	}
	c := b.Cursor()
	for k, v := c.Seek([]byte(from)); k != nil; k, v = c.Next() {
		if !f(string(k), v) {
			return
		}
	}
}

// Next returns the table's next sequence number: 1, 2, …
func (tx *Tx) Next(table string) (uint64, error) {
	b, err := tx.bolt.CreateBucketIfNotExists([]byte(table))
	if err != nil {
		return 0, err
	}
	return b.NextSequence()
}

// PutProto stores a message.
func (tx *Tx) PutProto(table, key string, m proto.Message) error {
	v, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("store %s/%s: %w", table, key, err)
	}
	return tx.Put(table, key, v)
}

// GetProto reads a message, or returns ErrNotFound.
func (tx *Tx) GetProto(table, key string, m proto.Message) error {
	v, err := tx.Get(table, key)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(v, m); err != nil {
		return fmt.Errorf("%s/%s is damaged: %w", table, key, err)
	}
	return nil
}

// PutJSON stores v as JSON.
func (tx *Tx) PutJSON(table, key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store %s/%s: %w", table, key, err)
	}
	return tx.Put(table, key, data)
}

// GetJSON reads v, or returns ErrNotFound.
func (tx *Tx) GetJSON(table, key string, v any) error {
	data, err := tx.Get(table, key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s/%s is damaged: %w", table, key, err)
	}
	return nil
}

// Key formats n so that keys sort by number.
func Key(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
