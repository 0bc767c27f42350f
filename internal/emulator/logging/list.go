package logging

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

const (
	defaultPage = 50
	maxPage     = 1000
)

// ListLogEntries implements loggingpb.LoggingServiceV2Server.
func (s *Service) ListLogEntries(ctx context.Context, r *loggingpb.ListLogEntriesRequest) (*loggingpb.ListLogEntriesResponse, error) {
	if len(r.ResourceNames) == 0 {
		return nil, status.Error(codes.InvalidArgument, "resource_names must name at least one resource, such as projects/PROJECT")
	}
	for _, name := range r.ResourceNames {
		if err := s.auth.Require(ctx, "logging.logEntries.list", name); err != nil {
			return nil, err
		}
	}
	descending, err := parseOrder(r.OrderBy)
	if err != nil {
		return nil, err
	}
	q, err := parseQuery(r.Filter)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "Unparseable filter: %v", err)
	}
	cursor, err := base64.RawURLEncoding.DecodeString(r.PageToken)
	if err != nil || r.PageSize < 0 {
		return nil, status.Error(codes.InvalidArgument, "page_token is not one that this method gave, or page_size is negative")
	}
	size := int(r.PageSize)
	if size == 0 {
		size = defaultPage
	}
	p := page{size: min(size, maxPage), descending: descending, cursor: string(cursor)}
	if err := s.Flush(); err != nil {
		return nil, status.Errorf(codes.Unavailable, "The log could not be written: %v", err)
	}
	if err := s.collect(ctx, q, &p); err != nil {
		return nil, err
	}
	return p.response(), nil
}

func parseOrder(by string) (descending bool, err error) {
	switch strings.Join(strings.Fields(by), " ") {
	case "", "timestamp", "timestamp asc":
		return false, nil
	case "timestamp desc":
		return true, nil
	}
	return false, status.Errorf(codes.InvalidArgument, "order_by %q is neither \"timestamp asc\" nor \"timestamp desc\"", by)
}

// page gathers the entries of one page, and one more, which tells that there is
// a next page.
type page struct {
	size       int
	descending bool
	cursor     string // the key of the page before's last entry
	keys       []string
	entries    []*loggingpb.LogEntry
}

// take adds a match; it returns false when the page is full. A page of the
// newest entries lets the oldest go when a newer one comes.
func (p *page) take(key string, e *loggingpb.LogEntry) bool {
	p.keys, p.entries = append(p.keys, key), append(p.entries, e)
	if len(p.keys) <= p.size {
		return true
	}
	if !p.descending {
		return false
	}
	if len(p.keys) > 2*p.size+1 {
		p.cut()
	}
	return true
}

// cut keeps the last size+1 matches.
func (p *page) cut() {
	if n := len(p.keys) - (p.size + 1); n > 0 {
		p.keys, p.entries = slices.Delete(p.keys, 0, n), slices.Delete(p.entries, 0, n)
	}
}

func (p *page) response() *loggingpb.ListLogEntriesResponse {
	if p.descending {
		p.cut()
		slices.Reverse(p.keys)
		slices.Reverse(p.entries)
	}
	out := &loggingpb.ListLogEntriesResponse{Entries: p.entries}
	if len(p.keys) > p.size {
		out.Entries = p.entries[:p.size]
		out.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(p.keys[p.size-1]))
	}
	return out
}

// collect reads the entries that match, in order of time.
func (s *Service) collect(ctx context.Context, q query, p *page) error {
	from := timeKey(q.from)
	if !p.descending && p.cursor > from {
		from = p.cursor
	}
	var failed error
	err := s.db.View(func(tx *store.Tx) error {
		tx.ScanFrom(table, from, func(key string, v []byte) bool {
			if key == p.cursor {
				return !p.descending
			}
			if p.descending && p.cursor != "" && key > p.cursor {
				return false
			}
			e := &loggingpb.LogEntry{}
			var ok bool
			if failed = proto.Unmarshal(v, e); failed == nil {
				ok, failed = q.match(e)
			}
			if failed != nil || ctx.Err() != nil {
				return false
			}
			return !ok || p.take(key, e)
		})
		return nil
	})
	if failed != nil {
		return status.Errorf(codes.InvalidArgument, "Unparseable filter: %v", failed)
	}
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	return ctx.Err()
}

// ListLogs implements loggingpb.LoggingServiceV2Server.
func (s *Service) ListLogs(ctx context.Context, r *loggingpb.ListLogsRequest) (*loggingpb.ListLogsResponse, error) {
	if err := s.auth.Require(ctx, "logging.logs.list", r.Parent); err != nil {
		return nil, err
	}
	if err := s.Flush(); err != nil {
		return nil, status.Errorf(codes.Unavailable, "The log could not be written: %v", err)
	}
	var names []string
	err := s.db.View(func(tx *store.Tx) error {
		tx.Scan(table, "", func(key string, _ []byte) bool {
			name := logNameOf(key)
			if i, found := slices.BinarySearch(names, name); !found {
				names = slices.Insert(names, i, name)
			}
			return true
		})
		return nil
	})
	return &loggingpb.ListLogsResponse{LogNames: names}, err
}

// DeleteLog implements loggingpb.LoggingServiceV2Server.
func (s *Service) DeleteLog(ctx context.Context, r *loggingpb.DeleteLogRequest) (*emptypb.Empty, error) {
	parent, id, ok := strings.Cut(r.LogName, "/logs/")
	if !ok {
		return nil, status.Errorf(codes.InvalidArgument, "log_name %q is not of the form projects/PROJECT/logs/LOG", r.LogName)
	}
	if err := s.auth.Require(ctx, "logging.logs.delete", parent); err != nil {
		return nil, err
	}
	if err := s.Flush(); err != nil {
		return nil, status.Errorf(codes.Unavailable, "The log could not be written: %v", err)
	}
	names := []string{parent + "/logs/" + id, parent + "/logs/" + url.PathEscape(id)}
	err := s.change(func(tx *store.Tx, n *size) error {
		var gone []string
		tx.Scan(table, "", func(key string, v []byte) bool {
			if slices.Contains(names, logNameOf(key)) {
				gone = append(gone, key)
				n.add(-1, -len(key)-len(v))
			}
			return true
		})
		if len(gone) == 0 {
			return status.Errorf(codes.NotFound, "Log %s was not found.", r.LogName)
		}
		return deleteKeys(tx, gone)
	})
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// ListMonitoredResourceDescriptors implements
// loggingpb.LoggingServiceV2Server; entries here may be of any resource type.
func (s *Service) ListMonitoredResourceDescriptors(context.Context, *loggingpb.ListMonitoredResourceDescriptorsRequest) (*loggingpb.ListMonitoredResourceDescriptorsResponse, error) {
	return &loggingpb.ListMonitoredResourceDescriptorsResponse{}, nil
}
