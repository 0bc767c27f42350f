package runtime

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// writeModule writes a module whose only program prints text.
func writeModule(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/m\n\ngo 1.25\n"
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func program(text string) string {
	return "package main\n\nfunc main() { println(" + "`" + text + "`" + ") }\n"
}

func TestBuild(t *testing.T) {
	dir, data := writeModule(t, map[string]string{"cmd/train/main.go": program("one")}), t.TempDir()
	const builds = 3
	images := make([]string, builds)
	var wg sync.WaitGroup
	for i := range builds {
		wg.Go(func() {
			var err error
			if images[i], err = Build(t.Context(), dir, "ko://./cmd/train", data); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, image := range images {
		if image != images[0] || !strings.HasPrefix(image, "ko.local/train@sha256:") {
			t.Fatalf("images %v: want the same digest each", images)
		}
	}
	if got := run(t, data, images[0]); got != "one\n" {
		t.Errorf("it wrote %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "cmd/train/main.go"), []byte(program("two")), 0o600); err != nil {
		t.Fatal(err)
	}
	changed, err := Build(t.Context(), dir, "ko://example.com/m/cmd/train", data)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, data, changed); got != "two\n" {
		t.Errorf("after a change it wrote %q", got)
	}
	again, err := Build(t.Context(), dir, "ko://./cmd/train", data) // over the old program
	if err != nil || again != changed {
		t.Errorf("%s, %v, want %s", again, err, changed)
	}
	if got := run(t, data, images[0]); got != "one\n" {
		t.Errorf("the first image now writes %q", got)
	}
	left, _ := filepath.Glob(filepath.Join(data, "images", ".build-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func run(t *testing.T, data, image string) string {
	t.Helper()
	p, err := NewProcess(data)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c, err := p.Start(t.Context(), Spec{Name: "test", Image: image, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	if e := c.Wait(); e != (Exit{}) {
		t.Errorf("exit %+v", e)
	}
	return out.String()
}

func TestBuildFails(t *testing.T) {
	dir, data := writeModule(t, map[string]string{
		"broken/main.go": "package main\n\nfunc main() { undefinedName() }\n",
		"lib/lib.go":     "package lib\n",
	}), t.TempDir()
	for ref, want := range map[string]string{
		"ko://./broken":  "main.go:3:15: undefined: undefinedName",
		"ko://./lib":     "no main packages to build",
		"ko://./none":    "directory not found",
		"ko://-toolexec": "want ko://./path",
		"ko://./...":     "want ko://./path",
		"python:3.12":    "want ko://./path",
	} {
		image, err := Build(t.Context(), dir, ref, data)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ref) {
			t.Errorf("%s: %q, %v, want %q", ref, image, err, want)
		}
	}
}
