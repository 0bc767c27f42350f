package stdlib

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

func mediaType(contentType string) string {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		t, _, _ = strings.Cut(contentType, ";")
	}
	return strings.ToLower(strings.TrimSpace(t))
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// encodeBody encodes a request body by its Content-Type, which it sets if
// there is none.
//
// Source: cloud.google.com/workflows/docs/reference/stdlib/http/request. Bytes
// go out as they are under any type, and so do strings, but for JSON, where
// "any JSON value" is taken by its word.
func encodeBody(v value.Value, h http.Header) ([]byte, error) {
	if !given(v) {
		return nil, nil
	}
	declared := h.Get("Content-Type")
	if b, ok := v.(value.Bytes); ok {
		if declared == "" {
			h.Set("Content-Type", "application/octet-stream")
		}
		return []byte(b), nil
	}
	media := mediaType(declared)
	switch {
	case declared == "":
		h.Set("Content-Type", "application/json; charset=utf-8")
		return value.ToJSON(v)
	case isJSON(media):
		return value.ToJSON(v)
	}
	if s, ok := v.(value.String); ok {
		return []byte(s), nil
	}
	if m, ok := v.(*value.Map); ok && media == "application/x-www-form-urlencoded" {
		form, err := encodeQuery(m)
		return []byte(form), err
	}
	return nil, value.Errorf(value.TypeError, "a body of type %s cannot be sent as %s", value.Type(v), declared)
}

// decodeBody decodes a body by its Content-Type: JSON, text, or else bytes.
// An empty body is null unless it is text (choice empty-body); JSON that does
// not parse stays a string, and text that is not UTF-8 bytes (choice
// response-types).
func decodeBody(h http.Header, body []byte) value.Value {
	media := mediaType(h.Get("Content-Type"))
	text := strings.HasPrefix(media, "text/") || isJSON(media) || media == "application/xml" ||
		strings.HasSuffix(media, "+xml") || media == "application/x-www-form-urlencoded"
	switch {
	case len(body) == 0 && !strings.HasPrefix(media, "text/"):
		return value.Null{}
	case !text || !utf8.Valid(body):
		return value.Bytes(body)
	case isJSON(media):
		if v, err := value.FromJSON(body); err == nil {
			return v
		}
	}
	return value.String(body)
}

// httpError is the error of a status from 400 on. response is {body, code,
// headers}, which nobody else holds.
func httpError(status int, response *value.Map) *value.Error {
	e := value.NewError(fmt.Sprintf("HTTP server responded with error code %d", status), value.HTTPError)
	for k, v := range response.All() {
		e.With(k.String(), v)
	}
	return e
}

// callbackRequest is what await_callback returns of a call. A key that the query
// repeats has a list (choice query-of-callbacks).
func callbackRequest(r *interp.CallbackRequest) *value.Map {
	return value.NewMap().
		Put("body", decodeBody(r.Header, r.Body)).
		Put("headers", headerMap(r.Header)).
		Put("method", value.String(r.Method)).
		Put("query", queryMap(r.Query)).
		Put("url", value.String(r.URL))
}

func queryMap(q url.Values) *value.Map {
	m := value.NewMap()
	for _, name := range sortedKeys(q) {
		values := q[name]
		if len(values) == 1 {
			m.Put(name, value.String(values[0]))
			continue
		}
		items := make([]value.Value, len(values))
		for i, s := range values {
			items[i] = value.String(s)
		}
		m.Put(name, value.NewList(items...))
	}
	return m
}
