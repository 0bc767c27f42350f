package storage

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// maxMetadata bounds the JSON of one request, in bytes.
const maxMetadata = 1 << 20

// object serves /b/BUCKET/o/OBJECT.
func (s *Service) object(w http.ResponseWriter, r *http.Request, bucket, name string) error {
	id := objectID{bucket, name}
	switch r.Method {
	case http.MethodGet:
		if r.URL.Query().Get("alt") == "media" {
			return s.media(w, r, bucket, name)
		}
		if err := s.require(r, "storage.objects.get", bucket); err != nil {
			return err
		}
		rec, err := s.record(id)
		if err != nil {
			return err
		}
		if err := checkConditions(r.URL.Query(), "", rec); err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, s.resource(id, rec))
		return nil
	case http.MethodDelete:
		if err := s.require(r, "storage.objects.delete", bucket); err != nil {
			return err
		}
		if err := s.delete(id, r.URL.Query()); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPatch, http.MethodPut:
		return s.update(w, r, id)
	}
	return errNoMethod(r)
}

// media serves an object's bytes, with ranges.
func (s *Service) media(w http.ResponseWriter, r *http.Request, bucket, name string) error {
	if err := s.require(r, "storage.objects.get", bucket); err != nil {
		return err
	}
	rec, f, err := s.open(objectID{bucket, name})
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkConditions(r.URL.Query(), "", rec); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	if t := rec.Props.ContentType; t != "" {
		h.Set("Content-Type", t)
	}
	for key, v := range map[string]string{
		"Cache-Control": rec.Props.CacheControl, "Content-Disposition": rec.Props.ContentDisposition,
		"Content-Language": rec.Props.ContentLanguage, "ETag": `"` + rec.etag() + `"`,
		"X-Goog-Generation":              strconv.FormatInt(rec.Generation, 10),
		"X-Goog-Metageneration":          strconv.FormatInt(rec.Metageneration, 10),
		"X-Goog-Hash":                    "crc32c=" + rec.crcBase64() + ",md5=" + rec.md5Base64(),
		"X-Goog-Storage-Class":           "STANDARD",
		"X-Goog-Stored-Content-Encoding": cmp.Or(rec.Props.ContentEncoding, "identity"),
		"Content-Encoding":               rec.Props.ContentEncoding,
		"X-Goog-Stored-Content-Length":   strconv.FormatInt(rec.Size, 10),
		// A browser shows an object at the cloud's own address: what is in it is
		// data, and its scripts must not act as the developer.
		"Content-Security-Policy": "sandbox",
		"X-Content-Type-Options":  "nosniff",
	} {
		if v != "" {
			h.Set(key, v)
		}
	}
	http.ServeContent(w, r, "", rec.Updated, f)
	return nil
}

func (s *Service) delete(id objectID, q url.Values) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, file, err := s.find(id)
	if err != nil {
		return err
	}
	if err := checkConditions(q, "", rec); err != nil {
		return err
	}
	if err := os.Remove(file); err != nil {
		return err
	}
	return s.db.Update(func(tx *store.Tx) error { return tx.Delete(objectTable, id.key()) })
}

// update changes an object's metadata: PATCH merges, PUT replaces.
func (s *Service) update(w http.ResponseWriter, r *http.Request, id objectID) error {
	if err := s.require(r, "storage.objects.update", id.bucket); err != nil {
		return err
	}
	body, err := readMetadata(r.Body)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, _, err := s.find(id)
	if err != nil {
		return err
	}
	if err := checkConditions(r.URL.Query(), "", rec); err != nil {
		return err
	}
	if r.Method == http.MethodPut {
		rec.Props, rec.Custom = properties{}, nil
	}
	if err := body.apply(rec); err != nil {
		return err
	}
	rec.Metageneration++
	rec.Updated = time.Now().UTC()
	if err := s.keep(map[string]*record{id.key(): rec}); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.resource(id, rec))
	return nil
}

// metadata is the part of an object resource that a client sends. A null in
// metadata deletes the key.
type metadata struct {
	Name     string             `json:"name"`
	Metadata map[string]*string `json:"metadata"`
	MD5Hash  string             `json:"md5Hash"` // what the client computed, to be compared
	CRC32C   string             `json:"crc32c"`
	raw      []byte
	mimeType string // of the request; the content type if the JSON names none
}

func readMetadata(src io.Reader) (*metadata, error) {
	m := &metadata{}
	var err error
	if m.raw, err = readBody(src); err != nil || len(m.raw) == 0 {
		return m, err
	}
	return m, parseBody(m.raw, m)
}

func readBody(src io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(src, maxMetadata+1))
	if err != nil {
		return nil, invalid("The request's body broke off: %v", err)
	}
	if len(data) > maxMetadata {
		return nil, &apiError{http.StatusRequestEntityTooLarge, "The request's JSON is larger than 1 MiB."}
	}
	return data, nil
}

