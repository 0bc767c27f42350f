package form

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/value"
	"github.com/kakehi/kakehi/internal/workflow"
)

// Text reads a text, which may be a number.
func (r *Reader) Text(n workflow.Node) string {
	if l, ok := n.(*workflow.Lit); ok {
		switch v := l.Value.(type) {
		case string:
			return v
		case int64:
			return strconv.FormatInt(v, 10)
		}
	}
	r.Errorf(n.Pos(), "wrong-type", "", "a text belongs here, not %s", Describe(n))
	return ""
}

// Word reads one of the words.
func (r *Reader) Word(n workflow.Node, words ...string) string {
	text := r.Text(n)
	if text != "" && !slices.Contains(words, text) {
		r.Errorf(n.Pos(), "wrong-value", oneOf(text, words), "%q is none of %s", text, strings.Join(words, ", "))
	}
	return text
}

// Int reads an integer from least to most.
func (r *Reader) Int(n workflow.Node, least, most int64) int64 {
	if l, ok := n.(*workflow.Lit); ok {
		if i, ok := l.Value.(int64); ok && i >= least && i <= most {
			return i
		}
	}
	if most == math.MaxInt64 {
		r.Errorf(n.Pos(), "wrong-type", "", "an integer from %d on belongs here, not %s", least, Describe(n))
	} else {
		r.Errorf(n.Pos(), "wrong-type", "", "an integer from %d to %d belongs here, not %s", least, most, Describe(n))
	}
	return least
}

// Duration reads a number of seconds, or a text such as 1h30m.
func (r *Reader) Duration(n workflow.Node) time.Duration {
	if l, ok := n.(*workflow.Lit); ok {
		var d time.Duration
		var err error
		switch v := l.Value.(type) {
		case int64:
			d = seconds(float64(v))
		case float64:
			d = seconds(v)
		case string:
			d, err = time.ParseDuration(v)
		default:
			d = -1
		}
		if err == nil && d >= 0 {
			return d
		}
	}
	r.Errorf(n.Pos(), "wrong-type", "", "a number of seconds or a duration such as 1h30m belongs here, not %s", Describe(n))
	return 0
}

// seconds is -1 for what no duration can hold.
func seconds(s float64) time.Duration {
	if most := math.MaxInt64 / float64(time.Second); !(s >= 0 && s < most) {
		return -1
	}
	return time.Duration(s * float64(time.Second))
}

// Time reads a time of RFC 3339.
func (r *Reader) Time(n workflow.Node) time.Time {
	t, err := time.Parse(time.RFC3339, r.Text(n))
	if err != nil {
		r.Errorf(n.Pos(), "wrong-value", "", "a time such as 2026-01-02T15:04:05Z belongs here, not %s", Describe(n))
	}
	return t
}

// List reads a list, and calls f for each item.
func (r *Reader) List(n workflow.Node, f func(workflow.Node)) {
	list, ok := n.(*workflow.List)
	if !ok {
		r.Errorf(n.Pos(), "wrong-type", "begin each item with a dash", "a list belongs here, not %s", Describe(n))
		return
	}
	for _, item := range list.Items {
		f(item)
	}
}

// Map reads a map with keys of any name, and calls f for each entry.
func (r *Reader) Map(n workflow.Node, f func(key string, at diag.Pos, v workflow.Node)) {
	m, ok := n.(*workflow.Map)
	if !ok {
		r.Errorf(n.Pos(), "wrong-type", "", "a map belongs here, not %s", Describe(n))
		return
	}
	for _, e := range m.Entries {
		key, ok := keyOf(e)
		if !ok {
			r.Errorf(e.Key.Pos(), "wrong-type", "", "a key cannot be an expression here")
			continue
		}
		f(key, e.Key.Pos(), e.Value)
	}
}

// Texts reads a map of texts.
func (r *Reader) Texts(n workflow.Node) map[string]string {
	texts := map[string]string{}
	r.Map(n, func(key string, _ diag.Pos, v workflow.Node) { texts[key] = r.Text(v) })
	return texts
}

// Value reads any value without expressions.
func (r *Reader) Value(n workflow.Node) value.Value {
	switch n := n.(type) {
	case *workflow.Lit:
		if v, err := value.FromGo(n.Value); err == nil {
			return v
		}
	case *workflow.List:
		items := make([]value.Value, len(n.Items))
		for i, item := range n.Items {
			items[i] = r.Value(item)
		}
		return value.NewList(items...)
	case *workflow.Map:
		m := value.NewMap()
		for _, e := range n.Entries {
			if k, ok := value.KeyOf(r.Value(e.Key)); ok {
				m.PutKey(k, r.Value(e.Value))
			}
		}
		return m
	default:
		r.Errorf(n.Pos(), "expression", "write the value out", "an expression cannot stand here")
	}
	return value.Null{}
}
