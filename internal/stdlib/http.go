package stdlib

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

var (
	withoutBody = []string{"url", "timeout", "headers", "query", "auth", "private_service_name", "ca_certificate"}
	withBody    = slices.Insert(slices.Clone(withoutBody), 2, "body")
	withMethod  = slices.Insert(slices.Clone(withBody), 0, "method")
)

var requests = []Entry{
	request("http.delete", "DELETE", withBody, 1),
	request("http.get", "GET", withoutBody, 1),
	request("http.patch", "PATCH", withBody, 1),
	request("http.post", "POST", withBody, 1),
	request("http.put", "PUT", withBody, 1),
	request("http.request", "", withMethod, 2),
}

func request(name, method string, params []string, required int) Entry {
	example := name + `: {url: "https://example.com/"}`
	if method == "" {
		example = name + `: {method: GET, url: "https://example.com/"}`
	}
	return Entry{Name: name, Example: example, Func: interp.Func{
		Params: params, Required: required,
		Start: func(c *interp.Context, args []value.Value) interp.Next {
			named := map[string]value.Value{}
			for i, param := range params {
				if given(args[i]) {
					named[param] = args[i]
				}
			}
			r, err := newRequest(c, method, named)
			if err != nil {
				return interp.Fail(err)
			}
			return interp.Do(r, func(result interp.Result) interp.Next { return answer(result) })
		},
	}}
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}

func newRequest(c *interp.Context, method string, args map[string]value.Value) (*interp.Request, error) {
	if v, ok := args["method"]; ok {
		name, err := textArg(v, "method")
		if err != nil {
			return nil, err
		}
		if method = strings.ToUpper(name); !slices.Contains(methods, method) {
			return nil, value.Errorf(value.ValueError, "unknown HTTP method %q", name)
		}
	}
	for _, param := range []string{"private_service_name", "ca_certificate"} {
		if _, ok := args[param]; ok {
			return nil, value.Errorf(value.ValueError, "argument '%s' is not emulated: there is no Service Directory", param)
		}
	}
	target, err := urlArg(args["url"], args["query"])
	if err != nil {
		return nil, err
	}
	limits := c.Limits()
	timeout, err := durationArg(args["timeout"], "timeout", limits.HTTPTimeout, limits.HTTPMaxTimeout)
	if err != nil {
		return nil, err
	}
	header, err := headerArg(args["headers"])
	if err != nil {
		return nil, err
	}
	body, err := encodeBody(args["body"], header)
	if err != nil {
		return nil, err
	}
	auth, err := authArg(args["auth"], target)
	if err != nil {
		return nil, err
	}
	return &interp.Request{Method: method, URL: target.String(), Header: header, Body: body, Timeout: timeout, Auth: auth}, nil
}

func urlArg(v, query value.Value) (*url.URL, error) {
	if v == nil {
		return nil, value.Errorf(value.TypeError, "argument 'url' must be a string; got: null")
	}
	s, err := textArg(v, "url")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, value.Errorf(value.ValueError, "%q is not an http or https URL", s)
	}
	extra, err := encodeQuery(query)
	if err != nil {
		return nil, err
	}
	if extra != "" && u.RawQuery != "" {
		extra = "&" + extra
	}
	u.RawQuery += extra
	return u, nil
}

// encodeQuery writes the query in the order of the map. A list repeats its
// key; null leaves it out (choice query-null).
func encodeQuery(v value.Value) (string, error) {
	if !given(v) {
		return "", nil
	}
	m, err := mapArg(v, "query")
	if err != nil {
		return "", err
	}
	var pairs []string
	for k, v := range m.All() {
		values := []value.Value{v}
		if l, ok := v.(*value.List); ok {
			values = l.Items()
		}
		for _, v := range values {
			if value.IsNull(v) {
				continue
			}
			s, ok := interp.Text(v)
			if !ok {
				return "", wrongType("query."+k.String(), "a string, a number, a boolean or a list of them", v)
			}
			pairs = append(pairs, url.QueryEscape(k.String())+"="+url.QueryEscape(s))
		}
	}
	return strings.Join(pairs, "&"), nil
}

