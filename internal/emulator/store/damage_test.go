package store

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var flips = flag.Int("flips", 2, "bits to change in each page")

// sample makes a database with all that the format has: a table within a page,
// one of several levels, values of several pages, free pages. It returns the
// file's bytes and what the tables hold.
func sample(t testing.TB) (file []byte, content map[string]string) {
	t.Helper()
	dir := t.TempDir()
	db := openDB(t, dir)
	random := rand.New(rand.NewPCG(1, 2))
	text := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	update := func(f func(tx *Tx) error) {
		t.Helper()
		if err := db.Update(f); err != nil {
			t.Fatal(err)
		}
	}
	for part := range 4 {
		update(func(tx *Tx) error {
			for i := range 200 {
				key := fmt.Sprintf("a/long/common/prefix/to/fill/the/pages/%04d", random.IntN(100000)*10+part)
				if err := tx.Put("large", key, text(100)); err != nil {
					return err
				}
				if i%100 == 0 {
					if err := tx.Put("wide", key, text(9000)); err != nil {
						return err
					}
				}
			}
			return tx.Put("small", fmt.Sprint(part), text(3))
		})
	}
	update(func(tx *Tx) error { return tx.DeletePrefix("large", "a/long/common/prefix/to/fill/the/pages/3") })
	content = dump(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return file, content
}

func dump(t testing.TB, db *DB) map[string]string {
	t.Helper()
	content := map[string]string{}
	err := db.View(func(tx *Tx) error {
		for _, table := range []string{"large", "wide", "small", formatTable} {
			tx.Scan(table, "", func(key string, v []byte) bool {
				content[table+"/"+key] = string(v)
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// opened says what the database file in a directory holds, or why it cannot be
// opened.
func opened(t testing.TB, dir string) (map[string]string, error) {
	t.Helper()
	db, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return dump(t, db), nil
}

// write makes a directory with a database file.
func write(t testing.TB, file []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestChangedBits: whatever bit of the file changes, either nothing is lost or
// the file is not opened.
func TestChangedBits(t *testing.T) {
	file, content := sample(t)
	dir := write(t, file)
	f, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := os.Getpagesize()
	random := rand.New(rand.NewPCG(3, 4))
	found := 0
	for page := range len(file) / size {
		bits := []int{random.IntN(16 * 8), (16 + random.IntN(128)) * 8} // of the header; near it
		for range *flips {
			bits = append(bits, random.IntN(size*8))
		}
		for _, bit := range bits {
			at := page*size + bit/8
			if _, err := f.WriteAt([]byte{file[at] ^ 1<<(bit%8)}, int64(at)); err != nil {
				t.Fatal(err)
			}
			got, err := opened(t, dir)
			switch {
			case errors.Is(err, ErrDamaged):
				found++
			case err != nil:
				t.Errorf("page %d, bit %d: %v, which is no damage", page, bit, err)
			case !maps.Equal(got, content):
				t.Errorf("page %d, bit %d: opened with %d of %d values", page, bit, len(got), len(content))
			}
			if _, err := f.WriteAt(file[at:at+1], int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d changes found in %d pages", found, len(file)/size)
	if found == 0 {
		t.Error("no change was found")
	}
	if got, err := opened(t, dir); err != nil || !maps.Equal(got, content) {
		t.Errorf("after all is as it was: %v", err)
	}
}

// TestCutOff: wherever the file is cut off, either nothing is lost or it is not
// opened.
func TestCutOff(t *testing.T) {
	file, content := sample(t)
	dir := write(t, file)
	size := os.Getpagesize()
	found := 0
	for page := len(file) / size; page >= 0; page-- {
		for _, length := range []int{page*size + size/3, page * size} {
			if length > len(file) {
				continue
			}
			if err := os.Truncate(filepath.Join(dir, fileName), int64(length)); err != nil {
				t.Fatal(err)
			}
			got, err := opened(t, dir)
			switch {
			case errors.Is(err, ErrDamaged):
				found++
			case err != nil:
				t.Errorf("%d bytes: %v, which is no damage", length, err)
			case !maps.Equal(got, content):
				t.Errorf("%d bytes: opened with %d of %d values", length, len(got), len(content))
			}
		}
	}
	if found == 0 {
		t.Error("no cut was found")
	}
}

// TestWrittenOver: a file that holds something else is not opened.
func TestWrittenOver(t *testing.T) {
	file, _ := sample(t)
	pages := file[2*os.Getpagesize():]
	for name, damage := range map[string]func(){
		"random pages": func() {
			random := rand.New(rand.NewPCG(5, 6))
			for i := range pages {
				pages[i] = byte(random.Uint32())
			}
		},
		"pages of zeros": func() { clear(pages) },
		"zeros":          func() { clear(file) },
	} {
		damage()
		dir := write(t, file)
		if _, err := opened(t, dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), filepath.Join(dir, fileName)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNotOurs(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), "foreign")
	b, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "it is empty"},
		{"garbage", bytes.Repeat([]byte("garbage!"), 4096), "damaged"},
		{"another program's", empty, "has 0 elements"},
		{"a later format", later(t), "has format 2, and this kakehi reads format 1"},
	}
	for _, tt := range tests {
		if _, err := opened(t, write(t, tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func later(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	db := openDB(t, dir)
	if err := db.Update(func(tx *Tx) error { return tx.PutJSON(formatTable, formatKey, format+1) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDamagedValue: a value that changed while the database is open is
// reported by whoever reads it.
func TestDamagedValue(t *testing.T) {
	db := openDB(t, t.TempDir())
	err := db.Update(func(tx *Tx) error {
		if err := tx.Put("t", "k", []byte("value")); err != nil {
			return err
		}
		b := tx.bolt.Bucket([]byte("t"))
		return b.Put([]byte("k"), bytes.Replace(b.Get([]byte("k")), []byte("value"), []byte("valve"), 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *Tx) error {
		_, err := tx.Get("t", "k")
		return err
	})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("get: %v", err)
	}
	err = db.View(func(tx *Tx) error {
		tx.Scan("t", "", func(string, []byte) bool { t.Error("a damaged value was scanned"); return true })
		return nil
	})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("scan: %v", err)
	}
	err = db.Update(func(tx *Tx) error {
		if err := tx.Put("t", "k", []byte{0xff}); err != nil {
			return err
		}
		if err := tx.GetProto("t", "k", &wrapperspb.StringValue{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("proto: %v", err)
		}
		var v any
		if err := tx.GetJSON("t", "k", &v); !errors.Is(err, ErrDamaged) {
			t.Errorf("JSON: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzOpen opens a file in which some bytes were written over: nothing of it is
// lost, or it is not opened.
func FuzzOpen(f *testing.F) {
	file, content := sample(f)
	f.Add(uint32(0), []byte{1})
	f.Add(uint32(len(file)/2), []byte("page"))
	f.Add(uint32(2*os.Getpagesize()+8), []byte{0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, at uint32, bytes []byte) {
		changed := slices.Clone(file)
		copy(changed[int(at)%len(file):], bytes)
		got, err := opened(t, write(t, changed))
		if err == nil && !maps.Equal(got, content) {
			t.Errorf("opened with %d of %d values", len(got), len(content))
		}
		if err != nil && !errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), "format") {
			t.Error(err)
		}
	})
}
