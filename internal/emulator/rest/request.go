package rest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// systemParameters are the query parameters of every Google API:
// cloud.google.com/apis/docs/system-parameters. They are no request fields.
var systemParameters = []string{
	"$.xgafv", "$alt", "$callback", "$fields", "$httpHeaders", "$key", "$outputDefaults", "$prettyPrint", "$quotaUser", "$unique", "$userProject",
	"access_token", "alt", "callback", "fields", "key", "oauth_token", "prettyPrint", "quotaUser", "trace", "uploadType", "upload_protocol", "userIp", "userProject",
}

// decode fills a request message from the body, then the query, then the path,
// which has the last word.
func (m match) decode(r *http.Request, q url.Values, in proto.Message) error {
	if err := m.decodeBody(r, in); err != nil {
		return err
	}
	var bad violations
	for _, name := range sortedKeys(q) {
		if slices.Contains(systemParameters, name) {
			continue
		}
		m.decodeParameter(in, name, q[name], &bad)
	}
	if err := bad.err(); err != nil {
		return err
	}
	for i, v := range m.vars {
		text, err := m.value(v, m.path)
		if err != nil {
			return invalid(err.Error())
		}
		if err := setField(in.ProtoReflect(), m.fields[i], text); err != nil {
			return invalid(fmt.Sprintf("Invalid value at '%s': %v", v.field, err))
		}
	}
	return nil
}

func (m match) decodeBody(r *http.Request, in proto.Message) error {
	if m.body == "" {
		return nil
	}
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return invalid(fmt.Sprintf("Request payload size exceeds the limit: %d bytes.", tooLarge.Limit))
	}
	if err != nil {
		return invalid("The request body broke off: " + err.Error())
	}
	target, err := m.bodyOf(in)
	if err != nil {
		return err
	}
	if raw, ok := target.(*httpbody.HttpBody); ok {
		raw.ContentType, raw.Data = r.Header.Get("Content-Type"), data
		return nil
	}
	return UnmarshalAt(data, target, strings.TrimPrefix(m.body, "*"))
}

// bodyOf returns the part of a request message that the body holds. An HttpBody
// in the message takes any body as it is.
func (m match) bodyOf(in proto.Message) (proto.Message, error) {
	fields := m.desc.Input().Fields()
	field := fields.ByName(protoreflect.Name(m.body))
	if m.body == "*" {
		for i := range fields.Len() {
			if f := fields.Get(i); f.Message() != nil && f.Message().FullName() == "google.api.HttpBody" {
				field = f
			}
		}
		if field == nil {
			return in, nil
		}
	}
	if field == nil || field.Message() == nil || field.IsList() || field.IsMap() {
		return nil, status.Errorf(codes.Internal, "the body field %s of %s is not a message", m.body, m.desc.FullName())
	}
	return in.ProtoReflect().Mutable(field).Message().Interface(), nil
}

// Parameters returns the query of a REST-only method, whose parameters have
// these names in camel case or snake case. Its error names those that the
// method does not have.
func Parameters(q url.Values, names ...string) (map[string]string, error) {
	var bad violations
	values := map[string]string{}
	for _, name := range sortedKeys(q) {
		if slices.Contains(systemParameters, name) {
			continue
		}
		known := slices.IndexFunc(names, func(n string) bool { return n == camelMask(name) })
		switch {
		case known < 0:
			bad.unbound(name)
		case len(q[name]) > 1:
			bad.repeated(name, len(q[name]))
		default:
			values[names[known]] = q[name][0]
		}
	}
	return values, bad.err()
}

func (v *violations) unbound(name string) {
	v.add("", fmt.Sprintf("Invalid JSON payload received. Unknown name \"%s\": Cannot bind query parameter. Field '%s' could not be found in request message.", name, name))
}

func (v *violations) repeated(name string, times int) {
	v.add(name, fmt.Sprintf("Invalid value at '%s': the query parameter is given %d times", name, times))
}

func (m match) decodeParameter(in proto.Message, name string, values []string, bad *violations) {
	fields, err := resolve(m.desc.Input(), name)
	if err != nil {
		bad.unbound(name)
		return
	}
	last := fields[len(fields)-1]
	if len(values) > 1 && !last.IsList() {
		bad.repeated(name, len(values))
		return
	}
	for _, v := range values {
		if err := setField(in.ProtoReflect(), fields, v); err != nil {
			bad.add(name, fmt.Sprintf("Invalid value at '%s' (%s), %s", name, kindName(last), err))
		}
	}
}

