package store

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReserve(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	kept := func() bool {
		st, err := os.Stat(filepath.Join(dir, "reserve"))
		return err == nil && st.Size() == reserveSize
	}
	for _, damage := range []func() error{
		func() error { return nil },
		func() error { return nil }, // it is kept already
		func() error { return os.Truncate(filepath.Join(dir, "reserve"), 5) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if err := db.Reserve(); err != nil || !kept() {
			t.Fatalf("%v, kept: %t", err, kept())
		}
	}
	if err := db.Release(); err != nil || !kept() {
		t.Errorf("with room on the disk: %v, kept: %t", err, kept())
	}
	// A folder in the place of the file is as good as a full disk.
	if err := os.MkdirAll(filepath.Join(dir, "room", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Release(); err != nil || kept() {
			t.Errorf("on a full disk: %v, kept: %t", err, kept())
		}
	}
}
