package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/aiplatform/apiv1/aiplatformpb"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kakehi/kakehi/internal/expr"
	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// jobSpec checks the raw form against Vertex AI's own definition of it.
func (c *checker) jobSpec(k *Job, s *scope) {
	c.valueType(k.Spec, s)
	fields, ok := k.Spec.(*Fields)
	if !ok {
		c.valueAt(k.Spec).hint("begin with workerPoolSpecs").errorf("type-mismatch", "jobSpec is a map")
		return
	}
	if at := noPools(fields); at != nil {
		c.valueAt(at).hint("write workerPoolSpecs: [{machineSpec: …, replicaCount: 1, containerSpec: …}]").
			errorf("missing-key", "a CustomJobSpec needs workerPoolSpecs")
	}
	m := message{c, s}
	m.fields(fields, (&aiplatformpb.CustomJobSpec{}).ProtoReflect().Descriptor(), "jobSpec")
}

// noPools returns where the worker pools are missing; nil when there are some.
func noPools(spec *Fields) Value {
	i := slices.IndexFunc(spec.Fields, func(f *Input) bool { return f.Name == "workerPoolSpecs" })
	if i < 0 {
		return spec
	}
	switch pools := spec.Fields[i].Value.(type) {
	case *Lit:
		if pools.V == nil {
			return pools
		}
	case *Items:
		if len(pools.Items) == 0 {
			return pools
		}
	}
	return nil
}

// A message compares values with a protobuf message as JSON writes it.
type message struct {
	*checker
	scope *scope
}

func (m message) fields(v *Fields, d protoreflect.MessageDescriptor, owner string) {
	for _, f := range v.Fields {
		fd := d.Fields().ByJSONName(f.Name)
		if fd == nil {
			fd = d.Fields().ByTextName(f.Name)
		}
		if fd == nil {
			names := func() []string { return jsonNames(d) }
			m.at(f.At, len(f.Name)).hint(m.didYouMean(f.Name, names, "one of "+strings.Join(names(), ", "))).
				errorf("unknown-key", "%s has no key %q", owner, f.Name)
			continue
		}
		m.field(f.Value, fd)
	}
}

func jsonNames(d protoreflect.MessageDescriptor) []string {
	var names []string
	for i := range d.Fields().Len() {
		names = append(names, d.Fields().Get(i).JSONName())
	}
	slices.Sort(names)
	return names
}

func (m message) field(v Value, fd protoreflect.FieldDescriptor) {
	if lit, ok := v.(*Lit); v == nil || ok && lit.V == nil { // null leaves it out
		return
	}
	switch {
	case fd.IsMap():
		if fields, ok := v.(*Fields); ok {
			for _, f := range fields.Fields {
				m.single(f.Value, fd.MapValue())
			}
			return
		}
		m.want(v, fd, "a map", Struct)
	case fd.IsList():
		if list, ok := v.(*Items); ok {
			for _, item := range list.Items {
				m.single(item, fd)
			}
			return
		}
		m.want(v, fd, "a list", List)
	default:
		m.single(v, fd)
	}
}

// want reports a value that has none of the types.
func (m message) want(v Value, fd protoreflect.FieldDescriptor, what string, types ...Type) {
	t := m.valueType(v, m.scope)
	if t == "" || slices.Contains(types, t) {
		return
	}
	hint := ""
	if types[0] == String {
		hint = textHint(v, t)
	}
	m.valueAt(v).hint(hint).errorf("type-mismatch", "%s is %s, not %s", fd.JSONName(), what, article(t))
}

// textHint tells how to make text of a value.
func textHint(v Value, t Type) string {
	e, isExpr := v.(*Expr)
	switch {
	case t.IsArtifact():
		return "write its uri: NAME.uri"
	case t == List || t == Struct:
		return ""
	case isExpr:
		return fmt.Sprintf("make text of it: '${string(%s)}'", expr.String(e.X))
	}
	return "put it in quotes"
}

// Forms of numbers and durations that protobuf's JSON writes as text.
var (
	wholeForm   = lazyregexp.New(`^-?[0-9]+$`)
	secondsForm = lazyregexp.New(`^-?[0-9]+(\.[0-9]{1,9})?s$`)
)

// single checks a value, or one of a list's.
func (m message) single(v Value, fd protoreflect.FieldDescriptor) {
	if v == nil {
		return
	}
	text, isText := literalText(v)
	switch fd.Kind() {
	case protoreflect.BoolKind:
		m.want(v, fd, "true or false", Bool)
	case protoreflect.StringKind, protoreflect.BytesKind:
		m.want(v, fd, "text", String)
	case protoreflect.EnumKind:
		m.enum(v, fd)
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		m.want(v, fd, "a number", Int, Double)
	case protoreflect.MessageKind, protoreflect.GroupKind:
		m.message(v, fd)
	default: // whole numbers, which may be text
		if isText && !wholeForm.MatchString(text) {
			m.valueAt(v).errorf("type-mismatch", "%s is a whole number, not %q", fd.JSONName(), text)
			return
		}
		m.want(v, fd, "a whole number", Int, String)
	}
}

func literalText(v Value) (string, bool) {
	lit, ok := v.(*Lit)
	if !ok {
		return "", false
	}
	text, ok := lit.V.(string)
	return text, ok
}

func (m message) enum(v Value, fd protoreflect.FieldDescriptor) {
	text, isText := literalText(v)
	values := fd.Enum().Values()
	if !isText || values.ByName(protoreflect.Name(text)) != nil {
		m.want(v, fd, "text", String, Int)
		return
	}
	var names []string
	for i := range values.Len() {
		names = append(names, string(values.Get(i).Name()))
	}
	m.valueAt(v).hint(m.didYouMean(text, func() []string { return names }, "one of "+strings.Join(names, ", "))).
		errorf("bad-value", "%s has no value %q", fd.JSONName(), text)
}

func (m message) message(v Value, fd protoreflect.FieldDescriptor) {
	switch fd.Message().FullName() {
	case "google.protobuf.Duration":
		if text, ok := literalText(v); ok && !secondsForm.MatchString(text) {
			m.valueAt(v).hint(`write it as "3600s"`).errorf("bad-value", "%s is a number of seconds, not %q", fd.JSONName(), text)
			return
		}
		m.want(v, fd, "text, such as 3600s", String)
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue", "google.protobuf.Timestamp":
	default:
		if fields, ok := v.(*Fields); ok {
			m.fields(fields, fd.Message(), fd.JSONName())
			return
		}
		m.want(v, fd, "a map", Struct)
	}
}
