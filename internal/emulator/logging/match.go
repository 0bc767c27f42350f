package logging

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	ltype "google.golang.org/genproto/googleapis/logging/type"
)

// comparison compares a field with a value.
type comparison struct {
	path    []string
	op      string
	value   string
	pattern *regexp.Regexp // of =~ and !~
}

// check finds, before any entry is read, a field that log entries do not have
// and a value that is not of the field's type.
func (c *comparison) check() error {
	m := (&loggingpb.LogEntry{}).ProtoReflect().Descriptor()
	var f protoreflect.FieldDescriptor
	for i, name := range c.path {
		if f = fieldOf(m.Fields(), name); f == nil {
			return fmt.Errorf("log entries have no field %q", strings.Join(c.path[:i+1], "."))
		}
		if m = f.Message(); m == nil || f.IsMap() || m.ParentFile().Package() == "google.protobuf" {
			break
		}
	}
	if c.op == ":" && c.value == "*" || f.IsMap() {
		return nil
	}
	var err error
	switch {
	case f.Name() == "severity":
		_, err = severity(c.value)
	case m != nil && m.Name() == "Timestamp":
		_, err = parseTime(c.value)
	case m != nil && m.Name() == "Duration":
		_, err = parseDuration(c.value)
	}
	return err
}

func (c *comparison) match(e *loggingpb.LogEntry) (bool, error) {
	found, matched, err := c.walk(protoreflect.ValueOfMessage(e.ProtoReflect()), nil, c.path)
	if c.op == "!=" || c.op == "!~" {
		// A choice where the documentation is silent: a field that is not there
		// differs from every value.
		return !matched && err == nil, err
	}
	return found && matched, err
}

// walk follows a path from a value of field f (nil for the entry itself) and
// says whether something is there and whether it compares. Of a list, any
// element may.
func (c *comparison) walk(v protoreflect.Value, f protoreflect.FieldDescriptor, path []string) (found, matched bool, err error) {
	if f != nil && f.Message() == nil || len(path) == 0 {
		if len(path) > 0 {
			return false, false, nil
		}
		matched, err = c.holds(v, f)
		return true, matched, err
	}
	m := v.Message()
	switch x := m.Interface().(type) {
	case *structpb.Struct:
		next, ok := x.Fields[path[0]]
		if !ok {
			return false, false, nil
		}
		return c.walkJSON(next, path[1:])
	case *structpb.Value:
		return c.walkJSON(x, path)
	}
	next := fieldOf(m.Descriptor().Fields(), path[0])
	if next == nil || !m.Has(next) && next.Message() != nil {
		return false, false, nil
	}
	switch {
	case next.IsMap():
		if len(path) == 1 { // labels:*
			return true, c.op == ":" && c.value == "*", nil
		}
		key := strings.Join(path[1:], ".") // label keys may hold dots
		item := m.Get(next).Map().Get(protoreflect.ValueOfString(key).MapKey())
		if !item.IsValid() {
			return false, false, nil
		}
		matched, err = c.holds(item, next.MapValue())
		return true, matched, err
	case next.IsList():
		list := m.Get(next).List()
		for i := range list.Len() {
			f, ok, err := c.walk(list.Get(i), next, path[1:])
			found, matched = found || f, matched || ok
			if err != nil {
				return found, matched, err
			}
		}
		return found, matched, nil
	}
	if !m.Has(next) && c.op == ":" && c.value == "*" {
		return false, false, nil
	}
	return c.walk(m.Get(next), next, path[1:])
}

