package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	gcs "cloud.google.com/go/storage"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// gate allows all but the permission it names.
type gate struct {
	denied   string
	bindings []*iampb.Binding
}

func (g *gate) Require(_ context.Context, permission, resource string) error {
	if permission == g.denied {
		return status.Errorf(codes.PermissionDenied, "Permission '%s' denied on resource '%s' (or it may not exist).", permission, resource)
	}
	return nil
}

func (g *gate) Granted(_ context.Context, _ string, permissions []string) []string {
	return permissions
}

func (g *gate) Policy(string) (*iampb.Policy, error) {
	return &iampb.Policy{Etag: []byte("1"), Bindings: g.bindings}, nil
}

func (g *gate) SetPolicy(resource string, p *iampb.Policy) (*iampb.Policy, error) {
	if resource != "projects/_/buckets/bk1" || string(p.Etag) != "1" {
		return nil, status.Error(codes.Aborted, "another etag")
	}
	g.bindings = p.Bindings
	return p, nil
}

func (g *gate) DropPolicy(string) error { g.bindings = nil; return nil }

type fixture struct {
	*Service
	url    string
	client *gcs.Client
	gate   *gate
}

func start(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	g := &gate{}
	s, err := New(Options{DB: db, Auth: g, Root: filepath.Join(dir, "gcs"), Number: "1"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	client, err := gcs.NewClient(t.Context(), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := client.Bucket("bk1").Create(t.Context(), "p", &gcs.BucketAttrs{Location: "us-central1"}); err != nil {
		t.Fatal(err)
	}
	return &fixture{s, server.URL, client, g}
}

func write(t *testing.T, o *gcs.ObjectHandle, data string) *gcs.ObjectAttrs {
	t.Helper()
	w := o.NewWriter(t.Context())
	w.ContentType = "text/csv"
	w.Metadata = map[string]string{"k": "v"}
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Attrs()
}

func read(t *testing.T, o *gcs.ObjectHandle) string {
	t.Helper()
	r, err := o.NewReader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestClientWritesAndReads(t *testing.T) {
	f := start(t)
	o := f.client.Bucket("bk1").Object("data/rows.csv")
	attrs := write(t, o, "a,b\n1,2\n")
	if attrs.ContentType != "text/csv" || attrs.Metadata["k"] != "v" || attrs.Size != 8 {
		t.Errorf("attributes %+v", attrs)
	}
	if got := read(t, o); got != "a,b\n1,2\n" {
		t.Errorf("read %q", got)
	}
	file := filepath.Join(f.root, "bk1", "data", "rows.csv")
	if data, err := os.ReadFile(file); err != nil || string(data) != "a,b\n1,2\n" {
		t.Errorf("as a file: %q, %v", data, err)
	}
	r, err := o.NewRangeReader(t.Context(), 4, 3)
	if err != nil {
		t.Fatal(err)
	}
	if part, _ := io.ReadAll(r); string(part) != "1,2" {
		t.Errorf("range: %q", part)
	}
}

func TestFilesWrittenByJobsAreObjects(t *testing.T) {
	f := start(t)
	file := filepath.Join(f.root, "bk1", "run", "model.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{}`), 0o644); err != nil {
		t.Fatal(err)
	}
	o := f.client.Bucket("bk1").Object("run/model.json")
	first, err := o.Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.ContentType != "application/json" || read(t, o) != "{}" {
		t.Errorf("attributes %+v", first)
	}
	if err := os.WriteFile(file, []byte(`{"x":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := o.Attrs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second.Generation <= first.Generation || bytes.Equal(second.MD5, first.MD5) {
		t.Errorf("a changed file kept generation %d or its digest", second.Generation)
	}
}

func TestConditions(t *testing.T) {
	f := start(t)
	o := f.client.Bucket("bk1").Object("lock")
	attrs := write(t, o.If(gcs.Conditions{DoesNotExist: true}), "1")
	w := o.If(gcs.Conditions{DoesNotExist: true}).NewWriter(t.Context())
	if _, err := io.WriteString(w, "2"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.Close(), http.StatusPreconditionFailed)
	write(t, o.If(gcs.Conditions{GenerationMatch: attrs.Generation}), "3")
	if got := read(t, o); got != "3" {
		t.Errorf("read %q", got)
	}
	wantCode(t, o.If(gcs.Conditions{GenerationMatch: attrs.Generation}).Delete(t.Context()), http.StatusPreconditionFailed)
}

func wantCode(t *testing.T, err error, code int) {
	t.Helper()
	var api *googleapi.Error
	if !errors.As(err, &api) || api.Code != code {
		t.Errorf("got %v, want HTTP %d", err, code)
	}
}

func TestLargeUploadComesInPieces(t *testing.T) {
	f := start(t)
	o := f.client.Bucket("bk1").Object("large")
	w := o.NewWriter(t.Context())
	w.ChunkSize = 256 << 10
	data := bytes.Repeat([]byte("0123456789abcdef"), 60_000)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, o); got != string(data) {
		t.Errorf("read %d bytes, want %d", len(got), len(data))
	}
	if left, _ := os.ReadDir(f.tmp); len(left) != 0 {
		t.Errorf("%d files left behind", len(left))
	}
}

func TestListing(t *testing.T) {
	f := start(t)
	b := f.client.Bucket("bk1")
	for _, name := range []string{"a/1", "a/2", "a/b/3", "c", "a"} {
		write(t, b.Object(name), name)
	}
	for _, c := range []struct {
		prefix, delimiter, want string
	}{
		{"", "", "a a/1 a/2 a/b/3 c"},
		{"", "/", "a a/ c"},
		{"a/", "/", "a/1 a/2 a/b/"},
		{"a/b", "", "a/b/3"},
		{"x", "", ""},
	} {
		var got []string
		it := b.Objects(t.Context(), &gcs.Query{Prefix: c.prefix, Delimiter: c.delimiter})
		it.PageInfo().MaxSize = 2
		for {
			o, err := it.Next()
			if errors.Is(err, iterator.Done) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Name+o.Prefix)
		}
		// The client gives the objects of a page before its prefixes.
		if !sameWords(got, strings.Fields(c.want)) {
			t.Errorf("prefix %q, delimiter %q: got %q, want %q", c.prefix, c.delimiter, got, c.want)
		}
	}
}

func sameWords(a, b []string) bool {
	count := map[string]int{}
	for _, s := range a {
		count[s]++
	}
	for _, s := range b {
		count[s]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// Whatever a job calls its files, what is listed can be read.
func TestOddFilesOfJobs(t *testing.T) {
	f := start(t)
	for _, name := range []string{"100%.txt", "a%2Eb", "c%25", "q%f", "50%/x", "d%d/x", "%/%%"} {
		file := filepath.Join(f.root, "bk1", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := f.client.Bucket("bk1")
	got := map[string]string{}
	it := b.Objects(t.Context(), nil)
	for {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[o.Name] = read(t, b.Object(o.Name))
	}
	want := map[string]string{
		"100%.txt": "100%.txt", "a%2Eb": "a%2Eb", "c%": "c%25", "q": "q%f", "50%/x": "50%/x", "d/x": "d%d/x", "%/%%": "%/%%",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects and their content (-want +got):\n%s", diff)
	}
	write(t, b.Object("100%.txt"), "again")
	if data, err := os.ReadFile(filepath.Join(f.root, "bk1", "100%.txt")); err != nil || string(data) != "again" {
		t.Errorf("written through the API: %q, %v", data, err)
	}
}

// A link that a job makes leads nowhere: neither out of its bucket nor to a
// bucket of another's files.
func TestLinksAreNoObjects(t *testing.T) {
	f := start(t)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"bk1/file": outside, "bk1/dir": filepath.Dir(outside), "bk2": filepath.Dir(outside)} {
		if err := os.Symlink(target, filepath.Join(f.root, link)); err != nil {
			t.Skip(err)
		}
	}
	for _, path := range []string{"bk1/o/file", "bk1/o/dir%2Fsecret", "bk2/o/secret", "bk2/o", "bk2"} {
		resp, err := http.Get(f.url + "/storage/v1/b/" + path + "?alt=media")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	write(t, f.client.Bucket("bk1").Object("file"), "new")
	write(t, f.client.Bucket("bk1").Object("dir/secret"), "new")
	if data, err := os.ReadFile(outside); err != nil || string(data) != "secret" {
		t.Errorf("what the links led to: %q, %v", data, err)
	}
}

// Readers see one generation, whole, while others write the next.
func TestReadersSeeOneGeneration(t *testing.T) {
	f := start(t)
	o := f.client.Bucket("bk1").Object("counter.json")
	write(t, o, "0")
	const writers, each = 4, 8
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := 0; n < each; {
				r, err := o.NewReader(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				data, err := io.ReadAll(r) // checks the digest
				r.Close()
				if err != nil || r.Attrs.ContentType != "text/csv" {
					t.Errorf("%q, %v, %s", data, err, r.Attrs.ContentType)
					return
				}
				count, _ := strconv.Atoi(string(data))
				w := o.If(gcs.Conditions{GenerationMatch: r.Attrs.Generation}).NewWriter(t.Context())
				w.ContentType = "text/csv"
				fmt.Fprint(w, count+1)
				if w.Close() == nil {
					n++
				}
			}
		})
	}
	wg.Wait()
	if got := read(t, o); got != strconv.Itoa(writers*each) {
		t.Errorf("%s guarded increments, want %d", got, writers*each)
	}
}

// An object is shown by browsers at the cloud's own address.
func TestObjectsRunNoScripts(t *testing.T) {
	f := start(t)
	w := f.client.Bucket("bk1").Object("report.html").NewWriter(t.Context())
	w.ContentType = "text/html"
	fmt.Fprint(w, "<script>fetch('/v1/')</script>")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(f.url + "/storage/v1/b/bk1/o/report.html?alt=media")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if h := resp.Header; h.Get("Content-Security-Policy") != "sandbox" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Type") != "text/html" {
		t.Errorf("%v", h)
	}
}

func TestOddNames(t *testing.T) {
	f := start(t)
	b := f.client.Bucket("bk1")
	names := []string{
		"a", "a/b", "a/b/c", "../up", "x//y", "dir/", "%2E", "100%", "%d", "a%f", "Ünï/çødé", "sp ace?#&+",
		strings.Repeat("%", 500), strings.Repeat("long", 60) + "/" + strings.Repeat("é", 150), "./here", "a/../b",
	}
	for _, name := range names {
		write(t, b.Object(name), "content of "+name)
	}
	for _, name := range names {
		if got := read(t, b.Object(name)); got != "content of "+name {
			t.Errorf("%q: read %q", name, got)
		}
	}
	it := b.Objects(t.Context(), nil)
	seen := map[string]bool{}
	for {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[o.Name] = true
	}
	for _, name := range names {
		if !seen[name] {
			t.Errorf("%q is not listed; got %v", name, seen)
		}
	}
	outside := filepath.Join(filepath.Dir(f.root), "up")
	if _, err := os.Stat(outside); err == nil {
		t.Errorf("an object was written outside of its bucket: %s", outside)
	}
}

func TestCopyAndCompose(t *testing.T) {
	f := start(t)
	b := f.client.Bucket("bk1")
	write(t, b.Object("one"), "1")
	write(t, b.Object("two"), "2")
	if _, err := b.Object("copy").CopierFrom(b.Object("one")).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Object("both").ComposerFrom(b.Object("one"), b.Object("two")).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b.Object("copy")) + read(t, b.Object("both")); got != "112" {
		t.Errorf("got %q", got)
	}
}

func TestDeniedAndMissing(t *testing.T) {
	f := start(t)
	_, err := f.client.Bucket("bk1").Object("absent").Attrs(t.Context())
	if !errors.Is(err, gcs.ErrObjectNotExist) {
		t.Errorf("absent object: %v", err)
	}
	_, err = f.client.Bucket("nowhere").Attrs(t.Context())
	if !errors.Is(err, gcs.ErrBucketNotExist) {
		t.Errorf("absent bucket: %v", err)
	}
	f.gate.denied = "storage.objects.get"
	_, err = f.client.Bucket("bk1").Object("absent").Attrs(t.Context())
	wantCode(t, err, http.StatusForbidden)
}

func TestBadRequests(t *testing.T) {
	f := start(t)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/upload/storage/v1/b/bk1/o?uploadType=sideways&name=x", "", 400},
		{"POST", "/upload/storage/v1/b/bk1/o?uploadType=media", "", 400},
		{"POST", "/upload/storage/v1/b/bk1/o?uploadType=media&name=a%00b", "", 400},
		{"POST", "/upload/storage/v1/b/bk1/o?uploadType=media&name=" + strings.Repeat("x", 1025), "", 400},
		{"POST", "/upload/storage/v1/b/bk1/o?uploadType=multipart", "", 400},
		{"PUT", "/upload/storage/v1/b/bk1/o?uploadType=resumable&upload_id=none", "", 404},
		{"POST", "/storage/v1/b/bk1/o", "{}", 400},
		{"POST", "/storage/v1/b/bk1/o?name=x", "{", 400},
		{"POST", "/storage/v1/b/none/o?name=x", "{}", 404},
		{"PUT", "/storage/v1/b/bk1/o?name=x", "{}", 404},
		{"POST", "/storage/v1/b?project=p", "{", 400},
		{"POST", "/storage/v1/b?project=p", `{"name":"../x"}`, 400},
		{"POST", "/storage/v1/b?project=p", `{"name":"bk1"}`, 409},
		{"GET", "/storage/v1/b/bk1/o?maxResults=many", "", 400},
		{"GET", "/storage/v1/b/bk1/o/x?ifGenerationMatch=y", "", 404},
		{"DELETE", "/storage/v1/b/bk1/o", "", 404},
		{"GET", "/storage/v1/nonsense", "", 404},
	} {
		req, err := http.NewRequest(c.method, f.url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.want || !bytes.Contains(body, []byte(`"message"`)) {
			t.Errorf("%s %.60s: %d %s, want %d", c.method, c.path, resp.StatusCode, body, c.want)
		}
	}
}

func TestBucketPolicy(t *testing.T) {
	f := start(t)
	handle := f.client.Bucket("bk1").IAM()
	p, err := handle.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Add("allUsers", "roles/storage.objectViewer")
	if err := handle.SetPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if len(f.gate.bindings) != 1 || f.gate.bindings[0].Role != "roles/storage.objectViewer" {
		t.Errorf("set %v", f.gate.bindings)
	}
	if got, err := handle.TestPermissions(t.Context(), []string{"storage.objects.get"}); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	f.gate.denied = "storage.buckets.setIamPolicy"
	wantCode(t, handle.SetPolicy(t.Context(), p), http.StatusForbidden)
	if err := f.client.Bucket("bk1").Delete(t.Context()); err != nil || f.gate.bindings != nil {
		t.Errorf("%v, %v is left", err, f.gate.bindings)
	}
}

// The type of the media goes with any JSON that names none.
func TestMultipartContentType(t *testing.T) {
	f := start(t)
	for json, want := range map[string]string{
		"": "a/b", "{ }": "a/b", "null": "a/b", `{"metadata":{"contentType":"x"}}`: "a/b", `{"contentType":"c/d"}`: "c/d",
	} {
		body := "--x\r\nContent-Type: application/json\r\n\r\n" + json + "\r\n--x\r\nContent-Type: a/b\r\n\r\ndata\r\n--x--\r\n"
		resp, err := http.Post(f.url+"/upload/storage/v1/b/bk1/o?uploadType=multipart&name=typed", "multipart/related; boundary=x", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(answer), `"contentType":"`+want+`"`) {
			t.Errorf("%s: %s %s", json, resp.Status, answer)
		}
	}
}

// A piece that is sent again may be shorter than it was.
func TestPieceSentAgain(t *testing.T) {
	f := start(t)
	resp, err := http.Post(f.url+"/upload/storage/v1/b/bk1/o?uploadType=resumable&name=again", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for _, piece := range []struct {
		span, data string
		want       int
	}{{"bytes 0-9/*", "0123456789", 308}, {"bytes 4-6/7", "abc", 200}} {
		req, err := http.NewRequest(http.MethodPut, resp.Header.Get("Location"), strings.NewReader(piece.data))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Range", piece.span)
		got, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if got.StatusCode != piece.want {
			t.Errorf("%s: %s", piece.span, got.Status)
		}
	}
	if got := read(t, f.client.Bucket("bk1").Object("again")); got != "0123abc" {
		t.Errorf("read %q", got)
	}
}

func TestBucketNames(t *testing.T) {
	label := strings.Repeat("x", 63)
	for name, want := range map[string]bool{
		"bk1": true, "a-b_c": true, label: true, label + "." + label: true, "p.example.com": true,
		"b": false, "Bk1": false, "-bk": false, "bk-": false, "a..b": false, "a.-b": false, label + "x": false, "a." + label + "x": false,
		"192.168.1.1": false, "../x": false, strings.Repeat("a.", 120) + "b": false,
	} {
		if got := validBucket(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestDamagedUploadIsRefused(t *testing.T) {
	f := start(t)
	o := f.client.Bucket("bk1").Object("sum")
	for _, damage := range []func(w *gcs.Writer){
		func(w *gcs.Writer) { w.MD5 = make([]byte, 16) },
		func(w *gcs.Writer) { w.CRC32C, w.SendCRC32C = 1, true },
	} {
		w := o.NewWriter(t.Context())
		damage(w)
		if _, err := io.WriteString(w, "data"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, w.Close(), http.StatusBadRequest)
	}
	if _, err := o.Attrs(t.Context()); !errors.Is(err, gcs.ErrObjectNotExist) {
		t.Errorf("a damaged object was stored: %v", err)
	}
}

// gcloud quotes the boundary of a multipart upload in its own way.
func TestBoundaries(t *testing.T) {
	for contentType, want := range map[string]string{
		`multipart/related; boundary="a b"`:       "a b",
		`multipart/related; boundary='===1=='`:    "===1==",
		`multipart/related; boundary=x; charset=`: "x; charset=",
		`multipart/related`:                       "",
		`text/plain; boundary=x`:                  "",
		``:                                        "",
	} {
		if got, ok := boundary(contentType); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", contentType, got, ok)
		}
	}
}

func TestFullDisk(t *testing.T) {
	e := answerOf(fmt.Errorf("store x: %w", &os.PathError{Op: "write", Path: "p", Err: syscall.ENOSPC}))
	if e.code != http.StatusInsufficientStorage || !strings.Contains(e.message, "disk") {
		t.Errorf("%d %s", e.code, e.message)
	}
}

func TestShortPaths(t *testing.T) {
	f := start(t)
	write(t, f.client.Bucket("bk1").Object("a/b"), "x")
	for path, want := range map[string]string{
		"/b/bk1": "storage#bucket", "/b/bk1/o": "storage#objects", "/storage/v1/b/bk1/managedFolders": "storage#managedFolders", "/b/bk1/o/a%2Fb": `"name":"a/b"`, "/bk1/a/b": "x", "/download/storage/v1/b/bk1/o/a%2Fb?alt=media": "x",
	} {
		resp, err := http.Get(f.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

// FuzzNames writes an object of any name next to others and reads it back.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a", "a/b", "..", "%2E/%d", "x//", strings.Repeat("y", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		dir := t.TempDir()
		file, err := locate(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if rel, err := filepath.Rel(dir, file); err != nil || !filepath.IsLocal(rel) {
			t.Fatalf("%q lies outside of the bucket: %s", name, file)
		}
		parts := components(name)
		for _, p := range parts {
			if len(p)+len(fileMark) > 255 {
				t.Fatalf("%q has a part of %d bytes", name, len(p))
			}
		}
		back := ""
		for i, p := range parts {
			part, continued := unescape(p, i < len(parts)-1)
			back += part
			if i < len(parts)-1 && !continued {
				back += "/"
			}
		}
		if back != name {
			t.Fatalf("%q came back as %q (%s)", name, back, fmt.Sprint(parts))
		}
	})
}
