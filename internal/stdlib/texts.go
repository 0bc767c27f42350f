package stdlib

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/kakehi/kakehi/internal/value"
)

// texts are the functions of module text. Positions count characters, not
// bytes (choice text-positions).
var texts = []Entry{
	pure("text.decode", `text.decode(base64.decode("aGk="))`, []string{"data", "charset"}, 1, textDecode),
	pure("text.encode", `text.encode("hi")`, []string{"text", "charset"}, 1, textEncode),
	pure("text.find_all", `text.find_all("banana", "an")`, []string{"source", "substr"}, 2, strings2(findAll)),
	pure("text.find_all_regex", `text.find_all_regex("banana", "a.")`, []string{"source", "regexp"}, 2, strings2(findAllRegex)),
	pure("text.match_regex", `text.match_regex("banana", "^b.*a$")`, []string{"source", "regexp"}, 2, strings2(matchRegex)),
	pure("text.replace_all", `text.replace_all("banana", "a", "o")`, []string{"source", "substr", "repl"}, 3, strings3(replaceAll)),
	pure("text.replace_all_regex", `text.replace_all_regex("banana", "a(.)", "o\\1")`, []string{"source", "substr", "repl"}, 3, strings3(replaceAllRegex)),
	pure("text.split", `text.split("a,b", ",")`, []string{"source", "separator"}, 2, strings2(split)),
	pure("text.substring", `text.substring("banana", 1, 3)`, []string{"source", "start", "end"}, 3, substring),
	pure("text.to_lower", `text.to_lower("ABC")`, []string{"source"}, 1, strings1(func(s string) (value.Value, error) {
		return value.String(strings.ToLower(s)), nil
	})),
	pure("text.to_upper", `text.to_upper("abc")`, []string{"source"}, 1, strings1(func(s string) (value.Value, error) {
		return value.String(strings.ToUpper(s)), nil
	})),
	pure("text.url_decode", `text.url_decode("a%20b")`, []string{"source"}, 1, strings1(urlDecode)),
	pure("text.url_encode", `text.url_encode("a b")`, []string{"source"}, 1, strings1(func(s string) (value.Value, error) {
		return value.String(strings.ReplaceAll(url.QueryEscape(s), "+", "%20")), nil
	})),
	pure("text.url_encode_plus", `text.url_encode_plus("a b")`, []string{"source"}, 1, strings1(func(s string) (value.Value, error) {
		return value.String(url.QueryEscape(s)), nil
	})),
}

var parameters = [...]string{"source", "substr", "repl"}

type function = func([]value.Value) (value.Value, error)

func readStrings(a []value.Value) ([]string, error) {
	out := make([]string, len(a))
	for i, v := range a {
		s, err := textArg(v, parameters[i])
		if err != nil {
			return nil, err
		}
		out[i] = s
	}
	return out, nil
}

func strings1(f func(s string) (value.Value, error)) function {
	return func(a []value.Value) (value.Value, error) {
		s, err := readStrings(a)
		if err != nil {
			return nil, err
		}
		return f(s[0])
	}
}

func strings2(f func(s, t string) (value.Value, error)) function {
	return func(a []value.Value) (value.Value, error) {
		s, err := readStrings(a)
		if err != nil {
			return nil, err
		}
		return f(s[0], s[1])
	}
}

func strings3(f func(s, t, u string) (value.Value, error)) function {
	return func(a []value.Value) (value.Value, error) {
		s, err := readStrings(a)
		if err != nil {
			return nil, err
		}
		return f(s[0], s[1], s[2])
	}
}

func charset(v value.Value) error {
	name, err := optionalText(v, "charset", "UTF-8")
	if err != nil {
		return err
	}
	if !strings.EqualFold(name, "UTF-8") && !strings.EqualFold(name, "UTF8") {
		return value.Errorf(value.ValueError, "unknown charset %q: only UTF-8 is supported", name)
	}
	return nil
}

func textDecode(a []value.Value) (value.Value, error) {
	b, err := bytesArg(a[0], "data")
	if err != nil {
		return nil, err
	}
	if err := charset(a[1]); err != nil {
		return nil, err
	}
	if !utf8.Valid(b) {
		return nil, value.Errorf(value.ValueError, "the bytes are not valid UTF-8")
	}
	return value.String(b), nil
}

func textEncode(a []value.Value) (value.Value, error) {
	s, err := textArg(a[0], "text")
	if err != nil {
		return nil, err
	}
	return value.Bytes(s), charset(a[1])
}

