package storage

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
)

// maxSources is how many objects one compose may join.
const maxSources = 32

// copy serves copyTo and rewriteTo; here a rewrite always ends in one call.
func (s *Service) copy(w http.ResponseWriter, r *http.Request, from, to objectID, rewrite bool) error {
	if r.Method != http.MethodPost {
		return errNoMethod(r)
	}
	if err := s.require(r, "storage.objects.get", from.bucket); err != nil {
		return err
	}
	if err := s.require(r, "storage.objects.create", to.bucket); err != nil {
		return err
	}
	m, err := readMetadata(r.Body)
	if err != nil {
		return err
	}
	src, err := s.record(from)
	if err != nil {
		return err
	}
	if err := checkConditions(r.URL.Query(), "Source", src); err != nil {
		return err
	}
	if len(m.raw) <= 2 { // no metadata given: that of the source goes along
		if m, err = metadataOf(src); err != nil {
			return err
		}
	}
	rec, err := s.join([]objectID{from}, to, m, r.URL.Query())
	if err != nil {
		return err
	}
	if !rewrite {
		writeJSON(w, http.StatusOK, s.resource(to, rec))
		return nil
	}
	size := strconv.FormatInt(rec.Size, 10)
	writeJSON(w, http.StatusOK, map[string]any{
		"kind": "storage#rewriteResponse", "done": true, "objectSize": size, "totalBytesRewritten": size,
		"resource": s.resource(to, rec),
	})
	return nil
}

func metadataOf(rec *record) (*metadata, error) {
	raw, err := json.Marshal(rec.Props)
	if err != nil {
		return nil, err
	}
	m := &metadata{raw: raw, Metadata: map[string]*string{}}
	for k, v := range rec.Custom {
		m.Metadata[k] = &v
	}
	return m, nil
}

// compose joins objects of one bucket into one.
func (s *Service) compose(w http.ResponseWriter, r *http.Request, bucket, name string) error {
	if r.Method != http.MethodPost {
		return errNoMethod(r)
	}
	for _, p := range []string{"storage.objects.get", "storage.objects.create"} {
		if err := s.require(r, p, bucket); err != nil {
			return err
		}
	}
	var body struct {
		SourceObjects []struct {
			Name string `json:"name"`
		} `json:"sourceObjects"`
		Destination json.RawMessage `json:"destination"`
	}
	m, err := readMetadata(r.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(m.raw, &body); err != nil {
		return invalid("Parse Error: %v", err)
	}
	if n := len(body.SourceObjects); n == 0 || n > maxSources {
		return invalid("Compose takes 1 to %d source objects, not %d.", maxSources, n)
	}
	var sources []objectID
	for _, o := range body.SourceObjects {
		sources = append(sources, objectID{bucket, o.Name})
	}
	to := objectID{bucket, name}
	rec, err := s.join(sources, to, &metadata{raw: body.Destination}, r.URL.Query())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.resource(to, rec))
	return nil
}

// join writes the bytes of the sources, in order, as a new object.
func (s *Service) join(sources []objectID, to objectID, m *metadata, q url.Values) (*record, error) {
	if _, err := s.bucketDir(to.bucket); err != nil {
		return nil, err
	}
	out, err := os.CreateTemp(s.tmp, "copy-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	for _, id := range sources {
		if err := s.appendObject(out, id); err != nil {
			return nil, err
		}
	}
	if err := out.Chmod(0o644); err != nil {
		return nil, err
	}
	if err := out.Sync(); err != nil {
		return nil, err
	}
	return s.put(to, out.Name(), m, q)
}

func (s *Service) appendObject(out io.Writer, id objectID) error {
	_, in, err := s.open(id)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}
