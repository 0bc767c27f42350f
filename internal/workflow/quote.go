package workflow

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/expr"
)

// quoteNode formats an expression, a literal or an empty collection on one
// line.
func quoteNode(n Node) string {
	switch n := n.(type) {
	case *Expr:
		return quoteExpr(n.X)
	case *Lit:
		return quoteLiteral(n.Value)
	case *List:
		return "[]"
	case *Map:
		return "{}"
	}
	return "null"
}

// quoteExpr formats ${…}, in quotes only when YAML would misread it.
func quoteExpr(x expr.Expr) string {
	s := "${" + expr.String(x) + "}"
	if strings.Contains(s, ": ") || strings.Contains(s, " #") {
		return singleQuoted(s)
	}
	return s
}

func quoteLiteral(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		switch {
		case math.IsNaN(v):
			return ".nan"
		case math.IsInf(v, 1):
			return ".inf"
		case math.IsInf(v, -1):
			return "-.inf"
		}
		return expr.FormatDouble(v)
	case string:
		return quoteString(v)
	}
	return "null"
}

// quoteString formats a string on one line: plain if every YAML reader takes
// it for the same string, else in single quotes, or in double quotes when it
// needs escapes.
func quoteString(s string) string {
	switch {
	case isExpr(s):
		// There is no way to quote ${…}; two strings joined are not one.
		return quoteExpr(&expr.Binary{
			X: &expr.Literal{Value: s[:1]}, Op: "+", Y: &expr.Literal{Value: s[1:]},
		})
	case !printable(s):
		return expr.String(&expr.Literal{Value: s}) // JSON's escapes are YAML's
	case plain(s):
		return s
	}
	return singleQuoted(s)
}

func singleQuoted(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func printable(s string) bool {
	for _, r := range s {
		if !expr.Printable(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// plain reports whether a printable string needs no quotes in block style.
// Readers of YAML 1.1 take more words and numbers for something else than
// this package does, so those are quoted too.
func plain(s string) bool {
	if s == "" || s != strings.TrimSpace(s) ||
		strings.IndexByte("-?:,[]{}#&*!|>'\"%@`~=", s[0]) >= 0 || strings.HasPrefix(s, "<<") || strings.HasPrefix(s, "...") ||
		strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") {
		return false
	}
	if strings.IndexByte("+.0123456789", s[0]) >= 0 && all(s, "0123456789+-_.:xobTtZzabcdefABCDEF ") {
		return false
	}
	switch strings.ToLower(s) {
	case "yes", "no", "on", "off", "y", "n":
		return false
	}
	v, err := resolvePlain(s)
	return err == nil && v == any(s)
}

// blockSafe reports whether s has several lines and reads well, and exactly,
// as a literal block.
func blockSafe(s string) bool {
	body := strings.TrimSuffix(s, "\n")
	if strings.IndexByte(body, '\n') < 0 || strings.IndexByte(" \t", body[0]) >= 0 || isExpr(strings.TrimSpace(s)) {
		return false
	}
	lines := strings.Split(body, "\n")
	for _, line := range lines {
		if !printable(strings.ReplaceAll(line, "\t", "")) || strings.TrimRight(line, " \t") != line {
			return false
		}
	}
	return lines[0] != "" && lines[len(lines)-1] != ""
}
