package lint

import (
	"strings"

	"github.com/kakehi/kakehi/internal/workflow"
)

// auth checks the credentials of a request
// (cloud.google.com/workflows/docs/authentication).
func (l *linter) auth(c *workflow.Call) {
	auth, ok := argument(c, "auth").(*workflow.Map)
	if !ok || !strings.HasPrefix(c.Func, "http.") {
		return
	}
	to, ok := addressOf(l.known(argument(c, "url")))
	if !ok {
		return
	}
	kind := member(auth, "type")
	switch text(kind) {
	case "OAuth2":
		if to.host != "" && !to.api() {
			hint := "send credentials of the service's own"
			if to.run() {
				hint = "use auth type OIDC"
			}
			l.warn(kind.Pos(), "oauth2-host", hint, "OAuth2 works for hosts of googleapis.com only: an access token is not sent to "+shown(to.host))
		}
	case "OIDC":
		if to.api() {
			l.warn(kind.Pos(), "oidc-api", "use auth type OAuth2", "Google's APIs take access tokens, and refuse the ID token that OIDC sends")
			return
		}
		l.audience(kind, member(auth, "audience"), to)
	}
}

// audience warns of an ID token that the service will not take for its own:
// the audience is the root URL of the service.
func (l *linter) audience(kind, audience workflow.Node, to address) {
	const hint = "write the URL of the service without path and query as the audience"
	if audience == nil {
		if to.host != "" && to.beyondRoot() {
			l.warn(kind.Pos(), "oidc-audience", hint, "without an audience the ID token is for the whole URL, path and query too, not for the service")
		}
		return
	}
	if a, ok := addressOf(l.known(audience)); ok && a.host != "" && a.beyondRoot() {
		l.warn(audience.Pos(), "oidc-audience", hint, "the audience has a path, so that the service refuses the ID token")
	}
}

// shown makes holes readable.
func shown(s string) string { return strings.ReplaceAll(s, hole, "…") }