func (c *comparison) walkJSON(v *structpb.Value, path []string) (found, matched bool, err error) {
	if list := v.GetListValue(); list != nil {
		for _, item := range list.Values {
			f, ok, err := c.walkJSON(item, path)
			found, matched = found || f, matched || ok
			if err != nil {
				return found, matched, err
			}
		}
		return found, matched, nil
	}
	if len(path) > 0 {
		next, ok := v.GetStructValue().GetFields()[path[0]]
		if !ok {
			return false, false, nil
		}
		return c.walkJSON(next, path[1:])
	}
	if c.op == ":" && c.value == "*" {
		return true, true, nil
	}
	switch k := v.Kind.(type) {
	case *structpb.Value_StringValue:
		return true, c.text(k.StringValue), nil
	case *structpb.Value_NumberValue:
		return true, c.number(k.NumberValue), nil
	case *structpb.Value_BoolValue:
		return true, c.text(strconv.FormatBool(k.BoolValue)), nil
	case *structpb.Value_NullValue:
		return true, c.text("NULL_VALUE"), nil
	}
	return true, false, nil
}

// holds compares a value of a field.
func (c *comparison) holds(v protoreflect.Value, f protoreflect.FieldDescriptor) (bool, error) {
	if c.op == ":" && c.value == "*" {
		return true, nil
	}
	if f.Name() == "severity" {
		want, err := severity(c.value)
		return c.ordered(cmp.Compare(int32(v.Enum()), want)), err
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		return c.text(v.String()), nil
	case protoreflect.BoolKind:
		return c.text(strconv.FormatBool(v.Bool())), nil
	case protoreflect.EnumKind:
		return c.text(string(f.Enum().Values().ByNumber(v.Enum()).Name())), nil
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return c.number(float64(v.Int())), nil
	case protoreflect.MessageKind:
		return c.message(v.Message().Interface())
	}
	return c.text(fmt.Sprint(v.Interface())), nil
}

func (c *comparison) message(m proto.Message) (bool, error) {
	switch m := m.(type) {
	case *timestamppb.Timestamp:
		want, err := parseTime(c.value)
		return c.ordered(m.AsTime().Compare(want)), err
	case *durationpb.Duration:
		want, err := parseDuration(c.value)
		return c.ordered(cmp.Compare(m.AsDuration(), want)), err
	}
	return false, nil
}

// text compares strings without regard to case, but for regular expressions.
func (c *comparison) text(v string) bool {
	if c.pattern != nil {
		return c.pattern.MatchString(v)
	}
	have, want := strings.ToLower(v), strings.ToLower(c.value)
	if c.op == ":" {
		return strings.Contains(have, want)
	}
	return c.ordered(strings.Compare(have, want))
}

// number compares numbers; a value that is none compares as text.
func (c *comparison) number(v float64) bool {
	want, err := strconv.ParseFloat(c.value, 64)
	if err != nil || c.pattern != nil {
		return c.text(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return c.ordered(cmp.Compare(v, want))
}

// ordered says whether the operator holds; the negations are turned around by
// match.
func (c *comparison) ordered(order int) bool {
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return order == 0
}

// severity reads a level by name or number.
func severity(s string) (int32, error) {
	if n, ok := ltype.LogSeverity_value[strings.ToUpper(s)]; ok {
		return n, nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a severity such as WARNING", s)
	}
	return int32(n), nil
}

// parseTime takes RFC 3339 or a plain date.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-01-31T15:04:05Z", s)
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 1.5s", s)
	}
	return d, nil
}

// fieldOf finds a field by its JSON name or its proto name.
func fieldOf(fields protoreflect.FieldDescriptors, name string) protoreflect.FieldDescriptor {
	if f := fields.ByJSONName(name); f != nil {
		return f
	}
	return fields.ByName(protoreflect.Name(name))
}

// anywhere is a text, in lower case, that any field of an entry may hold.
type anywhere string

func (a anywhere) match(e *loggingpb.LogEntry) (bool, error) {
	data, err := protojson.Marshal(e)
	if err != nil {
		return false, nil // a payload of an unknown type
	}
	return strings.Contains(strings.ToLower(string(data)), string(a)), nil
}

// logID matches the last part of a log's name, unescaped.
type logID string

func (id logID) match(e *loggingpb.LogEntry) (bool, error) {
	_, have, _ := strings.Cut(e.LogName, "/logs/")
	have, err := url.PathUnescape(have)
	return err == nil && have == string(id), nil
}