// findAll finds occurrences that do not overlap (choice find-without-overlap).
func findAll(source, substr string) (value.Value, error) {
	if substr == "" {
		return nil, value.Errorf(value.ValueError, "argument 'substr' must not be empty")
	}
	var found []value.Value
	for at, chars := 0, 0; ; {
		i := strings.Index(source[at:], substr)
		if i < 0 {
			return value.NewList(found...), nil
		}
		chars += utf8.RuneCountInString(source[at : at+i])
		found = append(found, value.Int(chars))
		chars += utf8.RuneCountInString(substr)
		at += i + len(substr)
	}
}

func compile(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "invalid regular expression: %v", err)
	}
	re.Longest() // the reference says: leftmost-longest
	return re, nil
}

func findAllRegex(source, pattern string) (value.Value, error) {
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	var found []value.Value
	at, chars := 0, 0
	for _, m := range re.FindAllStringIndex(source, -1) {
		chars += utf8.RuneCountInString(source[at:m[0]])
		at = m[0]
		found = append(found, value.NewMap().Put("index", value.Int(chars)).Put("match", value.String(source[m[0]:m[1]])))
	}
	return value.NewList(found...), nil
}

// matchRegex searches; it need not match the whole of source (choice
// regex-searches).
func matchRegex(source, pattern string) (value.Value, error) {
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	return value.Bool(re.MatchString(source)), nil
}

// maxText bounds a text before it is built; the limit on strings refuses much
// shorter ones, but only afterwards.
const maxText = 4 << 20

func tooLong() error {
	return value.LimitError(fmt.Sprintf("the replaced text would be longer than %d bytes", maxText), value.MemoryLimitExceededError)
}

func replaceAll(source, substr, repl string) (value.Value, error) {
	if n := strings.Count(source, substr); len(source)+n*(len(repl)-len(substr)) > maxText {
		return nil, tooLong()
	}
	return value.String(strings.ReplaceAll(source, substr, repl)), nil
}

// replaceAllRegex replaces matches; \1 to \9 in repl stand for groups, \0 for
// the match and \\ for a backslash, as in RE2's rewrite strings (choice
// regex-groups).
func replaceAllRegex(source, pattern, repl string) (value.Value, error) {
	re, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	at := 0
	for _, m := range re.FindAllStringSubmatchIndex(source, -1) {
		b.WriteString(source[at:m[0]])
		at = m[1]
		expand(&b, repl, source, m)
		if b.Len() > maxText {
			return nil, tooLong()
		}
	}
	b.WriteString(source[at:])
	return value.String(b.String()), nil
}

func expand(b *strings.Builder, repl, source string, m []int) {
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c != '\\' || i+1 == len(repl) {
			b.WriteByte(c)
			continue
		}
		i++
		switch d := repl[i]; {
		case d == '\\':
			b.WriteByte(d)
		case d >= '0' && d <= '9':
			if g := 2 * int(d-'0'); g < len(m) && m[g] >= 0 {
				b.WriteString(source[m[g]:m[g+1]])
			}
		default:
			b.WriteByte(c)
			b.WriteByte(d)
		}
	}
}

func split(source, separator string) (value.Value, error) {
	parts := strings.Split(source, separator)
	items := make([]value.Value, len(parts))
	for i, p := range parts {
		items[i] = value.String(p)
	}
	return value.NewList(items...), nil
}

// substring refuses positions outside the text with IndexError (choice
// substring-bounds).
func substring(a []value.Value) (value.Value, error) {
	source, err := textArg(a[0], "source")
	if err != nil {
		return nil, err
	}
	var at [2]int
	length := utf8.RuneCountInString(source)
	for i, param := range [...]string{"start", "end"} {
		n, ok := a[i+1].(value.Int)
		if !ok {
			return nil, wrongType(param, "an integer", a[i+1])
		}
		if n < 0 || int64(n) > int64(length) {
			return nil, value.Errorf(value.IndexError, "argument '%s' is %d; the text has %d characters", param, n, length)
		}
		at[i] = int(n)
	}
	if at[0] > at[1] {
		return nil, value.Errorf(value.IndexError, "argument 'start' is %d, behind 'end', which is %d", at[0], at[1])
	}
	if length == len(source) {
		return value.String(source[at[0]:at[1]]), nil
	}
	return value.String([]rune(source)[at[0]:at[1]]), nil
}

// urlDecode decodes what either encoder writes: a plus sign is a space (choice
// url-decode-plus).
func urlDecode(source string) (value.Value, error) {
	s, err := url.QueryUnescape(source)
	if err != nil {
		return nil, value.Errorf(value.ValueError, "%v", err)
	}
	if !utf8.ValidString(s) {
		return nil, value.Errorf(value.ValueError, "the decoded text is not valid UTF-8")
	}
	return value.String(s), nil
}
