package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
)

// Tx is a transaction over tables of key and value; a table exists once
// written to. Keys are in byte order.
type Tx struct {
	bolt   *bbolt.Tx
	damage error // met by a scan
}

// Get returns a copy of the value, or ErrNotFound.
func (tx *Tx) Get(table, key string) ([]byte, error) {
	if b := tx.bolt.Bucket([]byte(table)); b != nil {
		if sealed := b.Get([]byte(key)); sealed != nil {
			v, err := unseal([]byte(table), []byte(key), sealed)
			if err != nil {
				return nil, fmt.Errorf("%w (%w)", ErrDamaged, err)
			}
			return append([]byte{}, v...), nil
		}
	}
	return nil, fmt.Errorf("%s/%s: %w", table, key, ErrNotFound)
}

// Put stores a value.
func (tx *Tx) Put(table, key string, v []byte) error {
	b := tx.bolt.Bucket([]byte(table))
	if b == nil {
		var err error
		if b, err = tx.bolt.CreateBucket([]byte(table)); err != nil {
			return err
		}
		if err := b.Put(anchor, seal([]byte(table), anchor, nil)); err != nil {
			return err
		}
	}
	return b.Put([]byte(key), seal([]byte(table), []byte(key), v))
}

// Delete removes a key; an absent key is no error.
func (tx *Tx) Delete(table, key string) error {
	if b := tx.bolt.Bucket([]byte(table)); b != nil {
		return b.Delete([]byte(key))
	}
	return nil
}

// DeletePrefix removes every key with the prefix.
func (tx *Tx) DeletePrefix(table, prefix string) error {
	var keys []string
	tx.Scan(table, prefix, func(key string, _ []byte) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		if err := tx.Delete(table, key); err != nil {
			return err
		}
	}
	return nil
}

// Scan calls f for each key with the prefix, in order, until f returns false.
// The value must not be kept. A damaged value ends the scan and the
// transaction with an error.
func (tx *Tx) Scan(table, prefix string, f func(key string, v []byte) bool) {
	tx.ScanFrom(table, prefix, func(key string, v []byte) bool {
		return len(key) >= len(prefix) && key[:len(prefix)] == prefix && f(key, v)
	})
}

// ScanFrom is Scan of each key from the given one on.
func (tx *Tx) ScanFrom(table, from string, f func(key string, v []byte) bool) {
	if c := tx.cursor(table); c != nil {
		k, sealed := c.Seek([]byte(from))
		tx.walk(table, k, sealed, c.Next, f)
	}
}

// ScanBack is Scan of each key before the given one, the last first.
func (tx *Tx) ScanBack(table, before string, f func(key string, v []byte) bool) {
	c := tx.cursor(table)
	if c == nil {
		return
	}
	k, sealed := c.Seek([]byte(before))
	if k == nil {
		k, sealed = c.Last()
	}
	if k != nil && bytes.Compare(k, []byte(before)) >= 0 {
		k, sealed = c.Prev()
	}
	tx.walk(table, k, sealed, c.Prev, f)
}

func (tx *Tx) cursor(table string) *bbolt.Cursor {
	b := tx.bolt.Bucket([]byte(table))
	if b == nil {
		return nil
	}
	return b.Cursor()
}

func (tx *Tx) walk(table string, k, sealed []byte, next func() (k, sealed []byte), f func(key string, v []byte) bool) {
	for ; k != nil; k, sealed = next() {
		if bytes.Equal(k, anchor) {
			continue
		}
		v, err := unseal([]byte(table), k, sealed)
		if err != nil {
			tx.damage = fmt.Errorf("%w (%w)", ErrDamaged, err)
			return
		}
		if !f(string(k), v) {
			return
		}
	}
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
		return fmt.Errorf("%s/%s: %w (%w)", table, key, ErrDamaged, err)
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
		return fmt.Errorf("%s/%s: %w (%w)", table, key, ErrDamaged, err)
	}
	return nil
}

// Key formats n so that keys sort by number.
func Key(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
