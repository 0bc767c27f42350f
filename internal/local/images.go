package local

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/emulator/runtime"
)

// ourModule is the module that has the commands which serve functions and
// models, for projects that have none of their own.
const ourModule = "github.com/kakehi/kakehi"

// buildImages builds what the pipeline needs from the module at root, and
// returns the image of each reference, as IMAGES wants them. Images that are not
// ko:// references stand for themselves.
func buildImages(ctx context.Context, root, dataDir string, need compile.Requirements) (map[string]string, error) {
	refs := map[string]string{} // key of IMAGES to what is built
	for _, image := range need.Images {
		refs[image] = image
	}
	if len(need.Functions) > 0 {
		refs["functions"] = command(root, "functions")
	}
	if need.ModelServer {
		refs["modelserver"] = command(root, "modelserver")
	}
	keys := slices.Sorted(maps.Keys(refs))
	images := make([]string, len(keys))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2) // the compiler uses more than one core itself
	for i, key := range keys {
		g.Go(func() (err error) {
			images[i] = refs[key]
			if strings.HasPrefix(refs[key], "ko://") {
				images[i], err = runtime.Build(ctx, root, refs[key], dataDir)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	built := make(map[string]string, len(keys))
	for i, key := range keys {
		built[key] = images[i]
	}
	return built, nil
}

// command is the reference of cmd/NAME: the project's own, or ours.
func command(root, name string) string {
	if _, err := os.Stat(filepath.Join(root, "cmd", name)); err == nil {
		return "ko://./cmd/" + name
	}
	return "ko://" + ourModule + "/cmd/" + name
}

// moduleRoot finds the folder of the Go module that a file lies in.
func moduleRoot(file string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above %s: steps and ko:// images are built from a Go module; run go mod init", file)
		}
	}
}