// resolve finds the fields of a dotted path; each part may be a proto name or a
// JSON name.
func resolve(m protoreflect.MessageDescriptor, path string) ([]protoreflect.FieldDescriptor, error) {
	var fields []protoreflect.FieldDescriptor
	for part := range strings.SplitSeq(path, ".") {
		if m == nil {
			return nil, fmt.Errorf("%s: %s has no fields", path, fields[len(fields)-1].Name())
		}
		f := fieldOf(m, part)
		if f == nil {
			return nil, fmt.Errorf("%s: no field %q", path, part)
		}
		fields = append(fields, f)
		m = f.Message()
		if f.IsList() || f.IsMap() {
			m = nil
		}
	}
	return fields, nil
}

func fieldOf(m protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if f := m.Fields().ByJSONName(name); f != nil {
		return f
	}
	return m.Fields().ByName(protoreflect.Name(name))
}

// setField sets a field from the text of a path or query; a list gets one more
// element.
func setField(m protoreflect.Message, fields []protoreflect.FieldDescriptor, text string) error {
	for _, f := range fields[:len(fields)-1] {
		m = m.Mutable(f).Message()
	}
	f := fields[len(fields)-1]
	if f.IsMap() {
		return errors.New("a map cannot be a query parameter")
	}
	v, err := scalar(m, f, text)
	if err != nil {
		return err
	}
	if f.IsList() {
		m.Mutable(f).List().Append(v)
		return nil
	}
	m.Set(f, v)
	return nil
}

// scalar reads text as a value of a field's type.
func scalar(m protoreflect.Message, f protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	quoted := strconv.Quote(text)
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return protoreflect.Value{}, errors.New(quoted)
		}
		return protoreflect.ValueOfBool(b), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), because(err, quoted)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(n), because(err, quoted)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), because(err, quoted)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(n), because(err, quoted)
	case protoreflect.FloatKind:
		x, err := strconv.ParseFloat(text, 32)
		return protoreflect.ValueOfFloat32(float32(x)), because(err, quoted)
	case protoreflect.DoubleKind:
		x, err := strconv.ParseFloat(text, 64)
		return protoreflect.ValueOfFloat64(x), because(err, quoted)
	case protoreflect.EnumKind:
		return enumValue(f.Enum(), text)
	}
	return parsedScalar(m, f, text)
}

// because gives an error the text that it is about, as Google does.
func because(err error, quoted string) error {
	if err != nil {
		return errors.New(quoted)
	}
	return nil
}

func enumValue(e protoreflect.EnumDescriptor, text string) (protoreflect.Value, error) {
	if v := e.Values().ByName(protoreflect.Name(text)); v != nil {
		return protoreflect.ValueOfEnum(v.Number()), nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < math.MinInt32 {
		return protoreflect.Value{}, errors.New(strconv.Quote(text))
	}
	return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), nil
}

// parsedScalar reads bytes and the well-known types that JSON writes as one
// value, such as timestamps and field masks.
func parsedScalar(m protoreflect.Message, f protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	if f.Message() != nil && f.Message().FullName() == "google.protobuf.FieldMask" {
		text = camelMask(text)
	}
	holder := m.New()
	body := fmt.Sprintf(`{%q:%s}`, f.JSONName(), jsonText(f, text))
	if err := protojson.Unmarshal([]byte(body), holder.Interface()); err != nil {
		return protoreflect.Value{}, errors.New(strconv.Quote(text))
	}
	v := holder.Get(f)
	if f.IsList() {
		v = v.List().Get(0)
	}
	return v, nil
}

// jsonText writes text as the JSON of a field: a string, or a bare number or
// boolean where the field is a wrapper of one.
func jsonText(f protoreflect.FieldDescriptor, text string) string {
	out := quoteJSON(text)
	if f.Message() != nil {
		switch f.Message().Name() {
		case "BoolValue", "Int32Value", "UInt32Value":
			out = text
		}
	}
	if f.IsList() {
		return "[" + out + "]"
	}
	return out
}

// camelMask makes the paths of a field mask camelCase, as protojson wants them;
// gcloud sends traffic_split, Go's clients trafficSplit.
func camelMask(mask string) string {
	var b strings.Builder
	up := false
	for _, c := range mask {
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteRune(c)
	}
	return b.String()
}
