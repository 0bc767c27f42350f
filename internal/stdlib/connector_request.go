package stdlib

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kakehi/kakehi/internal/discovery"
	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"github.com/kakehi/kakehi/internal/value"
)

// callMethod calls an API method and waits until its work is done.
func callMethod(c *interp.Context, name string, m *discovery.Method, args *value.Map) interp.Next {
	call, err := newMethodCall(name, m, args)
	if err != nil {
		return interp.Fail(err)
	}
	k, err := newConversation(c, m.Wait != "", args)
	if err != nil {
		return interp.Fail(err)
	}
	k.connector = name
	return k.send(m.Verb, call.url, call.header, call.body, func(v value.Value) interp.Next {
		if m.Wait == "" || k.skipPolling {
			return interp.Done(v)
		}
		return k.wait(call, v)
	})
}

// methodCall is the request of a connector.
type methodCall struct {
	*discovery.Method
	base   string // of the API, in the region of the call
	url    string
	header http.Header
	body   []byte
}

func newMethodCall(name string, m *discovery.Method, args *value.Map) (*methodCall, error) {
	base, err := regionalBase(m.API, args)
	if err != nil {
		return nil, err
	}
	call := &methodCall{Method: m, base: base, url: base + m.Path, header: http.Header{"User-Agent": {userAgent}}}
	media, err := mediaUpload(m, args)
	if err != nil {
		return nil, err
	}
	if media {
		call.url = m.Upload
	}
	if call.url, err = fill(call.url, args); err != nil {
		return nil, err
	}
	query, err := queryOf(m, args)
	if err != nil {
		return nil, err
	}
	if query != "" {
		call.url += "?" + query
	}
	body, _ := args.Get("body")
	if given(body) && !m.Body {
		return nil, value.Errorf(value.TypeError, "%s has no parameter named \"body\"", name)
	}
	if m.API.Name == "workflowexecutions" && strings.HasSuffix(m.Name, ".executions.create") {
		body = withoutBacklog(body)
	}
	call.body, err = connectorBody(body, media, call.header)
	return call, err
}

// withoutBacklog completes the body of an execution: one that a connector
// starts is refused at the quota unless it asks to be queued.
//
// Source: cloud.google.com/workflows/quotas.
func withoutBacklog(body value.Value) value.Value {
	const key = "disableConcurrencyQuotaOverflowBuffering"
	m, ok := body.(*value.Map)
	if !given(body) {
		m, ok = value.NewMap(), true
	}
	if !ok {
		return body
	}
	if _, set := m.Get(key); set {
		return m
	}
	return m.Copy().Put(key, value.Bool(true))
}

var regionName = lazyregexp.New(`^[a-z0-9-]+$`)

// regionalBase returns the URL under which an API's methods are, in the region
// that the arguments name.
func regionalBase(a *discovery.API, args *value.Map) (string, error) {
	param := a.Region.Param
	if param == "" {
		return a.Base, nil
	}
	v, _ := args.Get(param)
	region, err := optionalText(v, param, a.Region.Default)
	switch {
	case err != nil:
		return "", err
	case region == "" && a.Region.Required:
		return "", missing(param)
	case region == "":
		return a.Base, nil
	case !regionName.MatchString(region): // it would change the host
		return "", value.Errorf(value.ValueError, "argument '%s' is no region: %q", param, region)
	}
	return strings.Replace(a.Base, "https://", "https://"+region+"-", 1), nil
}

func missing(param string) error {
	return value.Errorf(value.TypeError, "missing argument '%s'", param)
}

// mediaUpload reports whether a call sends the content of an object. Without
// uploadType, the method creates an empty one.
func mediaUpload(m *discovery.Method, args *value.Map) (bool, error) {
	v, _ := args.Get("uploadType")
	if m.Upload == "" || !given(v) {
		return false, nil
	}
	if v != value.Value(value.String("media")) {
		return false, value.Errorf(value.ValueError, "argument 'uploadType' must be \"media\": a connector sends the content and no more")
	}
	return true, nil
}

// fill puts arguments in the place of {parameters}. They may hold slashes, as
// resource names do, and escapes: names of Storage objects come URL-encoded
// already. What no path may hold is escaped.
func fill(template string, args *value.Map) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		template = after
		v, _ := args.Get(name)
		if !given(v) {
			return "", missing(name)
		}
		s, ok := interp.Text(v)
		if !ok {
			return "", wrongType(name, "a string", v)
		}
		segments := strings.Split(s, "/")
		if s == "" || slices.Contains(segments, ".") || slices.Contains(segments, "..") {
			return "", value.Errorf(value.ValueError, "argument '%s' is no name: %q", name, s)
		}
		b.WriteString(escapePath(s))
	}
}

