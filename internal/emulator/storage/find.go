package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// sighting is the file of an object at one moment, with the record that was
// stored then.
type sighting struct {
	id    objectID
	file  string
	info  fs.FileInfo
	known record // its generation is 0 if there was none
}

// sight looks for an object. A symbolic link is none: it could lead out of the
// bucket. The caller holds s.mu, at least for reading.
func (s *Service) sight(id objectID) (*sighting, error) {
	if err := checkName(id.name); err != nil {
		return nil, err
	}
	dir, err := s.bucketDir(id.bucket)
	if err != nil {
		return nil, err
	}
	g := &sighting{id: id}
	if g.file, err = locate(dir, id.name); err != nil {
		return nil, err
	}
	g.info, err = os.Lstat(g.file)
	if notThere(err) || err == nil && !g.info.Mode().IsRegular() {
		return nil, errNoObject(id.bucket, id.name)
	}
	if err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *store.Tx) error { return tx.GetJSON(objectTable, id.key(), &g.known) })
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return g, err
}

// fits says whether the stored record is that of the file: nobody wrote it
// behind the API's back, as a job does.
func (g *sighting) fits() bool {
	return g.known.Generation != 0 && g.known.Size == g.info.Size() && g.known.ModTime == g.info.ModTime().UnixNano()
}

// same says whether nothing changed between two sightings.
func (g *sighting) same(o *sighting) bool {
	return os.SameFile(g.info, o.info) && g.info.Size() == o.info.Size() && g.info.ModTime().Equal(o.info.ModTime()) &&
		g.known.Generation == o.known.Generation && g.known.Metageneration == o.known.Metageneration
}

// open opens the file that was seen.
func (g *sighting) open() (*os.File, error) {
	f, err := os.Open(g.file)
	if notThere(err) {
		return nil, errNoObject(g.id.bucket, g.id.name)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, g.info) {
		err = errNoObject(g.id.bucket, g.id.name) // replaced, perhaps by a link
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// describe makes the record of a file that has none from its bytes.
func (g *sighting) describe(f *os.File) (*record, error) {
	rec := newRecord(g.info)
	if rec.Generation <= g.known.Generation { // the clock stood still or went back
		rec.Generation = g.known.Generation + 1
	}
	rec.Props.ContentType = mime.TypeByExtension(path.Ext(g.id.name))
	if err := rec.digest(f); err != nil {
		return nil, fmt.Errorf("read %s: %w", g.file, err)
	}
	return rec, nil
}

// find returns an object's record and file. The caller holds s.mu for writing.
func (s *Service) find(id objectID) (*record, string, error) {
	g, err := s.sight(id)
	if err != nil {
		return nil, "", err
	}
	if g.fits() {
		return &g.known, g.file, nil
	}
	f, err := g.open()
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	rec, err := g.describe(f)
	if err != nil {
		return nil, "", err
	}
	return rec, g.file, s.keep(map[string]*record{id.key(): rec})
}

// open returns an object's record with its file, whose bytes are those that the
// record describes, whoever replaces the object meanwhile.
func (s *Service) open(id objectID) (*record, *os.File, error) {
	const attempts = 3 // of a file that a job goes on writing
	for n := 1; ; n++ {
		g, f, err := s.openSighted(id)
		if err != nil {
			return nil, nil, err
		}
		if g.fits() {
			return &g.known, f, nil
		}
		rec, settled, err := s.describeAndSettle(g, f)
		if err == nil && (settled || n == attempts) {
			return rec, f, nil
		}
		f.Close()
		if err != nil {
			return nil, nil, err
		}
	}
}

func (s *Service) openSighted(id objectID) (*sighting, *os.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	g, err := s.sight(id)
	if err != nil {
		return nil, nil, err
	}
	f, err := g.open()
	return g, f, err
}

// describeAndSettle leaves f at its beginning.
func (s *Service) describeAndSettle(g *sighting, f *os.File) (rec *record, settled bool, err error) {
	if rec, err = g.describe(f); err != nil {
		return nil, false, err
	}
	if settled, err = s.settle(map[*sighting]*record{g: rec}); err != nil {
		return nil, false, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return rec, settled, err
}

// settle stores the records that were made of sightings without the lock, but
// for those whose object has changed meanwhile. It says whether it stored all.
func (s *Service) settle(made map[*sighting]*record) (all bool, err error) {
	if len(made) == 0 {
		return true, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	records := map[string]*record{}
	for g, rec := range made {
		if now, err := s.sight(g.id); err == nil && now.same(g) {
			records[g.id.key()] = rec
		}
	}
	return len(records) == len(made), s.keep(records)
}

// record returns an object's record.
func (s *Service) record(id objectID) (*record, error) {
	rec, f, err := s.open(id)
	if err != nil {
		return nil, err
	}
	return rec, f.Close()
}

// keep stores records by their keys.
func (s *Service) keep(records map[string]*record) error {
	if len(records) == 0 {
		return nil
	}
	return s.db.Update(func(tx *store.Tx) error {
		for key, rec := range records {
			if err := tx.PutJSON(objectTable, key, rec); err != nil {
				return err
			}
		}
		return nil
	})
}
