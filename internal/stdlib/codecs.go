package stdlib

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"strings"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

var codecs = []Entry{
	pure("base64.decode", `base64.decode("aGk=")`, []string{"data", "padding"}, 1, base64Decode),
	pure("base64.encode", `base64.encode(text.encode("hi"))`, []string{"data", "padding"}, 1, base64Encode),
	pure("hash.compute_checksum", `hash.compute_checksum(text.encode("hi"), "SHA256")`, []string{"data", "algorithm"}, 2, checksum),
	pure("hash.compute_hmac", `hash.compute_hmac(key, data, "SHA256")`, []string{"key", "data", "algorithm"}, 3, hmacOf),
	pure("json.decode", `json.decode("[1, 2]")`, []string{"data"}, 1, jsonDecode),
	{Name: "json.encode", Example: `json.encode(m)`, Func: interp.Func{Params: []string{"data", "indent"}, Required: 1,
		Eval: func(c *interp.Context, a []value.Value) (value.Value, error) {
			text, err := encodeJSON(c, a)
			return value.Bytes(text), err
		}}},
	{Name: "json.encode_to_string", Example: `json.encode_to_string(m)`, Func: interp.Func{Params: []string{"data", "indent"}, Required: 1,
		Eval: func(c *interp.Context, a []value.Value) (value.Value, error) {
			text, err := encodeJSON(c, a)
			return value.String(text), err
		}}},
	{Name: "uuid.generate", Example: `uuid.generate()`, Func: interp.Func{
		Eval: func(c *interp.Context, _ []value.Value) (value.Value, error) { return value.String(c.UUID()), nil }}},
}

func encoding(padding value.Value) (*base64.Encoding, error) {
	padded, err := boolArg(padding, "padding", true)
	if err != nil || padded {
		return base64.StdEncoding, err
	}
	return base64.RawStdEncoding, nil
}

func base64Decode(a []value.Value) (value.Value, error) {
	s, err := textArg(a[0], "data")
	if err != nil {
		return nil, err
	}
	enc, err := encoding(a[1])
	if err != nil {
		return nil, err
	}
	b, err := enc.DecodeString(s)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "not Base64: %v", err)
	}
	return value.Bytes(b), nil
}

func base64Encode(a []value.Value) (value.Value, error) {
	b, err := bytesArg(a[0], "data")
	if err != nil {
		return nil, err
	}
	enc, err := encoding(a[1])
	if err != nil {
		return nil, err
	}
	return value.String(enc.EncodeToString(b)), nil
}

var algorithms = map[string]func() hash.Hash{
	"MD5": md5.New, "SHA1": sha1.New, "SHA224": sha256.New224, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New,
}

func algorithm(v value.Value) (func() hash.Hash, error) {
	name, err := textArg(v, "algorithm")
	if err != nil {
		return nil, err
	}
	h, ok := algorithms[name]
	if !ok {
		return nil, value.Errorf(value.ValueError, "unknown algorithm %q: it must be MD5, SHA1, SHA224, SHA256, SHA384 or SHA512", name)
	}
	return h, nil
}

func checksum(a []value.Value) (value.Value, error) {
	data, err := bytesArg(a[0], "data")
	if err != nil {
		return nil, err
	}
	h, err := algorithm(a[1])
	if err != nil {
		return nil, err
	}
	sum := h()
	sum.Write(data)
	return value.Bytes(sum.Sum(nil)), nil
}

func hmacOf(a []value.Value) (value.Value, error) {
	key, err := bytesArg(a[0], "key")
	if err != nil {
		return nil, err
	}
	data, err := bytesArg(a[1], "data")
	if err != nil {
		return nil, err
	}
	h, err := algorithm(a[2])
	if err != nil {
		return nil, err
	}
	mac := hmac.New(h, key)
	mac.Write(data)
	return value.Bytes(mac.Sum(nil)), nil
}

func jsonDecode(a []value.Value) (value.Value, error) {
	var text []byte
	switch v := a[0].(type) {
	case value.String:
		text = []byte(v)
	case value.Bytes:
		text = []byte(v)
	default:
		return nil, wrongType("data", "bytes or a string", a[0])
	}
	v, err := value.FromJSON(text)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "%v", err)
	}
	return v, nil
}

// encodeJSON bounds its output by the memory limit: a text that is larger
// could not be kept.
func encodeJSON(c *interp.Context, a []value.Value) ([]byte, error) {
	style := value.Style{MaxBytes: c.Limits().MemoryBytes}
	switch indent := a[1].(type) {
	case nil, value.Null:
	case value.Bool:
		if indent {
			style.Indent = "    "
		}
	case *value.Map:
		style.Indent = "    "
		settings := map[string]*string{"prefix": &style.Prefix, "indent": &style.Indent}
		for _, key := range sortedKeys(settings) {
			to := settings[key]
			v, _ := indent.Get(key)
			s, err := optionalText(v, "indent."+key, *to)
			if err != nil {
				return nil, err
			}
			if len(s) > 64 || strings.ContainsAny(s, "\n\r") {
				return nil, value.Errorf(value.ValueError, "argument 'indent.%s' must be a short string of one line", key)
			}
			*to = s
		}
	default:
		return nil, wrongType("indent", "a boolean or a map", indent)
	}
	return value.AppendJSON(nil, a[0], style)
}
