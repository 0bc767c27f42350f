package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// localImage is the form of a reference that Build returns.
var localImage = regexp.MustCompile(`^ko\.local/([A-Za-z0-9][A-Za-z0-9._-]*)@sha256:([0-9a-f]{64})$`)

// imageDir is where an image's binary lies in the data directory.
func imageDir(dataDir, digest string) string {
	return filepath.Join(dataDir, "images", "sha256-"+digest)
}

// resolve returns the binary of a local image.
func resolve(dataDir, image string) (string, error) {
	if strings.HasPrefix(image, "ko://") {
		return "", fmt.Errorf("image %s is source: it must be built, and deployed by the digest of what was built", image)
	}
	m := localImage.FindStringSubmatch(image)
	if m == nil {
		if strings.HasPrefix(image, "ko.local/") {
			return "", fmt.Errorf("image %q: want ko.local/NAME@sha256:64 hexadecimal digits", image)
		}
		return "", fmt.Errorf("image %q needs a container engine; none found; use ko:// with a Go main package, which runs without one", image)
	}
	file := filepath.Join(imageDir(dataDir, m[2]), m[1])
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("image %s is not in %s: build it again", image, filepath.Join(dataDir, "images"))
	}
	if err != nil {
		return "", fmt.Errorf("image %s: %w", image, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("image %s: %s is not an executable file", image, file)
	}
	return file, nil
}

// argv is the command line of a container. A ko image holds one program,
// /ko-app/NAME, and no shell, so no other command can run in it.
func argv(s Spec, binary string) ([]string, error) {
	if len(s.Command) == 0 {
		return append([]string{binary}, s.Args...), nil
	}
	name := filepath.Base(binary)
	if c := s.Command[0]; c != name && c != "/ko-app/"+name {
		return nil, fmt.Errorf("command %q is not in image %s, which holds only /ko-app/%s: leave the command out and use args", c, s.Image, name)
	}
	line := append([]string{binary}, s.Command[1:]...)
	return append(line, s.Args...), nil
}

// gcsRewriter replaces each path below /gcs/, the mount point of Cloud Storage
// in the cloud, by the folder that holds the buckets here. A "/gcs/" inside a
// longer path or URL is left alone.
type gcsRewriter struct{ root string }

func (g gcsRewriter) rewrite(s string) string {
	const mount = "/gcs/"
	var b strings.Builder
	for {
		i := strings.Index(s, mount)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		if i == 0 && b.Len() == 0 || i > 0 && !inPath(s[i-1]) {
			b.WriteString(g.root + "/")
		} else {
			b.WriteString(mount)
		}
		s = s[i+len(mount):]
	}
}

func inPath(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-/~%", c) >= 0
}

func (g gcsRewriter) all(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = g.rewrite(s)
	}
	return out
}