func parseBody(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return invalid("Parse Error: the request's body is not the JSON that it should be: %v", err)
	}
	return nil
}

func (m *metadata) apply(rec *record) error {
	if len(m.raw) > 0 {
		if err := json.Unmarshal(m.raw, &rec.Props); err != nil {
			return invalid("Parse Error: %v", err)
		}
	}
	if rec.Props.ContentType == "" {
		rec.Props.ContentType = m.mimeType
	}
	for k, v := range m.Metadata {
		if v == nil {
			delete(rec.Custom, k)
			continue
		}
		if rec.Custom == nil {
			rec.Custom = map[string]string{}
		}
		rec.Custom[k] = *v
	}
	return nil
}

// put makes tmp, a complete and synced file, the object's new content.
func (s *Service) put(id objectID, tmp string, m *metadata, q url.Values) (*record, error) {
	if err := checkName(id.name); err != nil {
		return nil, err
	}
	rec, err := recordOfUpload(tmp, m)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, _, err := s.find(id)
	if err != nil {
		if answerOf(err).code != http.StatusNotFound {
			return nil, err
		}
		old = nil
	}
	if err := checkConditions(q, "", old); err != nil {
		return nil, err
	}
	if old != nil && rec.Generation <= old.Generation {
		rec.Generation = old.Generation + 1
	}
	dir, err := s.bucketDir(id.bucket)
	if err != nil {
		return nil, err
	}
	file, err := locate(dir, id.name)
	if err != nil {
		return nil, err
	}
	if err := place(tmp, file); err != nil {
		return nil, fmt.Errorf("store %s: %w", id.name, err)
	}
	return rec, s.keep(map[string]*record{id.key(): rec})
}

// recordOfUpload reads a received file, which must be what its metadata says.
func recordOfUpload(tmp string, m *metadata) (*record, error) {
	f, err := os.Open(tmp)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	rec := newRecord(info)
	if err := rec.digest(f); err != nil {
		return nil, err
	}
	for _, sum := range []struct{ name, given, have string }{{"MD5", m.MD5Hash, rec.md5Base64()}, {"CRC32C", m.CRC32C, rec.crcBase64()}} {
		if sum.given != "" && sum.given != sum.have {
			return nil, invalid("Provided %s hash %q doesn't match calculated %[1]s hash %q.", sum.name, sum.given, sum.have)
		}
	}
	return rec, m.apply(rec)
}

// place moves a synced file to where it belongs, and sees that it stays there
// if the power fails.
func place(tmp, file string) error {
	dir := filepath.Dir(file)
	var changed []string // folders, from the innermost, with a new entry
	for changed = append(changed, dir); ; changed = append(changed, filepath.Dir(changed[len(changed)-1])) {
		if _, err := os.Stat(changed[len(changed)-1]); err == nil {
			break
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return err
	}
	for _, d := range changed {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// syncDir writes a folder's entries to disk, on systems that can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// checkConditions evaluates if(Source)GenerationMatch and its kin; rec is nil
// for an object that does not exist.
func checkConditions(q url.Values, prefix string, rec *record) error {
	var generation, metageneration int64
	if rec != nil {
		generation, metageneration = rec.Generation, rec.Metageneration
	}
	for _, c := range []struct {
		name string
		have int64
		same bool
	}{
		{"GenerationMatch", generation, true},
		{"GenerationNotMatch", generation, false},
		{"MetagenerationMatch", metageneration, true},
		{"MetagenerationNotMatch", metageneration, false},
	} {
		text := q.Get("if" + prefix + c.name)
		if text == "" {
			continue
		}
		want, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return invalid("Invalid argument if%s%s: %q is no number", prefix, c.name, text)
		}
		if (want == c.have) != c.same {
			return errCondition()
		}
	}
	selector := "generation"
	if prefix == "Source" {
		selector = "sourceGeneration"
	}
	if text := q.Get(selector); text != "" && rec != nil {
		if want, err := strconv.ParseInt(text, 10, 64); err != nil || want != generation {
			return &apiError{http.StatusNotFound, "No such object generation: only the live one is kept."}
		}
	}
	return nil
}

func escapePath(s string) string { return url.PathEscape(s) }

// Same reports whether an object exists with exactly the bytes of src.
func (s *Service) Same(bucket, name string, src io.Reader) (bool, error) {
	rec, err := s.record(objectID{bucket, name})
	if err != nil {
		if answerOf(err).code == http.StatusNotFound {
			return false, nil
		}
		return false, err
	}
	var other record
	if err := other.digest(src); err != nil {
		return false, err
	}
	return other.MD5 == rec.MD5 && other.CRC32C == rec.CRC32C, nil
}
