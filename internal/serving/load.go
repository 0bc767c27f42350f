package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ModelFile is the model's file inside a model folder.
const ModelFile = "model.json"

// maxModel bounds the size of a model file.
const maxModel = 1 << 30

// Loader reads models. The zero value reads local files only.
type Loader struct {
	// Mount maps gs://BUCKET/OBJECT to Mount/BUCKET/OBJECT when that exists.
	Mount string
	// Client reads objects from Cloud Storage with an access token of the
	// machine; it is called only when there is no mount.
	Client func(context.Context) (*http.Client, error)
}

// Load reads the model at a gs:// URI or a local path: a file, or a folder that
// holds model.json (or, where files can be listed, one .json file).
func (l Loader) Load(ctx context.Context, uri string) (Predictor, error) {
	data, err := l.read(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", uri, err)
	}
	p, err := ParseXGBoost(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", uri, err)
	}
	return p, nil
}

func (l Loader) read(ctx context.Context, uri string) ([]byte, error) {
	rest, remote := strings.CutPrefix(uri, "gs://")
	if !remote {
		return readLocal(uri)
	}
	bucket, object, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	if bucket == "" || object == "" || !filepath.IsLocal(filepath.FromSlash(bucket+"/"+object)) {
		return nil, errors.New("want gs://BUCKET/OBJECT")
	}
	if l.Mount != "" {
		if _, err := os.Stat(filepath.Join(l.Mount, bucket)); err == nil {
			return readLocal(filepath.Join(l.Mount, bucket, filepath.FromSlash(object)))
		}
	}
	if l.Client == nil {
		return nil, errors.New("no mount and no client for Cloud Storage")
	}
	return l.readObject(ctx, bucket, object)
}

func readLocal(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		if name, err = modelIn(name); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

func modelIn(folder string) (string, error) {
	found, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return "", err
	}
	for _, name := range found {
		if filepath.Base(name) == ModelFile || len(found) == 1 {
			return name, nil
		}
	}
	return "", fmt.Errorf("the folder has %d .json files and no %s%s", len(found), ModelFile, others(folder))
}

// others says what else a folder has: often the model in another format.
func others(folder string) string {
	const most = 5
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) == 0 {
		return ""
	}
	var names []string
	for _, e := range entries[:min(len(entries), most)] {
		names = append(names, e.Name())
	}
	return "; it has " + strings.Join(names, ", ")
}

// readObject gets the object over the Storage JSON API. A name that does not end
// in .json is first taken for a folder: that is what Vertex AI passes.
func (l Loader) readObject(ctx context.Context, bucket, object string) ([]byte, error) {
	client, err := l.Client(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	names := []string{object}
	if path.Ext(object) != ".json" {
		names = []string{object + "/" + ModelFile, object}
	}
	for _, name := range names {
		data, err := getObject(ctx, client, bucket, name)
		if !errors.Is(err, os.ErrNotExist) {
			return data, err
		}
	}
	return nil, fmt.Errorf("no object %s in bucket %s", strings.Join(names, " or "), bucket)
}

func getObject(ctx context.Context, client *http.Client, bucket, object string) ([]byte, error) {
	u := "https://storage.googleapis.com/storage/v1/b/" + url.PathEscape(bucket) + "/o/" + url.PathEscape(object) + "?alt=media"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return readAll(resp.Body)
	case http.StatusNotFound:
		return nil, os.ErrNotExist
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
	return nil, fmt.Errorf("get gs://%s/%s: Cloud Storage answered %s: %s", bucket, object, resp.Status, strings.TrimSpace(string(text)))
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxModel+1))
	if err == nil && len(data) > maxModel {
		err = fmt.Errorf("it is larger than %d bytes", maxModel)
	}
	return data, err
}
