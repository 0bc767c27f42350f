package pipeline

import (
	"net/url"
	"strings"

	"github.com/kakehi/kakehi/internal/expr"
)

func (c *checker) http(t *Task, k *HTTP, s *scope) {
	c.url(k.URL, s)
	c.scalars(k.Headers, s, "the header")
	for _, q := range k.Query {
		c.valueType(q.Value, s)
	}
	if k.Body != nil {
		c.valueType(k.Body, s)
		if k.Method == "GET" || k.Method == "HEAD" {
			c.key(t, "body").hint("leave method out for POST, or send it in query").errorf("conflict", "a %s request has no body", k.Method)
		}
	}
	if k.Audience != nil {
		c.scalar(k.Audience, s, "the audience")
		if k.Auth != "OIDC" {
			c.key(t, "audience").hint("add auth: OIDC").errorf("conflict", "only an OIDC token has an audience")
		}
	}
	c.auth(t, k)
	c.outputsByValue(t)
}

// url checks a URL as far as it is known before a run.
func (c *checker) url(v Value, s *scope) {
	if v == nil {
		return
	}
	switch t := c.valueType(v, s); {
	case t.IsArtifact():
		c.valueAt(v).hint("an artifact's place is its uri: write NAME.uri").errorf("type-mismatch", "the URL is text, not %s", article(t))
	case t != "" && t != String:
		c.valueAt(v).hint("write it as https://…").errorf("type-mismatch", "the URL is text, not %s", article(t))
	}
	lit, ok := v.(*Lit)
	if !ok {
		return
	}
	text, ok := lit.V.(string)
	if !ok {
		return
	}
	u, err := url.Parse(text)
	switch {
	case !strings.HasPrefix(text, "https://") && !strings.HasPrefix(text, "http://"):
		c.valueAt(v).hint("begin with https://").errorf("bad-value", "%q is not a URL", text)
	case err != nil:
		c.valueAt(v).hint("write it as https://HOST/PATH").errorf("bad-value", "%q is not a URL: %v", text, reason(err))
	case u.Host == "":
		c.valueAt(v).hint("write it as https://HOST/PATH").errorf("bad-value", "%q is not a URL: it has no host", text)
	}
}

// reason is the part of url.Parse's error that does not repeat the URL.
func reason(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}

// auth checks that the host takes the token: Cloud Workflows gives access tokens
// to Google's APIs alone (cloud.google.com/workflows/docs/authentication), and
// they take nothing else.
func (c *checker) auth(t *Task, k *HTTP) {
	host := knownHost(k.URL)
	if host == "" {
		return
	}
	google := host == "googleapis.com" || strings.HasSuffix(host, ".googleapis.com")
	switch {
	case k.Auth == "OAuth2" && !google:
		c.key(t, "auth").hint("write OIDC for a service of yours, or leave it out").
			errorf("conflict", "an OAuth2 token is sent to *.googleapis.com only, not to %s", host)
	case k.Auth == "OIDC" && google:
		c.key(t, "auth").hint("write OAuth2").errorf("conflict", "Google's APIs take OAuth2 tokens, not OIDC")
	}
}

// knownHost is the host of a URL that begins with it in plain text; "" when a run
// decides it.
func knownHost(v Value) string {
	text, whole := literalText(v)
	if e, ok := v.(*Expr); ok {
		text = firstText(e.X)
	}
	_, rest, ok := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#:")
	switch {
	case !ok || end < 0 && !whole:
		return ""
	case end >= 0:
		rest = rest[:end]
	}
	return strings.ToLower(rest)
}

// firstText is the text that a sum begins with.
func firstText(x expr.Expr) string {
	switch x := x.(type) {
	case *expr.Literal:
		text, _ := x.Value.(string)
		return text
	case *expr.Binary:
		if x.Op == "+" {
			return firstText(x.X)
		}
	}
	return ""
}