const userAgent = "GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)"

func headerArg(v value.Value) (http.Header, error) {
	header := http.Header{}
	if given(v) {
		m, err := mapArg(v, "headers")
		if err != nil {
			return nil, err
		}
		for k, v := range m.All() {
			s, ok := interp.Text(v)
			if !ok {
				return nil, wrongType("headers."+k.String(), "a string", v)
			}
			if !validHeader(k.String(), s) {
				return nil, value.Errorf(value.ValueError, "header %q has characters that no header may have", k)
			}
			header.Set(k.String(), s)
		}
	}
	header.Set("User-Agent", strings.TrimSpace(header.Get("User-Agent")+" "+userAgent))
	return header, nil
}

func validHeader(name, text string) bool {
	ok := name != ""
	for _, c := range name {
		ok = ok && c > ' ' && c < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}
	return ok && !strings.ContainsAny(text, "\r\n\x00")
}

// authArg reads auth. An access token goes to Google's APIs alone; for any other
// host there are no credentials (choice oauth2-other-hosts).
func authArg(v value.Value, target *url.URL) (*interp.Auth, error) {
	if !given(v) {
		return nil, nil
	}
	m, err := mapArg(v, "auth")
	if err != nil {
		return nil, err
	}
	kind, ok := m.Get("type")
	if !ok {
		return nil, value.Errorf(value.ValueError, "argument 'auth' has no type: it must be OIDC or OAuth2")
	}
	switch kind {
	case value.String("OIDC"):
		audience, _ := m.Get("audience")
		a, err := optionalText(audience, "auth.audience", target.String())
		return &interp.Auth{Audience: a}, err
	case value.String("OAuth2"):
		if !googleAPI(target) {
			return nil, value.Errorf(value.AuthError, "an access token is sent to hosts of googleapis.com over https only, not to %s: use auth type OIDC", target.Host).
				With("code", value.Int(http.StatusUnauthorized))
		}
		scopes, err := scopesOf(m)
		return &interp.Auth{Scopes: scopes}, err
	}
	return nil, value.Errorf(value.ValueError, "argument 'auth' has an unknown type: it must be OIDC or OAuth2")
}

func googleAPI(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	return u.Scheme == "https" && (host == "googleapis.com" || strings.HasSuffix(host, ".googleapis.com"))
}

const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// scopesOf reads scope or scopes: a list, or a text with commas or spaces.
func scopesOf(m *value.Map) ([]string, error) {
	var scopes []string
	for _, name := range []string{"scope", "scopes"} {
		v, _ := m.Get(name)
		if !given(v) {
			continue
		}
		items := []value.Value{v}
		if l, ok := v.(*value.List); ok {
			items = l.Items()
		}
		for _, item := range items {
			s, err := textArg(item, name)
			if err != nil {
				return nil, err
			}
			scopes = append(scopes, strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })...)
		}
	}
	if len(scopes) == 0 {
		scopes = []string{cloudPlatform}
	}
	return scopes, nil
}

// answer makes the result of an http function, or HttpError from status 400
// on.
func answer(result interp.Result) interp.Next {
	if result.Err != nil {
		return interp.Fail(result.Err)
	}
	r := result.Response
	m := value.NewMap().
		Put("body", decodeBody(r.Header, r.Body)).
		Put("code", value.Int(r.Status)).
		Put("headers", headerMap(r.Header))
	if r.Status < 400 {
		return interp.Done(m)
	}
	return interp.Fail(httpError(r.Status, m))
}

func headerMap(h http.Header) *value.Map {
	m := value.NewMap()
	for _, name := range sortedKeys(h) {
		m.Put(http.CanonicalHeaderKey(name), value.String(strings.Join(h[name], ",")))
	}
	return m
}
