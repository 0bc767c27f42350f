package listing

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type item struct {
	id  string
	num int64
}

func itemFields(i item) Fields {
	return func(path []string) (any, bool) {
		switch path[0] {
		case "id":
			return i.id, true
		case "num":
			if i.num == 0 {
				return nil, true
			}
			return i.num, true
		}
		return nil, false
	}
}

var items = []item{{"a", 3}, {"b", 1}, {"c", 3}, {"d", 0}, {"e", 2}}

func ids(page []item) string {
	var b strings.Builder
	for _, i := range page {
		b.WriteString(i.id)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	tests := []struct {
		name  string
		q     Query
		pages []string
	}{
		{"default size", Query{Default: 2, Max: 3}, []string{"ab", "cd", "e"}},
		{"coerced size", Query{Default: 2, Max: 3, PageSize: 100}, []string{"abc", "de"}},
		{"exact end", Query{Default: 5, Max: 5}, []string{"abcde"}},
		{"order", Query{Default: 9, Max: 9, OrderBy: "num desc, id"}, []string{"acebd"}},
		{"stable order", Query{Default: 9, Max: 9, OrderBy: "num"}, []string{"dbeac"}},
		{"filter", Query{Default: 1, Max: 9, Filter: "num=3"}, []string{"a", "c"}},
		{"skip", Query{Default: 9, Max: 9, Skip: 3}, []string{"de"}},
		{"skip beyond", Query{Default: 9, Max: 9, Skip: 30}, []string{""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for n, want := range tt.pages {
				page, next, err := Page(slices.Clone(items), tt.q, itemFields)
				if err != nil || ids(page) != want {
					t.Fatalf("page %d: %q, %v; want %q", n, ids(page), err, want)
				}
				if (next == "") != (n == len(tt.pages)-1) {
					t.Fatalf("page %d: next token %q", n, next)
				}
				tt.q.PageToken = next
			}
		})
	}
}

func TestPageErrors(t *testing.T) {
	_, token, err := Page(slices.Clone(items), Query{Default: 1, Max: 1}, itemFields)
	if err != nil {
		t.Fatal(err)
	}
	search, err := Query{}.Search(itemFields(item{}))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		q    Query
		want string
	}{
		{Query{PageSize: -1}, "negative"},
		{Query{PageToken: "x y"}, "is not one"},
		{Query{PageToken: "LTE"}, "is not one"},
		{Query{PageToken: search.Token("-1")}, "is not one"},
		{Query{PageToken: token, Filter: "num=3"}, "another parent, view, filter"},
		{Query{PageToken: token, View: "FULL"}, "another parent, view, filter"},
		{Query{Skip: -1}, "negative"},
		{Query{OrderBy: "num", Orders: []string{"id"}}, "no field to order by; those are id"},
		{Query{OrderBy: "num sideways"}, "expected"},
		{Query{OrderBy: "nope"}, "unknown field"},
		{Query{Filter: "nope=1"}, "unknown field"},
		{Query{Filter: "num"}, "expected a comparison"},
	}
	for _, tt := range tests {
		tt.q.Default, tt.q.Max = 1, 1
		for _, among := range [][]item{items, nil} { // a bad query is one where there is nothing, too
			_, _, err := Page(slices.Clone(among), tt.q, itemFields)
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v among %d: %v, want %q", tt.q, len(among), err, tt.want)
			}
		}
	}
}

func TestBy(t *testing.T) {
	tests := []struct {
		asked, order string
		want         bool
	}{
		{"num desc", "num desc", true}, {" num  desc ", "num desc", true}, {"num", "num desc", false},
		{"num desc, id", "num desc", false}, {"", "num desc", false}, {"num asc", "num", true},
	}
	for _, tt := range tests {
		s, err := Query{OrderBy: tt.asked}.Search(itemFields(item{}))
		if err != nil || s.By(tt.order) != tt.want || s.Ordered() != (tt.asked != "") {
			t.Errorf("%+v: %v, %v, %v", tt, s.By(tt.order), s.Ordered(), err)
		}
	}
}

func FuzzPage(f *testing.F) {
	f.Add(`num=3 OR id:"a"`, "num desc, id", "NTFjYjI0YzUuMQ", int32(2), int32(1))
	f.Add(`(((`, "id id", "%", int32(-1), int32(-1))
	f.Fuzz(func(t *testing.T, filter, order, token string, size, skip int32) {
		q := Query{Filter: filter, OrderBy: order, PageSize: size, Skip: skip, Default: 2, Max: 3}
		seen := 0
		for pages := 0; ; pages++ {
			page, next, err := Page(slices.Clone(items), q, itemFields)
			if err != nil {
				if status.Code(err) != codes.InvalidArgument || pages > 0 {
					t.Errorf("page %d: %v", pages, err)
				}
				break
			}
			if seen += len(page); next == "" {
				break
			}
			q.PageToken = next
		}
		if seen > len(items) {
			t.Errorf("%d of %d items", seen, len(items))
		}
		q.PageToken = token
		if _, _, err := Page(slices.Clone(items), q, itemFields); err != nil && status.Code(err) != codes.InvalidArgument {
			t.Error(err)
		}
	})
}