var escape = lazyregexp.New(`^%[0-9A-Fa-f]{2}`)

// escapePath escapes what cannot stand in a path: reserved expansion of
// RFC 6570.
func escapePath(s string) string {
	const allowed = "-._~:/[]@!$&'()*+,;="
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(allowed, c) >= 0,
			c == '%' && escape.MatchString(s[i:]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// queryOf writes the arguments that are no part of the path as a query. One
// that the table does not have goes out, too: the API may know it. The
// argument query, which Google's own definitions use, is a map of them.
func queryOf(m *discovery.Method, args *value.Map) (string, error) {
	elsewhere := []string{"body", "connector_params", m.API.Region.Param}
	var pairs []string
	for k, v := range args.All() {
		name := k.String()
		if slices.Contains(elsewhere, name) || m.InPath(name) || value.IsNull(v) {
			continue
		}
		if more, ok := v.(*value.Map); ok && name == "query" {
			name, v = "", more
		}
		var err error
		if pairs, err = appendQuery(pairs, m, name, v); err != nil {
			return "", err
		}
	}
	for _, p := range m.Params {
		if v, _ := args.Get(p.Name); p.Required && !given(v) {
			return "", missing(p.Name)
		}
	}
	return strings.Join(pairs, "&"), nil
}

// appendQuery writes an argument: a map as the fields of a message, a list as
// a repeated parameter.
func appendQuery(pairs []string, m *discovery.Method, name string, v value.Value) ([]string, error) {
	p := paramOf(m, name)
	if p.Type == "fieldmask" {
		v = maskPaths(v)
	}
	switch v := v.(type) {
	case *value.Map:
		for k, field := range v.All() {
			if value.IsNull(field) {
				continue
			}
			var err error
			if pairs, err = appendQuery(pairs, m, strings.TrimPrefix(name+"."+k.String(), "."), field); err != nil {
				return nil, err
			}
		}
		return pairs, nil
	case *value.List:
		if !p.Repeated {
			return nil, wrongType(name, "one value", v)
		}
		for _, item := range v.Items() {
			s, err := queryText(p, item)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(s))
		}
		return pairs, nil
	}
	s, err := queryText(p, v)
	return append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(s)), err
}

// paramOf returns a parameter, or a guess at one that the table does not have.
func paramOf(m *discovery.Method, name string) discovery.Param {
	for _, p := range m.Params {
		if p.Name == name {
			return p
		}
	}
	return discovery.Param{Name: name, Type: "string", Repeated: true}
}

// maskPaths writes a field mask, which may be a list or a map of fieldPaths,
// as JSON does: paths with commas between.
func maskPaths(v value.Value) value.Value {
	if m, ok := v.(*value.Map); ok {
		if paths, ok := m.Get("fieldPaths"); ok {
			v = paths
		}
	}
	l, ok := v.(*value.List)
	if !ok {
		return v
	}
	paths := make([]string, l.Len())
	for i, item := range l.Items() {
		if paths[i], ok = interp.Text(item); !ok {
			return v
		}
	}
	return value.String(strings.Join(paths, ","))
}

// queryText writes a value of a parameter. Texts may stand for numbers and
// booleans.
func queryText(p discovery.Param, v value.Value) (string, error) {
	s, ok := interp.Text(v)
	if !ok {
		return "", wrongType(p.Name, "a string, a number or a boolean", v)
	}
	var err error
	switch p.Type {
	case "integer":
		_, err = strconv.ParseInt(s, 10, 64)
	case "number":
		_, err = strconv.ParseFloat(s, 64)
	case "boolean":
		_, err = strconv.ParseBool(s)
	}
	if err != nil {
		return "", value.Errorf(value.TypeError, "argument '%s' must be of type %s; got: %q", p.Name, p.Type, s)
	}
	return s, nil
}

// connectorBody encodes a body as JSON, but for the media of an upload, which
// goes out as it is.
func connectorBody(body value.Value, media bool, h http.Header) ([]byte, error) {
	if s, ok := body.(value.String); ok && media {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		return []byte(s), nil
	}
	return encodeBody(body, h)
}
