package stdlib_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// server answers requests with a function and notes them.
type server struct {
	mu     sync.Mutex
	seen   []string
	answer func(r *http.Request, body string) (*http.Response, error)
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	line := r.Method + " " + r.URL.String()
	for _, h := range []string{"Authorization", "Content-Type", "X-A"} {
		if v := r.Header.Get(h); v != "" {
			line += " " + h + "=" + v
		}
	}
	if body != "" {
		line += " " + body
	}
	s.seen = append(s.seen, line)
	return s.answer(r, body)
}

func respond(status int, contentType, body string) (*http.Response, error) {
	h := http.Header{}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// tokens mints tokens that tell what they are for.
type tokens struct{ err error }

func (m tokens) AccessToken(_ context.Context, scopes []string) (string, error) {
	return "access:" + strings.TrimPrefix(strings.Join(scopes, "|"), "https://www.googleapis.com/auth/"), m.err
}

func (m tokens) IDToken(_ context.Context, audience string) (string, error) {
	return "id:" + audience, m.err
}

// TestRequests checks what goes out.
func TestRequests(t *testing.T) {
	for _, c := range []struct{ call, want string }{
		{`http.get, args: {url: 'https://h.example/p?a=1', query: {b: [x, 2], c: true, d: 'é &', n: null}}`, `GET https://h.example/p?a=1&b=x&b=2&c=true&d=%C3%A9+%26`},
		{`http.get, args: {url: 'https://h.example', headers: {x-a: one}}`, `GET https://h.example X-A=one`},
		{`http.get, args: {url: 'https://h.example', headers: {X-A: 5}}`, `GET https://h.example X-A=5`},
		{`http.post, args: {url: 'https://h.example', body: {a: [1, null, 2.5]}}`, `POST https://h.example Content-Type=application/json; charset=utf-8 {"a":[1,null,2.5]}`},
		{`http.post, args: {url: 'https://h.example', body: text}`, `POST https://h.example Content-Type=application/json; charset=utf-8 "text"`},
		{`http.post, args: {url: 'https://h.example', body: text, headers: {Content-Type: text/plain}}`, `POST https://h.example Content-Type=text/plain text`},
		{`http.post, args: {url: 'https://h.example', body: {a: b c, d: [1, 2]}, headers: {content-type: application/x-www-form-urlencoded}}`, `POST https://h.example Content-Type=application/x-www-form-urlencoded a=b+c&d=1&d=2`},
		{`http.post, args: {url: 'https://h.example', body: a=b, headers: {content-type: application/x-www-form-urlencoded}}`, `POST https://h.example Content-Type=application/x-www-form-urlencoded a=b`},
		{`http.put, args: {url: 'https://h.example', body: '${text.encode("raw")}'}`, `PUT https://h.example Content-Type=application/octet-stream raw`},
		{`http.patch, args: {url: 'https://h.example', body: {a: 1}, headers: {Content-Type: application/merge-patch+json}}`, `PATCH https://h.example Content-Type=application/merge-patch+json {"a":1}`},
		{`http.delete, args: {url: 'https://h.example/x', body: null}`, `DELETE https://h.example/x`},
		{`http.request, args: {method: options, url: 'http://h.example'}`, `OPTIONS http://h.example`},
		// Positional arguments.
		{`http.get, args: ['https://h.example', 10, {X-A: y}]`, `GET https://h.example X-A=y`},
		// Credentials.
		{`http.get, args: {url: 'https://h.example/p', auth: {type: OIDC}}`, `GET https://h.example/p Authorization=Bearer id:https://h.example/p`},
		{`http.get, args: {url: 'https://h.example/p', auth: {type: OIDC, audience: 'https://h.example'}}`, `GET https://h.example/p Authorization=Bearer id:https://h.example`},
		{`http.get, args: {url: 'https://storage.googleapis.com/b', auth: {type: OAuth2}}`, `GET https://storage.googleapis.com/b Authorization=Bearer access:cloud-platform`},
		{`http.get, args: {url: 'https://storage.googleapis.com/b', auth: {type: OAuth2, scopes: 'a, b c'}}`, `GET https://storage.googleapis.com/b Authorization=Bearer access:a|b|c`},
		{`http.get, args: {url: 'https://storage.googleapis.com/b', auth: {type: OAuth2, scope: [a, b]}}`, `GET https://storage.googleapis.com/b Authorization=Bearer access:a|b`},
		// The token stays at home.
		{`http.get, args: {url: 'https://h.example', auth: {type: OAuth2}}`, `! AuthError`},
		{`http.get, args: {url: 'http://storage.googleapis.com', auth: {type: OAuth2}}`, `! AuthError`},
		{`http.get, args: {url: 'https://storage.googleapis.com.evil.example', auth: {type: OAuth2}}`, `! AuthError`},
		// Mistakes.
		{`http.get, args: {url: 'ftp://h.example'}`, `! ValueError`},
		{`http.get, args: {url: null}`, `! TypeError`},
		{`http.get, args: {url: 'https://h.example', timeout: 1801}`, `! ValueError`},
		{`http.get, args: {url: 'https://h.example', timeout: "5"}`, `! TypeError`},
		{`http.get, args: {url: 'https://h.example', query: {a: {b: 1}}}`, `! TypeError`},
		{`http.get, args: {url: 'https://h.example', headers: {a: [1]}}`, `! TypeError`},
		{`http.get, args: {url: 'https://h.example', headers: {"a b": x}}`, `! ValueError`},
		{`http.get, args: {url: 'https://h.example', headers: {a: "x\ny"}}`, `! ValueError`},
		{`http.get, args: {url: 'https://h.example', auth: {type: Basic}}`, `! ValueError`},
		{`http.get, args: {url: 'https://h.example', auth: {}}`, `! ValueError`},
		{`http.get, args: {url: 'https://h.example', auth: OIDC}`, `! TypeError`},
		{`http.get, args: {url: 'https://h.example', private_service_name: s}`, `! ValueError`},
		{`http.request, args: {method: FETCH, url: 'https://h.example'}`, `! ValueError`},
		{`http.post, args: {url: 'https://h.example', body: {a: 1}, headers: {Content-Type: text/plain}}`, `! TypeError`},
		{`http.post, args: {url: 'https://h.example', body: ['${text.encode("x")}']}`, `! ValueError`},
	} {
		s := &server{answer: func(r *http.Request, _ string) (*http.Response, error) {
			if got := r.Header.Get("User-Agent"); got != "GoogleCloudWorkflows; (+https://cloud.google.com/workflows/docs)" {
				t.Errorf("User-Agent %q", got)
			}
			return respond(200, "", "")
		}}
		o := run(t, "[{s: {call: "+c.call+", result: r}}, {r: {return: '${r.code}'}}]", interp.Config{HTTP: s, Tokens: tokens{}})
		got := strings.Join(s.seen, "; ")
		if o.State != interp.Succeeded {
			got = show(o)
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.call, got, c.want)
		}
	}
}

