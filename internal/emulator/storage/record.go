package storage

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strconv"
	"time"
)

const objectTable = "storage.objects"

type objectID struct{ bucket, name string }

func (id objectID) key() string { return id.bucket + "/" + id.name }

// record is what is known of an object beside its bytes. It holds while the
// file has the size and time that it names.
type record struct {
	Generation     int64             `json:"generation"`
	Metageneration int64             `json:"metageneration"`
	Size           int64             `json:"size"`
	ModTime        int64             `json:"modTime"` // of the file, in nanoseconds
	MD5            string            `json:"md5"`     // hexadecimal
	CRC32C         uint32            `json:"crc32c"`
	Created        time.Time         `json:"created"`
	Updated        time.Time         `json:"updated"`
	Props          properties        `json:"props"`
	Custom         map[string]string `json:"custom,omitempty"`
}

// properties are the fields of an object that a client may set.
type properties struct {
	ContentType        string `json:"contentType,omitempty"`
	ContentEncoding    string `json:"contentEncoding,omitempty"`
	ContentDisposition string `json:"contentDisposition,omitempty"`
	ContentLanguage    string `json:"contentLanguage,omitempty"`
	CacheControl       string `json:"cacheControl,omitempty"`
	StorageClass       string `json:"storageClass,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newRecord makes the record of a file; its generation is the file's time in
// microseconds, as Cloud Storage's are.
func newRecord(info fs.FileInfo) *record {
	at := info.ModTime()
	return &record{
		Generation: at.UnixMicro(), Metageneration: 1, Size: info.Size(), ModTime: at.UnixNano(),
		Created: at.UTC(), Updated: at.UTC(),
	}
}

func (r *record) digest(src io.Reader) error {
	sum, crc := md5.New(), crc32.New(castagnoli)
	if _, err := io.Copy(io.MultiWriter(sum, crc), src); err != nil {
		return err
	}
	r.MD5, r.CRC32C = hex.EncodeToString(sum.Sum(nil)), crc.Sum32()
	return nil
}

func (r *record) md5Base64() string {
	raw, _ := hex.DecodeString(r.MD5) // written by digest
	return base64.StdEncoding.EncodeToString(raw)
}

func (r *record) crcBase64() string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, r.CRC32C))
}

func (r *record) etag() string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d/%d", r.Generation, r.Metageneration))
}

// resource is the JSON form of an object.
type resource struct {
	Kind                    string            `json:"kind"`
	ID                      string            `json:"id"`
	SelfLink                string            `json:"selfLink"`
	MediaLink               string            `json:"mediaLink"`
	Name                    string            `json:"name"`
	Bucket                  string            `json:"bucket"`
	Generation              string            `json:"generation"`
	Metageneration          string            `json:"metageneration"`
	Size                    string            `json:"size"`
	MD5Hash                 string            `json:"md5Hash,omitempty"`
	CRC32C                  string            `json:"crc32c"`
	ETag                    string            `json:"etag"`
	TimeCreated             string            `json:"timeCreated"`
	Updated                 string            `json:"updated"`
	TimeStorageClassUpdated string            `json:"timeStorageClassUpdated"`
	Metadata                map[string]string `json:"metadata,omitempty"`
	properties
}

func (s *Service) resource(id objectID, r *record) *resource {
	self := "https://www.googleapis.com/storage/v1/b/" + escapePath(id.bucket) + "/o/" + escapePath(id.name)
	generation := strconv.FormatInt(r.Generation, 10)
	props := r.Props
	if props.StorageClass == "" {
		props.StorageClass = "STANDARD"
	}
	return &resource{
		Kind: "storage#object", ID: id.key() + "/" + generation, SelfLink: self,
		MediaLink: "https://storage.googleapis.com/download/storage/v1/b/" + escapePath(id.bucket) + "/o/" + escapePath(id.name) + "?generation=" + generation + "&alt=media",
		Name:      id.name, Bucket: id.bucket,
		Generation: generation, Metageneration: strconv.FormatInt(r.Metageneration, 10),
		Size: strconv.FormatInt(r.Size, 10), MD5Hash: r.md5Base64(), CRC32C: r.crcBase64(), ETag: r.etag(),
		TimeCreated: stamp(r.Created), Updated: stamp(r.Updated), TimeStorageClassUpdated: stamp(r.Created),
		Metadata: r.Custom, properties: props,
	}
}

// stamp formats a time as the API does, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
