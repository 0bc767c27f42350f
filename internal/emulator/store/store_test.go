package store

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

func openDB(t testing.TB, dir string) *DB {
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
	db := openDB(t, dir)
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
	err = openDB(t, dir).View(func(tx *Tx) error {
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
	db := openDB(t, t.TempDir())
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
	db := openDB(t, t.TempDir())
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
	openDB(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

func TestScanBack(t *testing.T) {
	db := openDB(t, t.TempDir())
	err := db.Update(func(tx *Tx) error {
		for _, key := range []string{"a", "p/1", "p/2", "p/3", "q"} {
			if err := tx.Put("t", key, []byte(key)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ before, want string }{
		{"p/3", "p/2 p/1 a "}, {"p/9", "p/3 p/2 p/1 a "}, {"z", "q p/3 p/2 p/1 a "}, {"a", ""}, {"", ""},
	}
	_ = db.View(func(tx *Tx) error {
		for _, tt := range tests {
			var got string
			tx.ScanBack("t", tt.before, func(key string, v []byte) bool { got += string(v) + " "; return true })
			if got != tt.want {
				t.Errorf("before %q: %q, want %q", tt.before, got, tt.want)
			}
		}
		tx.ScanBack("absent", "z", func(string, []byte) bool { t.Error("scanned an absent table"); return false })
		return nil
	})
}

func TestDeletePrefix(t *testing.T) {
	db := openDB(t, t.TempDir())
	err := db.Update(func(tx *Tx) error {
		for _, key := range []string{"a", "p/1", "p/2", "q"} {
			if err := tx.Put("t", key, nil); err != nil {
				return err
			}
		}
		return tx.DeletePrefix("t", "p/")
	})
	if err != nil {
		t.Fatal(err)
	}
	var left string
	_ = db.View(func(tx *Tx) error {
		tx.Scan("t", "", func(key string, _ []byte) bool { left += key; return true })
		return nil
	})
	if left != "aq" {
		t.Errorf("left %q", left)
	}
}

// TestPanicPasses: a panic of the caller is a bug, not damage.
func TestPanicPasses(t *testing.T) {
	db := openDB(t, t.TempDir())
	defer func() {
		if p := recover(); p != "boom" {
			t.Errorf("recovered %v", p)
		}
	}()
	_ = db.Update(func(*Tx) error { panic("boom") })
}
