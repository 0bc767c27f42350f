package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Unmarshal reads a message from JSON as Google's APIs do: field names in
// either case, enums by name or number, 64-bit integers as strings or numbers.
// Its error is INVALID_ARGUMENT and names, by their paths, all fields that do
// not exist or have a value of the wrong kind.
func Unmarshal(data []byte, m proto.Message) error { return UnmarshalAt(data, m, "") }

// UnmarshalAt is Unmarshal of a part of a request, such as workflow.
func UnmarshalAt(data []byte, m proto.Message, path string) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	tree, err := parse(data)
	if err != nil {
		return invalid("Invalid JSON payload received. " + err.Error())
	}
	var bad violations
	bad.message(m.ProtoReflect().Descriptor(), tree, path)
	if err := bad.err(); err != nil {
		return err
	}
	if err := protojson.Unmarshal(data, m); err != nil {
		text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
		return invalid("Invalid JSON payload received. " + text)
	}
	return nil
}

func parse(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%w at character %d", err, syntax.Offset)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("it breaks off at character %d", len(data))
		}
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the JSON value")
	}
	return tree, nil
}

// message compares a JSON object with a message type.
func (v *violations) message(m protoreflect.MessageDescriptor, tree any, path string) {
	if tree == nil || ownJSON(m) {
		return // protojson checks what has a JSON form of its own
	}
	object, ok := tree.(map[string]any)
	if !ok {
		v.value(path, "type.googleapis.com/"+string(m.FullName()), tree)
		return
	}
	for _, name := range sortedKeys(object) {
		f := fieldOf(m, name)
		if f == nil {
			v.unknown(path, name)
			continue
		}
		v.field(f, object[name], join(path, string(f.Name())))
	}
}

func (v *violations) field(f protoreflect.FieldDescriptor, tree any, path string) {
	switch {
	case tree == nil:
	case f.IsMap():
		object, ok := tree.(map[string]any)
		if !ok {
			v.value(path, "Map", tree)
			return
		}
		for _, key := range sortedKeys(object) {
			v.single(f.MapValue(), object[key], path+"["+strconv.Quote(key)+"]")
		}
	case f.IsList():
		list, ok := tree.([]any)
		if !ok {
			v.value(path, kindName(f), tree)
			return
		}
		for i, item := range list {
			v.single(f, item, fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		v.single(f, tree, path)
	}
}

func (v *violations) single(f protoreflect.FieldDescriptor, tree any, path string) {
	if f.Message() != nil {
		v.message(f.Message(), tree, path)
		return
	}
	if !fits(f, tree) {
		v.value(path, kindName(f), tree)
	}
}

// fits reports whether a JSON scalar can be the value of a field.
func fits(f protoreflect.FieldDescriptor, tree any) bool {
	switch f.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		_, ok := tree.(string)
		return ok
	case protoreflect.BoolKind:
		_, ok := tree.(bool)
		return ok
	case protoreflect.EnumKind:
		if name, ok := tree.(string); ok {
			return f.Enum().Values().ByName(protoreflect.Name(name)) != nil
		}
		return integer(tree, math.MinInt32, math.MaxInt32)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return integer(tree, math.MinInt32, math.MaxInt32)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return integer(tree, math.MinInt64, math.MaxInt64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return integer(tree, 0, math.MaxUint32)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return integer(tree, 0, math.MaxUint64)
	}
	_, err := strconv.ParseFloat(numberText(tree), 64)
	return err == nil
}

func integer(tree any, low int64, high uint64) bool {
	text := numberText(tree)
	if len(text) > 40 { // before big.Rat makes 1e999999999 of it
		return false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 4 {
		return false
	}
	n, ok := new(big.Rat).SetString(text)
	return ok && !strings.Contains(text, "/") && n.IsInt() &&
		n.Num().Cmp(big.NewInt(low)) >= 0 && n.Num().Cmp(new(big.Int).SetUint64(high)) <= 0
}

// numberText is the text of a number, which may be written as a string.
func numberText(tree any) string {
	switch t := tree.(type) {
	case json.Number:
		return t.String()
	case string:
		return t
	}
	return ""
}

// ownJSON says whether a type's JSON is not the object of its fields.
func ownJSON(m protoreflect.MessageDescriptor) bool {
	return m.ParentFile().Package() == "google.protobuf" && m.Name() != "Empty" && !strings.HasSuffix(string(m.Name()), "DescriptorProto")
}

// kindName is Google's name of a field's type, such as TYPE_INT64.
func kindName(f protoreflect.FieldDescriptor) string {
	switch {
	case f.Enum() != nil:
		return "type.googleapis.com/" + string(f.Enum().FullName())
	case f.Message() != nil:
		return "type.googleapis.com/" + string(f.Message().FullName())
	}
	return "TYPE_" + strings.ToUpper(f.Kind().String())
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
