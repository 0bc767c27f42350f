package workflows

import (
	"errors"
	"fmt"
	"slices"
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
	report   func(error) // told when flushes begin to fail

	mu        sync.Mutex
	committed sync.Cond
	pending   []group
	writes    int   // in pending
	queued    int64 // groups ever queued
	flushed   int64 // the last of them that is on disk, as are all before it
	failed    bool  // the last flush
	hasty     bool  // a failed flush is the end of waiting
	closed    bool  // nothing more may be queued
	ended     bool  // nothing more will be flushed

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

// group is written as a whole.
type group struct {
	number int64
	writes []write
	// refused, if not nil, gets the outcome. Such a group is given up when it
	// cannot be written; others wait, say for room on the disk.
	refused chan error
}

const (
	// maxPending bounds the memory of writes that nobody waits for.
	maxPending = 1 << 13
	// maxBatch bounds the time of a transaction.
	maxBatch      = 1 << 13
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
func (w *writer) put(writes ...write) error { return w.queue(group{writes: writes}) }

// request queues writes that are worth nothing later: the returned function
// waits until they are on disk or cannot be written.
func (w *writer) request(writes ...write) (wait func() error) {
	outcome := make(chan error, 1)
	if err := w.queue(group{writes: writes, refused: outcome}); err != nil {
		return func() error { return err }
	}
	w.hurry()
	return func() error { return <-outcome }
}

func (w *writer) queue(g group) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errWriterClosed
	}
	if len(w.pending) == 0 {
		w.timer.Reset(w.interval)
	}
	w.queued++
	g.number = w.queued
	w.pending = append(w.pending, g)
	w.writes += len(g.writes)
	if w.writes > maxPending {
		w.hurry()
	}
	return nil
}

// sync waits until all that was queued is on disk.
func (w *writer) sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	target := w.queued
	for w.flushed < target && !w.hopeless() {
		w.hurry()
		w.committed.Wait()
	}
	if w.flushed < target {
		return errWriterClosed
	}
	return nil
}

// hopeless says that nothing is worth waiting for. The caller holds w.mu.
func (w *writer) hopeless() bool { return w.ended || w.hasty && w.failed }

// hasten lets go who waits for a disk that takes no writes.
func (w *writer) hasten() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hasty = true
	w.committed.Broadcast()
}

// room waits while far more is pending than the disk takes at once.
func (w *writer) room() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writes > 4*maxPending && !w.hopeless() {
		w.committed.Wait()
	}
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
	for failing := false; ; {
		select {
		case <-w.wake:
		case <-w.timer.C:
		case <-w.closing:
			w.result <- w.end()
			return
		}
		err := w.flush()
		if err != nil {
			w.timer.Reset(retryInterval)
		}
		if err != nil && !failing {
			w.report(err)
		}
		failing = err != nil
	}
}

// end flushes all there is, if it can be written.
func (w *writer) end() error {
	for {
		err := w.flush()
		w.mu.Lock()
		if err != nil || len(w.pending) == 0 {
			w.ended = true
			w.committed.Broadcast()
			w.mu.Unlock()
			return err
		}
		w.mu.Unlock()
	}
}

// flush commits what is queued, or as much of it as one transaction takes. What
// cannot be written and is no request stays queued, so that executions wait
// for, say, room on the disk instead of losing their journal.
func (w *writer) flush() error {
	batch := w.take()
	if len(batch) == 0 {
		return nil
	}
	err := w.commit(batch)
	for _, g := range batch {
		if g.refused != nil {
			g.refused <- err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = err != nil
	if err != nil {
		if w.hasty { // else they would make it try again at once
			w.committed.Broadcast()
		}
		batch = slices.DeleteFunc(batch, func(g group) bool { return g.refused != nil })
		w.pending = append(batch, w.pending...)
		w.count()
		return err
	}
	w.flushed = batch[len(batch)-1].number
	w.committed.Broadcast()
	if len(w.pending) > 0 {
		w.hurry()
	}
	return nil
}

// take removes the next batch from what is pending.
func (w *writer) take() []group {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, writes := 0, 0
	for n < len(w.pending) && (n == 0 || writes+len(w.pending[n].writes) <= maxBatch) {
		writes += len(w.pending[n].writes)
		n++
	}
	batch := w.pending[:n:n]
	w.pending = w.pending[n:]
	w.count()
	return batch
}

// count brings writes up to date. The caller holds w.mu.
func (w *writer) count() {
	w.writes = 0
	for _, g := range w.pending {
		w.writes += len(g.writes)
	}
}

func (w *writer) commit(batch []group) error {
	err := w.update(func(tx *store.Tx) error {
		for _, g := range batch {
			for _, x := range g.writes {
				if err := x.apply(tx); err != nil {
					return err
				}
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
		return tx.DeletePrefix(x.table, x.key)
	}
	return tx.Delete(x.table, x.key)
}
