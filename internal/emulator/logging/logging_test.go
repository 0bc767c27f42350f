package logging

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cloudlogging "cloud.google.com/go/logging"
	"cloud.google.com/go/logging/apiv2/loggingpb"
	"cloud.google.com/go/logging/logadmin"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	ltype "google.golang.org/genproto/googleapis/logging/type"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// gate lets all calls pass but those on another project.
type gate struct{}

func (gate) Require(_ context.Context, permission, resource string) error {
	if !strings.HasPrefix(resource, "projects/p") {
		return status.Error(codes.PermissionDenied, permission)
	}
	return nil
}

func openLog(t *testing.T, dir string) (*Service, func()) {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := New(db, gate{})
	return s, func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		db.Close()
	}
}

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// request is an entry of Cloud Run's request log.
func request(second int, revision string, code int32, latency time.Duration) *loggingpb.LogEntry {
	return &loggingpb.LogEntry{
		LogName:     "projects/p/logs/run.googleapis.com%2Frequests",
		InsertId:    fmt.Sprint("id", second),
		Timestamp:   timestamppb.New(epoch.Add(time.Duration(second) * time.Second)),
		Severity:    map[bool]ltype.LogSeverity{true: ltype.LogSeverity_ERROR, false: ltype.LogSeverity_INFO}[code >= 500],
		Labels:      map[string]string{"instanceId": "i", "k8s.io/app": "penguins"},
		Resource:    &monitoredres.MonitoredResource{Type: "cloud_run_revision", Labels: map[string]string{"service_name": "penguins", "revision_name": revision}},
		HttpRequest: &ltype.HttpRequest{Status: code, Latency: durationpb.New(latency), RequestUrl: "https://x/predict"},
	}
}

func text(second int, line string) *loggingpb.LogEntry {
	return &loggingpb.LogEntry{
		LogName:   "projects/p/logs/ml.googleapis.com%2Ftrainer",
		InsertId:  fmt.Sprint("text", second),
		Timestamp: timestamppb.New(epoch.Add(time.Duration(second) * time.Second)),
		Payload:   &loggingpb.LogEntry_TextPayload{TextPayload: line},
		Resource:  &monitoredres.MonitoredResource{Type: "ml_job", Labels: map[string]string{"job_id": "123"}},
	}
}

func structured(second int, payload map[string]any) *loggingpb.LogEntry {
	e := text(second, "")
	s, err := structpb.NewStruct(payload)
	if err != nil {
		panic(err)
	}
	e.Payload = &loggingpb.LogEntry_JsonPayload{JsonPayload: s}
	e.Severity = ltype.LogSeverity_WARNING
	return e
}

func sample() []*loggingpb.LogEntry {
	return []*loggingpb.LogEntry{
		request(0, "penguins-1", 200, 10*time.Millisecond),
		request(1, "penguins-2", 503, 2*time.Second),
		text(2, "Epoch 1 of 3"),
		structured(3, map[string]any{"message": "Loss is NaN", "step": 7, "ok": false, "tags": []any{"a", "b"}, "deep": map[string]any{"x": "y"}}),
	}
}

func list(t *testing.T, s *Service, filter, order string) (seconds []int, err error) {
	t.Helper()
	r := &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, Filter: filter, OrderBy: order}
	out, err := s.ListLogEntries(t.Context(), r)
	for _, e := range out.GetEntries() {
		seconds = append(seconds, int(e.Timestamp.AsTime().Sub(epoch).Seconds()))
	}
	return seconds, err
}

