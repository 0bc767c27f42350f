package storage

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/emulator/store"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

const bucketTable = "storage.buckets"

// bucketLabel is a part of a bucket's name between dots.
var bucketLabel = lazyregexp.New(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)

// validBucket says whether Cloud Storage takes a bucket's name:
// cloud.google.com/storage/docs/buckets#naming.
func validBucket(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if !bucketLabel.MatchString(label) {
			return false
		}
	}
	return len(name) >= 3 && len(name) <= 222 && net.ParseIP(name) == nil
}

// bucketRecord is a bucket as it was given, field by field, so that clients
// that compare find what they sent.
type bucketRecord struct {
	Created        time.Time                  `json:"created"`
	Updated        time.Time                  `json:"updated"`
	Metageneration int64                      `json:"metageneration"`
	Given          map[string]json.RawMessage `json:"given"`
}

// bucketDir returns the folder of a bucket that exists.
func (s *Service) bucketDir(name string) (string, error) {
	if !validBucket(name) {
		return "", invalid("Invalid bucket name: '%s'", name)
	}
	dir := filepath.Join(s.root, name)
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() { // a link could lead out
		return "", errNoBucket()
	}
	return dir, nil
}

// CreateBucket makes a bucket unless it exists.
func (s *Service) CreateBucket(name, location string) error {
	given := map[string]json.RawMessage{"location": json.RawMessage(strconv.Quote(location))}
	err := s.createBucket(name, given)
	if err != nil && answerOf(err).code == http.StatusConflict {
		return nil
	}
	return err
}

