package serving

import (
	"bytes"
	"encoding/json"
	"iter"
)

// elements yields the elements of a JSON list, which must be valid JSON. They
// are parts of it, not copies: a request may have millions.
func elements(list json.RawMessage) iter.Seq2[int, json.RawMessage] {
	return func(yield func(int, json.RawMessage) bool) {
		n, depth, begin := 0, 0, 0
		inText := false
		for i := 0; i < len(list); i++ {
			c := list[i]
			switch {
			case inText && c == '\\':
				i++
			case c == '"':
				inText = !inText
			case inText:
			case c == '[' || c == '{':
				if depth++; depth == 1 {
					begin = i + 1
				}
			case depth == 1 && (c == ',' || c == ']'):
				v := bytes.TrimSpace(list[begin:i])
				if len(v) == 0 || !yield(n, v) { // empty: of an empty list
					return
				}
				n, begin = n+1, i+1
			case c == ']' || c == '}':
				depth--
			}
		}
	}
}

// first is the first byte of a JSON value: it tells its kind.
func first(raw json.RawMessage) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

func excerpt(raw []byte) string {
	const most = 40
	if len(raw) > most {
		return string(bytes.ToValidUTF8(raw[:most], nil)) + "…"
	}
	return string(raw)
}
