package spec

import (
	"strings"
	"unicode"

	"github.com/kakehi/kakehi/internal/lazyregexp"
	"github.com/kakehi/kakehi/internal/pipeline"
)

const (
	identifierPattern = `^[a-z][a-z0-9_]{0,62}$`
	outputPattern     = `^[A-Za-z][A-Za-z0-9_]{0,62}$`
	hyphenPattern     = `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`
)

var (
	identifierForm = lazyregexp.New(identifierPattern)
	outputForm     = lazyregexp.New(outputPattern)
	hyphenForm     = lazyregexp.New(hyphenPattern)
)

// identifier checks the name of a task, a parameter, an input or an output of a
// pipeline.
func (r *reader) identifier(n *node, what string) string {
	return r.name(n, what, identifierForm, "lower-case letters, digits and _, at most 63, a letter first")
}

// output checks the name of a task's output, which may be that of a field in
// somebody else's JSON.
func (r *reader) output(n *node) string {
	return r.name(n, "an output", outputForm, "letters, digits and _, at most 63, a letter first")
}

func (r *reader) name(n *node, what string, form *lazyregexp.Regexp, hint string) string {
	if !form.MatchString(n.value) {
		if s := strings.ReplaceAll(lowerWords(n.value, '_'), "-", "_"); form.MatchString(s) {
			hint = "write " + s
		}
		r.errorf(n, "bad-name", hint, "%s cannot be the name of %s", quote(n.value), what)
	}
	return n.value
}

// variable checks a name that expressions use.
func (r *reader) variable(n *node, what string) string {
	if why := pipeline.Reserved(n.value); why != "" {
		r.errorf(n, "bad-name", "choose another name", "%s cannot be the name of %s: it is %s", quote(n.value), what, why)
		return n.value
	}
	return r.identifier(n, what)
}

// hyphened checks a name that becomes a resource of Google Cloud.
func (r *reader) hyphened(n *node, what string) string {
	s := r.str(n)
	if n.isText() && !hyphenForm.MatchString(s) {
		hint := "lower-case letters, digits and hyphens, at most 63, a letter first"
		if fixed := strings.ReplaceAll(lowerWords(s, '-'), "_", "-"); hyphenForm.MatchString(fixed) {
			hint = "write " + fixed
		}
		r.errorf(n, "bad-name", hint, "%s cannot be the name of %s", quote(s), what)
	}
	return s
}

// lowerWords writes trainModel and "train model" as train_model.
func lowerWords(s string, sep rune) string {
	var b strings.Builder
	lower := false
	for _, c := range s {
		switch {
		case unicode.IsSpace(c):
			b.WriteRune(sep)
			lower = false
			continue
		case unicode.IsUpper(c) && lower:
			b.WriteRune(sep)
		}
		lower = unicode.IsLower(c) || unicode.IsDigit(c)
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
