package runtime

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles the main package that a ko:// reference names, such as
// ko://./cmd/train or ko://example.com/m/cmd/train, in the module at dir, and
// returns the image: ko.local/train@sha256:<digest of the binary>. The binary
// is static and byte-stable; it lies in <dataDir>/images/sha256-<digest>/train.
// Builds may run side by side. A failure carries the compiler's output.
func Build(ctx context.Context, dir, ref, dataDir string) (string, error) {
	pkg, ok := strings.CutPrefix(ref, "ko://")
	if !ok || pkg == "" || strings.HasPrefix(pkg, "-") || strings.Contains(pkg, "...") {
		return "", fmt.Errorf("build %s: want ko://./path or ko://module/path of a main package", ref)
	}
	images, err := filepath.Abs(filepath.Join(dataDir, "images"))
	if err != nil {
		return "", fmt.Errorf("build %s: %w", ref, err)
	}
	if err := os.MkdirAll(images, 0o700); err != nil {
		return "", fmt.Errorf("build %s: %w", ref, err)
	}
	tmp, err := os.MkdirTemp(images, ".build-")
	if err != nil {
		return "", fmt.Errorf("build %s: %w", ref, err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	last, err := newLastBuild(images, dir, ref)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", ref, err)
	}
	last.copyTo(tmp, filepath.Dir(images))
	if err := compile(ctx, dir, pkg, tmp); err != nil {
		return "", fmt.Errorf("build %s: %w", ref, err)
	}
	image, err := adopt(tmp, filepath.Dir(images))
	if err != nil {
		return "", fmt.Errorf("build %s: %w", ref, err)
	}
	last.record(image)
	return image, nil
}

// compile leaves one executable in out; the go command refuses a package there
// that is not a program.
func compile(ctx context.Context, dir, pkg, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out+string(filepath.Separator), pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("the go command is not in PATH: install Go from https://go.dev/dl")
	}
	const most = 16 << 10
	text := output.Bytes()
	if len(text) > most {
		text = append(text[:most:most], "\n[more errors left out]"...)
	}
	return fmt.Errorf("go build failed: %w\n%s", err, bytes.TrimSpace(text))
}

// adopt moves the one file of tmp to its place by digest.
func adopt(tmp, dataDir string) (string, error) {
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("go build left %d files, want one program", len(entries))
	}
	name := entries[0].Name()
	file := filepath.Join(tmp, name)
	digest, err := digestOf(file)
	if err != nil {
		return "", err
	}
	image := "ko.local/" + name + "@sha256:" + digest
	if !localImage.MatchString(image) {
		return "", fmt.Errorf("program name %q: want letters, digits, '.', '_' and '-'", name)
	}
	if err := os.MkdirAll(imageDir(dataDir, digest), 0o700); err != nil {
		return "", err
	}
	// An equal file that runs now may be replaced by this one; no one ever sees
	// a part of it.
	return image, os.Rename(file, filepath.Join(imageDir(dataDir, digest), name))
}

func digestOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// lastBuild remembers what a reference was built to. The go command does not
// link again over a program that is up to date, which is most of the time that
// a repeated build takes. It is a cache: whatever goes wrong with it costs time
// only.
type lastBuild struct{ file string }

func newLastBuild(images, dir, ref string) (lastBuild, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return lastBuild{}, err
	}
	key := sha256.Sum256([]byte(abs + "\x00" + ref))
	return lastBuild{filepath.Join(images, ".last-"+hex.EncodeToString(key[:8]))}, nil
}

// copyTo copies the last program, for the go command may write into the file
// that it is given.
func (l lastBuild) copyTo(tmp, dataDir string) {
	image, err := os.ReadFile(l.file)
	if err != nil {
		return
	}
	binary, err := resolve(dataDir, string(image))
	if err != nil {
		return
	}
	if program, err := os.ReadFile(binary); err == nil {
		_ = os.WriteFile(filepath.Join(tmp, filepath.Base(binary)), program, 0o700)
	}
}

func (l lastBuild) record(image string) {
	tmp, err := os.CreateTemp(filepath.Dir(l.file), ".last-*.tmp")
	if err != nil {
		return
	}
	_, err = tmp.WriteString(image)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), l.file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
}