func TestFilters(t *testing.T) {
	s, done := openLog(t, t.TempDir())
	defer done()
	s.Write(sample()...)
	for _, tt := range []struct {
		filter string
		want   []int
	}{
		{"", []int{0, 1, 2, 3}},
		{`resource.type="ml_job" AND resource.labels.job_id="123" AND timestamp>="2026-11-23T12:00:03Z"`, []int{3}}, // gcloud ai custom-jobs stream-logs
		{`resource.type="cloud_run_revision" resource.labels.service_name="penguins" resource.labels.revision_name="penguins-2" httpRequest.status>=500`, []int{1}},
		{`logName="projects/p/logs/run.googleapis.com%2Frequests" AND timestamp>"2026-11-23T12:00:00Z"`, []int{1}},
		{`log_name:"requests"`, []int{0, 1}},
		{`log_id("run.googleapis.com/requests")`, []int{0, 1}},
		{`severity>=WARNING`, []int{1, 3}},
		{`severity=error`, []int{1}},
		{`severity>300 OR textPayload:epoch`, []int{1, 3, 2}},
		{`NOT resource.type=ml_job`, []int{0, 1}},
		{`-resource.type=ml_job`, []int{0, 1}},
		{`resource.type!=ml_job`, []int{0, 1}},
		{`resource.type=ml_job OR severity=ERROR timestamp<"2026-11-23T12:00:03Z"`, []int{1, 2}}, // OR before AND
		{`(resource.type=ml_job AND textPayload:*) OR httpRequest.latency>1s`, []int{1, 2}},
		{`httpRequest.status=(200 OR 503)`, []int{0, 1}},
		{`httpRequest.status=(NOT 200) AND httpRequest:*`, []int{1}},
		{`jsonPayload.message="loss is nan"`, []int{3}},
		{`jsonPayload.message=~"^Loss.*NaN$"`, []int{3}},
		{`jsonPayload.message!~"^Loss"`, []int{0, 1, 2}},
		{`jsonPayload.step>6.5 jsonPayload.ok=false jsonPayload.tags=b jsonPayload.deep.x=y`, []int{3}},
		{`jsonPayload.step>7`, nil},
		{`jsonPayload.step.more=1`, nil},
		{`jsonPayload.deep:*`, []int{3}},
		{`labels."k8s.io/app"=penguins`, []int{0, 1}},
		{`labels.k8s.io/app=PENGUINS`, []int{0, 1}},
		{`labels.none="x"`, nil},
		{`labels.none!="x"`, []int{0, 1, 2, 3}},
		{`labels:*`, []int{0, 1}},
		{`insertId="text2"`, []int{2}},
		{`"epoch 1"`, []int{2}},
		{`Epoch`, []int{2}},
		{"-- a comment\ntextPayload:Epoch -- another", []int{2}},
		{`trace:*`, nil},
		{`httpRequest.requestUrl:"/predict" httpRequest.request_url:"x"`, []int{0, 1}},
		{`timestamp="2026-11-23T12:00:02Z"`, []int{2}},
		{`timestamp>="2026-11-23"`, []int{0, 1, 2, 3}},
	} {
		got, err := list(t, s, tt.filter, "")
		slices.Sort(tt.want)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.filter, got, err, tt.want)
		}
	}
	for _, filter := range []string{
		`severity>=LOUD`, `timestamp>=yesterday`, `colour=red`, `(severity=ERROR`, `severity=ERROR)`, `severity=`, `textPayload="x`, `jsonPayload.a=~"("`,
		`httpRequest.latency>fast`, `httpRequest.colour=red`, `AND`, strings.Repeat("(", 100) + "a=b", strings.Repeat("x", maxQuery+1), `severity=ERROR AND`, `"a" OR`,
	} {
		if got, err := list(t, s, filter, ""); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%.40s: %v, %v", filter, got, err)
		}
	}
}

func TestOrderAndPages(t *testing.T) {
	s, done := openLog(t, t.TempDir())
	defer done()
	for i := range 25 {
		s.Write(text((i*7)%25, "line"))
	}
	for _, order := range []string{"", "timestamp asc", "timestamp desc"} {
		var got []int
		r := &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}, OrderBy: order, PageSize: 4}
		for pages := 0; pages == 0 || r.PageToken != ""; pages++ {
			out, err := s.ListLogEntries(t.Context(), r)
			if err != nil || pages > 7 {
				t.Fatalf("%d pages, %v", pages, err)
			}
			for _, e := range out.Entries {
				got = append(got, int(e.Timestamp.AsTime().Sub(epoch).Seconds()))
			}
			r.PageToken = out.NextPageToken
		}
		want := make([]int, 25)
		for i := range want {
			want[i] = i
		}
		if strings.HasSuffix(order, "desc") {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v", order, got)
		}
	}
	for _, r := range []*loggingpb.ListLogEntriesRequest{
		{}, {ResourceNames: []string{"projects/p"}, OrderBy: "severity"}, {ResourceNames: []string{"projects/p"}, PageToken: "*"}, {ResourceNames: []string{"projects/p"}, PageSize: -1},
	} {
		if _, err := s.ListLogEntries(t.Context(), r); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", r, err)
		}
	}
	if _, err := s.ListLogEntries(t.Context(), &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"other"}}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another project: %v", err)
	}
}

