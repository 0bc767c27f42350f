package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kakehi/kakehi/internal/cli"
)

// asKakehi in the environment makes this test program the kakehi command, which
// the tests of signals start.
const asKakehi = "KAKEHI_TEST_COMMAND"

// images is a folder of built images that all data directories share: linking a
// program takes longer than most tests.
var images string

func TestMain(m *testing.M) {
	if os.Getenv(asKakehi) != "" {
		os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	if images, err = os.MkdirTemp("", "kakehi-images-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(images)) }()
	return m.Run(), nil
}

// dataDir is the data directory of an embedded cloud that has nothing but built
// images. It skips tests that cannot or should not run here.
func dataDir(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: this test builds and runs whole pipelines")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go tool: this test builds ko:// images")
	}
	dir := t.TempDir()
	if err := os.Symlink(images, filepath.Join(dir, "images")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// leftovers lists the working directories of containers, which are removed when
// the container has ended.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "work"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
