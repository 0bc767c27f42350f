package executor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// mount is where Vertex AI mounts Cloud Storage in every container, and where
// Cloud Run services of a pipeline mount its bucket.
const mount = "/gcs"

// Files maps Cloud Storage URIs to files below Root.
type Files struct {
	Root string // "" is /gcs
}

// URIError is a URI that names no Cloud Storage object.
type URIError struct{ URI, Reason string }

func (e *URIError) Error() string { return fmt.Sprintf("%q %s", e.URI, e.Reason) }

// Path returns the file of a gs://BUCKET/OBJECT URI or a /gcs/BUCKET/OBJECT
// path; its error is a *URIError.
func (f Files) Path(uri string) (string, error) {
	rest, ok := strings.CutPrefix(uri, "gs://")
	if !ok {
		if rest, ok = strings.CutPrefix(uri, mount+"/"); !ok {
			if rest, ok = f.below(uri); !ok {
				return "", &URIError{uri, "is not a gs://BUCKET/OBJECT URI"}
			}
		}
	}
	bucket, object, _ := strings.Cut(rest, "/")
	if bucket == "" || object == "" {
		return "", &URIError{uri, "has no bucket or no object"}
	}
	if strings.ContainsRune(rest, 0) || !filepath.IsLocal(filepath.FromSlash(rest)) || path.Clean(rest) != strings.TrimSuffix(rest, "/") {
		return "", &URIError{uri, "has empty, '.' or '..' parts"}
	}
	return filepath.Join(f.root(), filepath.FromSlash(rest)), nil
}

// URI is the inverse of Path.
func (f Files) URI(file string) (string, error) {
	rest, ok := f.below(file)
	if !ok || rest == "" {
		return "", fmt.Errorf("%s is not below %s", file, f.root())
	}
	return "gs://" + rest, nil
}

// Open opens the content of an artifact for reading.
func (f Files) Open(a *Artifact) (*os.File, error) {
	file, err := f.Path(a.URI)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.label(), err)
	}
	r, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s (%s): %w", a.label(), a.URI, plain(err))
	}
	return r, nil
}

// Create writes the content of an artifact with write, and makes it visible
// only when it is complete.
func (f Files) Create(a *Artifact, write func(io.Writer) error) error {
	file, err := f.Path(a.URI)
	if err != nil {
		return fmt.Errorf("%s: %w", a.label(), err)
	}
	if err := writeFile(file, write); err != nil {
		return fmt.Errorf("%s (%s): %w", a.label(), a.URI, err)
	}
	return nil
}

// Finish leaves out where in asks for it: each output parameter's text in its
// file, then, last, the whole in outputFile, whose presence says that all is
// there.
func (f Files) Finish(in *Input, out *Output) error {
	for _, name := range sortedKeys(in.Outputs.Parameters) {
		v, ok := out.ParameterValues[name]
		if !ok {
			return fmt.Errorf("output parameter %q was declared but not produced", name)
		}
		if file := in.Outputs.Parameters[name].OutputFile; file != "" {
			if err := f.writeText(file, parameterText(v)); err != nil {
				return fmt.Errorf("output parameter %s: %w", name, err)
			}
		}
	}
	if in.Outputs.OutputFile == "" {
		return nil
	}
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("encode the executor output: %w", err)
	}
	return f.writeText(in.Outputs.OutputFile, string(body))
}

// label names the artifact in errors; KFP leaves the name out at times.
func (a *Artifact) label() string { return strings.TrimSpace("artifact " + a.Name) }

func (f Files) writeText(name, text string) error {
	file, err := f.Path(name)
	if err != nil {
		return err
	}
	return writeFile(file, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// parameterText is KFP's form of a parameter in a file: a string as it is,
// anything else as JSON.
func parameterText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(body)
}

func (f Files) root() string {
	if f.Root == "" {
		return mount
	}
	return f.Root
}

func (f Files) below(file string) (string, bool) {
	rest, ok := strings.CutPrefix(filepath.Clean(file), filepath.Clean(f.root())+string(filepath.Separator))
	return filepath.ToSlash(rest), ok
}

// writeFile writes name by way of a temporary neighbour, so that no reader
// sees half of it.
func writeFile(name string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return plain(err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return plain(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if err := write(tmp); err != nil {
		_ = tmp.Close()
		return plain(err)
	}
	if err := tmp.Close(); err != nil {
		return plain(err)
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil {
		return plain(err)
	}
	return plain(os.Rename(tmp.Name(), name))
}

// plain drops the local path from a file error: the URI, which the caller
// adds, is what the user knows.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}
