package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// secondDocument is our own message beside those of the YAML reader.
const secondDocument = "a spec is one document"

var controlCharacter = lazyregexp.New(`control characters are not allowed \(value: (\d+)\)`)

// syntaxError reports what the YAML reader refused.
func (r *reader) syntaxError(err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.errorf(&node{at: r.text.clamp(1, 1), width: 1}, "yaml", "", "%v", err)
		return
	}
	mark := e.Mark
	if mark.Line == 0 || unclosedQuote(e) {
		mark = e.ContextMark
	}
	at := r.text.clamp(mark.Line, mark.Column)
	if m := controlCharacter.FindStringSubmatch(e.Message); m != nil {
		if value, err := strconv.Atoi(m[1]); err == nil {
			at = r.text.pos(strings.IndexRune(r.text.src, rune(value)))
		}
	}
	message := e.Message
	if e.ContextMsg != "" {
		message = e.ContextMsg + ": " + message
	}
	hint := r.syntaxHint(e)
	if r.text.runeAt(at) == '\t' {
		hint = "YAML indents with spaces: replace the tab"
	}
	r.errorf(&node{at: at, width: 1}, "yaml", hint, "not valid YAML: %s", message)
}

// unclosedQuote reports a quote that the reader looked for to the end of the
// file: what is wrong stands where it begins.
func unclosedQuote(e *yaml.LoadError) bool {
	return strings.Contains(e.ContextMsg, "quoted scalar") && strings.Contains(e.Message, "end of stream")
}

// syntaxHint tells how to mend the mistakes that people make most.
func (r *reader) syntaxHint(e *yaml.LoadError) string {
	says := func(text string) bool { return strings.Contains(e.Message, text) }
	switch inFlow := strings.Contains(e.ContextMsg, "flow"); {
	case e.Message == secondDocument:
		return "put the other one into a file of its own"
	case unclosedQuote(e):
		return "close the quote"
	case inFlow && strings.Contains(r.text.lineOf(e.Mark.Line), "${"):
		return "within { } and [ ] an expression needs quotes, '${…}'; a reference, $name, does not"
	case inFlow:
		return fmt.Sprintf("what opens on line %d, column %d must be closed", e.ContextMark.Line, e.ContextMark.Column)
	case says("mapping values are not allowed"):
		return `a colon may be missing on a line before; a text that holds ": " needs quotes`
	case says("cannot start any token"):
		return "put the text in quotes"
	case says("did not find expected key"), says("did not find expected '-' indicator"):
		return "check the indentation: the keys of one map stand in one column"
	case says("control characters"):
		return `leave it out, or write it as an escape in double quotes, such as "\u0007"`
	case says("unknown anchor"):
		return "write the value out, or mark it with & before"
	case says("incompatible YAML document"):
		return "leave the %YAML line out"
	}
	return ""
}
