package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func open(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestValuesSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	err := db.Update(func(tx *Tx) error {
		if err := tx.PutProto("t", "a", wrapperspb.String("x")); err != nil {
			return err
		}
		return tx.PutJSON("t", "b", map[string]int{"n": 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	err = open(t, dir).View(func(tx *Tx) error {
		var s wrapperspb.StringValue
		if err := tx.GetProto("t", "a", &s); err != nil || s.Value != "x" {
			t.Errorf("proto: %v, %v", s.Value, err)
		}
		var m map[string]int
		if err := tx.GetJSON("t", "b", &m); err != nil || m["n"] != 1 {
			t.Errorf("JSON: %v, %v", m, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFailedUpdateLeavesNothing(t *testing.T) {
	db := open(t, t.TempDir())
	boom := errors.New("boom")
	err := db.Update(func(tx *Tx) error {
		if err := tx.Put("t", "k", []byte("v")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	_ = db.View(func(tx *Tx) error {
		if _, err := tx.Get("t", "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("after a failed update: %v", err)
		}
		return nil
	})
}

func TestScanKeepsToPrefixAndOrder(t *testing.T) {
	db := open(t, t.TempDir())
	err := db.Update(func(tx *Tx) error {
		for _, n := range []uint64{300, 2, 1} {
			if err := tx.Put("t", "p/"+Key(n), []byte{byte(n)}); err != nil {
				return err
			}
		}
		return tx.Put("t", "q", nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	_ = db.View(func(tx *Tx) error {
		tx.Scan("t", "p/", func(_ string, v []byte) bool { got = append(got, v...); return true })
		tx.Scan("absent", "", func(string, []byte) bool { t.Error("scanned an absent table"); return false })
		return nil
	})
	if want := []byte{1, 2, 44}; !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

func TestDamageIsReported(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kakehi.db"), bytes.Repeat([]byte("garbage!"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(dir); err == nil {
		db.Close()
		t.Error("a file of garbage opened as a database")
	}
	db := open(t, t.TempDir())
	err := db.Update(func(tx *Tx) error {
		if err := tx.Put("t", "k", []byte{0xff}); err != nil {
			return err
		}
		var s wrapperspb.StringValue
		if err := tx.GetProto("t", "k", &s); err == nil {
			t.Error("a damaged message was read")
		}
		var v any
		if err := tx.GetJSON("t", "k", &v); err == nil {
			t.Error("damaged JSON was read")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A file that was cut off or written over is told as such, whatever it makes the
// library do.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	for n := range uint64(2000) {
		if err := db.bolt.Update(func(tx *bbolt.Tx) error { return (&Tx{tx}).Put("t", Key(n), make([]byte, 100)) }); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			db.bolt.NoSync = true // it is written in time for a test that reads
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "kakehi.db"))
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for name, damage := range map[string]func([]byte) []byte{
		"zeroed":        func(b []byte) []byte { clear(b); return b },
		"cut to a page": func(b []byte) []byte { return b[:page] },
		"cut in half":   func(b []byte) []byte { return b[:len(b)/2] },
		"pages zeroed":  func(b []byte) []byte { clear(b[2*page:]); return b },
		"pages random": func(b []byte) []byte {
			r := rand.New(rand.NewPCG(1, 2))
			for i := 2 * page; i < len(b); i += 8 {
				binary.LittleEndian.PutUint64(b[i:], r.Uint64())
			}
			return b
		},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "kakehi.db"), damage(bytes.Clone(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir)
		if err == nil {
			err = db.View(func(tx *Tx) error {
				tx.Scan("t", "", func(string, []byte) bool { return true })
				return nil
			})
			err = errors.Join(err, db.Update(func(tx *Tx) error { return tx.Put("t", Key(5000), nil) }))
			db.Close()
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "kakehi.db") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A panic of the caller is a bug, not damage.
func TestPanicPasses(t *testing.T) {
	db := open(t, t.TempDir())
	defer func() {
		if p := recover(); p != "boom" {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = db.Update(func(*Tx) error { panic("boom") })
}

func TestSequence(t *testing.T) {
	db := open(t, t.TempDir())
	for want := uint64(1); want <= 3; want++ {
		err := db.Batch(func(tx *Tx) error {
			n, err := tx.Next("t")
			if n != want {
				t.Errorf("got %d, want %d", n, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
