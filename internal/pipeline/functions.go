package pipeline

import (
	"fmt"
	"strings"
)

// A function is one of the standard library's that expressions may call.
type function struct {
	result   Type // "" when it depends, or is not one of ours
	min, max int  // arguments
}

func (f function) arity() string {
	switch {
	case f.min == f.max && f.min == 1:
		return "one argument"
	case f.min == f.max:
		return fmt.Sprintf("%d arguments", f.min)
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

// functions holds the functions of Cloud Workflows that do not wait
// (cloud.google.com/workflows/docs/reference/stdlib/overview).
var functions = map[string]function{
	"double": {Double, 1, 1}, "int": {Int, 1, 1}, "string": {String, 1, 1}, "keys": {List, 1, 1}, "len": {Int, 1, 1},
	"default": {"", 2, 2}, "if": {"", 3, 3}, "get_type": {String, 1, 1},
	"base64.decode": {"", 1, 2}, "base64.encode": {String, 1, 2},
	"json.decode": {"", 1, 1}, "json.encode": {"", 1, 2}, "json.encode_to_string": {String, 1, 2},
	"text.decode": {String, 1, 2}, "text.encode": {"", 1, 2}, "text.find_all": {List, 2, 2}, "text.find_all_regex": {List, 2, 2},
	"text.match_regex": {Bool, 2, 2}, "text.replace_all": {String, 3, 3}, "text.replace_all_regex": {String, 3, 3},
	"text.split": {List, 2, 2}, "text.substring": {String, 3, 3}, "text.to_lower": {String, 1, 1}, "text.to_upper": {String, 1, 1},
	"text.url_decode": {String, 1, 1}, "text.url_encode": {String, 1, 1}, "text.url_encode_plus": {String, 1, 1},
	"uuid.generate":         {String, 0, 0},
	"hash.compute_checksum": {"", 2, 2}, "hash.compute_hmac": {"", 3, 3},
	"list.concat": {List, 2, 2}, "list.prepend": {List, 2, 2},
	"map.get": {"", 2, 2}, "map.delete": {Struct, 2, 2}, "map.merge": {Struct, 2, 2}, "map.merge_nested": {Struct, 2, 2},
	"math.abs": {"", 1, 1}, "math.floor": {"", 1, 1}, "math.max": {"", 2, 2}, "math.min": {"", 2, 2},
	"time.format": {String, 1, 2}, "time.parse": {Double, 1, 1},
	"sys.get_env": {String, 1, 2}, "sys.now": {Double, 0, 0},
}

// blocking reports whether a function may be a step of its own only.
func blocking(name string) bool {
	module, _, _ := strings.Cut(name, ".")
	switch module {
	case "http", "events", "googleapis", "experimental":
		return true
	}
	return name == "sys.log" || name == "sys.sleep" || name == "sys.sleep_until"
}
