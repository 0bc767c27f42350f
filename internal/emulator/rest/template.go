package rest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// template is the path of an HTTP rule, such as
// /v1/{name=projects/*/locations/*}:cancel. Its syntax is that of
// google/api/http.proto.
type template struct {
	segments []string // literals, "*", and "**", which is the last
	verb     string
	vars     []variable
}

// variable binds segments[from:to] to a field of the request.
type variable struct {
	field    string // dotted path of proto names
	from, to int
}

func parseTemplate(src string) (template, error) {
	var t template
	rest, ok := strings.CutPrefix(src, "/")
	if !ok {
		return t, fmt.Errorf("path template %q does not begin with /", src)
	}
	for rest != "" {
		var err error
		if rest, err = t.segment(rest); err != nil {
			return t, fmt.Errorf("path template %q: %w", src, err)
		}
		if strings.HasPrefix(rest, ":") {
			t.verb, rest = rest[1:], ""
		}
		rest = strings.TrimPrefix(rest, "/")
	}
	if i := slices.Index(t.segments, "**"); i >= 0 && i != len(t.segments)-1 {
		return t, fmt.Errorf("path template %q: ** is not last", src)
	}
	return t, nil
}

// segment reads one segment or variable and returns what follows.
func (t *template) segment(src string) (string, error) {
	if !strings.HasPrefix(src, "{") {
		end := strings.IndexAny(src, "/:")
		if end < 0 {
			end = len(src)
		}
		if end == 0 {
			return "", fmt.Errorf("empty segment before %q", src)
		}
		t.segments = append(t.segments, src[:end])
		return src[end:], nil
	}
	inner, rest, ok := strings.Cut(src[1:], "}")
	if !ok {
		return "", fmt.Errorf("{ without }")
	}
	field, pattern, ok := strings.Cut(inner, "=")
	if !ok {
		pattern = "*"
	}
	from := len(t.segments)
	t.segments = append(t.segments, strings.Split(pattern, "/")...)
	t.vars = append(t.vars, variable{field, from, len(t.segments)})
	return rest, nil
}

// match compares the segments of an escaped path.
func (t *template) match(path []string) bool {
	open := t.open()
	if len(path) != len(t.segments) && (!open || len(path) < len(t.segments)) {
		return false
	}
	for i, s := range t.segments {
		if s == "**" {
			return true
		}
		if s != "*" && s != path[i] || path[i] == "" {
			return false
		}
	}
	return true
}

func (t *template) open() bool {
	return len(t.segments) > 0 && t.segments[len(t.segments)-1] == "**"
}

// value returns the text of a variable in a path that matches. In one of many
// segments an escaped slash stays escaped, so that the segments can still be
// told apart, as in logs/run.googleapis.com%2Frequests.
func (t *template) value(v variable, path []string) (string, error) {
	to := v.to
	if t.segments[v.to-1] == "**" {
		to = len(path)
	}
	parts := make([]string, 0, to-v.from)
	for _, segment := range path[v.from:to] {
		if to-v.from > 1 {
			segment = escapedSlash.Replace(segment)
		}
		part, err := url.PathUnescape(segment)
		if err != nil {
			return "", fmt.Errorf("the path is not well escaped: %w", err)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/"), nil
}

var escapedSlash = strings.NewReplacer("%2F", "%252F", "%2f", "%252f")

// compare orders templates by which should win where both match: the one that
// is more literal, from the left.
func (t *template) compare(o *template) int {
	rank := func(s string) int { return strings.Count(s, "*") } // literal, *, **
	for i := range min(len(t.segments), len(o.segments)) {
		if c := rank(t.segments[i]) - rank(o.segments[i]); c != 0 {
			return c
		}
	}
	return len(o.segments) - len(t.segments)
}
