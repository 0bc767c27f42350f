package storage

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// upload is a resumable upload that has begun.
type upload struct {
	id    objectID
	meta  *metadata
	query url.Values
	file  *os.File
	size  int64 // bytes received
}

// maxUploads bounds the resumable uploads under way.
const maxUploads = 1000

// upload serves POST and PUT of /upload/storage/v1/b/BUCKET/o.
func (s *Service) upload(w http.ResponseWriter, r *http.Request, parts []string) error {
	if len(parts) != 3 || parts[0] != "b" || parts[2] != "o" {
		return errNoMethod(r)
	}
	bucket, q := parts[1], r.URL.Query()
	if id := q.Get("upload_id"); id != "" {
		return s.resume(w, r, id)
	}
	if r.Method != http.MethodPost {
		return errNoMethod(r)
	}
	if err := s.require(r, "storage.objects.create", bucket); err != nil {
		return err
	}
	if _, err := s.bucketDir(bucket); err != nil {
		return err
	}
	switch q.Get("uploadType") {
	case "media":
		m := &metadata{mimeType: r.Header.Get("Content-Type")}
		return s.store(w, objectID{bucket, q.Get("name")}, m, q, r.Body)
	case "multipart":
		return s.multipart(w, r, bucket)
	case "resumable":
		return s.begin(w, r, bucket)
	}
	return invalid("uploadType must be media, multipart or resumable, not %q", q.Get("uploadType"))
}

// insertEmpty makes an object without content from the metadata in the body, as
// an insert that is no upload does.
func (s *Service) insertEmpty(w http.ResponseWriter, r *http.Request, bucket string) error {
	if err := s.require(r, "storage.objects.create", bucket); err != nil {
		return err
	}
	if _, err := s.bucketDir(bucket); err != nil {
		return err
	}
	m, err := readMetadata(r.Body)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if name := q.Get("name"); name != "" {
		m.Name = name
	}
	return s.store(w, objectID{bucket, m.Name}, m, q, http.NoBody)
}

// multipart takes an upload whose first part is the metadata.
func (s *Service) multipart(w http.ResponseWriter, r *http.Request, bucket string) error {
	edge, ok := boundary(r.Header.Get("Content-Type"))
	if !ok {
		return invalid("A multipart upload needs a Content-Type of multipart/related with a boundary.")
	}
	parts := multipart.NewReader(r.Body, edge)
	first, err := parts.NextRawPart()
	if err != nil {
		return invalid("The multipart body has no metadata part: %v", err)
	}
	m, err := readMetadata(first)
	if err != nil {
		return err
	}
	media, err := parts.NextRawPart()
	if err != nil {
		return invalid("The multipart body has no media part: %v", err)
	}
	name := m.Name
	if name == "" {
		name = r.URL.Query().Get("name")
	}
	m.mimeType = media.Header.Get("Content-Type")
	return s.store(w, objectID{bucket, name}, m, r.URL.Query(), media)
}

// boundary reads the boundary of a multipart body. gcloud writes it between
// single quotes, with = in it, which the grammar of the header has not.
func boundary(contentType string) (string, bool) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		var rest string
		kind, rest, _ = strings.Cut(contentType, ";")
		_, rest, _ = strings.Cut(rest, "boundary=")
		params = map[string]string{"boundary": strings.TrimSpace(rest)}
	}
	edge := strings.Trim(params["boundary"], "'")
	return edge, strings.HasPrefix(kind, "multipart/") && edge != ""
}

// store takes an object's bytes in one go.
func (s *Service) store(w http.ResponseWriter, id objectID, m *metadata, q url.Values, src io.Reader) error {
	if err := checkName(id.name); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.tmp, "object-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, src); err != nil {
		return bodyError(err)
	}
	return s.finish(w, f, id, m, q)
}

// bodyError tells a full disk from a client that broke off.
func bodyError(err error) error {
	if e := answerOf(err); e.code == http.StatusInsufficientStorage {
		return e
	}
	return invalid("The upload broke off; nothing was stored: %v", err)
}

// finish makes a received file an object and answers with its resource.
func (s *Service) finish(w http.ResponseWriter, f *os.File, id objectID, m *metadata, q url.Values) error {
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	rec, err := s.put(id, f.Name(), m, q)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.resource(id, rec))
	return nil
}

