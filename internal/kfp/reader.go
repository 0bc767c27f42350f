package kfp

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// A reader turns the trees of files into nodes.
type reader struct {
	options    Options
	diags      diag.List
	v1Only     bool                    // the file is a component of version 1
	components map[string]*v1Component // of graphs, by what names them
}

// errorf reports a mistake at n. The hint may be empty.
func (r *reader) errorf(n *source.Node, code, hint, format string, args ...any) {
	r.diags.Add(diag.Diagnostic{Pos: n.Pos(), Width: n.Width(), Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *reader) warnf(n *source.Node, code, hint, format string, args ...any) {
	r.diags.Add(diag.Diagnostic{Pos: n.Pos(), Width: n.Width(), Severity: diag.Warning, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// has reports whether a map has the key of a field, in either spelling.
func has(n *source.Node, field string) bool {
	for _, f := range n.Fields {
		if camel(f.Key.Value) == field {
			return true
		}
	}
	return false
}

// camel writes snake_case as lowerCamelCase: JSON of protocol buffers has both.
func camel(key string) string {
	if strings.IndexByte(key, '_') < 0 {
		return key
	}
	var b strings.Builder
	upper := false
	for _, c := range key {
		switch {
		case c == '_':
			upper = true
			continue
		case upper && 'a' <= c && c <= 'z':
			c += 'A' - 'a'
		}
		upper = false
		b.WriteRune(c)
	}
	return b.String()
}

// str reads text. What is a number or a boolean to YAML is taken as it is
// written.
func (r *reader) str(n *source.Node) string {
	if n.Kind != source.Scalar || n.Is(source.Null) {
		r.errorf(n, "wrong-type", "", "expected text, found %s", n.Describe())
		return ""
	}
	return n.Value
}

func (r *reader) name(n *source.Node) Name { return Name{At: n.TextPos(), Value: r.str(n)} }

func (r *reader) boolean(n *source.Node) bool {
	if n.Kind == source.Scalar && !n.Is(source.Null) {
		if b, ok := parseBool(n.Value); ok {
			return b
		}
	}
	r.errorf(n, "wrong-type", "", "expected true or false, found %s", n.Describe())
	return false
}

// parseBool reads a boolean as YAML 1.1 has it.
func parseBool(s string) (b, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// count reads a whole number that is not negative. It may be written as a
// double or in quotes, as JSON of protocol buffers allows.
func (r *reader) count(n *source.Node) int {
	f, ok := r.number(n)
	if ok && (f != math.Trunc(f) || f < 0 || f > math.MaxInt32) {
		r.errorf(n, "bad-value", "", "expected a whole number of 0 or more, found %s", n.Describe())
		return 0
	}
	return int(f)
}

func (r *reader) number(n *source.Node) (float64, bool) {
	if n.Kind == source.Scalar {
		switch v := number(n).(type) {
		case int64:
			return float64(v), true
		case float64:
			return v, true
		}
		if n.Is(source.String) {
			if f, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
				return f, true
			}
		}
	}
	r.errorf(n, "wrong-type", "", "expected a number, found %s", n.Describe())
	return 0, false
}

// number returns the int64 or float64 that a scalar means, or nil.
func number(n *source.Node) any {
	digits := strings.ReplaceAll(n.Value, "_", "")
	switch {
	case n.Is(source.Int):
		if i, ok := parseInt(digits); ok {
			return i
		}
		fallthrough
	case n.Is(source.Float):
		if f, err := strconv.ParseFloat(digits, 64); err == nil && !math.IsInf(f, 0) {
			return f
		}
	}
	return nil
}

// parseInt reads a whole number of YAML 1.1: with a leading zero it is octal.
func parseInt(s string) (int64, bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && !leadingZero(s) {
		return i, true
	}
	i, err := strconv.ParseInt(s, 0, 64)
	return i, err == nil
}

func leadingZero(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0'
}

// duration reads a duration of protocol buffers, such as 3.5s.
func (r *reader) duration(n *source.Node) time.Duration {
	s := r.str(n)
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	if err != nil || !strings.HasSuffix(s, "s") || seconds < 0 || seconds > maxSeconds {
		if s != "" {
			r.errorf(n, "bad-value", "write it in seconds, as 60s", "%s is no duration", n.Describe())
		}
		return 0
	}
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

// maxSeconds bounds what is read, so that a sum cannot overflow.
const maxSeconds = 100 * 365 * 24 * 60 * 60

// list calls f for each item of a list.
func (r *reader) list(n *source.Node, f func(item *source.Node)) {
	if n.Kind != source.List {
		r.errorf(n, "wrong-type", "", "expected a list, found %s", n.Describe())
		return
	}
	for _, item := range n.Items {
		f(item)
	}
}

// each calls f for each pair of a map whose keys are names.
func (r *reader) each(n *source.Node, f func(key, value *source.Node)) {
	if n.Kind != source.Map {
		r.errorf(n, "wrong-type", "", "expected a map, found %s", n.Describe())
		return
	}
	for _, p := range n.Fields {
		f(p.Key, p.Value)
	}
}

// names reads a list of names.
func (r *reader) names(n *source.Node) []Name {
	var names []Name
	r.list(n, func(item *source.Node) { names = append(names, r.name(item)) })
	return names
}

// strings reads a list of texts.
func (r *reader) strings(n *source.Node) []string {
	var list []string
	r.list(n, func(item *source.Node) { list = append(list, r.str(item)) })
	return list
}

// labels reads a map of texts.
func (r *reader) labels(n *source.Node) []*Field {
	var fields []*Field
	r.each(n, func(key, value *source.Node) {
		fields = append(fields, &Field{At: key.TextPos(), Name: key.Value, Value: &Text{At: value.TextPos(), Value: r.str(value)}})
	})
	return fields
}

// width is the number of characters of a name.
func width(s string) int { return max(1, utf8.RuneCountInString(s)) }
