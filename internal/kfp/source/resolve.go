package source

import (
	"strings"

	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// Numbers as PyYAML, which writes the compiled pipelines and read the
// components, takes them. What differs between YAML 1.1 and 1.2 would else
// change: "1e5" is text to it, and it writes it without quotes.
var (
	intForm   = lazyregexp.New(`^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*|[1-9][0-9_]*(:[0-5]?[0-9])+)$`)
	floatForm = lazyregexp.New(`^([-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?|[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|\.(inf|Inf|INF))|\.(nan|NaN|NAN))$`)
)

// resolve returns what a plain scalar means.
func resolve(s string) Type {
	if s == "" {
		return Null
	}
	switch c := s[0]; {
	case '0' <= c && c <= '9', c == '-', c == '+', c == '.':
		return number(s)
	case strings.IndexByte("nNyYtTfFoO~", c) < 0:
		return String
	}
	switch s {
	case "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE",
		"yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF":
		return Bool
	}
	return String
}

func number(s string) Type {
	switch {
	case intForm.MatchString(s):
		return Int
	case floatForm.MatchString(s):
		return Float
	}
	return String
}

// resolveJSON returns what a JSON literal means.
func resolveJSON(s string) Type {
	switch {
	case s == "null":
		return Null
	case s == "true" || s == "false":
		return Bool
	case strings.ContainsAny(s, ".eE"):
		return Float
	}
	return Int
}