// begin opens a resumable upload and tells its address.
func (s *Service) begin(w http.ResponseWriter, r *http.Request, bucket string) error {
	m, err := readMetadata(r.Body)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if m.Name == "" {
		m.Name = q.Get("name")
	}
	if err := checkName(m.Name); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.tmp, "resumable-*")
	if err != nil {
		return err
	}
	key := uuid.NewString()
	m.mimeType = r.Header.Get("X-Upload-Content-Type")
	u := &upload{id: objectID{bucket, m.Name}, meta: m, query: q, file: f}
	s.mu.Lock()
	full := len(s.uploads) >= maxUploads
	if !full {
		s.uploads[key] = u
	}
	s.mu.Unlock()
	if full {
		u.discard()
		return &apiError{http.StatusTooManyRequests, "Too many resumable uploads are under way."}
	}
	w.Header().Set("Location", uploadURL(r, bucket, key))
	w.Header().Set("X-GUploader-UploadID", key)
	w.WriteHeader(http.StatusOK)
	return nil
}

// uploadURL is where the client reached us, for the rest of an upload.
func uploadURL(r *http.Request, bucket, key string) string {
	scheme := "http"
	if r.TLS != nil || strings.HasSuffix(r.Host, ".googleapis.com") {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/upload/storage/v1/b/" + escapePath(bucket) + "/o?uploadType=resumable&upload_id=" + key
}

func (u *upload) discard() {
	u.file.Close()
	os.Remove(u.file.Name())
}

// resume takes a piece of a resumable upload. Knowing its address, which is
// secret, is the permission, as in Cloud Storage.
func (s *Service) resume(w http.ResponseWriter, r *http.Request, key string) error {
	s.mu.Lock()
	u := s.uploads[key]
	delete(s.uploads, key) // one piece at a time; put back below
	s.mu.Unlock()
	if u == nil {
		return &apiError{http.StatusNotFound, "No such resumable upload: it has ended, or the emulator was restarted. Start again."}
	}
	if r.Method == http.MethodDelete {
		u.discard()
		w.WriteHeader(499)
		return nil
	}
	total, err := u.receive(r)
	if err != nil || total < 0 || u.size < total {
		s.mu.Lock()
		s.uploads[key] = u
		s.mu.Unlock()
		if err != nil {
			return err
		}
		if u.size > 0 {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", u.size-1))
		}
		writeIncomplete(w, r)
		return nil
	}
	defer u.discard()
	if err := u.file.Truncate(u.size); err != nil { // a piece may have been sent again, shorter
		return err
	}
	return s.finish(w, u.file, u.id, u.meta, u.query)
}

// writeIncomplete answers 308 in the way the client takes it: Google's clients
// want it as a header of a 200, since many HTTP libraries follow a 308.
func writeIncomplete(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-GUploader-No-308") != "" {
		w.Header().Set("X-Http-Status-Code-Override", "308")
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

// receive appends a piece. It returns the whole size, or -1 while unknown.
func (u *upload) receive(r *http.Request) (total int64, err error) {
	begin, total, probe, err := contentRange(r.Header.Get("Content-Range"), u.size)
	if err != nil {
		return 0, err
	}
	if probe {
		return total, nil
	}
	if begin > u.size {
		return 0, invalid("The piece begins at byte %d, but only %d were received.", begin, u.size)
	}
	if _, err := u.file.Seek(begin, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.Copy(u.file, r.Body)
	u.size = begin + n
	if err != nil {
		return 0, bodyError(err)
	}
	if r.Header.Get("Content-Range") == "" {
		total = u.size
	}
	if total >= 0 && u.size > total {
		return 0, invalid("The upload is %d bytes longer than it said.", u.size-total)
	}
	return total, nil
}

// contentRange parses "bytes A-B/TOTAL", "bytes A-B/*" and "bytes */TOTAL", of
// which the last only asks how much was received.
func contentRange(h string, have int64) (begin, total int64, probe bool, err error) {
	if h == "" {
		return have, -1, false, nil
	}
	spec, ok := strings.CutPrefix(h, "bytes ")
	span, size, ok2 := strings.Cut(spec, "/")
	bad := invalid("Content-Range %q is not of the form bytes A-B/TOTAL.", h)
	if !ok || !ok2 {
		return 0, 0, false, bad
	}
	total = -1
	if size != "*" {
		if total, err = strconv.ParseInt(size, 10, 64); err != nil || total < 0 {
			return 0, 0, false, bad
		}
	}
	if span == "*" {
		return have, total, true, nil
	}
	first, _, ok := strings.Cut(span, "-")
	if begin, err = strconv.ParseInt(first, 10, 64); !ok || err != nil || begin < 0 {
		return 0, 0, false, bad
	}
	return begin, total, false, nil
}