func (s *Service) createBucket(name string, given map[string]json.RawMessage) error {
	if !validBucket(name) {
		return invalid("Invalid bucket name: '%s'", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.bucketDir(name); err == nil {
		return &apiError{http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it."}
	}
	now := time.Now().UTC()
	rec := bucketRecord{Created: now, Updated: now, Metageneration: 1, Given: given}
	if err := s.db.Update(func(tx *store.Tx) error { return tx.PutJSON(bucketTable, name, rec) }); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(s.root, name), 0o755)
}

// buckets serves /b: list and insert.
func (s *Service) buckets(w http.ResponseWriter, r *http.Request) error {
	project := "projects/" + r.URL.Query().Get("project")
	switch r.Method {
	case http.MethodGet:
		if err := s.auth.Require(r.Context(), "storage.buckets.list", project); err != nil {
			return err
		}
		return s.listBuckets(w)
	case http.MethodPost:
		if err := s.auth.Require(r.Context(), "storage.buckets.create", project); err != nil {
			return err
		}
		given, name, err := readBucket(r)
		if err != nil {
			return err
		}
		if err := s.createBucket(name, given); err != nil {
			return err
		}
		return s.writeBucket(w, name)
	}
	return errNoMethod(r)
}

func readBucket(r *http.Request) (given map[string]json.RawMessage, name string, err error) {
	m, err := readMetadata(r.Body)
	if err != nil {
		return nil, "", err
	}
	given = map[string]json.RawMessage{}
	if len(m.raw) > 0 {
		if err := json.Unmarshal(m.raw, &given); err != nil {
			return nil, "", invalid("Parse Error: %v", err)
		}
	}
	delete(given, "name")
	return given, m.Name, nil
}

func (s *Service) listBuckets(w http.ResponseWriter) error {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return err
	}
	items := []map[string]any{}
	for _, e := range entries {
		if e.IsDir() && validBucket(e.Name()) {
			b, err := s.describe(e.Name())
			if err != nil {
				return err
			}
			items = append(items, b)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "storage#buckets", "items": items})
	return nil
}

// bucket serves /b/BUCKET.
func (s *Service) bucket(w http.ResponseWriter, r *http.Request, name string) error {
	permission := map[string]string{
		http.MethodGet: "storage.buckets.get", http.MethodPatch: "storage.buckets.update",
		http.MethodPut: "storage.buckets.update", http.MethodDelete: "storage.buckets.delete",
	}[r.Method]
	if permission == "" {
		return errNoMethod(r)
	}
	if err := s.require(r, permission, name); err != nil {
		return err
	}
	dir, err := s.bucketDir(name)
	if err != nil {
		return err
	}
	switch r.Method {
	case http.MethodDelete:
		return s.deleteBucket(w, name, dir)
	case http.MethodPatch, http.MethodPut:
		if err := s.updateBucket(r, name); err != nil {
			return err
		}
	}
	return s.writeBucket(w, name)
}

func (s *Service) deleteBucket(w http.ResponseWriter, name, dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if holdsObjects(dir) {
		return &apiError{http.StatusConflict, "The bucket you tried to delete is not empty."}
	}
	if err := os.RemoveAll(dir); err != nil { // empty folders may be left in it
		return err
	}
	if err := s.db.Update(func(tx *store.Tx) error { return tx.Delete(bucketTable, name) }); err != nil {
		return err
	}
	if err := s.auth.DropPolicy(bucketResource(name)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func holdsObjects(dir string) bool {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.IsDir() || holdsObjects(filepath.Join(dir, e.Name())) {
			return true
		}
	}
	return false
}

func (s *Service) updateBucket(r *http.Request, name string) error {
	given, _, err := readBucket(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, err := s.bucketRecord(name)
	if err != nil {
		return err
	}
	for key, v := range given {
		if string(v) == "null" {
			delete(rec.Given, key)
		} else {
			rec.Given[key] = v
		}
	}
	rec.Metageneration++
	rec.Updated = time.Now().UTC()
	return s.db.Update(func(tx *store.Tx) error { return tx.PutJSON(bucketTable, name, rec) })
}

// bucketRecord reads a bucket's record; a folder that somebody made by hand is
// a bucket without one.
func (s *Service) bucketRecord(name string) (*bucketRecord, error) {
	rec := &bucketRecord{Metageneration: 1, Given: map[string]json.RawMessage{}}
	err := s.db.View(func(tx *store.Tx) error { return tx.GetJSON(bucketTable, name, rec) })
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return rec, err
}

func (s *Service) describe(name string) (map[string]any, error) {
	rec, err := s.bucketRecord(name)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"kind": "storage#bucket", "id": name, "name": name, "projectNumber": s.number,
		"selfLink":     "https://www.googleapis.com/storage/v1/b/" + name,
		"location":     "US",
		"locationType": "region", "storageClass": "STANDARD",
		"metageneration": strconv.FormatInt(rec.Metageneration, 10), "etag": "C" + strconv.FormatInt(rec.Metageneration, 10),
		"timeCreated": stamp(rec.Created), "updated": stamp(rec.Updated),
	}
	for key, v := range rec.Given {
		out[key] = v
	}
	return out, nil
}

func (s *Service) writeBucket(w http.ResponseWriter, name string) error {
	b, err := s.describe(name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, b)
	return nil
}

// layout serves GET /b/BUCKET/storageLayout, which gcloud asks for.
func (s *Service) layout(w http.ResponseWriter, r *http.Request, name string) error {
	if err := s.require(r, "storage.objects.list", name); err != nil {
		return err
	}
	if _, err := s.bucketDir(name); err != nil {
		return err
	}
	b, err := s.describe(name)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"kind": "storage#storageLayout", "bucket": name, "location": b["location"], "locationType": b["locationType"],
		"hierarchicalNamespace": map[string]bool{"enabled": false},
	})
	return nil
}

// folders lists the folders, or the managed folders, of a bucket: there are
// none, but gcloud asks before it deletes a bucket.
func (s *Service) folders(w http.ResponseWriter, r *http.Request, name, kind string) error {
	if r.Method != http.MethodGet {
		return errNoMethod(r)
	}
	if err := s.require(r, "storage."+kind+".list", name); err != nil {
		return err
	}
	if _, err := s.bucketDir(name); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "storage#" + kind, "items": []any{}})
	return nil
}
