package storage

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// pageLimit is the most objects that one page lists, and the default.
const pageLimit = 1000

// list serves GET /b/BUCKET/o with prefix, delimiter, startOffset, endOffset,
// maxResults and pageToken (the last name of the page before).
func (s *Service) list(w http.ResponseWriter, r *http.Request, bucket string) error {
	if err := s.require(r, "storage.objects.list", bucket); err != nil {
		return err
	}
	dir, err := s.bucketDir(bucket)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	limit := pageLimit
	if text := q.Get("maxResults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return invalid("Invalid value for maxResults: %q", text)
		}
		limit = min(n, pageLimit)
	}
	found := map[string]entry{}
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	from, to, after := q.Get("startOffset"), q.Get("endOffset"), q.Get("pageToken")
	err = walk(dir, prefix, func(name string) {
		if name < from || to != "" && name >= to {
			return
		}
		e := entry{name: name, object: true}
		if delimiter != "" {
			if i := strings.Index(name[len(prefix):], delimiter); i >= 0 {
				e = entry{name: name[:len(prefix)+i+len(delimiter)]}
			}
		}
		if e.name > after {
			found[e.name] = e
		}
	})
	if err != nil {
		return err
	}
	return s.writePage(w, bucket, sortedEntries(found), limit)
}

// entry is an object or a common prefix.
type entry struct {
	name   string
	object bool
}

func sortedEntries(m map[string]entry) []entry {
	out := make([]entry, 0, len(m))
	for _, e := range m {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

func (s *Service) writePage(w http.ResponseWriter, bucket string, entries []entry, limit int) error {
	page := struct {
		Kind          string      `json:"kind"`
		NextPageToken string      `json:"nextPageToken,omitempty"`
		Prefixes      []string    `json:"prefixes,omitempty"`
		Items         []*resource `json:"items,omitempty"`
	}{Kind: "storage#objects"}
	if len(entries) > limit {
		entries = entries[:limit]
		page.NextPageToken = entries[limit-1].name
	}
	made := map[*sighting]*record{}
	for _, e := range entries {
		if !e.object {
			page.Prefixes = append(page.Prefixes, e.name)
			continue
		}
		id := objectID{bucket, e.name}
		rec, g, err := s.listed(id)
		if err != nil {
			if answerOf(err).code == http.StatusNotFound {
				continue // deleted while we listed
			}
			return err
		}
		if !g.fits() {
			made[g] = rec
		}
		page.Items = append(page.Items, s.resource(id, rec))
	}
	if _, err := s.settle(made); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, page)
	return nil
}

// listed returns an object's record, and what it was made of if it is not the
// stored one: a page of those is stored in one go.
func (s *Service) listed(id objectID) (*record, *sighting, error) {
	s.mu.RLock()
	g, err := s.sight(id)
	s.mu.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	if g.fits() {
		return &g.known, g, nil
	}
	f, err := g.open()
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	rec, err := g.describe(f)
	return rec, g, err
}
