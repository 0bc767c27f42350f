package listing

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Filter is a parsed filter. The zero value matches everything.
type Filter struct {
	root  node
	paths [][]string // of all restrictions
}

// Fields gives the value of a field, such as ["labels", "env"], and whether
// the resource type has such a field. A value is nil (unset), a string, bool,
// int64, time.Time, time.Duration, []string (any element may match) or
// map[string]string (has compares its keys).
type Fields func(path []string) (value any, known bool)

// Match reports whether a resource passes. Its error, which is INVALID_ARGUMENT,
// says which part of the filter cannot be answered, such as an unknown field.
func (f Filter) Match(fields Fields) (bool, error) {
	if f.root == nil {
		return true, nil
	}
	ok, err := f.root.match(fields)
	if err != nil {
		return false, status.Errorf(codes.InvalidArgument, "filter: %v", err)
	}
	return ok, nil
}

// check finds unknown fields, also where there is no resource to match.
func (f Filter) check(known Fields) error {
	for _, path := range f.paths {
		if _, ok := known(path); !ok {
			return fmt.Errorf("filter: unknown field %q", strings.Join(path, "."))
		}
	}
	return nil
}

type node interface {
	match(Fields) (bool, error)
}

type (
	and []node
	or  []node
	not struct{ x node }
	// restriction compares a field with a literal.
	restriction struct {
		path    []string
		op      string
		literal string
	}
)

func (a and) match(fields Fields) (bool, error) {
	for _, x := range a {
		if ok, err := x.match(fields); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (o or) match(fields Fields) (bool, error) {
	for _, x := range o {
		if ok, err := x.match(fields); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

func (n not) match(fields Fields) (bool, error) {
	ok, err := n.x.match(fields)
	return !ok, err
}

func (r restriction) match(fields Fields) (bool, error) {
	v, known := fields(r.path)
	if !known {
		return false, fmt.Errorf("unknown field %q", strings.Join(r.path, "."))
	}
	if r.op == ":" && r.literal == "*" {
		return present(v), nil
	}
	switch v := v.(type) {
	case nil:
		return r.op == "!=", nil
	case []string:
		return slices.ContainsFunc(v, func(s string) bool { return r.text(s) }), nil
	case map[string]string:
		return r.hasKey(v)
	case string:
		return r.text(v), nil
	}
	order, err := r.compare(v)
	if err != nil {
		return false, fmt.Errorf("%s: %w", strings.Join(r.path, "."), err)
	}
	return r.holds(order), nil
}

// text compares strings; * in the literal stands for any text, and has (:)
// finds the literal anywhere.
func (r restriction) text(v string) bool {
	switch r.op {
	case "=":
		return glob(r.literal, v)
	case "!=":
		return !glob(r.literal, v)
	case ":":
		return glob("*"+r.literal+"*", v)
	}
	return r.holds(strings.Compare(v, r.literal))
}

func (r restriction) hasKey(m map[string]string) (bool, error) {
	if r.op != ":" && r.op != "=" {
		return false, fmt.Errorf("%s is a map: use %[1]s.KEY %s VALUE", strings.Join(r.path, "."), r.op)
	}
	_, ok := m[r.literal]
	return ok, nil
}

// present answers FIELD:*.
func present(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []string:
		return len(v) > 0
	case map[string]string:
		return len(v) > 0
	}
	return true
}

func (r restriction) holds(order int) bool {
	switch r.op {
	case "=", ":":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// compare reads the literal as the type of v and orders v against it.
func (r restriction) compare(v any) (int, error) {
	switch v := v.(type) {
	case bool:
		want, err := strconv.ParseBool(r.literal)
		if err != nil {
			return 0, fmt.Errorf("%q is not true or false", r.literal)
		}
		return strings.Compare(strconv.FormatBool(v), strconv.FormatBool(want)), nil
	case int64:
		want, err := strconv.ParseInt(r.literal, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", r.literal)
		}
		return cmp.Compare(v, want), nil
	case time.Time:
		want, err := parseTime(r.literal)
		return v.Compare(want), err
	case time.Duration:
		want, err := time.ParseDuration(r.literal)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration such as 1.5s", r.literal)
		}
		return cmp.Compare(v, want), nil
	}
	return 0, fmt.Errorf("values of type %T cannot be filtered", v)
}

// parseTime takes RFC 3339 or a plain date, as the services' examples do.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-01-31T15:04:05Z", s)
}

// glob matches s against a pattern in which * stands for any text. It takes
// time linear in each part, so a hostile pattern costs little.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, last)
}
