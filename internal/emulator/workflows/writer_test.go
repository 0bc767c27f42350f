package workflows

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// TestWriterWaitsForTheDisk: a full disk delays what waits for it, and loses
// nothing.
func TestWriterWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left on device")
		failures, reported := 3, 0
		w := newWriter(func(func(*store.Tx) error) error {
			if failures > 0 {
				failures--
				return full
			}
			return nil
		}, time.Minute, func(err error) {
			if errors.Is(err, full) {
				reported++
			}
		})
		begun := time.Now()
		if err := w.put(write{table: "t", key: "k", value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		if err := w.sync(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took != 3*retryInterval || reported != 1 {
			t.Errorf("synced after %v and %d reports", took, reported)
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
		if err := w.put(write{}); !errors.Is(err, errWriterClosed) {
			t.Errorf("put after close: %v", err)
		}
	})
}

// TestWriterGroups: what waits together shares a transaction; what nobody waits
// for is flushed in the end.
func TestWriterGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		w := newWriter(func(func(*store.Tx) error) error {
			commits++
			time.Sleep(10 * time.Millisecond)
			return nil
		}, time.Minute, func(err error) { t.Error(err) })
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if err := w.put(write{table: "t", key: "k"}); err != nil {
					t.Error(err)
				}
				if err := w.sync(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if commits > 3 {
			t.Errorf("100 writers took %d transactions", commits)
		}
		before := commits
		if err := w.put(write{table: "t", key: "k"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if commits != before+1 {
			t.Errorf("%d transactions for a write that nobody waits for", commits-before)
		}
		_ = w.close()
	})
}
