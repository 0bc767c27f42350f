// Package listing answers Google's list methods: filters (AIP-160), orders
// (AIP-132) and pages (AIP-158), see google.aip.dev.
//
// The filter parser is hand-written because label keys and values hold
// dashes, as in labels.run-id=0f3a-44, which the services take without quotes.
package listing

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Query is what a list request asks for.
type Query struct {
	Parent    string
	Filter    string
	OrderBy   string // such as "state, createTime desc"; "" keeps the given order
	PageToken string
	PageSize  int32
	Skip      int // items to leave out before the page
	// Default is the page size when none is asked for, and Max the largest.
	Default, Max int32
}

// Page returns the items of one page and the token of the next. Errors are
// INVALID_ARGUMENT.
func Page[T any](items []T, q Query, fields func(T) Fields) (page []T, next string, err error) {
	if q.PageSize < 0 {
		return nil, "", status.Errorf(codes.InvalidArgument, "page_size %d is negative", q.PageSize)
	}
	from, err := q.offset()
	if err != nil {
		return nil, "", err
	}
	items, err = selectItems(items, q.Filter, fields)
	if err != nil {
		return nil, "", err
	}
	if err := order(items, q.OrderBy, fields); err != nil {
		return nil, "", err
	}
	from = min(from+max(q.Skip, 0), len(items))
	to := min(from+q.size(), len(items))
	if to < len(items) {
		next = q.token(to)
	}
	return items[from:to], next, nil
}

func (q Query) size() int {
	switch {
	case q.PageSize == 0:
		return int(q.Default)
	case q.PageSize > q.Max:
		return int(q.Max)
	}
	return int(q.PageSize)
}

// token holds the offset and a sum of the request, so that a token is refused
// with another filter, as the services do.
func (q Query) token(offset int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%x", offset, q.sum()))
}

func (q Query) sum() uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%q%q%q", q.Parent, q.Filter, q.OrderBy)
	return h.Sum32()
}

func (q Query) offset() (int, error) {
	if q.PageToken == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(q.PageToken)
	number, sum, ok := strings.Cut(string(text), ".")
	offset, errNumber := strconv.Atoi(number)
	if err != nil || !ok || errNumber != nil || offset < 0 {
		return 0, status.Errorf(codes.InvalidArgument, "page_token %q is not one that this method gave", q.PageToken)
	}
	if sum != strconv.FormatUint(uint64(q.sum()), 16) {
		return 0, status.Error(codes.InvalidArgument, "page_token belongs to a request with another parent, filter or order_by")
	}
	return offset, nil
}

func selectItems[T any](items []T, filter string, fields func(T) Fields) ([]T, error) {
	f, err := Parse(filter)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	kept := make([]T, 0, len(items))
	for _, item := range items {
		ok, err := f.Match(fields(item))
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "filter: %v", err)
		}
		if ok {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

type orderKey struct {
	path []string
	desc bool
}

// order sorts items, which stay in place where the order does not tell them
// apart.
func order[T any](items []T, by string, fields func(T) Fields) error {
	keys, err := parseOrder(by)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if len(keys) == 0 || len(items) == 0 {
		return nil
	}
	for _, k := range keys {
		if _, known := fields(items[0])(k.path); !known {
			return status.Errorf(codes.InvalidArgument, "order_by: unknown field %q", strings.Join(k.path, "."))
		}
	}
	slices.SortStableFunc(items, func(a, b T) int {
		for _, k := range keys {
			x, _ := fields(a)(k.path)
			y, _ := fields(b)(k.path)
			if c := compareValues(x, y); c != 0 {
				if k.desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return nil
}

func parseOrder(by string) ([]orderKey, error) {
	if strings.TrimSpace(by) == "" {
		return nil, nil
	}
	var keys []orderKey
	for part := range strings.SplitSeq(by, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
			return nil, fmt.Errorf("order_by %q: expected \"field\" or \"field desc\", parted by commas", by)
		}
		keys = append(keys, orderKey{strings.Split(words[0], "."), len(words) == 2 && words[1] == "desc"})
	}
	return keys, nil
}

// compareValues orders two values of one field; an unset one comes first.
func compareValues(x, y any) int {
	switch x := x.(type) {
	case string:
		if y, ok := y.(string); ok {
			return strings.Compare(x, y)
		}
	case int64:
		if y, ok := y.(int64); ok {
			return cmp.Compare(x, y)
		}
	case time.Duration:
		if y, ok := y.(time.Duration); ok {
			return cmp.Compare(x, y)
		}
	case time.Time:
		if y, ok := y.(time.Time); ok {
			return x.Compare(y)
		}
	case bool:
		if y, ok := y.(bool); ok {
			return strings.Compare(strconv.FormatBool(x), strconv.FormatBool(y))
		}
	}
	return cmp.Compare(rank(x), rank(y))
}

func rank(v any) int {
	if v == nil {
		return 0
	}
	return 1
}
