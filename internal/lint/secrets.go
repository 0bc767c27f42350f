package lint

import (
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/lazyregexp"
	"github.com/kakehi/kakehi/internal/workflow"
)

// keys match the secrets that tell by their form what they are.
var keys = []struct {
	what string
	form *lazyregexp.Regexp
}{
	{"an API key of Google", lazyregexp.New(`AIza[0-9A-Za-z_-]{35}`)},
	{"an access token of Google", lazyregexp.New(`ya29\.[0-9A-Za-z_-]{20,}`)},
	{"a private key", lazyregexp.New(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a token of GitHub", lazyregexp.New(`gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,}`)},
	{"an access key of AWS", lazyregexp.New(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a token of Slack", lazyregexp.New(`xox[abprs]-[0-9A-Za-z-]{10,}`)},
	{"a token of SendGrid", lazyregexp.New(`SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}`)},
	{"a token of OpenAI or alike", lazyregexp.New(`\bsk-[0-9A-Za-z_-]{20,}`)},
	{"a web token", lazyregexp.New(`\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}`)},
}

// secret warns of a literal that is a secret by its form.
func (l *linter) secret(lit *workflow.Lit, s string) {
	for _, k := range keys {
		if k.form.MatchString(s) {
			l.leak(lit, "this looks like "+k.what)
			return
		}
	}
}

// secretKeys are keys of maps whose values are secrets: in lower case, without
// dashes and underscores.
var secretKeys = map[string]bool{
	"password": true, "passwd": true, "apikey": true, "xapikey": true, "accesstoken": true, "authtoken": true,
	"clientsecret": true, "secretkey": true, "privatekey": true, "authorization": true,
}

// secretsIn warns of secrets that the keys of a map tell.
func (l *linter) secretsIn(m *workflow.Map) {
	for _, e := range m.Entries {
		key := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(text(e.Key)))
		value, ok := e.Value.(*workflow.Lit)
		if ok && secretKeys[key] && literalSecret(text(value)) {
			l.leak(value, "the value of "+text(e.Key)+" is written in the source")
		}
	}
}

// literalSecret tells a secret from what stands for one, such as <TOKEN> or
// YOUR_TOKEN.
func literalSecret(s string) bool {
	for _, scheme := range []string{"Bearer ", "Basic ", "Token "} {
		s = strings.TrimPrefix(s, scheme)
	}
	s = strings.TrimSpace(s)
	placeholder := strings.ContainsAny(s, "<>{}[] …") || strings.Contains(strings.ToLower(s), "your") ||
		strings.Trim(s, "*x.X-") == "" || s == strings.ToUpper(s) && strings.ContainsAny(s, "_ABCDEFGHIJKLMNOPQRSTUVWXYZ") && !strings.ContainsAny(s, "0123456789")
	return len(s) >= 6 && !placeholder
}

// leak reports a secret without showing it.
func (l *linter) leak(lit *workflow.Lit, message string) {
	l.found.Add(diag.Diagnostic{Pos: lit.At, Severity: diag.Warning, Code: "secret", Secret: true,
		Message: message + ": whoever may read the workflow reads it, and so may logs",
		Hint:    "keep it in Secret Manager and read it with googleapis.secretmanager.v1.projects.secrets.versions.accessString"})
}
