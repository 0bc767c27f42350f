package logging

import (
	"context"
	"crypto/rand"
	"fmt"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"maps"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/genproto/googleapis/api/monitoredres"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxEntrySize is the largest entry, in bytes: cloud.google.com/logging/quotas.
const maxEntrySize = 256 << 10

// insertID is what an insert id may be; its length is a choice, for the bound of
// the service is not published.
var insertID = lazyregexp.New(`^[^\x00]{0,512}$`)

var logName = lazyregexp.New(`^(projects|organizations|folders|billingAccounts)/[^/]+/logs/[A-Za-z0-9/_.%-]{1,511}$`)

// WriteLogEntries implements loggingpb.LoggingServiceV2Server. The entries are
// on disk when it answers.
func (s *Service) WriteLogEntries(ctx context.Context, r *loggingpb.WriteLogEntriesRequest) (*loggingpb.WriteLogEntriesResponse, error) {
	entries := make([]*loggingpb.LogEntry, 0, len(r.Entries))
	var failed error
	for i, e := range r.Entries {
		e, err := s.accept(ctx, r, e)
		if err != nil {
			failed = status.Errorf(status.Code(err), "entries[%d]: %s", i, status.Convert(err).Message())
			if !r.PartialSuccess {
				return nil, failed
			}
			continue
		}
		entries = append(entries, e)
	}
	if r.DryRun || len(entries) == 0 {
		return &loggingpb.WriteLogEntriesResponse{}, failed
	}
	s.add(entries)
	if err := s.Flush(); err != nil {
		return nil, status.Errorf(codes.Unavailable, "The log could not be written: %v", err)
	}
	return &loggingpb.WriteLogEntriesResponse{}, failed
}

// accept completes one entry from the request's defaults and checks it.
func (s *Service) accept(ctx context.Context, r *loggingpb.WriteLogEntriesRequest, in *loggingpb.LogEntry) (*loggingpb.LogEntry, error) {
	e := proto.Clone(in).(*loggingpb.LogEntry)
	if e.LogName == "" {
		e.LogName = r.LogName
	}
	if e.Resource == nil {
		e.Resource = r.Resource
	}
	if e.Resource == nil {
		return nil, status.Error(codes.InvalidArgument, "the entry has no resource")
	}
	labels := maps.Clone(r.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, e.Labels)
	e.Labels = labels
	if !logName.MatchString(e.LogName) {
		return nil, status.Errorf(codes.InvalidArgument, "log_name %q is not of the form projects/PROJECT/logs/LOG", e.LogName)
	}
	if !insertID.MatchString(e.InsertId) {
		return nil, status.Error(codes.InvalidArgument, "insert_id has more than 512 characters, or a NUL")
	}
	if n := proto.Size(e); n > maxEntrySize {
		return nil, status.Errorf(codes.InvalidArgument, "the entry has %d bytes, more than %d", n, maxEntrySize)
	}
	parent, _, _ := strings.Cut(e.LogName, "/logs/")
	return e, s.auth.Require(ctx, "logging.logEntries.create", parent)
}

// complete fills what the service fills.
func complete(e *loggingpb.LogEntry, now time.Time) {
	e.ReceiveTimestamp = timestamppb.New(now)
	if e.Timestamp == nil {
		e.Timestamp = e.ReceiveTimestamp
	}
	if e.InsertId == "" {
		e.InsertId = fmt.Sprintf("%x%s", now.UnixNano(), strings.ToLower(rand.Text()[:8]))
	}
	if e.Resource == nil {
		e.Resource = &monitoredres.MonitoredResource{Type: "global"}
	}
}
