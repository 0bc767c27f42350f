// Package listing answers Google's list methods: filters (AIP-160), orders
// (AIP-132) and pages (AIP-158), see google.aip.dev.
//
// The filter parser is hand-written. go.einride.tech/aip, which parses and
// type-checks but does not evaluate, refuses what the services' own examples
// have: values without quotes (state=FAILED), label keys and values with dashes
// (labels.run-id=0f3a-44), plain dates (createTime>"2023-08-01") and durations
// (duration>"1.5s").
package listing

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"reflect"
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
	View      string // if the method has views
	Filter    string
	OrderBy   string // such as "state, createTime desc"; "" keeps the given order
	PageToken string
	PageSize  int32
	Skip      int32 // items to leave out before the page
	// Default is the page size when none is asked for, and Max the largest.
	Default, Max int32
	// Orders are the fields that OrderBy may name; none means any.
	Orders []string
}

// Page returns the items of one page and the token of the next. The fields of an
// empty T tell which fields there are. Errors are INVALID_ARGUMENT.
func Page[T any](items []T, q Query, fields func(T) Fields) (page []T, next string, err error) {
	s, err := q.Search(fields(empty[T]()))
	if err != nil {
		return nil, "", err
	}
	if items, err = Select(s, items, fields); err != nil {
		return nil, "", err
	}
	Sort(s, items, fields)
	return Slice(s, items)
}

// empty returns a T without content: a pointer points to something.
func empty[T any]() (v T) {
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Pointer {
		v = reflect.New(t.Elem()).Interface().(T)
	}
	return v
}

// Slice returns one page of what a search found.
func Slice[T any](s Search, found []T) (page []T, next string, err error) {
	from := 0
	if s.After != "" {
		if from, err = strconv.Atoi(s.After); err != nil || from < 0 {
			return nil, "", status.Error(codes.InvalidArgument, "page_token is not one that this method gave")
		}
	}
	from = min(from+s.skip, len(found))
	to := min(from+s.Size, len(found))
	if to < len(found) {
		next = s.Token(strconv.Itoa(to))
	}
	return found[from:to], next, nil
}

// Search is a query that was found well-formed.
type Search struct {
	Filter
	// After is what [Search.Token] was given for the page before, "" on the
	// first page.
	After string
	Size  int // of a page

	skip   int
	orders []orderKey
	sum    uint32
}

// Search checks a query against the fields of a resource.
func (q Query) Search(known Fields) (Search, error) {
	s := Search{Size: q.size(), skip: int(q.Skip), sum: q.sum()}
	err := q.checkNumbers()
	if err == nil {
		s.Filter, err = Parse(q.Filter)
	}
	if err == nil {
		err = s.Filter.check(known)
	}
	if err == nil {
		s.orders, err = parseOrder(q.OrderBy)
	}
	if err == nil {
		err = q.checkOrder(s.orders, known)
	}
	if err == nil {
		s.After, err = s.cursor(q.PageToken)
	}
	if err != nil {
		return Search{}, status.Error(codes.InvalidArgument, err.Error())
	}
	return s, nil
}

func (q Query) checkNumbers() error {
	switch {
	case q.PageSize < 0:
		return fmt.Errorf("page_size %d is negative", q.PageSize)
	case q.Skip < 0:
		return fmt.Errorf("skip %d is negative", q.Skip)
	}
	return nil
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

// sum is what a page token has of its query, so that it is refused with another,
// as the services do.
func (q Query) sum() uint32 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%q%q%q%q", q.Parent, q.View, q.Filter, q.OrderBy)
	return h.Sum32()
}

// Token returns the token of the page that follows; cursor says where it
// begins. It holds all that the next request needs, so it outlives a restart.
func (s Search) Token(cursor string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%x.%s", s.sum, cursor))
}

func (s Search) cursor(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	sum, cursor, ok := strings.Cut(string(text), ".")
	if err != nil || !ok || cursor == "" {
		return "", fmt.Errorf("page_token %q is not one that this method gave", token)
	}
	if sum != strconv.FormatUint(uint64(s.sum), 16) {
		return "", fmt.Errorf("page_token belongs to a request with another parent, view, filter or order_by")
	}
	return cursor, nil
}

// By reports whether the order is that of one field, such as "createTime desc".
func (s Search) By(order string) bool {
	want, err := parseOrder(order)
	return err == nil && slices.EqualFunc(want, s.orders, func(a, b orderKey) bool {
		return a.desc == b.desc && slices.Equal(a.path, b.path)
	})
}

// Ordered reports whether an order was asked for.
func (s Search) Ordered() bool { return len(s.orders) > 0 }

// Select returns the items that pass the filter.
func Select[T any](s Search, items []T, fields func(T) Fields) ([]T, error) {
	kept := make([]T, 0, len(items))
	for _, item := range items {
		ok, err := s.Match(fields(item))
		if err != nil {
			return nil, err
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

func (q Query) checkOrder(keys []orderKey, known Fields) error {
	for _, k := range keys {
		name := strings.Join(k.path, ".")
		if _, ok := known(k.path); !ok {
			return fmt.Errorf("order_by: unknown field %q", name)
		}
		if len(q.Orders) > 0 && !slices.Contains(q.Orders, name) {
			return fmt.Errorf("order_by: %q is no field to order by; those are %s", name, strings.Join(q.Orders, ", "))
		}
	}
	return nil
}

// Sort brings items into the order that was asked for. They stay in place where
// that does not tell them apart.
func Sort[T any](s Search, items []T, fields func(T) Fields) {
	if !s.Ordered() {
		return
	}
	slices.SortStableFunc(items, func(a, b T) int {
		for _, k := range s.orders {
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
