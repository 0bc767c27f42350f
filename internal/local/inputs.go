package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kakehi/kakehi/internal/compile"
	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/pipeline"
)

// uploadInputs puts the files that parameters name by default into the bucket:
// gs://$bucket/penguins/penguins.csv is filled from penguins.csv beside the
// spec that declares the parameter, if it is there.
func (c *Cloud) uploadInputs(ctx context.Context, need compile.Requirements, say func(string, ...any)) error {
	for _, param := range need.Inputs {
		uri, ok := constantText(param.Default, map[string]string{
			"bucket": Bucket(c.Project), "project": c.Project, "location": c.Region,
		})
		if !ok {
			continue
		}
		object, ok := strings.CutPrefix(uri, "gs://"+Bucket(c.Project)+"/")
		if !ok {
			continue
		}
		file := filepath.Join(filepath.Dir(param.At.File), path.Base(object))
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue // it may be in the bucket already; the run says if not
		}
		say("uploading %s", file)
		if err := c.Upload(ctx, file, object); err != nil {
			return err
		}
	}
	return nil
}

// Upload makes a file an object of the pipeline bucket, unless the object has
// the same bytes: then it keeps its generation, which cache keys name.
func (c *Cloud) Upload(ctx context.Context, file, object string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	same, err := c.Storage.Same(Bucket(c.Project), object, f)
	if err != nil || same {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	address := "http://" + c.Addr + "/upload/storage/v1/b/" + Bucket(c.Project) + "/o?uploadType=media&name=" + url.QueryEscape(object)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, f)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("upload %s: %w", file, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("upload %s: %s: %s", file, resp.Status, body)
	}
	return nil
}

// constantText evaluates a default that joins texts and the built-in names.
func constantText(v pipeline.Value, names map[string]string) (string, bool) {
	switch v := v.(type) {
	case *pipeline.Lit:
		s, ok := v.V.(string)
		return s, ok
	case *pipeline.Expr:
		return joinedText(v.X, names)
	}
	return "", false
}

func joinedText(x expr.Expr, names map[string]string) (string, bool) {
	switch x := x.(type) {
	case *expr.Literal:
		s, ok := x.Value.(string)
		return s, ok
	case *expr.Ident:
		s, ok := names[x.Name]
		return s, ok
	case *expr.Binary:
		a, okA := joinedText(x.X, names)
		b, okB := joinedText(x.Y, names)
		return a + b, okA && okB && x.Op == "+"
	}
	return "", false
}