// TestResponses checks what comes back.
func TestResponses(t *testing.T) {
	header := func(h http.Header, body string) func(*http.Request, string) (*http.Response, error) {
		return func(*http.Request, string) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	fail := func(err error) func(*http.Request, string) (*http.Response, error) {
		return func(*http.Request, string) (*http.Response, error) { return nil, err }
	}
	plain := func(status int, contentType, body string) func(*http.Request, string) (*http.Response, error) {
		return func(*http.Request, string) (*http.Response, error) { return respond(status, contentType, body) }
	}
	for _, c := range []struct {
		name   string
		answer func(*http.Request, string) (*http.Response, error)
		want   string
	}{
		{"json", plain(200, "application/json; charset=utf-8", `{"a":1}`), `[{"a":1},"map",200]`},
		{"problem json", plain(201, "application/vnd.x+json", `[2.0]`), `[[2.0],"list",201]`},
		{"broken json", plain(200, "application/json", `{"a":`), `["{\"a\":","string",200]`},
		{"text", plain(200, "text/html", `<p>`), `["<p>","string",200]`},
		{"bytes", plain(200, "image/png", "\x89PNG"), `["bytes","bytes",200]`},
		{"text that is none", plain(200, "text/plain", "\xff"), `["bytes","bytes",200]`},
		{"no type", plain(200, "", "x"), `["bytes","bytes",200]`},
		{"empty", plain(204, "", ""), `[null,"null",204]`},
		{"empty json", plain(200, "application/json", ""), `[null,"null",200]`},
		{"status 399", plain(399, "text/plain", ""), `["","string",399]`},
		{"status 404", plain(404, "application/json", `{"error":{"code":404}}`), `{"message":"HTTP server responded with error code 404","tags":["HttpError"],"body":{"error":{"code":404}},"code":404,"headers":{"Content-Type":"application/json"}}`},
		{"status 500", plain(500, "", ""), `{"message":"HTTP server responded with error code 500","tags":["HttpError"],"body":null,"code":500,"headers":{}}`},
		{"headers", header(http.Header{"content-type": {"text/plain"}, "Set-Cookie": {"a", "b"}}, "x"), `["bytes","bytes",200]`},
		{"no host", fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}), `! ConnectionFailedError`},
		{"refused", fail(&net.OpError{Op: "dial", Err: errors.New("refused")}), `! ConnectionFailedError`},
		{"reset", fail(&net.OpError{Op: "read", Err: errors.New("reset")}), `! ConnectionError`},
		{"cut off", fail(io.ErrUnexpectedEOF), `! ConnectionError`},
		{"too large", plain(200, "text/plain", strings.Repeat("x", 2<<20+1)), `fatal ResourceLimitError`},
	} {
		o := run(t, `
- t:
    try:
      call: http.get
      args: {url: 'https://h.example'}
      result: r
    except:
      as: e
      steps:
        - h:
            switch:
              - condition: ${"HttpError" in e.tags}
                return: ${e}
        - other:
            return: '${"! " + e.tags[0]}'
- d:
    switch:
      - condition: ${get_type(r.body) == "bytes"}
        return: ['bytes', '${get_type(r.body)}', '${r.code}']
- done:
    return: ['${r.body}', '${get_type(r.body)}', '${r.code}']
`, interp.Config{HTTP: &server{answer: c.answer}})
		got := strings.Trim(show(o), `"`)
		if o.State == interp.Failed {
			got = strings.Replace(got, "!", "fatal", 1)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestHeadersOfResponse(t *testing.T) {
	s := &server{answer: func(*http.Request, string) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Set-Cookie": {"a", "b"}, "X-Odd": {"\xffz"}}, Body: http.NoBody}, nil
	}}
	o := run(t, "[{s: {call: http.get, args: {url: 'https://h.example'}, result: r}}, {r: {return: '${r.headers}'}}]", interp.Config{HTTP: s})
	if got, want := show(o), `{"Set-Cookie":"a,b","X-Odd":"�z"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNoIdentity(t *testing.T) {
	const src = "[{s: {call: http.get, args: {url: 'https://h.example', auth: {type: OIDC}}}}]"
	s := &server{}
	for _, cfg := range []interp.Config{{HTTP: s}, {HTTP: s, Tokens: tokens{errors.New("no such account")}}} {
		if got := show(run(t, src, cfg)); got != "! AuthError" {
			t.Errorf("got %s", got)
		}
	}
	if got := show(run(t, src, interp.Config{Tokens: tokens{}})); got != "! ConnectionFailedError" {
		t.Errorf("without a network: got %s", got)
	}
	if len(s.seen) > 0 {
		t.Errorf("requests went out: %q", s.seen)
	}
}

func TestHTTPErrorBytesPayload(t *testing.T) {
	s := &server{answer: func(*http.Request, string) (*http.Response, error) { return respond(418, "image/png", "\x89") }}
	o := run(t, "[{s: {call: http.get, args: {url: 'https://h.example'}}}]", interp.Config{HTTP: s})
	if o.State != interp.Failed || !strings.Contains(string(value.MustJSON(o.Err.Payload)), `"body":"iQ=="`) {
		t.Errorf("got %v", o.Err)
	}
	if want := "HTTP server responded with error code 418\nin step \"s\", routine \"main\", line: 1"; o.Err.Context != want {
		t.Errorf("got %q", o.Err.Context)
	}
}