func TestDuplicatesAndRestart(t *testing.T) {
	dir := t.TempDir()
	s, done := openLog(t, dir)
	s.Write(text(1, "a"), text(1, "a"), text(2, "b"))
	done()
	s, done = openLog(t, dir)
	defer done()
	s.Write(text(1, "a"))
	if got, err := list(t, s, "", ""); err != nil || !slices.Equal(got, []int{1, 2}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOldestGoFirst(t *testing.T) {
	s, done := openLog(t, t.TempDir())
	defer done()
	line := strings.Repeat("x", 200<<10)
	for i := range 2 * maxBytes / len(line) {
		s.Write(text(i, line))
		if i%50 == 0 {
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	var n, bytes int
	first := ""
	_ = s.db.View(func(tx *store.Tx) error {
		tx.Scan(table, "", func(key string, v []byte) bool {
			if first == "" {
				first = key
			}
			n++
			bytes += len(key) + len(v)
			return true
		})
		var kept size
		if err := tx.GetJSON(sizeTable, sizeKey, &kept); err != nil || kept.Entries != n || kept.Bytes != bytes {
			t.Errorf("counted %v, there are %d entries of %d bytes, %v", kept, n, bytes, err)
		}
		return nil
	})
	if bytes > maxBytes || bytes < maxBytes/2 || first <= timeKey(epoch.Add(time.Minute)) {
		t.Errorf("%d bytes are kept from %q", bytes, first)
	}
}

func TestWrite(t *testing.T) {
	s, done := openLog(t, t.TempDir())
	defer done()
	ctx := t.Context()
	resource := &monitoredres.MonitoredResource{Type: "global"}
	good := &loggingpb.LogEntry{Payload: &loggingpb.LogEntry_TextPayload{TextPayload: "x"}, Labels: map[string]string{"a": "own"}}
	_, err := s.WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{
		LogName: "projects/p/logs/l", Resource: resource, Labels: map[string]string{"a": "default", "b": "default"}, Entries: []*loggingpb.LogEntry{good},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.ListLogEntries(ctx, &loggingpb.ListLogEntriesRequest{ResourceNames: []string{"projects/p"}})
	if err != nil || len(out.Entries) != 1 {
		t.Fatalf("%v, %v", out, err)
	}
	if e := out.Entries[0]; e.Labels["a"] != "own" || e.Labels["b"] != "default" || e.InsertId == "" || e.Timestamp == nil || e.ReceiveTimestamp == nil || e.LogName != "projects/p/logs/l" {
		t.Errorf("stored %v", e)
	}
	if good.InsertId != "" {
		t.Error("the request was changed")
	}
	for name, r := range map[string]*loggingpb.WriteLogEntriesRequest{
		"no resource":     {LogName: "projects/p/logs/l", Entries: []*loggingpb.LogEntry{{}}},
		"no log":          {Resource: resource, Entries: []*loggingpb.LogEntry{{}}},
		"another project": {LogName: "projects/other/logs/l", Resource: resource, Entries: []*loggingpb.LogEntry{{}}},
		"too large":       {LogName: "projects/p/logs/l", Resource: resource, Entries: []*loggingpb.LogEntry{text(1, strings.Repeat("x", maxEntrySize))}},
		"long id":         {LogName: "projects/p/logs/l", Resource: resource, Entries: []*loggingpb.LogEntry{{InsertId: strings.Repeat("x", 40_000)}}},
		"id with NUL":     {LogName: "projects/p/logs/l", Resource: resource, Entries: []*loggingpb.LogEntry{{InsertId: "a\x00b"}}},
	} {
		s.Write(text(7, "of another"))
		if _, err := s.WriteLogEntries(ctx, r); err == nil || !strings.HasPrefix(status.Convert(err).Message(), "entries[0]: ") && name != "another project" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, _ := list(t, s, `textPayload="of another"`, ""); len(got) != 1 {
		t.Errorf("a refused entry took another with it: %v", got)
	}
	_, err = s.WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{PartialSuccess: true, Resource: resource, Entries: []*loggingpb.LogEntry{{}, text(5, "kept")}})
	if got, _ := list(t, s, `textPayload=kept`, ""); status.Code(err) != codes.InvalidArgument || len(got) != 1 {
		t.Errorf("partial success: %v, %v", err, got)
	}
	if _, err := s.WriteLogEntries(ctx, &loggingpb.WriteLogEntriesRequest{DryRun: true, LogName: "projects/p/logs/l", Resource: resource, Entries: []*loggingpb.LogEntry{text(6, "dry")}}); err != nil {
		t.Error(err)
	}
	if got, _ := list(t, s, `textPayload=dry`, ""); len(got) != 0 {
		t.Error("a dry run was stored")
	}
}

func TestLogs(t *testing.T) {
	s, done := openLog(t, t.TempDir())
	defer done()
	s.Write(sample()...)
	logs, err := s.ListLogs(t.Context(), &loggingpb.ListLogsRequest{Parent: "projects/p"})
	if want := []string{"projects/p/logs/ml.googleapis.com%2Ftrainer", "projects/p/logs/run.googleapis.com%2Frequests"}; err != nil || !slices.Equal(logs.GetLogNames(), want) {
		t.Errorf("%v, %v", logs, err)
	}
	if _, err := s.DeleteLog(t.Context(), &loggingpb.DeleteLogRequest{LogName: "projects/p/logs/run.googleapis.com%2Frequests"}); err != nil {
		t.Fatal(err)
	}
	if got, err := list(t, s, "", ""); err != nil || !slices.Equal(got, []int{2, 3}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.DeleteLog(t.Context(), &loggingpb.DeleteLogRequest{LogName: "projects/p/logs/run.googleapis.com%2Frequests"}); status.Code(err) != codes.NotFound {
		t.Errorf("twice: %v", err)
	}
}

// Entries of this process go to disk together, soon.
func TestWritesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, done := openLog(t, t.TempDir())
		defer done()
		for i := range 100 {
			s.Write(text(i, "x"))
		}
		count := func() (n int) {
			_ = s.db.View(func(tx *store.Tx) error {
				tx.Scan(table, "", func(string, []byte) bool { n++; return true })
				return nil
			})
			return n
		}
		if n := count(); n != 0 {
			t.Errorf("%d entries were written at once", n)
		}
		time.Sleep(2 * flushDelay)
		synctest.Wait()
		if n := count(); n != 100 {
			t.Errorf("%d entries are on disk", n)
		}
	})
}

func TestGoogleClient(t *testing.T) {
	s, done := openLog(t, t.TempDir())
	defer done()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	s.Register(server)
	go func() { _ = server.Serve(l) }()
	defer server.Stop()
	options := []option.ClientOption{option.WithEndpoint(l.Addr().String()), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
	writer, err := cloudlogging.NewClient(t.Context(), "projects/p", options...)
	if err != nil {
		t.Fatal(err)
	}
	logger := writer.Logger("my-log", cloudlogging.CommonResource(&monitoredres.MonitoredResource{Type: "global"}))
	for i := range 10 {
		logger.Log(cloudlogging.Entry{Severity: cloudlogging.Warning, Payload: map[string]any{"n": i}})
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	reader, err := logadmin.NewClient(t.Context(), "p", options...)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	n := 0
	it := reader.Entries(t.Context(), logadmin.Filter(`logName="projects/p/logs/my-log" severity>=WARNING jsonPayload.n>=5`), logadmin.NewestFirst())
	for {
		_, err := it.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5 {
		t.Errorf("read %d entries", n)
	}
}

func BenchmarkWrite(b *testing.B) {
	db, err := store.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	s := New(db, gate{})
	defer db.Close()
	i := 0
	for b.Loop() {
		i++
		s.Write(request(i, "penguins-1", 200, time.Millisecond))
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add(`resource.type="ml_job" AND (severity>=ERROR OR NOT labels."a.b"=~"x+") -- c`)
	f.Add(`a.b.c:(1 OR -2 AND "3")`)
	f.Add(`log_id("x") jsonPayload.a.b=1`)
	f.Fuzz(func(t *testing.T, src string) {
		q, err := parseQuery(src)
		if err != nil {
			return
		}
		for _, e := range sample() {
			if _, err := q.match(e); err != nil && len(err.Error()) > len(src)+200 {
				t.Errorf("%v", err)
			}
		}
	})
}
