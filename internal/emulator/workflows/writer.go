package workflows

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// writer commits the writes of all executions in groups: one transaction, and
// one flush of the disk, for all that came together meanwhile. Writes reach
// the disk in the order in which they were queued.
type writer struct {
	update   func(func(*store.Tx) error) error // a transaction
	interval time.Duration
	report   func(error) // told of each failed flush

	mu        sync.Mutex
	committed sync.Cond
	pending   []write
	queued    int  // writes ever queued
	flushed   int  // of them, on disk
	closed    bool // nothing more may be queued
	ended     bool // nothing more will be flushed

	wake    chan struct{} // somebody waits for the disk
	timer   *time.Timer   // runs while there are only writes that nobody waits for
	closing chan struct{}
	result  chan error // of the last flush
}

// write puts a value, or deletes the key, or all keys with that prefix, when
// the value is nil.
type write struct {
	table, key string
	value      []byte
	all        bool
}

const (
	// maxPending bounds the memory of writes that nobody waits for.
	maxPending    = 4096
	retryInterval = time.Second
)

var errWriterClosed = errors.New("the service is closed")

// newWriter starts a writer that flushes what nobody waits for after interval.
func newWriter(update func(func(*store.Tx) error) error, interval time.Duration, report func(error)) *writer {
	w := &writer{
		update: update, interval: interval, report: report,
		wake: make(chan struct{}, 1), timer: time.NewTimer(interval),
		closing: make(chan struct{}), result: make(chan error, 1),
	}
	w.committed.L = &w.mu
	go w.loop()
	return w
}

// put queues writes. A crash loses them unless sync returned since.
func (w *writer) put(writes ...write) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errWriterClosed
	}
	if len(w.pending) == 0 {
		w.timer.Reset(w.interval)
	}
	w.pending = append(w.pending, writes...)
	w.queued += len(writes)
	if len(w.pending) > maxPending {
		w.hurry()
	}
	return nil
}

// sync waits until all that was queued is on disk.
func (w *writer) sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	target := w.queued
	for w.flushed < target && !w.ended {
		w.hurry()
		w.committed.Wait()
	}
	if w.flushed < target {
		return errWriterClosed
	}
	return nil
}

func (w *writer) hurry() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close refuses further writes and flushes.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	close(w.closing)
	return <-w.result
}

func (w *writer) loop() {
	defer w.timer.Stop()
	for {
		select {
		case <-w.wake:
		case <-w.timer.C:
		case <-w.closing:
			err := w.flush()
			w.mu.Lock()
			w.ended = true
			w.committed.Broadcast()
			w.mu.Unlock()
			w.result <- err
			return
		}
		if err := w.flush(); err != nil {
			w.report(err)
			w.timer.Reset(retryInterval)
		}
	}
}

// flush commits what is queued. What cannot be written stays queued, so that
// executions wait for, say, room on the disk instead of losing their journal.
func (w *writer) flush() error {
	w.mu.Lock()
	batch, upTo := w.pending, w.queued
	w.pending = nil
	w.mu.Unlock()

	err := w.commit(batch)

	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.pending = append(batch, w.pending...)
		return err
	}
	w.flushed = upTo
	w.committed.Broadcast()
	return nil
}

func (w *writer) commit(batch []write) error {
	if len(batch) == 0 {
		return nil
	}
	err := w.update(func(tx *store.Tx) error {
		for _, x := range batch {
			if err := x.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write executions: %w", err)
	}
	return nil
}

func (x write) apply(tx *store.Tx) error {
	switch {
	case x.value != nil:
		return tx.Put(x.table, x.key, x.value)
	case x.all:
		return deletePrefix(tx, x.table, x.key)
	}
	return tx.Delete(x.table, x.key)
}
