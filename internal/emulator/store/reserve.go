package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A job that fills the disk must not prevent that its end is written down. So
// some room is kept by a file that does nothing else.
const (
	reserveSize = 8 << 20 // what the end of a run takes, and some more
	enough      = 1 << 20 // a disk with less room is full
)

// Reserve keeps the room, unless it is kept already.
func (d *DB) Reserve() error {
	name := d.beside("reserve")
	if st, err := os.Stat(name); err == nil && st.Size() == reserveSize {
		return nil
	}
	if err := occupy(name, reserveSize); err != nil {
		return fmt.Errorf("keep %d MiB of the disk in reserve: %w", reserveSize>>20, err)
	}
	return nil
}

// Release gives the room back if the disk is full.
func (d *DB) Release() error {
	if err := occupy(d.beside("room"), enough); err == nil {
		return os.Remove(d.beside("room"))
	}
	if err := os.Remove(d.beside("reserve")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// occupy writes a file of a size, or leaves none.
func occupy(name string, size int) error {
	err := os.WriteFile(name, make([]byte, size), 0o600)
	if err != nil {
		_ = os.Remove(name)
	}
	return err
}

func (d *DB) beside(name string) string { return filepath.Join(filepath.Dir(d.bolt.Path()), name) }
