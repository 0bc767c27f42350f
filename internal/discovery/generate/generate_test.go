package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestTablesAreFresh generates the tables anew and compares their texts; how
// those are compressed may differ between versions of Go.
func TestTablesAreFresh(t *testing.T) {
	if _, err := os.ReadFile("../../../go.mod"); err != nil { // read, so that the test cache sees a new version in it
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "apis")
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadDir("../apis")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d tables, want %d: run go generate", len(got), len(want))
	}
	for _, f := range want {
		if unpack(t, filepath.Join("../apis", f.Name())) != unpack(t, filepath.Join(dir, f.Name())) {
			t.Errorf("%s is stale: run go generate", f.Name())
		}
	}
}

func unpack(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
